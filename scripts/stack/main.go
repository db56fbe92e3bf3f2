// Command stack runs systemScale on one machine: its own Postgres, the ETL, two API instances and NGINX, on loopback addresses and with all
// files in .run/. Users call it through ./scripts/task.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"

	"systemscale/sql/printable"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal kills
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run executes the command line args and returns the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	err := execute(ctx, args, console{os.Stdin, stdout, stderr})
	var code exitCode
	switch {
	case errors.As(err, &code):
		return int(code)
	case err != nil:
		fmt.Fprintln(printable.NewWriter(stderr), "stack:", err)
		return 1
	}
	return 0
}

type commandLine struct {
	location

	Up          upCommand          `cmd:"" help:"Start all servers and load a catalog."`
	Down        downCommand        `cmd:"" help:"Stop the servers that up started."`
	Status      statusCommand      `cmd:"" help:"Show the servers and their addresses."`
	Postgres    postgresCommand    `cmd:"" help:"Run a command with a temporary PostgreSQL server."`
	Pages       pagesCommand       `cmd:"" help:"Build the storefront and the documentation."`
	Images      imagesCommand      `cmd:"" help:"Build the container images."`
	Install     installCommand     `cmd:"" help:"Install what the tests need."`
	AptPackages aptPackagesCommand `cmd:"" hidden:"" help:"As root: install Debian packages without starting their services."`
}

// execute parses and runs the command line.
func execute(ctx context.Context, arguments []string, console console) error {
	var command commandLine
	parser, err := kong.New(&command, kong.Name("stack"), kong.Writers(console.out, console.err),
		kong.Description("Runs systemScale on this machine: PostgreSQL, ETL, API and NGINX. All files are in .run/."),
		kong.UsageOnError())
	if err != nil {
		return err
	}
	parsed, err := parser.Parse(arguments)
	if err != nil {
		return fmt.Errorf("%s (see stack --help)", printable.CommandLine(err, arguments))
	}
	if err := command.resolve(); err != nil {
		return err
	}
	parsed.BindTo(ctx, (*context.Context)(nil))
	return parsed.Run(command.location, console)
}
