// Package measure measures programs and processes: processor time, memory, duration, and the machine they run on.
package measure

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"time"
)

// Cost is the time and memory that one run of a program took, with its output.
type Cost struct {
	Wall   time.Duration
	CPU    time.Duration
	Memory int64 // peak, resident, in bytes
	Out    string
}

// Mebibytes returns the peak memory in MiB.
func (c Cost) Mebibytes() float64 { return float64(c.Memory) / (1 << 20) }

// Run runs a program and waits until it ends. Database URLs among the arguments are passed in the environment, which the list of processes
// does not show. An error includes what the program wrote to stderr.
func Run(ctx context.Context, name string, args ...string) (Cost, error) {
	command := exec.CommandContext(ctx, name, args...)
	hideURLs(command)
	var out, errOut bytes.Buffer
	command.Stdout, command.Stderr = &out, &errOut
	began := time.Now()
	if err := command.Start(); err != nil {
		return Cost{}, err
	}
	peak := WatchMemory(command.Process.Pid)
	err := command.Wait()
	took := time.Since(began)
	memory := peak()
	if err != nil {
		return Cost{}, errors.Join(fmt.Errorf("%s %s: %w", filepath.Base(name), args[0], err), errors.New(errOut.String()))
	}
	return Cost{Wall: took, CPU: command.ProcessState.UserTime() + command.ProcessState.SystemTime(), Memory: memory, Out: out.String()}, nil
}
