package main

import (
	"fmt"
	"io"
	"os"
)

// console is where a command reads and writes.
type console struct {
	in       *os.File
	out, err io.Writer
}

// progressf writes a line about the progress to stderr, apart from the result.
func (c console) progressf(format string, values ...any) {
	fmt.Fprintf(c.err, format+"\n", values...)
}

// printf writes a line of the command's result.
func (c console) printf(format string, values ...any) {
	fmt.Fprintf(c.out, format+"\n", values...)
}

// exitCode ends the program with the exit code of the command that it ran, which has said why itself.
type exitCode int

func (c exitCode) Error() string { return fmt.Sprintf("exit status %d", int(c)) }
