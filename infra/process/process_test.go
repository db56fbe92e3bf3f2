package process

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestParseStat(t *testing.T) {
	const rest = " 1 4321 4321 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 98765 111 222"
	for _, test := range []struct {
		name, text string
		want       stat
		wantError  bool
	}{
		{"running", "4321 (nginx) S" + rest, stat{1, 4321, 260 * time.Millisecond, "boot:98765"}, false},
		{
			"a name that looks like more fields", "4321 (a) Z 1 (b) R" + rest,
			stat{1, 4321, 260 * time.Millisecond, "boot:98765"},
			false,
		},
		{"waits for its parent", "4321 (nginx) Z" + rest, stat{}, true},
		{"cut short", "4321 (nginx) S 1 4321", stat{}, true},
		{"no parent", "4321 (nginx) S x" + rest[2:], stat{}, true},
		{"no processor time", "4321 (nginx) S" + strings.Replace(rest, " 6 ", " x ", 1), stat{}, true},
		{"nothing", "", stat{}, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := parseStat([]byte(test.text), "boot")
			if got != test.want || (err != nil) != test.wantError {
				t.Errorf("parseStat(%q) = %v, %v, want %v", test.text, got, err, test.want)
			}
		})
	}
}

// TestProcessorTime waits until a child of a daemon has used the processor, and then reads the time with and without the child's parent.
func TestProcessorTime(t *testing.T) {
	if bootID() == "" {
		t.Skip("the system has no /proc")
	}
	daemon := shell(t, "while :; do :; done & wait")
	err := daemon.Await(t.Context(), time.Minute, func(context.Context) error {
		for pid, stat := range all() {
			if stat.parent != daemon.PID {
				continue
			}
			if own := ProcessorTime(pid); own >= clockTick && ProcessorTime(daemon.PID) >= own && Parent(pid) == daemon.PID {
				return nil
			}
		}
		return errors.New("no child has used a processor")
	})
	if err != nil {
		t.Error(err)
	}
	if used := ProcessorTime(-1); used != 0 || Parent(-1) != 0 {
		t.Errorf("no process has used %s and has parent %d", used, Parent(-1))
	}
}

func TestParsePS(t *testing.T) {
	for _, test := range []struct{ out, want string }{
		{"Ss   Mon Jan  2 15:04:05 2006\n", "Mon Jan 2 15:04:05 2006"},
		{"Z    Mon Jan  2 15:04:05 2006\n", ""},
		{"", ""},
	} {
		if got, err := parsePS(test.out); got != test.want || (err == nil) != (test.want != "") {
			t.Errorf("parsePS(%q) = %q, %v, want %q", test.out, got, err, test.want)
		}
	}
}

// shell starts a daemon that runs a script and is gone when the test ends.
func shell(t *testing.T, script string) *Running {
	t.Helper()
	running, err := Daemon{
		Name: "the test's daemon", Path: "/bin/sh", Args: []string{"-c", script}, Env: []string{"GREETING=hello"},
		Dir: "/", Log: filepath.Join(t.TempDir(), "log"),
	}.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = Stop(context.Background(), running.Identity, syscall.SIGKILL, 10*time.Second)
		_ = StopRemnants(context.Background(), running.Identity)
	})
	return running
}

// printed is a readiness check: the daemon has printed the text.
func (r *Running) printed(text string) func(context.Context) error {
	return func(context.Context) error {
		log, err := os.ReadFile(r.daemon.Log)
		if err == nil && !strings.Contains(string(log), text) {
			err = errors.New("no output yet")
		}
		return err
	}
}

func TestDaemon(t *testing.T) {
	running := shell(t, "echo $GREETING from $PWD; exec sleep 600")
	if err := running.Await(t.Context(), 10*time.Second, running.printed("hello from /\n")); err != nil {
		t.Fatal(err)
	}
	if !running.Alive() {
		t.Error("not alive though it runs")
	}
	if group, err := syscall.Getpgid(running.PID); err != nil || group != running.PID {
		t.Errorf("process group %d, %v: the terminal's Ctrl-C would reach it", group, err)
	}
	if err := Stop(t.Context(), running.Identity, syscall.SIGTERM, 10*time.Second); err != nil {
		t.Error(err)
	}
	if running.Alive() {
		t.Error("alive after Stop")
	}
	if err := Stop(t.Context(), running.Identity, syscall.SIGTERM, 10*time.Second); err != nil {
		t.Errorf("Stop of what has ended: %v", err)
	}
}

