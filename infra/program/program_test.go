package program

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestParseVersion(t *testing.T) {
	for _, test := range []struct {
		text string
		want Version
	}{
		{"postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)", Version{15, 18, 0}},
		{"postgres (PostgreSQL) 18beta1", Version{18, 0, 0}},
		{"nginx version: nginx/1.22.1", Version{1, 22, 1}},
		{"nginx version: nginx/1.18.0 (Ubuntu)", Version{1, 18, 0}},
	} {
		if got, err := ParseVersion(test.text); got != test.want || err != nil {
			t.Errorf("ParseVersion(%q) = %v, %v, want %v", test.text, got, err, test.want)
		}
	}
	if _, err := ParseVersion("nothing to see"); err == nil {
		t.Error("a text without a version has one")
	}
}

func TestAtLeast(t *testing.T) {
	versions := []Version{{9, 6, 0}, {14, 0, 0}, {14, 2, 0}, {14, 2, 1}, {15, 0, 0}}
	for i, a := range versions {
		for j, b := range versions {
			if got := a.AtLeast(b); got != (i >= j) {
				t.Errorf("%v.AtLeast(%v) = %v", a, b, got)
			}
		}
	}
}

func TestNewestFirst(t *testing.T) {
	got := newestFirst([]string{"/usr/lib/postgresql/14/bin", "/usr/lib/postgresql/9.6/bin", "/usr/lib/postgresql/16/bin"})
	want := []string{"/usr/lib/postgresql/16/bin", "/usr/lib/postgresql/14/bin", "/usr/lib/postgresql/9.6/bin"}
	if !slices.Equal(got, want) {
		t.Errorf("newestFirst() = %v, want %v", got, want)
	}
}

// program writes a shell script that can be called by its name.
func program(t *testing.T, directory, name, script string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(directory, name), []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
}

func TestFindPostgresFollowsLink(t *testing.T) {
	target, links := t.TempDir(), t.TempDir()
	program(t, target, "postgres", "echo 'postgres (PostgreSQL) 99.3'")
	program(t, target, "initdb", "")
	if err := os.Symlink(filepath.Join(target, "postgres"), filepath.Join(links, "postgres")); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", links)
	if got, err := FindPostgres(0); err != nil || got != (Postgres{target, Version{99, 3, 0}}) {
		t.Errorf("FindPostgres(0) = %v, %v, want the one in %s", got, err, target)
	}
	_, err := FindPostgres(98)
	if !errors.Is(err, ErrMissing) || !strings.Contains(err.Error(), "PostgreSQL 98 is missing") || !strings.Contains(err.Error(), "99 in "+target) {
		t.Errorf("FindPostgres(98) = %v, want the missing and the present version", err)
	}
}

func TestFindPostgresRefusesOldVersion(t *testing.T) {
	old := t.TempDir()
	program(t, old, "postgres", "echo 'postgres (PostgreSQL) 13.4'")
	program(t, old, "initdb", "")
	t.Setenv("PATH", old)
	// A newer one may be installed elsewhere on this machine.
	if got, err := FindPostgres(0); err == nil && got.Bin == old {
		t.Errorf("FindPostgres(0) = %v", got)
	}
	if got, err := FindPostgres(13); err == nil {
		t.Errorf("FindPostgres(13) = %v", got)
	}
}

func TestFindNGINX(t *testing.T) {
	directory := t.TempDir()
	program(t, directory, "nginx", "echo 'nginx version: nginx/9.9.9' >&2")
	t.Setenv("PATH", directory)
	if got, err := FindNGINX(); err != nil || got != (NGINX{filepath.Join(directory, "nginx"), Version{9, 9, 9}}) {
		t.Errorf("FindNGINX() = %v, %v", got, err)
	}
	program(t, directory, "nginx", "echo 'nginx version: nginx/1.10.0' >&2")
	if got, err := FindNGINX(); err == nil && got.Path == filepath.Join(directory, "nginx") {
		t.Errorf("FindNGINX() = %v", got)
	}
}

func TestFindNode(t *testing.T) {
	directory := t.TempDir()
	t.Setenv("PATH", directory)
	for _, test := range []struct {
		node, npm string // versions; "": missing
		wantError string
	}{
		{"", "", "Node.js 20.19.0 or newer is missing"},
		{"v18.20.4", "9.2.0", "Node.js 20.19.0 or newer is missing: there is only 18.20.4 in " + filepath.Join(directory, "node")},
		{"v20.19.0", "", "npm is missing"},
		{"v22.1.0", "10.0.0", ""},
	} {
		for name, version := range map[string]string{"node": test.node, "npm": test.npm} {
			if version != "" {
				program(t, directory, name, "echo "+version)
			}
		}
		got, err := FindNode()
		if fmt.Sprint(err) != test.wantError && (err != nil || test.wantError != "") {
			t.Errorf("Node %q, npm %q: %v, want %q", test.node, test.npm, err, test.wantError)
		}
		if want := (Node{filepath.Join(directory, "node"), filepath.Join(directory, "npm"), Version{22, 1, 0}}); err == nil && got != want {
			t.Errorf("FindNode() = %v, want %v", got, want)
		}
		_ = os.Remove(filepath.Join(directory, "npm"))
	}
}

