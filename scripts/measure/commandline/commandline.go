// Package commandline runs the programs that measure.
package commandline

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"

	"systemscale/sql/printable"
)

// Program is a program with several commands, which have a method Run that may take a context.Context and an io.Writer for the results.
type Program struct {
	Name        string
	Description string
	Texts       kong.Vars  // for help texts
	Arguments   func() any // a new structure of the arguments, as kong describes it
}

// Run executes the command line of the process, and returns its exit code. A first SIGINT or SIGTERM ends the context, and a second one the
// process.
func (p Program) Run() int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	if err := p.Execute(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(printable.NewWriter(os.Stderr), p.Name+":", err)
		return 1
	}
	return 0
}

// Execute executes the command line args.
func (p Program) Execute(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	exited := false
	parser, err := kong.New(p.Arguments(), kong.Name(p.Name), kong.Description(p.Description), p.Texts,
		kong.Writers(stdout, stderr), kong.Exit(func(int) { exited = true }),
		kong.BindTo(ctx, (*context.Context)(nil)), kong.BindTo(stdout, (*io.Writer)(nil)))
	if err != nil {
		return err
	}
	command, err := parser.Parse(args)
	if exited {
		return nil
	}
	if err != nil {
		return fmt.Errorf("%s (see %s --help)", printable.CommandLine(err, args), p.Name)
	}
	return command.Run()
}
