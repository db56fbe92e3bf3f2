package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// cost is the time and memory that one run of a program took, with its output.
type cost struct {
	wall   time.Duration
	cpu    time.Duration
	memory int64 // peak, resident, in bytes
	out    string
}

func (c cost) mebibytes() float64 { return float64(c.memory) / (1 << 20) }

// cores returns the mean number of processors that the program used.
func (c cost) cores() float64 { return c.cpu.Seconds() / c.wall.Seconds() }

// measure runs a program and waits until it ends.
func measure(ctx context.Context, name string, args ...string) (cost, error) {
	command := exec.CommandContext(ctx, name, args...)
	hideURLs(command)
	var out, errOut bytes.Buffer
	command.Stdout, command.Stderr = &out, &errOut
	began := time.Now()
	if err := command.Start(); err != nil {
		return cost{}, err
	}
	peak := watchMemory(command.Process.Pid)
	err := command.Wait()
	took := time.Since(began)
	memory := peak()
	if err != nil {
		return cost{}, errors.Join(fmt.Errorf("%s %s: %w", filepath.Base(name), args[0], err), errors.New(errOut.String()))
	}
	return cost{wall: took, cpu: command.ProcessState.UserTime() + command.ProcessState.SystemTime(), memory: memory, out: out.String()}, nil
}

// warm reads all CSV files of a directory, so that they are in the page cache and the next measurement does not include the disk.
func warm(directory string) error {
	files, err := filepath.Glob(filepath.Join(directory, "*.csv"))
	if err != nil {
		return err
	}
	for _, path := range files {
		file, err := os.Open(path)
		if err != nil {
			return err
		}
		_, err = io.Copy(struct{ io.Writer }{io.Discard}, file)
		if err := errors.Join(err, file.Close()); err != nil {
			return err
		}
	}
	return nil
}
