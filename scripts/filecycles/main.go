// Command filecycles fails if files of a package depend on each other in a circle: a.go uses an identifier that b.go declares, and b.go, directly or
// through other files, one that a.go declares. Functions, types, variables, constants, methods and fields count. Go permits such circles. In a large
// package they show declarations that are in the wrong file, or two packages in one, so packages of more than five files must have none.
// Test files are ignored.
//
// The arguments are patterns as of go list, such as ./... .
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

// allowed are the packages that may still have cycles, with the reason. A package without cycles must not be in the list.
var allowed = map[string]string{
	"systemscale/scripts/stack": "being split",
}

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
	if !check(packages, allowed, stdout) {
		return 1
	}
	return 0
}

// check prints the cycles and reports whether the packages have none but those that are allowed.
func check(packages []*files, allowed map[string]string, stdout io.Writer) bool {
	ok := true
	for _, p := range packages {
		cycles := p.cycles()
		reason, isAllowed := allowed[p.path]
		switch {
		case isAllowed && len(cycles) == 0:
			fmt.Fprintf(stdout, "%s: no cycles: remove it from the list of allowed packages\n", p.path)
			ok = false
		case isAllowed:
			for _, cycle := range cycles {
				fmt.Fprintf(stdout, "%s: cycle of %s, allowed: %s\n", p.path, strings.Join(cycle, ", "), reason)
			}
		default:
			for _, cycle := range cycles {
				p.print(stdout, cycle)
				ok = false
			}
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
