// Command bench measures systemScale against what the same machine can do at best, in one run, so that what counts is a
// ratio and not a machine. It needs a Postgres whose superuser is in TEST_DATABASE_URL and that is as durable as
// production: ./scripts/task bench:etl and bench:api start one. Results go to the terminal and, as JSON, to a file.
package main

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

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run executes the command line args and returns the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	if err := execute(ctx, args, stdout, stderr); err != nil {
		fmt.Fprintln(printable.NewWriter(stderr), "bench:", err)
		return 1
	}
	return 0
}

type arguments struct {
	ETL        etlCommand        `cmd:"" name:"etl" help:"Measure a full load, a plan and a nightly run against a bare COPY of the same documents, rendering alone, and the same job in SQL."`
	API        apiCommand        `cmd:"" name:"api" help:"Measure the API and the gateway against pgbench, a plain handler and static files."`
	PoolServer poolServerCommand `cmd:"" name:"pool-server" hidden:"" help:"Serve documents with a plain handler; bench api starts it."`
}

func execute(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	var cli arguments
	exited := false
	parser, err := kong.New(&cli, kong.Name("bench"),
		kong.Description("Measures systemScale against the limits of the machine, as ratios within one run.\n\n"+
			"Example:\n  ./scripts/task bench:etl\n  ./scripts/task bench:etl -- --crossover 1,2,5,10,20,30\n"+
			"  ./scripts/task bench:etl -- --memory 100000,1000000,3000000\n  ./scripts/task bench:api -- --products 100000 --rounds 1 --only hits,constant"),
		kong.Writers(stdout, stderr),
		kong.Exit(func(int) { exited = true }),
		kong.BindTo(ctx, (*context.Context)(nil)), kong.BindTo(stdout, (*io.Writer)(nil)))
	if err != nil {
		return err
	}
	command, err := parser.Parse(args)
	if exited {
		return nil
	}
	if err != nil {
		return fmt.Errorf("%s (see bench --help)", printable.CommandLine(err, args))
	}
	return command.Run()
}
