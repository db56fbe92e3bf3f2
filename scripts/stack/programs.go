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

// build builds the programs and replaces each in one step, so that running ones are not affected.
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

// runGently runs a child in its own process group, so that a Ctrl-C sends it one signal, when ctx ends, and not a second one from the
// terminal: a second signal would end the ETL before it cleans up.
func runGently(command *exec.Cmd) error {
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	command.Cancel = func() error { return command.Process.Signal(syscall.SIGTERM) }
	command.WaitDelay = 30 * time.Second
	return command.Run()
}

// tool runs one of the built programs. Its stdout goes to out, its stderr to the console. The database URL contains a password and is
// therefore passed in the environment, which ps does not show.
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
