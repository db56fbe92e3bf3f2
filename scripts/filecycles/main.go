// Command filecycles fails if files of a package depend on each other in a cycle: a.go uses an identifier that b.go declares, and b.go,
// directly or through other files, one that a.go declares. Identifiers are those of functions, types, variables, constants, methods and
// fields. Go permits such cycles, but in a large package they indicate declarations in the wrong file, or two packages in one, so
// packages of more than five files must have none. Test files are ignored.
//
// The arguments are patterns for go list, such as ./... .
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
)

// small is the largest number of files that may depend on each other.
const small = 5

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal kills
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run checks the packages that match the patterns and returns the exit code.
func run(ctx context.Context, patterns []string, stdout, stderr io.Writer) int {
	packages, err := load(ctx, ".", patterns)
	if err != nil {
		fmt.Fprintln(stderr, "filecycles:", err)
		return 2
	}
	if !check(packages, stdout) {
		return 1
	}
	return 0
}

// check prints the cycles of the packages and reports whether there are none.
func check(packages []*files, stdout io.Writer) bool {
	ok := true
	for _, p := range packages {
		for _, cycle := range p.cycles() {
			p.print(stdout, cycle)
			ok = false
		}
	}
	return ok
}

// print prints a cycle with the identifiers that cause it.
func (f *files) print(stdout io.Writer, cycle []string) {
	fmt.Fprintf(stdout, "%s: cycle of %s:\n", f.path, strings.Join(cycle, ", "))
	for _, from := range cycle {
		for _, to := range cycle {
			if names := f.names(from, to); len(names) > 0 {
				fmt.Fprintf(stdout, "\t%s uses from %s: %s\n", from, to, strings.Join(names, ", "))
			}
		}
	}
}
