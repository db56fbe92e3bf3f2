package systemtest

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"systemscale/infra/nginx"
	"systemscale/infra/postgres"
	"systemscale/infra/process"
)

// clone is a copy of the project in another directory, in which ./scripts/task is run as users run it.
type clone struct {
	t    *testing.T
	root string
	port string
}

// newClone copies the project's files, and the files that take long to build.
func newClone(t *testing.T, root string) *clone {
	t.Helper()
	script := `cd ../..
git ls-files -z --cached --others --exclude-standard | tar --null --files-from=- --ignore-failed-read -cf - | (cd "$0" && tar -xf -)
mkdir -p "$0/.run/bin" && for built in .run/bin/task-*; do if test -e "$built"; then cp "$built" "$0/.run/bin/"; fi; done
cp -r api/web/dist "$0/api/web/"`
	if err := os.MkdirAll(root, 0o755); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("sh", "-ec", script, root).CombinedOutput(); err != nil {
		t.Fatalf("copy the project: %v\n%s", err, out)
	}
	c := &clone{t, root, freePort(t)}
	t.Cleanup(func() {
		if out, err := c.task("down", "--", "--purge"); err != nil {
			t.Errorf("down: %v\n%s", err, out)
		}
	})
	return c
}

// task runs ./scripts/task in the clone's etl directory.
func (c *clone) task(args ...string) (out string, err error) {
	command := exec.Command(filepath.Join(c.root, "scripts", "task"), args...)
	command.Dir = filepath.Join(c.root, "etl")
	command.Env = append(os.Environ(), "GATEWAY_PORT="+c.port)
	text, err := command.CombinedOutput()
	return string(text), err
}

// must runs ./scripts/task, which must succeed. The output, which it returns, must contain want.
func (c *clone) must(want string, args ...string) string {
	c.t.Helper()
	out, err := c.task(args...)
	if err != nil || !strings.Contains(out, want) {
		c.t.Fatalf("task %q: %v, want %q:\n%s", args, err, want, out)
	}
	return out
}

// fails runs ./scripts/task, which must end with an exit code. The output must contain want.
func (c *clone) fails(code int, want string, args ...string) {
	c.t.Helper()
	out, err := c.task(args...)
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != code || !strings.Contains(out, want) {
		c.t.Errorf("task %q: %v, want exit code %d and %q:\n%s", args, err, code, want, out)
	}
}

// wants waits until product 1 has a name.
func (c *clone) wants(name string) {
	c.t.Helper()
	address := "http://127.0.0.1:" + c.port + "/products/1"
	eventually(c.t, "product 1 is "+name, func() bool {
		got, err := request(c.t.Context(), http.MethodGet, address)
		return err == nil && got.status == http.StatusOK && strings.Contains(got.body, name)
	})
}

// TestClone uses a clone in a directory with special characters, with several catalogs, moves it and copies it.
func TestClone(t *testing.T) {
	parent, err := os.MkdirTemp("", "systemscale-clone-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(parent) })
	if err := os.Chmod(parent, 0o755); err != nil {
		t.Fatal(err)
	}
	c := newClone(t, filepath.Join(parent, `two words/"it's" $HOME #1;{a} é`))

	c.must("is served at", "up", "PRODUCTS=60")
	testUnprivileged(t, filepath.Join(c.root, ".run"))
	c.must("0 documents differ", "etl", "--", "plan", "--csv", filepath.Join(c.root, ".run", "csv", "60"))

	// From a sample to the user's own files, in a directory relative to the working directory, and to others.
	c.must("replacing the generated sample of 60 products by the catalog from "+c.root+"/etl/testdata/v1\n", "up", "CSV=testdata/v1/")
	c.wants("Camo Onesie")
	out, err := c.task("etl", "--", "plan", "--csv", "testdata/v2", "--accept", "removed", "--accept", "fewer-rows")
	if exitOf(err) != 10 || strings.Contains(out, "Failed to run task") {
		t.Errorf("a plan with changes: %v, want exit code 10\n%s", err, out)
	}
	c.fails(1, "ACCEPT=removed,fewer-rows\n", "up", "CSV=testdata/v2")
	c.must("is published", "up", "CSV=testdata/v2", "ACCEPT=removed,changed,fewer-rows")
	c.must("replacing the catalog from", "up", "PRODUCTS=61")

	history := c.must("published", "etl", "--", "history")

	// A move while the servers run, with links that the servers' accounts have created.
	precious := plant(t, filepath.Join(c.root, ".run"))
	moved := filepath.Join(parent, "moved")
	if err := os.Rename(c.root, moved); err != nil {
		t.Fatal(err)
	}
	c.root = moved
	c.must("the clone was moved while its servers ran", "up")
	if now := c.must("published", "etl", "--", "history"); now != history {
		t.Errorf("the moved clone has another history:\n%s\nbefore it was moved:\n%s", now, history)
	}
	precious.check()

	// The copy has other servers and does not affect those of the original.
	copied := &clone{t, filepath.Join(parent, "copied"), freePort(t)}
	if err := exec.Command("cp", "-r", filepath.Join(moved, ".run"), filepath.Join(parent, "run")).Run(); err != nil {
		t.Fatal(err)
	}
	copiedRun := filepath.Join(copied.root, ".run")
	if err := errors.Join(os.Mkdir(copied.root, 0o755), os.Rename(filepath.Join(parent, "run"), copiedRun)); err != nil {
		t.Fatal(err)
	}
	program := func(args ...string) string {
		t.Helper()
		args = append([]string{"--root", moved, "--state", copiedRun}, args...)
		out, err := exec.Command(filepath.Join(moved, ".run", "bin", "stack"), args...).CombinedOutput()
		if err != nil {
			t.Errorf("stack %q in a copy: %v\n%s", args, err, out)
		}
		return string(out)
	}
	if out := program("down"); !strings.Contains(out, "nothing runs") {
		t.Errorf("down in a copy: %s", out)
	}
	if out := program("up", "--gateway-port", copied.port); !strings.Contains(out, "this is a copy of the clone in "+moved) ||
		!strings.Contains(out, "version 1 is published") {
		t.Errorf("up in a copy: %s", out)
	}
	program("down", "--purge")
	c.wants("name")
	if out := c.must("", "status"); strings.Contains(out, "stopped") {
		t.Errorf("the copy has stopped a server of the original:\n%s", out)
	}
}

func exitOf(err error) int {
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exit.ExitCode()
	}
	return 0
}

