// Package command is etl's command line: the commands with their flags, the exit codes, and the reports, progress and metrics of a run.
//
// Run is its only door. Each command has a file, and a Run method that kong calls.
package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/alecthomas/kong"

	"systemscale/etl/internal/publish"
	"systemscale/sql/migrate"
	"systemscale/sql/printable"
)

type arguments struct {
	Run      runCommand      `cmd:"" help:"Join the CSV files, render the documents and publish what changed."`
	Plan     planCommand     `cmd:"" help:"Show what a run would change, and write nothing."`
	History  historyCommand  `cmd:"" help:"List the runs of a collection."`
	Rollback rollbackCommand `cmd:"" help:"Make an earlier version live again."`
	Refresh  refreshCommand  `cmd:"" help:"Tell the caches what changed since they were told last."`
	Render   renderCommand   `cmd:"" help:"Join the CSV files and render the documents, without a database."`
	Explain  explainCommand  `cmd:"" help:"Show the lines of the CSV files that an item's documents are made of."`
	Check    checkCommand    `cmd:"" help:"Compare a shape file with the headers of the CSV files, without a database."`
	Migrate  migrateCommand  `cmd:"" help:"Bring the database's schema up to date."`
}

const description = `Turns the CSV files of a collection into finished response bodies and publishes them in Postgres.

Example:
  export DATABASE_URL=postgres://systemscale_etl:password@localhost:5432/systemscale
  etl migrate
  etl plan --csv ./dump
  etl run --csv ./dump

Exit codes: 0 published or nothing to do, 1 unexpected, 2 wrong flags or shape file, 3 a CSV file cannot be used, or was cut off
(gate truncated-file), 4 the database refused or is away, 5 another run holds the collection, 6 etl refresh could not tell
every cache, 10 a plan found changes, 20 to 26 another gate failed (unreconciled, rejects, removed, changed, missing-column,
empty-file, document-size), 130 interrupted. After any but 0, what was published before is untouched and still served;
only if the connection breaks in the very moment of publishing does the message say that it is not known which of the two
versions, each complete, is live.`

// Run executes the command line args and returns the exit code. Cancelling the context interrupts the command, which then leaves what is
// published as it was.
func Run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	var cli arguments
	// What is printed may come from files, servers and directories.
	stdout, stderr = printable.NewWriter(stdout), printable.NewWriter(stderr)
	out := &output{stdout: stdout, stderr: stderr}
	exited := false
	parser, err := kong.New(&cli,
		kong.Name("etl"),
		kong.Description(description),
		kong.Writers(stdout, stderr),
		kong.Exit(func(int) { exited = true }),
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Bind(out),
	)
	if err != nil {
		panic("BUG: " + err.Error())
	}
	command, err := parser.Parse(args)
	switch {
	case exited: // by --help
		return exitOK
	case err != nil:
		fmt.Fprintf(stderr, "etl: %s\nTry etl --help\n", printable.CommandLine(err, args))
		return exitUsage
	}
	code := out.conclude(ctx, command.Run())
	if err := out.metrics.write(code); err != nil {
		out.log().Warn("the metrics are not written", "reason", err)
	}
	return code
}

// conclude says how a command ended, and returns the exit code.
func (o *output) conclude(ctx context.Context, err error) int {
	if err == nil || is[quietError](err) {
		return exitCode(err)
	}
	if ctx.Err() != nil && !errors.Is(err, publish.ErrOutcomeUnknown) {
		if errors.Is(err, context.Canceled) {
			err = nil // says no more than what follows
		}
		err = errors.Join(errInterrupted, err)
	}
	fmt.Fprintf(o.stderr, "etl: %v\n", err)
	return exitCode(err)
}

// output is where a command writes: results to stdout, progress and errors to stderr.
type output struct {
	stdout, stderr io.Writer
	metrics        *metrics // nil unless a run is to write them
}

// database is the flag of every command that needs one.
type database struct {
	URL string `name:"database" env:"DATABASE_URL" required:"" placeholder:"URL" help:"Postgres to write to, as the role systemscale_etl, such as postgres://user:password@host:5432/name."`
}

// log returns where warnings go.
func (o *output) log() *slog.Logger { return slog.New(slog.NewTextHandler(o.stderr, nil)) }

type migrateCommand struct {
	database
}

func (c *migrateCommand) Help() string {
	return `Creates or updates the schema that both programs share. It does nothing to a schema that is up to date.
The roles of sql/bootstrap.sql must exist.

Example:
  etl migrate --database postgres://systemscale_etl:password@localhost:5432/systemscale`
}

// Run migrates the database.
func (c *migrateCommand) Run(ctx context.Context) error {
	return ofDatabase(migrate.Up(ctx, c.URL))
}