// TestTiedDaemonEndsWithItsParent runs itself as a parent that starts one daemon of each kind and is then killed.
func TestTiedDaemonEndsWithItsParent(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux ties a process to its parent")
	}
	if directory := os.Getenv("TIED_PARENT"); directory != "" {
		for name, tied := range map[string]bool{"tied": true, "loose": false} {
			daemon, err := Daemon{
				Name: name, Path: "/bin/sh", Args: []string{"-c", "exec sleep 600"}, Dir: "/", Log: filepath.Join(directory, name+".log"), Tied: tied,
			}.Start()
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(directory, name), []byte(strconv.Itoa(daemon.PID)), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if err := syscall.Kill(os.Getpid(), syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		select {}
	}
	directory := t.TempDir()
	parent := exec.Command(os.Args[0], "-test.run", "^TestTiedDaemonEndsWithItsParent$")
	parent.Env = append(os.Environ(), "TIED_PARENT="+directory)
	if out, err := parent.CombinedOutput(); err == nil || !strings.Contains(err.Error(), "killed") {
		t.Fatalf("the parent ended with %v\n%s", err, out)
	}
	identity := func(name string) Identity {
		text, err := os.ReadFile(filepath.Join(directory, name))
		if err != nil {
			t.Fatal(err)
		}
		pid, err := strconv.Atoi(string(text))
		if err != nil {
			t.Fatal(err)
		}
		found, _ := Of(pid) // the zero Identity if it has ended
		return found
	}
	loose := identity("loose")
	t.Cleanup(func() { _ = Stop(context.Background(), loose, syscall.SIGKILL, 10*time.Second) })
	if !loose.Alive() {
		t.Error("a daemon that is not tied ended with its parent")
	}
	tied := identity("tied")
	t.Cleanup(func() { _ = Stop(context.Background(), tied, syscall.SIGKILL, 10*time.Second) })
	for deadline := time.Now().Add(time.Minute); tied.Alive(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("a tied daemon still runs after its parent was killed")
		}
	}
}

func TestReusedPidIsNotSignaled(t *testing.T) {
	running := shell(t, "exec sleep 600")
	other := Identity{PID: running.PID, Started: running.Started + "0"}
	if other.Alive() {
		t.Error("a process that only has the pid counts as alive")
	}
	if err := Stop(t.Context(), other, syscall.SIGKILL, 10*time.Second); err != nil {
		t.Error(err)
	}
	if !running.Alive() {
		t.Error("Stop ended a process that only has the pid")
	}
	if (Identity{}).Alive() {
		t.Error("the zero identity is alive")
	}
	if err := Stop(t.Context(), Identity{}, syscall.SIGKILL, time.Second); err != nil {
		t.Error(err)
	}
}

func TestStopTimeout(t *testing.T) {
	running := shell(t, "trap '' TERM; echo deaf; while :; do sleep 0.05; done")
	if err := running.Await(t.Context(), 10*time.Second, running.printed("deaf")); err != nil {
		t.Fatal(err)
	}
	if err := Stop(t.Context(), running.Identity, syscall.SIGTERM, 100*time.Millisecond); !errors.Is(err, ErrStillRunning) {
		t.Errorf("Stop() = %v, want %v", err, ErrStillRunning)
	}
}

func TestAwaitErrorContainsLog(t *testing.T) {
	never := func(context.Context) error { return errors.New("never ready") }

	failing := shell(t, "echo 'port is taken' >&2; sleep 0.2; exit 3")
	err := failing.Await(t.Context(), 10*time.Second, never)
	if err == nil || !strings.Contains(err.Error(), "exit status 3") || !strings.Contains(err.Error(), "port is taken") {
		t.Errorf("Await() of one that ended = %v", err)
	}
	slow := shell(t, "echo 'still trying'; exec sleep 600")
	if err := slow.Await(t.Context(), 10*time.Second, slow.printed("still")); err != nil {
		t.Fatal(err)
	}
	err = slow.Await(t.Context(), 50*time.Millisecond, never)
	if err == nil || !strings.Contains(err.Error(), "not ready after 50ms") || !strings.Contains(err.Error(), "still trying") {
		t.Errorf("Await() of a slow one = %v", err)
	}
}

func TestStartKeepsOldLog(t *testing.T) {
	log := filepath.Join(t.TempDir(), "log")
	for _, word := range []string{"first", "second"} {
		running, err := Daemon{Name: "echo", Path: "/bin/sh", Args: []string{"-c", "echo " + word + "; exec sleep 600"}, Log: log}.Start()
		if err != nil {
			t.Fatal(err)
		}
		if err := running.Await(t.Context(), 10*time.Second, running.printed(word+"\n")); err != nil {
			t.Error(err)
		}
		if err := Stop(t.Context(), running.Identity, syscall.SIGTERM, 10*time.Second); err != nil {
			t.Fatal(err)
		}
	}
	for path, want := range map[string]string{log: "second\n", log + ".old": "first\n"} {
		if got, err := os.ReadFile(path); string(got) != want {
			t.Errorf("%s: %q, %v, want %q", path, got, err, want)
		}
	}
}

