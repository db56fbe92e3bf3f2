package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goccy/go-json"

	"systemscale/infra/process"
)

// homeRig is a .run directory with the state of a running stack.
type homeRig struct {
	t               *testing.T
	parent, outside string
}

// newHome writes the state of a stack in the directory a. The process of its Postgres is the test's.
func newHome(t *testing.T, change func(saved *state)) *homeRig {
	t.Helper()
	rig := &homeRig{t: t, parent: t.TempDir(), outside: t.TempDir()}
	directory := rig.at("a")
	if err := os.Mkdir(directory, 0o755); err != nil {
		t.Fatal(err)
	}
	alive, err := process.Of(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	saved := &state{
		path: filepath.Join(directory, "state.json"), Servers: directory, Sockets: filepath.Join(directory, "run"),
		Instances: []instance{{Socket: filepath.Join(directory, "run", "api-1.sock"), Port: 8081, Process: alive}},
		Catalog:   catalog{Directory: filepath.Join(directory, "csv", "50"), Products: 50},
	}
	saved.Postgres.Process = alive
	if change != nil {
		change(saved)
	}
	if err := saved.save(); err != nil {
		t.Fatal(err)
	}
	return rig
}

func (r *homeRig) at(name string) string { return filepath.Join(r.parent, name) }

// read reads the state of a directory. verdict is its fields moved and copied.
func (r *homeRig) read(name string) (read *state, verdict string) {
	r.t.Helper()
	read, err := readState(r.at(name))
	if err != nil {
		r.t.Fatal(err)
	}
	return read, fmt.Sprint(read.moved, " ", read.copied)
}

func (r *homeRig) shell(script string) {
	r.t.Helper()
	command := exec.Command("sh", "-ec", script)
	command.Dir = r.parent
	if out, err := command.CombinedOutput(); err != nil {
		r.t.Fatalf("%s: %v\n%s", script, err, out)
	}
}

// wantPaths checks that the paths of the state are below the directory.
func (r *homeRig) wantPaths(read *state, name string) {
	r.t.Helper()
	directory := r.at(name)
	got := []string{read.Servers, read.Sockets, read.Instances[0].Socket, read.Catalog.Directory}
	want := []string{directory, directory + "/run", directory + "/run/api-1.sock", directory + "/csv/50"}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		r.t.Errorf("paths %q, want %q", got, want)
	}
}

func TestUnmovedState(t *testing.T) {
	rig := newHome(t, nil)
	read, verdict := rig.read("a")
	if verdict != "false " || !read.runs() {
		t.Errorf("%q, runs %v", verdict, read.runs())
	}
	rig.wantPaths(read, "a")
	if text, err := os.ReadFile(read.path); err != nil || strings.Count(string(text), rig.parent) != 1 {
		t.Errorf("the state contains another absolute path than its home: %s, %v", text, err)
	}
}

func TestMovedState(t *testing.T) {
	for name, script := range map[string]string{
		"renamed":                             "mv a b",
		"to another file system":              "cp -a a b; rm -r a",
		"another clone in the former place":   "mv a b; mkdir a",
		"another stack in the former place":   "mv a b; mkdir a; cp b/state.json a",
		"a removed stack in the former place": "mv a c; mkdir a; mv c b; rmdir a",
		// There, a directory has another inode.
		"to another file system, another stack in the former place": "cp -a a b; mv a c; mkdir a; cp b/state.json a",
		"to another file system, remains in the former place":       "cp -a a b; rm a/state.json",
	} {
		t.Run(name, func(t *testing.T) {
			rig := newHome(t, nil)
			rig.shell(script)
			read, verdict := rig.read("b")
			if verdict != "true " || !read.runs() {
				t.Errorf("%q, runs %v", verdict, read.runs())
			}
			rig.wantPaths(read, "b")
			if err := read.save(); err != nil {
				t.Fatal(err)
			}
			if _, verdict := rig.read("b"); verdict != "false " {
				t.Errorf("settled: %q", verdict)
			}
		})
	}
}

