package regular

import (
	"errors"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// irregular returns the paths of files that are not regular, by kind.
func irregular(t *testing.T) map[string]string {
	t.Helper()
	directory := t.TempDir()
	paths := map[string]string{"a named pipe": filepath.Join(directory, "pipe"), "a directory": directory, "a device": os.DevNull}
	if err := syscall.Mkfifo(paths["a named pipe"], 0o600); err != nil {
		t.Fatal(err)
	}
	short, err := os.MkdirTemp("", "socket") // the path of a socket is limited to about 100 bytes
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(short) })
	paths["a socket"] = filepath.Join(short, "s")
	listener, err := net.Listen("unix", paths["a socket"])
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	return paths
}

func TestOnlyRegularFilesAreOpened(t *testing.T) {
	for kind, path := range irregular(t) {
		link := filepath.Join(t.TempDir(), "link")
		if err := os.Symlink(path, link); err != nil {
			t.Fatal(err)
		}
		for name, open := range map[string]func(string) (*os.File, error){"Open": Open, "Create": Create} {
			for _, path := range []string{path, link} {
				_, err := open(path)
				if !errors.Is(err, ErrNotRegular) || !strings.Contains(err.Error(), kind) || !strings.Contains(err.Error(), filepath.Base(path)) {
					t.Errorf("%s of %s, %s: %v", name, path, kind, err)
				}
			}
		}
	}
	path := filepath.Join(t.TempDir(), "file")
	link := path + "-link"
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"longer", "text"} {
		file, err := Create(link)
		if err != nil {
			t.Fatal(err)
		}
		_, err = file.WriteString(text)
		if err := errors.Join(err, file.Close()); err != nil {
			t.Fatal(err)
		}
	}
	file, err := Open(link)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	if text, err := io.ReadAll(file); err != nil || string(text) != "text" {
		t.Errorf("the file is %q (%v)", text, err)
	}
	if _, err := Open(path + "-missing"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Open of a missing file: %v", err)
	}
}

func TestDiffers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	rewrite := func(text string) error {
		file, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		_, err = file.WriteString(text)
		return errors.Join(err, file.Close())
	}
	cases := []struct {
		name, want string
		change     func(before State) error
	}{
		{"nothing", "", func(State) error { return nil }},
		{"it was read", "", func(State) error { _, err := os.ReadFile(path); return err }},
		{"bytes in place", "it was modified", func(State) error { return rewrite("dcba") }},
		{"bytes in place, and the old time", "it was modified", func(before State) error {
			return errors.Join(rewrite("dcba"), os.Chtimes(path, before.info.ModTime(), before.info.ModTime()))
		}},
		{"it grew", "from 4 to 6 bytes", func(State) error { return rewrite("abcdef") }},
		{"it was cut", "from 4 to 1 bytes", func(State) error { return os.Truncate(path, 1) }},
		{"another file took its name", "another file", func(State) error {
			return errors.Join(os.WriteFile(path+"-new", []byte("abcd"), 0o600), os.Rename(path+"-new", path))
		}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if err := os.WriteFile(path, []byte("abcd"), 0o600); err != nil {
				t.Fatal(err)
			}
			before, err := Look(path)
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(before.Unsettled(time.Now())) // as callers must
			if err := c.change(before); err != nil {
				t.Fatal(err)
			}
			after, err := Look(path)
			if err != nil {
				t.Fatal(err)
			}
			if got := before.Differs(after); (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
				t.Errorf("Differs() = %q, want %q in it", got, c.want)
			}
		})
	}
}

// TestDiffersByModificationTime has a system without change times.
func TestDiffersByModificationTime(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	before, err := Look(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(path, time.Time{}, before.info.ModTime().Add(time.Second)); err != nil {
		t.Fatal(err)
	}
	after, err := Look(path)
	if err != nil {
		t.Fatal(err)
	}
	before.changed, after.changed = time.Time{}, time.Time{}
	if got := before.Differs(after); !strings.Contains(got, "it was modified at") {
		t.Errorf("Differs() = %q", got)
	}
}

// modified is the os.FileInfo of a file that was modified at a time.
type modified struct {
	fs.FileInfo
	at time.Time
}

func (m modified) ModTime() time.Time { return m.at }

// TestUnsettledByTimes has file systems that store seconds, and change times after the modification time.
func TestUnsettledByTimes(t *testing.T) {
	second := time.Unix(1_700_000_000, 0)
	for name, c := range map[string]struct {
		modified, changed, now time.Time
		want                   time.Duration
	}{
		"whole seconds":               {second, second, second.Add(time.Second), time.Second},
		"whole seconds, settled":      {second, second, second.Add(coarse), 0},
		"whole seconds, and no other": {second, time.Unix(0, 0), second, coarse},
		"changed in a fraction":       {second, second.Add(fine / 2), second.Add(fine), fine / 2},
		"changed long after":          {second.Add(1), second.Add(time.Hour + 1), second.Add(time.Hour + 1), fine},
		"modified long after":         {second.Add(time.Hour + 1), second.Add(1), second.Add(time.Hour + 1), fine},
	} {
		if got := (State{modified{at: c.modified}, c.changed}).Unsettled(c.now); got != c.want {
			t.Errorf("%s: unsettled for %s, want %s", name, got, c.want)
		}
	}
}

func TestUnsettled(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	state, err := Look(path)
	if err != nil {
		t.Fatal(err)
	}
	last := state.changed
	if state.info.ModTime().After(last) {
		last = state.info.ModTime()
	}
	for after, want := range map[time.Duration]time.Duration{0: fine, fine / 2: fine / 2, fine: 0, time.Hour: 0, -time.Hour: 0} {
		if got := state.Unsettled(last.Add(after)); got != want {
			t.Errorf("%s after the last write: unsettled for %s, want %s", after, got, want)
		}
	}
}
