// Package command is the command line of etl: the commands with their flags, the exit codes, and the reports, progress and metrics of a
// run.
//
// Run is its only exported function. Each command has a file and a type, whose fields are flags and whose Run method kong calls.
package command

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/alecthomas/kong"

	"systemscale/etl/internal/publish"
	"systemscale/sql/printable"
)

type arguments struct {
	Version kong.VersionFlag `help:"Show the version and exit."`

	Run      runCommand      `cmd:"" help:"Join the CSV files, render the documents and publish the changes."`
	Plan     planCommand     `cmd:"" help:"Show what a run would change, and write nothing."`
	History  historyCommand  `cmd:"" help:"List the runs of a collection."`
	Rollback rollbackCommand `cmd:"" help:"Make an earlier version live again."`
	Hold     holdCommand     `cmd:"" help:"Keep runs from publishing until etl release."`
	Release  releaseCommand  `cmd:"" help:"Let runs publish again after etl rollback or etl hold."`
	Refresh  refreshCommand  `cmd:"" help:"Refresh the cached copies of changed documents in gateways."`
	Render   renderCommand   `cmd:"" help:"Join the CSV files and render the documents, without a database."`
	Explain  explainCommand  `cmd:"" help:"Show the lines of the CSV files that an item's documents are made of."`
	Check    checkCommand    `cmd:"" help:"Compare a shape file with the headers of the CSV files, without a database."`
	Init     initCommand     `cmd:"" help:"Write a shape file for a directory of CSV files, with the evidence for each guess."`
	Drop     dropCommand     `cmd:"" help:"Remove a collection from the database."`
	Migrate  migrateCommand  `cmd:"" help:"Update the database's schema."`
}

const description = `Renders the CSV files of a collection to finished response bodies and publishes them in Postgres.

Example:
  export DATABASE_URL=postgres://systemscale_etl:password@localhost:5432/systemscale
  etl migrate
  etl plan --csv ./dump
  etl run --csv ./dump

Exit codes: 0 published or nothing to do, 1 unexpected error, 2 wrong flags or shape file, 3 a CSV file cannot be used or is cut off
(gate truncated-file), 4 the database refused or cannot be reached, 5 another run holds the collection, 6 etl refresh failed for a
gateway, 7 the collection is on hold, 10 a plan found changes, 20 to 27 another gate failed (unreconciled, rejects, removed, changed,
missing-column, empty-file, document-size, fewer-rows), 130 interrupted. After any but 0, the published documents are unchanged and still
served. There is one exception: if the connection breaks while the server commits, either version may be live, each complete, and the
message reports that.`

// Run executes the command line args and returns the exit code. Canceling the context interrupts the command, which then does not change
// the published documents.
func Run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	var cli arguments
	// Output may contain text from files, servers and directories.
	stdout, stderr = printable.NewWriter(stdout), printable.NewWriter(stderr)
	out := newOutput(stdout, stderr)
	exited := false
	parser, err := kong.New(&cli,
		kong.Name("etl"),
		kong.Description(description),
		kong.Vars{"version": printable.Version()},
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
	case exited: // by --help or --version
		return exitOK
	case err != nil:
		fmt.Fprintf(stderr, "etl: %s\nTry etl --help\n", printable.CommandLine(err, args))
		return exitUsage
	}
	code := conclude(ctx, stderr, command.Run())
	if err := out.metrics.write(code); err != nil {
		out.logger.Warn("the metrics are not written", "reason", err)
	}
	return code
}

// conclude reports the error of a command, if any, and returns the exit code.
func conclude(ctx context.Context, stderr io.Writer, err error) int {
	if err == nil || is[codeError](err) {
		return exitCode(err)
	}
	if ctx.Err() != nil && !errors.Is(err, publish.ErrOutcomeUnknown) {
		if errors.Is(err, context.Canceled) {
			err = nil // adds nothing to errInterrupted
		}
		err = errors.Join(errInterrupted, err)
	}
	fmt.Fprintf(stderr, "etl: %v\n", err)
	return exitCode(err)
}
