package main

import (
	"fmt"
	"io"
	"os"
)

// console is the input and the output of a command.
type console struct {
	in       *os.File
	out, err io.Writer
}

// progressf writes a line of progress to stderr.
func (c console) progressf(format string, values ...any) {
	fmt.Fprintf(c.err, format+"\n", values...)
}

// printf writes a line of the result to stdout.
func (c console) printf(format string, values ...any) {
	fmt.Fprintf(c.out, format+"\n", values...)
}

// exitCode is the exit code of a command that stack ran and that has already reported its error.
type exitCode int

func (c exitCode) Error() string { return fmt.Sprintf("exit status %d", int(c)) }
