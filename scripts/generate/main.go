// Command generate writes a generated catalog as the six CSV files that the ETL reads: product, features, styles, photos, skus and
// related. The files have the dialect, the proportions and the defects of the real ones, and at --products 1000011 as many rows.
//
// The same flags give the same bytes on any machine. Rows are written as they are generated, so memory does not grow with the number of
// products, except for the line numbers of spoiled rows (about 12,000 at full size). With --shuffle it does.
//
// The file generated.json in the same directory contains the number of changed products, the rows and bytes of each file, and for each
// kind of dirt the number of rows, what a reader is expected to do with them, and, for rows spoiled on purpose, their lines.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"text/tabwriter"

	"github.com/alecthomas/kong"
	"github.com/dustin/go-humanize/english"

	"systemscale/sql/printable"
)

const description = `Write a generated catalog as six CSV files of the same form as the real ones.

When all files are complete, they replace those of an earlier run in the directory. ` +
	`If the directory contains CSV files that this command did not write, the run fails.

Example:

  go run ./scripts/generate --products 10000 --seed 1 --out .run/csv`

type command struct {
	Products  int64   `required:"" placeholder:"N" help:"Number of products. The real files have 1000011."`
	Seed      uint64  `default:"1" placeholder:"S" help:"Seed. Different seeds give different catalogs (default: 1)."`
	Out       string  `required:"" placeholder:"DIR" help:"Directory for the files. It is created if it is missing."`
	Dirt      bool    `help:"${dirt}"`
	Malformed bool    `aliases:"hopeless" help:"${malformed}"`
	Change    float64 `placeholder:"SHARE" help:"${change}"`
	Shuffle   bool    `help:"${shuffle}"`
}

// flagHelp is the help of the flags that need more than a line.
var flagHelp = kong.Vars{
	"dirt": "Damage some rows as in the real files: missing closing quotes, uhttps:// addresses, related product 0, \"null\" in quotes.",
	"malformed": "Add rows that the ETL must reject, some of each kind, to each file without children. " +
		"The ETL must report exactly these rows, and its documents must not change.",
	"change":  "Change about this share of the products, such as 0.01: the price of each and the quantity of its first SKU.",
	"shuffle": "Write the parents in random order. The rows of one parent stay together, in their order. Needs memory for all files.",
}

// Validate is called by kong.
func (c command) Validate() error {
	if c.Products < 1 {
		return fmt.Errorf("--products is %d: it must be at least 1", c.Products)
	}
	if !(c.Change >= 0 && c.Change <= 1) {
		return fmt.Errorf("--change is %g: it must be a share from 0 to 1", c.Change)
	}
	if c.Malformed && c.Shuffle {
		return errors.New("--malformed and --shuffle exclude each other: the order of two rows with the same id would be unknown")
	}
	if c.Out == "" {
		return errors.New("--out is empty: name a directory")
	}
	return nil
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process immediately
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run executes the command line args and returns the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	stdout, stderr = printable.NewWriter(stdout), printable.NewWriter(stderr)
	if err := execute(ctx, args, stdout, stderr); err != nil {
		fmt.Fprintln(stderr, "generate:", err)
		return 1
	}
	return 0
}

// execute parses the arguments, generates the files, logs each when it is complete, and prints the report.
func execute(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	var command command
	helped := false
	parser, err := kong.New(&command, kong.Name("generate"), kong.Description(description), flagHelp,
		kong.Writers(stdout, stderr), kong.Exit(func(int) { helped = true }))
	if err != nil {
		return fmt.Errorf("BUG: %w", err)
	}
	if _, err := parser.Parse(args); helped {
		return nil
	} else if err != nil {
		return fmt.Errorf("%s (see generate --help)", printable.CommandLine(err, args))
	}

	c := catalog{
		products: command.Products, seed: command.Seed, dirt: command.Dirt, malformed: command.Malformed, change: command.Change,
		shuffle: command.Shuffle,
	}
	result, err := generate(ctx, c, command.Out, slog.New(slog.NewTextHandler(stderr, nil)))
	if errors.Is(err, context.Canceled) {
		return fmt.Errorf("interrupted; the files in %s are unchanged: %w", command.Out, err)
	}
	if err != nil {
		return err
	}
	return printReport(stdout, result)
}

func printReport(stdout io.Writer, result report) error {
	if result.Change > 0 {
		fmt.Fprintf(stdout, "%s changed\n\n", english.Plural(int(result.Changed), "product is", "products are"))
	}
	table := tabwriter.NewWriter(stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "file\trows\tbytes")
	for _, file := range result.Files {
		fmt.Fprintf(table, "%s\t%d\t%d\n", file.Name, file.Rows, file.Bytes)
	}
	fmt.Fprintln(table, "\nfile\tdirt\trows\texpected")
	for _, file := range result.Files {
		for _, dirt := range file.Dirt {
			fmt.Fprintf(table, "%s\t%s\t%d\t%s\n", file.Name, dirt.Kind, dirt.Rows, dirt.Fate)
		}
	}
	return table.Flush()
}