func TestStopRemnants(t *testing.T) {
	if runtime.GOOS != "linux" {
		return // Linux only
	}
	running := shell(t, "sleep 600 & echo child $!; wait")
	if err := running.Await(t.Context(), 10*time.Second, running.printed("child")); err != nil {
		t.Fatal(err)
	}
	log, err := os.ReadFile(running.daemon.Log)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(strings.TrimPrefix(string(log), "child ")))
	if err != nil {
		t.Fatal(err)
	}
	child, err := Of(pid)
	if err != nil {
		t.Fatal(err)
	}
	stop := func(daemon Identity) {
		t.Helper()
		if err := StopRemnants(t.Context(), daemon); err != nil {
			t.Fatal(err)
		}
	}
	stop(running.Identity)
	if !child.Alive() {
		t.Fatal("ended the child of a daemon that runs")
	}
	if err := Stop(t.Context(), running.Identity, syscall.SIGKILL, 10*time.Second); err != nil {
		t.Fatal(err)
	}
	stop(Identity{PID: running.PID, Started: "another boot:1"})
	if !child.Alive() {
		t.Fatal("ended a process because of what ran before the machine was started")
	}
	stop(running.Identity)
	if child.Alive() {
		t.Error("left the child of a killed daemon")
	}
}

func TestLogTail(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	if got := LogTail(path); got != "" {
		t.Errorf("no file: %q", got)
	}
	text := strings.Repeat("an early line\n", 1000) + "the last line\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	got := LogTail(path)
	if len(got) > 2*tailBytes || !strings.HasSuffix(got, "\n    the last line") || !strings.HasPrefix(got, "\n  the end of "+path+":\n    an early line\n") {
		t.Errorf("LogTail() = %q", got)
	}
}

func TestBlocked(t *testing.T) {
	directory := t.TempDir()
	inner := filepath.Join(directory, "inner")
	account := &Account{Name: "other", UID: 61234, GID: 61235}
	if err := os.Mkdir(inner, 0o755); err != nil {
		t.Fatal(err)
	}
	// The test is valid only if every account may pass through the parents of its directory.
	above := account.Blocked(filepath.Dir(directory))
	for _, test := range []struct {
		mode os.FileMode
		want string
	}{{0o755, above}, {0o711, above}, {0o700, directory}, {0o744, directory}} {
		if above != "" {
			test.want = above
		}
		if err := os.Chmod(directory, test.mode); err != nil {
			t.Fatal(err)
		}
		if got := account.Blocked(filepath.Join(inner, "missing", "file")); got != test.want {
			t.Errorf("mode %o: Blocked() = %q, want %q", test.mode, got, test.want)
		}
	}
	var self *Account
	if got := self.Blocked(inner); got != "" {
		t.Errorf("the user of this process is blocked by %q", got)
	}
}

func TestMayPass(t *testing.T) {
	account := &Account{UID: 10, GID: 20}
	for _, test := range []struct {
		mode     os.FileMode
		uid, gid uint32
		want     bool
	}{
		{0o100, 10, 0, true},
		{0o077, 10, 20, false},
		{0o010, 1, 20, true},
		{0o707, 1, 20, false},
		{0o001, 1, 2, true},
		{0o770, 1, 2, false},
	} {
		if got := account.mayPass(test.mode, test.uid, test.gid); got != test.want {
			t.Errorf("mayPass(%o, %d, %d) = %v", test.mode, test.uid, test.gid, got)
		}
	}
}

func TestUnprivileged(t *testing.T) {
	account, err := Unprivileged("no such user", "root", "nobody")
	if os.Geteuid() != 0 {
		if account != nil || err != nil {
			t.Errorf("Unprivileged() = %v, %v, want nil for an ordinary user", account, err)
		}
		return
	}
	if err != nil || account.Name != "nobody" || account.UID == 0 {
		t.Fatalf("Unprivileged() = %v, %v, want nobody", account, err)
	}
	if _, err := Unprivileged("no such user"); err == nil || !strings.Contains(err.Error(), "no such user") {
		t.Errorf("Unprivileged() without any such user = %v", err)
	}
	command := exec.Command("id", "-u")
	command.Dir = "/"
	command.SysProcAttr = account.Attributes()
	if out, err := command.Output(); err != nil || strings.TrimSpace(string(out)) != strconv.Itoa(int(account.UID)) {
		t.Errorf("id -u = %s, %v", out, err)
	}
}