// need is a package that counts as installed if a file exists.
func need(path string) Need {
	return Need{
		Find: func() error {
			if _, err := os.Stat(path); err != nil {
				return fmt.Errorf("the thing is %w", ErrMissing)
			}
			return nil
		},
		Apt: []string{"apt-thing"}, Brew: []string{"brew-thing"},
	}
}

func TestEnsure(t *testing.T) {
	for _, test := range []struct {
		name        string
		manager     string // the program in PATH
		script      string // its content
		interactive bool
		answer      string
		wantPrompt  string
		wantError   string
	}{
		{"confirmed", "brew", `[ "$*" = "install brew-thing" ] && : > "$THING"`, true, "\n", "Install brew-thing with brew? [Y/n] ", ""},
		{
			"refused", "brew", `: > "$THING"`, true, "n\n", "Install brew-thing with brew? [Y/n] ",
			"the thing is missing\ninstall it and try again: brew install brew-thing",
		},
		{
			"end of input", "brew", `: > "$THING"`, true, "", "Install brew-thing with brew? [Y/n] ",
			"the thing is missing\ninstall it and try again: brew install brew-thing",
		},
		{"no terminal", "brew", `: > "$THING"`, false, "", "", "the thing is missing\ninstall it and try again: brew install brew-thing"},
		{"the installation fails", "brew", "exit 4", true, "y\n", "Install brew-thing with brew? [Y/n] ", "brew install brew-thing: exit status 4"},
		{
			"the installation does not help", "brew", "", true, "y\n", "Install brew-thing with brew? [Y/n] ",
			"the thing is missing\nbrew has installed brew-thing, but the programs are still missing",
		},
		{"no package manager", "other", "", true, "", "", "the thing is missing\ninstall it with this machine's package manager and try again"},
	} {
		t.Run(test.name, func(t *testing.T) {
			directory := t.TempDir()
			thing := filepath.Join(directory, "thing")
			program(t, directory, test.manager, test.script)
			t.Setenv("PATH", directory)
			t.Setenv("THING", thing)
			var out strings.Builder
			installer := Installer{In: strings.NewReader(test.answer), Out: &out, Interactive: test.interactive}
			err := installer.Ensure(t.Context(), need(thing), Need{Find: func() error { return nil }, Brew: []string{"there-already"}})
			if got := fmt.Sprint(err); err == nil && test.wantError != "" || err != nil && got != test.wantError {
				t.Errorf("Ensure() = %v, want %q", err, test.wantError)
			}
			if out.String() != test.wantPrompt {
				t.Errorf("prompt %q, want %q", out.String(), test.wantPrompt)
			}
		})
	}
}

func TestEnsureWithAptUsesSudo(t *testing.T) {
	if os.Geteuid() == 0 {
		return // root needs no sudo, and a test must not install packages
	}
	directory := t.TempDir()
	program(t, directory, "apt-get", "exit 1")
	t.Setenv("PATH", directory)
	thing := filepath.Join(directory, "thing")
	var installed []string
	installer := Installer{
		In: strings.NewReader("y\n"), Out: &strings.Builder{}, Interactive: true,
		Privileged: func(_ context.Context, packages []string) error {
			installed = packages
			return os.WriteFile(thing, nil, 0o600)
		},
	}
	if err := installer.Ensure(t.Context(), need(thing)); err != nil || !slices.Equal(installed, []string{"apt-thing"}) {
		t.Errorf("Ensure() = %v with %q through sudo", err, installed)
	}
	installer.Interactive = false
	if err := installer.Ensure(t.Context(), need(thing+"2")); err == nil || !strings.Contains(err.Error(), "sudo apt-get install apt-thing") {
		t.Errorf("Ensure() without a terminal = %v", err)
	}
}

func TestPlaceTemporarily(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new directory", "policy")
	place := func(text string) {
		t.Helper()
		undo, err := placeTemporarily(path, text, 0o755)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(path); err != nil {
			t.Error(err)
		}
		if err := undo(); err != nil {
			t.Error(err)
		}
	}
	place("ours")
	if _, err := os.Stat(path); err == nil {
		t.Error("the file stayed")
	}
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	write("the administrator's")
	place("ours")
	if got, err := os.ReadFile(path); string(got) != "the administrator's" {
		t.Errorf("the administrator's file became %q, %v", got, err)
	}
	write("ours") // from an installation that was killed
	place("ours")
	if _, err := os.Stat(path); err == nil {
		t.Error("the file of a killed installation stayed")
	}
}
