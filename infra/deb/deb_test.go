// Package deb_test makes the Debian package, and installs, upgrades, removes and purges it in Debian systems of its own.
package deb_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"systemscale/infra/container"
	"systemscale/infra/program"
)

const root = "../.." // of the repository

// run runs a command and returns its output.
func run(t *testing.T, environment []string, name string, arguments ...string) string {
	t.Helper()
	command := exec.CommandContext(t.Context(), name, arguments...)
	command.Env = append(os.Environ(), environment...)
	out, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(arguments, " "), err, out)
	}
	return string(out)
}

// copyRepository copies the files of the repository that are not ignored, with other modes and times.
func copyRepository(t *testing.T, directory string) {
	t.Helper()
	list := run(t, nil, "git", "-C", root, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	for name := range strings.SplitSeq(strings.TrimSuffix(list, "\x00"), "\x00") {
		text, err := os.ReadFile(filepath.Join(root, name))
		if errors.Is(err, os.ErrNotExist) { // deleted, and not committed
			continue
		}
		target := filepath.Join(directory, name)
		if err == nil {
			err = errors.Join(os.MkdirAll(filepath.Dir(target), 0o700), os.WriteFile(target, text, 0o600))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// makePackage makes a package of a copy of the repository, and returns its path.
func makePackage(t *testing.T, program string) string {
	t.Helper()
	source, out := t.TempDir(), t.TempDir()
	copyRepository(t, source)
	printed := run(t, nil, program, "--root", source, "--out", out, "--version", "20260101.000000+g1", "--time", "1767225600")
	path := strings.TrimSpace(printed)
	if filepath.Dir(path) != out || !regexp.MustCompile(`^systemscale_20260101\.000000\+g1_[a-z0-9]+\.deb$`).MatchString(filepath.Base(path)) {
		t.Fatalf("the package is %s", path)
	}
	return path
}

// nextVersion makes a package of a later version, in which the examples api.env and etl.env have changed.
func nextVersion(t *testing.T, path string) string {
	t.Helper()
	directory := filepath.Join(t.TempDir(), "unpacked")
	run(t, nil, "dpkg-deb", "--raw-extract", path, directory)
	for name, change := range map[string]func(string) string{
		"DEBIAN/control":           func(text string) string { return strings.Replace(text, "20260101", "20260202", 1) },
		"etc/systemscale/api.env":  func(text string) string { return text + "# a new line\n" },
		"etc/systemscale/etl.env":  func(text string) string { return text + "# a new line\n" },
		"usr/bin/systemscale-etl":  func(text string) string { return text + "another program" },
		"usr/share/doc/other/file": func(string) string { return "" },
	} {
		file := filepath.Join(directory, name)
		text, err := os.ReadFile(file)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte(change(string(text))), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	next := filepath.Join(t.TempDir(), "next.deb")
	run(t, nil, "dpkg-deb", "-Znone", "--root-owner-group", "--build", directory, next)
	return next
}

// requireSystems skips the test if it cannot make Debian systems, or fails it if REQUIRE_DB=1.
func requireSystems(t *testing.T) {
	t.Helper()
	problem := errors.Join(program.NeedPodman.Find(), program.NeedNspawn.Find()) // the former includes mmdebstrap
	if problem == nil && os.Geteuid() != 0 {
		problem = errors.New("Debian systems need root")
	}
	if problem != nil {
		if os.Getenv("REQUIRE_DB") == "1" {
			t.Fatalf("%v, but REQUIRE_DB=1 requires it: run ./scripts/task test as root", problem)
		}
		t.Skip(problem)
	}
}

// TestPackage makes the package twice, in different directories, and uses it in two Debian systems: one that runs, and one without a running
// systemd, in which every step can be examined.
func TestPackage(t *testing.T) {
	requireSystems(t)
	maker := filepath.Join(t.TempDir(), "deb")
	run(t, nil, "go", "build", "-C", filepath.Join(root, "scripts/deb"), "-o", maker, ".")
	first := makePackage(t, maker)
	t.Run("same bytes", func(t *testing.T) {
		one, oneErr := os.ReadFile(first)
		other, otherErr := os.ReadFile(makePackage(t, maker))
		if err := errors.Join(oneErr, otherErr); err != nil || !bytes.Equal(one, other) {
			t.Errorf("two packages of the same files differ (%v)", err)
		}
	})
	t.Run("boot", func(t *testing.T) { testBoot(t, first) })
	system := newSystem(t)
	t.Run("install", func(t *testing.T) { testInstall(t, system, first) })
	t.Run("start", func(t *testing.T) { testStart(t, system) })
	t.Run("upgrade", func(t *testing.T) { testUpgrade(t, system, nextVersion(t, first)) })
	t.Run("remove", func(t *testing.T) { testRemove(t, system) })
	t.Run("purge", func(t *testing.T) { testPurge(t, system, first) })
}

// system is the directory of a Debian system. Its systemctl only writes down how it was called.
type system string

// newSystem returns a system with NGINX and without systemd. It uses the same archive as the tests of the images.
func newSystem(t *testing.T) system {
	t.Helper()
	archive, err := container.Base(t.Context(), filepath.Join(root, ".run", "containers"), container.Servers...)
	if err != nil {
		t.Fatal(err)
	}
	s := system(t.TempDir())
	run(t, nil, "tar", "-C", string(s), "-xf", archive)
	// mmdebstrap has told dpkg to leave out documentation.
	if err := os.RemoveAll(s.path("etc/dpkg/dpkg.cfg.d/99mmdebstrap")); err != nil {
		t.Fatal(err)
	}
	s.write(t, "run/systemd/system/running", "", 0o644)
	s.write(t, "usr/bin/systemctl", "#!/bin/sh\necho \"$@\" >>/calls\n", 0o755)
	return s
}

func (s system) path(name string) string { return filepath.Join(string(s), name) }

func (s system) write(t *testing.T, name, text string, mode os.FileMode) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(s.path(name)), 0o755), os.WriteFile(s.path(name), []byte(text), mode)); err != nil {
		t.Fatal(err)
	}
}

func (s system) read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(s.path(name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func (s system) exists(name string) bool {
	found, err := filepath.Glob(s.path(name))
	return err == nil && len(found) > 0
}

// run runs a command in the system.
func (s system) run(t *testing.T, command ...string) string {
	t.Helper()
	environment := []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C"}
	return run(t, environment, "chroot", append([]string{string(s)}, command...)...)
}

// calls returns the calls of systemctl since the last one.
func (s system) calls(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile(s.path("calls"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	if err := os.RemoveAll(s.path("calls")); err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSpace(string(text)), "\n")
}

// install installs a package without questions, as an unattended upgrade does.
func (s system) install(t *testing.T, path string) {
	t.Helper()
	run(t, nil, "cp", path, s.path("package.deb"))
	s.run(t, "dpkg", "--force-confdef", "--force-confold", "--install", "/package.deb")
}

// dropIn is a change of a unit that systemctl edit makes.
const dropIn = "etc/systemd/system/systemscale-etl.service.d/override.conf"

var configuration = []string{"api", "etl", "gateway"}

func testInstall(t *testing.T, s system, path string) {
	s.install(t, path)
	for _, name := range configuration {
		if info, err := os.Stat(s.path("etc/systemscale/" + name + ".env")); err != nil || info.Mode() != 0o600 {
			t.Errorf("%s.env: %v %v, want a file that only root may read", name, info.Mode(), err)
		}
		if user := "systemscale-" + name; !regexp.MustCompile(`(?m)^` + user + `:x:\d{3}:\d{3}:.*:/usr/sbin/nologin$`).MatchString(s.read(t, "etc/passwd")) {
			t.Errorf("there is no system user %s without a shell", user)
		}
		if help := s.run(t, "/usr/bin/systemscale-"+name, "--help"); !strings.Contains(help, "--version") {
			t.Errorf("systemscale-%s --help prints %q", name, help)
		}
	}
	if diff := cmp.Diff([]string{"daemon-reload"}, s.calls(t)); diff != "" {
		t.Errorf("calls of systemctl: want (-), got (+)\n%s", diff)
	}
	if s.exists("etc/systemd/system/*/systemscale-*") {
		t.Error("a unit is enabled")
	}
	units, err := filepath.Glob(s.path("usr/lib/systemd/system/systemscale-*"))
	if err != nil || len(units) != 5 {
		t.Fatalf("the units are %q, %v", units, err)
	}
	// The directory of the system is not that of this machine: a program that the package does not have is an error.
	arguments := []string{"verify", "--root=" + string(s), "--recursive-errors=no"}
	for _, unit := range units {
		arguments = append(arguments, strings.Replace(filepath.Base(unit), "@.", "@8081.", 1))
	}
	if out := run(t, nil, "systemd-analyze", arguments...); strings.Contains(out, "systemscale-") {
		t.Errorf("systemd-analyze verify:\n%s", out)
	}
}

func testUpgrade(t *testing.T, s system, path string) {
	const mine, link = "DATABASE_URL=mine\n", "etc/systemd/system/multi-user.target.wants/systemscale-api@8081.service"
	s.write(t, "etc/systemscale/api.env", mine, 0o600)
	s.write(t, "var/lib/systemscale/rejects/1/rejects.ndjson", "{}\n", 0o644)
	s.write(t, link, "", 0o644)
	s.write(t, dropIn, "[Service]\n", 0o644)
	s.calls(t)
	s.install(t, path)
	if version := s.run(t, "dpkg-query", "--show", "--showformat=${Version}", "systemscale"); version != "20260202.000000+g1" {
		t.Errorf("the version is %s", version)
	}
	if text := s.read(t, "etc/systemscale/api.env"); text != mine {
		t.Errorf("the changed configuration file became\n%s", text)
	}
	if text := s.read(t, "etc/systemscale/api.env.dpkg-dist"); !strings.Contains(text, "a new line") {
		t.Errorf("the new example is\n%s", text)
	}
	if text := s.read(t, "etc/systemscale/etl.env"); !strings.Contains(text, "a new line") {
		t.Errorf("the unchanged configuration file is still\n%s", text)
	}
	if info, err := os.Stat(s.path("etc/systemscale/api.env")); err != nil || info.Mode() != 0o600 {
		t.Errorf("api.env: %v %v", info.Mode(), err)
	}
	// No instance is stopped or restarted.
	if diff := cmp.Diff([]string{"daemon-reload"}, s.calls(t)); diff != "" || !s.exists(link) {
		t.Errorf("an instance is still enabled: %t; calls of systemctl: want (-), got (+)\n%s", s.exists(link), diff)
	}
}

func testRemove(t *testing.T, s system) {
	s.run(t, "dpkg", "--remove", "systemscale")
	for _, name := range []string{"usr/bin/systemscale-*", "usr/lib/systemd/system/systemscale-*", "etc/systemd/system/*.wants/systemscale-*"} {
		if s.exists(name) {
			t.Errorf("%s is left", name)
		}
	}
	for _, name := range []string{dropIn, "etc/systemscale/api.env", "var/lib/systemscale/rejects/1/rejects.ndjson"} {
		if !s.exists(name) {
			t.Errorf("%s is gone", name)
		}
	}
	want := []string{
		"disable --quiet --now systemscale-etl.timer systemscale-gateway.service",
		"stop systemscale-etl.service systemscale-api@*.service",
		"daemon-reload",
	}
	if diff := cmp.Diff(want, s.calls(t)); diff != "" {
		t.Errorf("calls of systemctl: want (-), got (+)\n%s", diff)
	}
}

func testPurge(t *testing.T, s system, path string) {
	passwd := s.read(t, "etc/passwd")
	s.run(t, "dpkg", "--purge", "systemscale")
	if s.exists("etc/systemscale") || s.exists(dropIn) {
		t.Error("the configuration is left")
	}
	if !s.exists("var/lib/systemscale/rejects/1/rejects.ndjson") {
		t.Error("the rejected rows are gone")
	}
	// The users are still there, and a new installation uses them. A purge of an installed package removes it first.
	s.install(t, path)
	if got := s.read(t, "etc/passwd"); got != passwd {
		t.Errorf("the users became\n%s", got)
	}
	s.run(t, "dpkg", "--purge", "systemscale")
	if s.exists("usr/bin/systemscale-*") || s.exists("etc/systemscale") {
		t.Error("files of the package are left")
	}
}

// environment returns the assignments of a configuration file, which are simple enough here.
func (s system) environment(t *testing.T, name string) []string {
	t.Helper()
	var found []string
	for line := range strings.Lines(s.read(t, name)) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			found = append(found, strings.ReplaceAll(line, "'", ""))
		}
	}
	return found
}

// await polls until check returns nil.
func await(t *testing.T, check func() error) {
	t.Helper()
	err := check()
	for deadline := time.Now().Add(time.Minute); err != nil && time.Now().Before(deadline); err = check() {
		time.Sleep(50 * time.Millisecond)
	}
	if err != nil {
		t.Error(err)
	}
}
