// Command deb makes the Debian package of the programs, as infra/deb/nfpm.yaml describes it.
//
//	deb --root DIR --out DIR --version VERSION --time SECONDS
//
// It compiles the programs in the repository at --root. Every time in the package is --time, in seconds since 1970, so that the same commit and
// the same Go make the same bytes. It prints the path of the package.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/goreleaser/nfpm/v2"
	_ "github.com/goreleaser/nfpm/v2/deb" // registers the format
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "deb:", err)
		os.Exit(1)
	}
}

func run(arguments []string, stdout io.Writer) error {
	flags := flag.NewFlagSet("deb", flag.ContinueOnError)
	root := flags.String("root", ".", "directory of the repository")
	out := flags.String("out", ".", "directory for the package")
	version := flags.String("version", "", "version of the package, such as 20260131.235959+g0123456")
	seconds := flags.Int64("time", 0, "time of all files, in seconds since 1970")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	if *version == "" || *seconds <= 0 {
		return errors.New("--version and --time are required")
	}
	target, err := filepath.Abs(*out)
	if err != nil {
		return err
	}
	// Paths in nfpm.yaml are relative to the repository.
	if err := os.Chdir(*root); err != nil {
		return err
	}
	scratch, err := os.MkdirTemp("", "systemscale-deb-")
	if err != nil {
		return err
	}
	path, err := build(scratch, target, *version, time.Unix(*seconds, 0).UTC())
	if err := errors.Join(err, os.RemoveAll(scratch)); err != nil {
		return err
	}
	_, err = fmt.Fprintln(stdout, path)
	return err
}

// build makes the package of the repository in the working directory, and returns its path in the directory out.
func build(scratch, out, version string, at time.Time) (path string, err error) {
	programs, units := filepath.Join(scratch, "programs"), filepath.Join(scratch, "units")
	if err := errors.Join(compile(programs), copyUnits(units)); err != nil {
		return "", err
	}
	values := map[string]string{"ARCH": runtime.GOARCH, "VERSION": version, "PROGRAMS": programs, "UNITS": units}
	config, err := nfpm.ParseFileWithEnvMapping("infra/deb/nfpm.yaml", func(name string) string { return values[name] })
	if err != nil {
		return "", fmt.Errorf("infra/deb/nfpm.yaml: %w", err)
	}
	info, err := config.Get("deb")
	if err != nil {
		return "", fmt.Errorf("infra/deb/nfpm.yaml: %w", err)
	}
	info.MTime = at
	packager, err := nfpm.Get("deb")
	if err != nil {
		return "", err
	}
	info = nfpm.WithDefaults(info)
	if err := os.MkdirAll(out, 0o755); err != nil {
		return "", err
	}
	path = filepath.Join(out, packager.ConventionalFileName(info))
	file, err := os.CreateTemp(out, ".deb-")
	if err != nil {
		return "", err
	}
	defer func() { _ = os.Remove(file.Name()) }() // after the rename, there is none
	if err := errors.Join(packager.Package(info, file), file.Chmod(0o644), file.Close()); err != nil {
		return "", fmt.Errorf("write the package: %w", err)
	}
	return path, os.Rename(file.Name(), path)
}

// compile builds the programs without a C library, so that the package depends on none.
func compile(directory string) error {
	for name, source := range map[string]string{"etl": "./etl", "api": "./api", "gateway": "./infra/gateway"} {
		command := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w -buildid=", "-o", filepath.Join(directory, name), source)
		command.Env = append(os.Environ(), "CGO_ENABLED=0")
		if text, err := command.CombinedOutput(); err != nil {
			return fmt.Errorf("compile %s: %w\n%s", name, err, text)
		}
	}
	return nil
}

// copyUnits copies the systemd units, with the paths of the package's programs.
func copyUnits(directory string) error {
	if err := os.Mkdir(directory, 0o755); err != nil {
		return err
	}
	var units []string
	for _, pattern := range []string{"infra/systemd/*.service", "infra/systemd/*.timer"} {
		found, err := filepath.Glob(pattern)
		if err != nil || len(found) == 0 {
			return fmt.Errorf("find the units %s: %d, %w", pattern, len(found), err)
		}
		units = append(units, found...)
	}
	for _, unit := range units {
		text, err := os.ReadFile(unit)
		if err != nil {
			return err
		}
		text = []byte(strings.ReplaceAll(withoutInstructions(string(text)), "/usr/local/bin/", "/usr/bin/systemscale-"))
		if err := os.WriteFile(filepath.Join(directory, filepath.Base(unit)), text, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// withoutInstructions removes the commands for an installation by hand from the comment at the top of a unit.
func withoutInstructions(unit string) string {
	var kept strings.Builder
	for line := range strings.Lines(unit) {
		if !strings.HasPrefix(line, "#   useradd") && !strings.HasPrefix(line, "#   install") && !strings.HasPrefix(line, "#   apt-get") {
			kept.WriteString(line)
		}
	}
	return kept.String()
}
