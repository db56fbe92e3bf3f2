// Command stack runs the whole of systemScale on one machine: a private Postgres, the ETL, two API instances and NGINX,
// all on loopback addresses and all under .run/. People call it through ./scripts/task.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"
	"golang.org/x/term"

	"systemscale/infra/program"
	"systemscale/sql/printable"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run executes the command line args and returns the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	err := execute(ctx, args, console{os.Stdin, stdout, stderr})
	var code exitCode
	switch {
	case errors.As(err, &code):
		return int(code)
	case err != nil:
		fmt.Fprintln(printable.NewWriter(stderr), "stack:", err)
		return 1
	}
	return 0
}

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

// location is where the project and what it leaves behind are. Both paths are absolute.
type location struct {
	Root  string `help:"Directory of the project (default: found from the working directory)." placeholder:"DIR"`
	State string `help:"Directory for the files of the servers (default: .run in the project)." placeholder:"DIR"`
}

func (l *location) resolve() error {
	var err error
	if l.Root == "" {
		if l.Root, err = projectRoot("."); err != nil {
			return err
		}
	}
	if l.Root, err = filepath.Abs(l.Root); err != nil {
		return err
	}
	if err := refuseOddPath(l.Root); err != nil {
		return err
	}
	if l.State == "" {
		l.State = filepath.Join(l.Root, ".run")
	}
	l.State, err = realPath(l.State)
	return err
}

// realPath returns the absolute path without links, as far as it exists: .run is one directory, whichever way leads there.
func realPath(path string) (string, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	if err := refuseOddPath(path); err != nil {
		return "", err
	}
	for at := path; ; at = filepath.Dir(at) {
		if resolved, err := filepath.EvalSymlinks(at); err == nil {
			return filepath.Join(resolved, strings.TrimPrefix(path, at)), refuseOddPath(resolved)
		}
		if at == filepath.Dir(at) {
			return path, nil
		}
	}
}

// projectRoot returns the nearest directory, from the one given upwards, that holds this module's go.mod.
func projectRoot(from string) (string, error) {
	directory, err := filepath.Abs(from)
	if err != nil {
		return "", err
	}
	for at := directory; ; at = filepath.Dir(at) {
		text, err := os.ReadFile(filepath.Join(at, "go.mod"))
		if err == nil && strings.HasPrefix(string(text), "module systemscale\n") {
			return at, nil
		}
		if at == filepath.Dir(at) {
			return "", fmt.Errorf("%s is not in the project: change the directory, or use --root", directory)
		}
	}
}

type commandLine struct {
	location

	Up          upCommand          `cmd:"" help:"Start all servers and load a catalog."`
	Down        downCommand        `cmd:"" help:"Stop the servers that up started."`
	Status      statusCommand      `cmd:"" help:"Show the servers and their addresses."`
	Postgres    postgresCommand    `cmd:"" help:"Run a command with a temporary PostgreSQL server."`
	Pages       pagesCommand       `cmd:"" help:"Build the storefront and the documentation."`
	Install     installCommand     `cmd:"" help:"Install what the tests need."`
	AptPackages aptPackagesCommand `cmd:"" hidden:"" help:"As root: install Debian packages without starting their services."`
}

// execute executes the command line until it is done or the context is canceled.
func execute(ctx context.Context, arguments []string, console console) error {
	var command commandLine
	parser, err := kong.New(&command, kong.Name("stack"), kong.Writers(console.out, console.err),
		kong.Description("Runs systemScale on this machine: PostgreSQL, ETL, API and NGINX. All files are in .run/."),
		kong.UsageOnError())
	if err != nil {
		return err
	}
	parsed, err := parser.Parse(arguments)
	if err != nil {
		return fmt.Errorf("%s (see stack --help)", printable.CommandLine(err, arguments))
	}
	if err := command.resolve(); err != nil {
		return err
	}
	parsed.BindTo(ctx, (*context.Context)(nil))
	return parsed.Run(command.location, console)
}

type installCommand struct {
	Bench bool `help:"Also install the load generator of the benchmarks."`
}

func (installCommand) Help() string {
	return "Example:\n\n  stack install --bench"
}

// Run installs PostgreSQL, NGINX, shellcheck, a C compiler, Node.js, Chromium and PgBouncer where they are missing.
func (c installCommand) Run(ctx context.Context, console console) error {
	needs := []program.Need{program.NeedPostgres, program.NeedNGINX, program.NeedShellcheck, program.NeedCompiler, program.NeedNode, program.NeedChromium, program.NeedPgBouncer, program.NeedFaketime}
	if c.Bench {
		needs = append(needs, program.NeedWrk)
	}
	return installer(console).Ensure(ctx, needs...)
}

func installer(console console) program.Installer {
	return program.Installer{
		In: console.in, Out: console.err,
		Interactive: term.IsTerminal(int(console.in.Fd())),
		Privileged: func(ctx context.Context, packages []string) error {
			self, err := os.Executable()
			if err != nil {
				return err
			}
			// In this process's own group, because sudo asks for a password on the terminal.
			command := exec.CommandContext(ctx, "sudo", append([]string{self, "apt-packages"}, packages...)...)
			command.Stdin, command.Stdout, command.Stderr = console.in, console.err, console.err
			if err := command.Run(); err != nil {
				return fmt.Errorf("install as root: %w", err)
			}
			return nil
		},
	}
}

type aptPackagesCommand struct {
	Packages []string `arg:""`
}

func (aptPackagesCommand) Help() string {
	return "Example:\n\n  sudo stack apt-packages postgresql nginx"
}

// Run installs the packages. Only root can.
func (c aptPackagesCommand) Run(ctx context.Context, console console) error {
	return program.AptInstall(ctx, console.err, c.Packages)
}
