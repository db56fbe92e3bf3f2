package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"golang.org/x/term"

	"systemscale/infra/postgres"
	"systemscale/infra/program"
)

type postgresCommand struct {
	Durable bool     `help:"For benchmarks: use the durability settings of production, and /var/tmp, which is on disk."`
	Command []string `arg:"" passthrough:"" help:"The command and its arguments."`
}

func (postgresCommand) Help() string {
	return "TEST_DATABASE_URL is the URL of the superuser. When the command ends, or after a signal, the server is " +
		"stopped and its files are removed. The exit code is that of the command.\n\nExample:\n\n" +
		"  stack postgres -- go test ./sql/...\n\n  stack postgres --durable -- go run ./scripts/bench api"
}

// Run starts a temporary cluster, runs the command, and always removes the cluster.
func (c postgresCommand) Run(ctx context.Context, _ location, console console) (err error) {
	if len(c.Command) > 0 && c.Command[0] == "--" {
		c.Command = c.Command[1:]
	}
	if len(c.Command) == 0 {
		return errors.New("no command; example: stack postgres -- go test ./sql")
	}
	// No signal may end this program before the cluster is removed.
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer signal.Stop(signals)
	parent, purpose := "", postgres.Testing
	if c.Durable {
		// The default temporary directory may be in memory.
		parent, purpose = "/var/tmp", postgres.Measuring
	}
	url, remove, err := postgres.Throwaway(ctx, parent, purpose)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, remove()) }()

	child := exec.Command(c.Command[0], c.Command[1:]...)
	child.Env = append(os.Environ(), "TEST_DATABASE_URL="+url)
	if installation, err := program.FindPostgres(0); err == nil {
		// Homebrew does not put pgbench and psql into PATH.
		child.Env = append(child.Env, "PATH="+os.Getenv("PATH")+string(os.PathListSeparator)+installation.Bin)
	}
	child.Stdin, child.Stdout, child.Stderr = console.in, console.out, console.err
	if err := child.Start(); err != nil {
		return fmt.Errorf("run %s: %w", c.Command[0], err)
	}
	ended := make(chan error, 1)
	go func() { ended <- child.Wait() }()
	for {
		select {
		case received := <-signals:
			// The terminal sends Ctrl-C to the child as well.
			if received != syscall.SIGINT || !term.IsTerminal(int(console.in.Fd())) {
				_ = child.Process.Signal(received) // it may have ended meanwhile
			}
		case err := <-ended:
			return codeOf(err)
		}
	}
}

// codeOf returns the exit code of a command, as a shell does: 128 plus the number for a signal.
func codeOf(err error) error {
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return err
	}
	if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return exitCode(128 + int(status.Signal()))
	}
	return exitCode(exit.ExitCode())
}