// testUnprivileged checks that no process of the servers runs as root.
func testUnprivileged(t *testing.T, state string) {
	t.Helper()
	r := readRunning(t, state)
	groups := map[int]string{r.Postgres.Process.PID: "Postgres", r.Gateway.Process.PID: "NGINX"}
	for i, instance := range r.Instances {
		groups[instance.Process.PID] = "API instance " + strconv.Itoa(i+1)
	}
	found := map[string]int{}
	entries, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range entries {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended
		}
		fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
		session, _ := strconv.Atoi(fields[3]) // Postgres's children have groups of their own
		name, ours := groups[session]
		if !ours {
			continue
		}
		found[name]++
		status, err := os.ReadFile(filepath.Join(filepath.Dir(path), "status"))
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(status)) {
			if ids, is := strings.CutPrefix(line, "Uid:"); is && strings.Contains(ids+"\t", "\t0\t") {
				t.Errorf("a process of %s runs as root: %s", name, ids)
			}
			if ids, is := strings.CutPrefix(line, "Groups:"); is && os.Geteuid() == 0 && strings.TrimSpace(ids) != "" {
				t.Errorf("a process of %s has groups of root's: %s", name, ids)
			}
		}
	}
	if len(found) != len(groups) {
		t.Errorf("processes of %v, want of %v", found, groups)
	}
}

// planted holds the targets of links that the servers' accounts have created.
type planted struct {
	t               *testing.T
	file, directory string
}

// plant creates the links in every directory of an account, if this user is root: only root could follow them.
func plant(t *testing.T, state string) *planted {
	t.Helper()
	outside, err := os.MkdirTemp("", "precious-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(outside) })
	p := &planted{t, filepath.Join(outside, "file"), filepath.Join(outside, "directory")}
	if err := errors.Join(os.WriteFile(p.file, []byte("precious"), 0o600), os.Mkdir(p.directory, 0o700),
		os.WriteFile(filepath.Join(p.directory, "file"), nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() != 0 {
		return p
	}
	for _, by := range []struct {
		accounts []string
		script   string
	}{
		// Commands of the scripts may fail: the account should not be able to change every directory.
		{postgres.Accounts, `d=$0/postgres
for n in data/postgresql.conf data/postgresql.auto.conf data/pg_ident.conf postgresql.conf.new; do ln -sf "$1" "$d/$n"; done
ln -sfn "$2" "$d/data.unfinished"; ln -sf "$1" "$d/data.password"`},
		{nginx.Accounts, `d=$0/nginx
for n in nginx.conf nginx.conf.draft nginx.conf.draft.new localhost.crt localhost.key localhost.key.new; do ln -sf "$1" "$d/$n"; done
rm -rf "$d/temp" "$d/work/temp" "$d/work/cache"; ln -s "$2" "$d/temp"; mkdir "$d/work/temp" "$d/work/cache"
ln -s "$2" "$d/work/cache/planted"; ln -s "$2" "$d/work/temp/planted"`},
	} {
		account, err := process.Unprivileged(by.accounts...)
		if err != nil {
			t.Fatal(err)
		}
		command := exec.Command("sh", "-c", by.script, state, p.file, p.directory)
		command.SysProcAttr, command.Dir = account.Attributes(), "/"
		if out, err := command.CombinedOutput(); err != nil {
			t.Logf("as %s: %v\n%s", account.Name, err, out)
		}
	}
	if target, err := os.Readlink(filepath.Join(state, "postgres", "data", "postgresql.conf")); err != nil || target != p.file {
		t.Fatalf("no link was planted: %q, %v", target, err)
	}
	if _, err := os.Readlink(filepath.Join(state, "nginx", "work", "cache", "planted")); err != nil {
		t.Fatalf("no link was planted: %v", err)
	}
	return p
}

// check reports changes of the targets.
func (p *planted) check() {
	p.t.Helper()
	if text, err := os.ReadFile(p.file); err != nil || string(text) != "precious" {
		p.t.Errorf("a link was followed to a file: %q, %v", text, err)
	}
	for path, want := range map[string]os.FileMode{p.file: 0o600, p.directory: 0o700 | os.ModeDir} {
		info, err := os.Lstat(path)
		if err != nil {
			p.t.Error(err)
			continue
		}
		if uid := info.Sys().(*syscall.Stat_t).Uid; info.Mode() != want || int(uid) != os.Geteuid() {
			p.t.Errorf("a link was followed to %s: %v of user %d, want %v", path, info.Mode(), uid, want)
		}
	}
	if entries, err := os.ReadDir(p.directory); err != nil || fmt.Sprint(entries) != "[- file]" {
		p.t.Errorf("a link was followed to a directory: %v, %v", entries, err)
	}
}
