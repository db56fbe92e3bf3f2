package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"

	"golang.org/x/term"

	"systemscale/infra/program"
)

type installCommand struct{}

func (installCommand) Help() string {
	return "Example:\n\n  stack install"
}

// Run installs the missing ones of the programs that the tests and the benchmarks need.
func (installCommand) Run(ctx context.Context, console console) error {
	needs := []program.Need{
		program.NeedPostgres, program.NeedNGINX, program.NeedShellcheck, program.NeedCompiler, program.NeedNode, program.NeedChromium,
		program.NeedPgBouncer, program.NeedFaketime, program.NeedRedis, program.NeedWrk, program.NeedPrometheus, program.NeedNodeExporter,
	}
	if runtime.GOOS == "linux" {
		needs = append(needs, program.NeedPodman, program.NeedPatroni, program.NeedSystemd, program.NeedNspawn)
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
			// In this process's group, because sudo reads a password from the terminal.
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

// Run installs the packages. It must run as root.
func (c aptPackagesCommand) Run(ctx context.Context, console console) error {
	return program.AptInstall(ctx, console.err, c.Packages)
}
