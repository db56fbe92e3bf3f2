package process

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// account returns the account that the tests' servers would run as; nil unless this is root.
func account(t *testing.T) *Account {
	t.Helper()
	found, err := Unprivileged("nobody")
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// public returns a directory that other accounts may enter.
func public(t *testing.T) string {
	t.Helper()
	directory, err := os.MkdirTemp("", "account-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(directory) })
	if err := os.Chmod(directory, 0o755); err != nil {
		t.Fatal(err)
	}
	return directory
}

func ownerOf(t *testing.T, path string) (uid uint32, mode os.FileMode) {
	t.Helper()
	info, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Sys().(*syscall.Stat_t).Uid, info.Mode()
}

func TestMakeDirectory(t *testing.T) {
	parent, account := public(t), account(t)
	path := filepath.Join(parent, "a", "b")
	want := uint32(os.Geteuid())
	if account != nil {
		want = account.UID
	}
	for range 2 { // the second time, it exists
		if err := account.MakeDirectory(path, 0o750); err != nil {
			t.Fatal(err)
		}
		if uid, mode := ownerOf(t, path); uid != want || mode.Perm() != 0o750 {
			t.Errorf("%v of user %d, want %d", mode, uid, want)
		}
	}
	if uid, _ := ownerOf(t, filepath.Dir(path)); int(uid) != os.Geteuid() {
		t.Errorf("the parent belongs to user %d", uid)
	}
	// This user takes it back, with its content.
	var self *Account
	if err := self.MakeDirectory(path, 0o755); err != nil {
		t.Fatal(err)
	}
	if uid, _ := ownerOf(t, path); int(uid) != os.Geteuid() {
		t.Errorf("taken back it belongs to user %d", uid)
	}
}

// TestMakeDirectoryFollowsNoLink covers a link, and a directory in which the account could make one at any moment.
func TestMakeDirectoryFollowsNoLink(t *testing.T) {
	parent, victim, account := public(t), filepath.Join(public(t), "victim"), account(t)
	if err := os.Mkdir(victim, 0o700); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(parent, "link")
	if err := os.Symlink(victim, link); err != nil {
		t.Fatal(err)
	}
	if err := account.MakeDirectory(link, 0o755); err == nil || !strings.Contains(err.Error(), "remove it") {
		t.Errorf("a link: %v", err)
	}
	if uid, mode := ownerOf(t, victim); int(uid) != os.Geteuid() || mode.Perm() != 0o700 {
		t.Errorf("the link was followed: %v of user %d", mode, uid)
	}
	if account == nil {
		return // no other account could make a link
	}
	theirs := filepath.Join(parent, "theirs")
	if err := account.MakeDirectory(theirs, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := account.MakeDirectory(filepath.Join(theirs, "inner"), 0o755); err == nil || !strings.Contains(err.Error(), theirs) {
		t.Errorf("below a directory of the account's: %v", err)
	}
}

func TestWriteFileFollowsNoLink(t *testing.T) {
	parent, victim, account := public(t), filepath.Join(public(t), "victim"), account(t)
	path := filepath.Join(parent, "file")
	for _, link := range []string{path, path + ".new"} {
		if err := os.WriteFile(victim, []byte("precious"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(victim, link); err != nil {
			t.Fatal(err)
		}
		if err := account.WriteFile(path, []byte("text"), 0o640); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(path)
		uid, mode := ownerOf(t, path)
		if err != nil || string(text) != "text" || mode != 0o640 || account != nil && uid != account.UID {
			t.Errorf("%q, %v, %v of user %d", text, err, mode, uid)
		}
		if text, err := os.ReadFile(victim); err != nil || string(text) != "precious" {
			t.Errorf("%s was followed: %q, %v", link, text, err)
		}
		if uid, mode := ownerOf(t, victim); int(uid) != os.Geteuid() || mode != 0o600 {
			t.Errorf("%s was followed: %v of user %d", link, mode, uid)
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
}

func TestReadFile(t *testing.T) {
	parent := t.TempDir()
	file, link, pipe := filepath.Join(parent, "file"), filepath.Join(parent, "link"), filepath.Join(parent, "pipe")
	if err := errors.Join(os.WriteFile(file, []byte("text"), 0o600), os.Symlink(file, link), syscall.Mkfifo(pipe, 0o600)); err != nil {
		t.Fatal(err)
	}
	if text, err := ReadFile(file); err != nil || string(text) != "text" {
		t.Errorf("a file: %q, %v", text, err)
	}
	for _, path := range []string{link, pipe, parent} {
		if text, err := ReadFile(path); err == nil {
			t.Errorf("%s: %q", path, text)
		}
	}
	if _, err := ReadFile(file + "s"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
}

// TestRunFollowsNoLink removes a cache in which its account has put a link.
func TestRunFollowsNoLink(t *testing.T) {
	parent, victim, account := public(t), public(t), account(t)
	cache := filepath.Join(parent, "cache")
	if err := account.MakeDirectory(cache, 0o755); err != nil {
		t.Fatal(err)
	}
	precious := filepath.Join(victim, "precious")
	if err := errors.Join(os.WriteFile(precious, nil, 0o600), os.Symlink(victim, filepath.Join(cache, "link"))); err != nil {
		t.Fatal(err)
	}
	if err := account.Run(t.Context(), "find", cache, "-type", "f", "-delete"); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(precious); err != nil {
		t.Error(err)
	}
	if err := account.Run(t.Context(), "test", "-O", cache); err != nil {
		t.Errorf("the program runs as another user than the one that owns the cache: %v", err)
	}
	if err := account.Run(t.Context(), "ls", filepath.Join(parent, "missing")); err == nil || !strings.Contains(err.Error(), "missing") {
		t.Errorf("a program that fails: %v", err)
	}
}

func TestEnvironmentOfAnotherAccount(t *testing.T) {
	t.Setenv("PGOPTIONS", "-c evil=1")
	t.Setenv("SOME_TOKEN", "secret")
	t.Setenv("LC_ALL", "C")
	var self *Account
	if !slices.Contains(self.Environment(), "SOME_TOKEN=secret") {
		t.Error("this user's own processes lack a variable")
	}
	other := (&Account{Name: "other", UID: 61234, GID: 61234}).Environment()
	for _, variable := range other {
		if strings.HasPrefix(variable, "PG") || strings.Contains(variable, "secret") {
			t.Errorf("another user's processes get %s", variable)
		}
	}
	if !slices.Contains(other, "LC_ALL=C") || !slices.Contains(other, "PATH="+os.Getenv("PATH")) {
		t.Errorf("another user's processes get only %q", other)
	}
}

func TestWorksIn(t *testing.T) {
	parent := t.TempDir()
	before, after := filepath.Join(parent, "a"), filepath.Join(parent, "b")
	if err := os.Mkdir(before, 0o755); err != nil {
		t.Fatal(err)
	}
	command := exec.Command("/bin/sleep", "600")
	command.Dir = before
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = command.Process.Kill(); _ = command.Wait() })
	if !WorksIn(command.Process.Pid, before, nil) {
		t.Error("the process does not work in its directory")
	}
	if err := os.Rename(before, after); err != nil {
		t.Fatal(err)
	}
	if !WorksIn(command.Process.Pid, after, nil) {
		t.Error("the process does not work in its directory, which was moved")
	}
	if err := os.Mkdir(before, 0o755); err != nil {
		t.Fatal(err)
	}
	if WorksIn(command.Process.Pid, before, nil) {
		t.Error("the process works in another directory of the same name")
	}
	if WorksIn(command.Process.Pid, after, &Account{UID: 61234}) {
		t.Error("the process counts as another user's")
	}
}