func TestCopiedState(t *testing.T) {
	var outside string
	for name, change := range map[string]func(*state){
		"with everything below it": nil,
		"with files outside": func(saved *state) {
			saved.Servers, saved.Sockets, saved.Outside = outside, filepath.Join(outside, "run"), []string{outside}
		},
	} {
		t.Run(name, func(t *testing.T) {
			outside = t.TempDir()
			rig := newHome(t, change)
			rig.shell("cp -a a b")
			read, verdict := rig.read("b")
			if verdict != "false "+rig.at("a") || read.runs() || len(read.Outside) > 0 || strings.HasPrefix(read.Servers, outside) ||
				read.Sockets != "" {
				t.Errorf("%q, runs %v: %+v", verdict, read.runs(), read)
			}
			if original, verdict := rig.read("a"); verdict != "false " || !original.runs() {
				t.Errorf("the original: %q, runs %v", verdict, original.runs())
			}
			if err := read.save(); err != nil {
				t.Fatal(err)
			}
			if _, verdict := rig.read("b"); verdict != "false " {
				t.Errorf("settled: %q", verdict)
			}
		})
	}
}

// TestStateOfEarlierVersion reads states with absolute paths and without a home.
func TestStateOfEarlierVersion(t *testing.T) {
	for _, test := range []struct {
		name, script, at string
		moved, copied    bool
	}{
		{"where it was", "", "a", false, false},
		{"moved", "mv a b", "b", true, false},
		{"copied", "cp -a a b", "b", false, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			rig := newHome(t, nil)
			former := rig.at("a") + "/state.json"
			text, err := os.ReadFile(former)
			if err != nil {
				t.Fatal(err)
			}
			var fields map[string]any
			if err := json.Unmarshal(text, &fields); err != nil {
				t.Fatal(err)
			}
			delete(fields, "home")
			delete(fields, "loading")
			fields["servers"], fields["sockets"] = rig.at("a"), rig.at("a")+"/run"
			fields["catalog"].(map[string]any)["directory"] = rig.at("a") + "/csv/50"
			fields["instances"].([]any)[0].(map[string]any)["socket"] = rig.at("a") + "/run/api-1.sock"
			if text, err = json.Marshal(fields); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(former, text, 0o600); err != nil {
				t.Fatal(err)
			}
			rig.shell(test.script)
			read, verdict := rig.read(test.at)
			if read.moved != test.moved || (read.copied == rig.at("a")) != test.copied || read.runs() == test.copied {
				t.Errorf("%q, runs %v, want moved %v, copied %v", verdict, read.runs(), test.moved, test.copied)
			}
			if !test.copied {
				rig.wantPaths(read, test.at)
			}
		})
	}
}

func TestOddPaths(t *testing.T) {
	for path, odd := range map[string]bool{
		"/plain": false, `/two words/'"$#;{\é`: false, "/a\nb": true, "/a\tb": true, "/a\x7fb": true, "/a\xffb": true,
	} {
		if err := refuseOddPath(path); (err != nil) != odd {
			t.Errorf("%q: %v", path, err)
		}
	}
	_, _, err := call(t, "--state", t.TempDir()+"/a\nb", "status")
	if err == nil || !strings.Contains(err.Error(), "rename the directory") {
		t.Errorf("a state below a line break: %v", err)
	}
}

// TestTaskRefusesOddPaths runs ./scripts/task in directories in which Go cannot build.
func TestTaskRefusesOddPaths(t *testing.T) {
	text, err := os.ReadFile("../task")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{`a\b`, "a\nb", `a\`} {
		scripts := filepath.Join(t.TempDir(), name, "clone", "scripts")
		if err := errors.Join(os.MkdirAll(scripts, 0o755), os.WriteFile(filepath.Join(scripts, "task"), text, 0o755)); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command(filepath.Join(scripts, "task"), "up").CombinedOutput()
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() != 2 || !strings.HasSuffix(string(out), "rename the directory\n") ||
			strings.Count(string(out), "\n") != 1 {
			t.Errorf("%q: %v, %q, want exit code 2 and one line", name, err, out)
		}
		if entries, err := os.ReadDir(filepath.Dir(scripts)); err != nil || len(entries) != 1 {
			t.Errorf("%q: the directory has %v, %v, want scripts alone", name, entries, err)
		}
	}
}

func TestOwnDirectories(t *testing.T) {
	parent := t.TempDir()
	if !isOwn(parent) || isOwn(parent+"/missing") {
		t.Error("isOwn() is false for this user's directory, or true for a missing one")
	}
	if err := os.Symlink(parent, parent+"/link"); err != nil {
		t.Fatal(err)
	}
	if isOwn(parent + "/link") {
		t.Error("a link counts as a directory of this user's")
	}
	if os.Geteuid() != 0 {
		return // only root can give one away
	}
	if err := os.Lchown(parent, 61234, 61234); err != nil {
		t.Fatal(err)
	}
	if isOwn(parent) {
		t.Error("another user's directory counts as this one's")
	}
}
