package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// build builds the programs and puts those in place that have changed. Each takes its place in one step, so
// that one that runs is not disturbed.
func (s *stack) build(ctx context.Context) error {
	fresh := s.binary("fresh")
	if err := os.MkdirAll(fresh, 0o755); err != nil {
		return fmt.Errorf("create the directory of the programs: %w", err)
	}
	s.progressf("building the programs")
	command := exec.CommandContext(ctx, "go", "build", "-o", fresh+"/", "./etl", "./api", "./scripts/generate")
	command.Dir = s.Root
	command.Stdout, command.Stderr = s.err, s.err
	if err := runGently(command); err != nil {
		return fmt.Errorf("build the programs: %w", err)
	}
	for _, name := range []string{"etl", "api", "generate"} {
		if err := os.Rename(filepath.Join(fresh, name), s.binary(name)); err != nil {
			return fmt.Errorf("install %s: %w", name, err)
		}
	}
	return os.Remove(fresh)
}

// runGently runs a child that, when ctx ends, gets one signal from here and none from the terminal: for the ETL a
// second one would mean to give up cleaning.
func runGently(command *exec.Cmd) error {
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	command.Cancel = func() error { return command.Process.Signal(syscall.SIGTERM) }
	command.WaitDelay = 30 * time.Second
	return command.Run()
}

// tool runs one of the built programs with its result on out and the rest on the console. The database's URL holds a password and
// therefore goes where ps does not show it.
func (s *stack) tool(ctx context.Context, databaseURL string, out io.Writer, name string, arguments ...string) error {
	command := exec.CommandContext(ctx, s.binary(name), arguments...)
	command.Env = append(os.Environ(), "DATABASE_URL="+databaseURL)
	command.Dir = s.Root
	command.Stdout, command.Stderr = out, s.err
	if err := runGently(command); err != nil {
		return fmt.Errorf("%s %s: %w", name, arguments[0], err)
	}
	return nil
}
