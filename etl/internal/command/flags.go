package command

import (
	"context"
	"fmt"
	"os"

	"golang.org/x/term"

	"systemscale/etl/internal/dump"
	"systemscale/etl/internal/plan"
	"systemscale/etl/internal/shape"
)

// Flags that several commands have. Each type is embedded by kong, and by no Go struct.

type databaseFlags struct {
	URL string `name:"database" env:"DATABASE_URL" required:"" placeholder:"URL" help:"Postgres to write to, as the role systemscale_etl, such as postgres://user:password@host:5432/name."`
}

type fileFlags struct {
	CSV   string `name:"csv" required:"" type:"path" placeholder:"DIR" help:"Directory that holds the CSV files. It is not used if the shape's only source is the standard input, file: \"-\"."`
	Shape string `placeholder:"FILE" help:"Shape file, which declares the CSV files and the documents. Default: the built-in catalog of products."`
}

// spool copies the standard input to a temporary directory, which becomes that of the CSV files, if the shape reads it. done removes it.
func (f *fileFlags) spool(ctx context.Context, temp string) (done func(), err error) {
	spec, err := dump.ReadShape(f.Shape)
	if err != nil {
		return nil, err
	}
	if spec.Sources[0].File != shape.StandardInput {
		return func() {}, nil
	}
	if term.IsTerminal(int(os.Stdin.Fd())) {
		return nil, &usageError{fmt.Sprintf("%s reads the standard input, which is a terminal: give it a file, as in etl run ... < items.csv", f.Shape)}
	}
	f.CSV, done, err = dump.Spool(ctx, os.Stdin, temp)
	return done, err
}

// options returns the options of the dump.
func (f *fileFlags) options(out *output) dump.Options {
	return dump.Options{Directory: f.CSV, Shape: f.Shape, Logger: out.logger}
}

type temporaryFlags struct {
	Temp string `type:"path" placeholder:"DIR" help:"Directory for temporary files, which are removed. Default: the system's."`
}

// itemFlags are for commands that join the files and have no gates.
type itemFlags struct {
	MaxDocument plan.ByteSize `default:"1MiB" placeholder:"SIZE" help:"Reading stops at an item whose rows need a larger document. Default: ${default}."`
}

type retentionFlags struct {
	Keep int `default:"3" placeholder:"N" help:"Versions before the live one that etl rollback can return to. Default: ${default}."`
}

func (r *retentionFlags) check() error {
	if r.Keep < 1 || r.Keep > 100 {
		return fmt.Errorf("--keep must be between 1 and 100, not %d", r.Keep)
	}
	return nil
}
