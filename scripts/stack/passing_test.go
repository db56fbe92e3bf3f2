package main

import (
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// TestPassing: a directory in memory that is not there any more, or not this user's, is not used.
func TestPassing(t *testing.T) {
	directory := t.TempDir()
	up := &stack{console: console{out: io.Discard, err: io.Discard}, state: &state{Servers: directory, path: filepath.Join(directory, "state.json")}}
	t.Cleanup(func() {
		for _, outside := range up.Outside {
			_ = os.RemoveAll(outside)
		}
	})
	place := func() string {
		t.Helper()
		if err := up.placePassing(); err != nil {
			t.Fatal(err)
		}
		if up.Passing != "" && !slices.Contains(up.Outside, up.Passing) {
			t.Errorf("%s would not be purged: %v", up.Passing, up.Outside)
		}
		return up.Passing
	}
	first := place()
	if again := place(); again != first {
		t.Errorf("%s became %s", first, again)
	}
	if first != "" {
		if err := os.Remove(first); err != nil {
			t.Fatal(err)
		}
	}
	link := filepath.Join(directory, "link")
	if err := os.Symlink(directory, link); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{first, link, filepath.Join(directory, "none")} {
		up.Passing = bad
		if got := place(); got == bad && bad != "" {
			t.Errorf("%s is used", bad)
		}
	}
	if os.Geteuid() == 0 {
		foreign := filepath.Join(directory, "foreign")
		if err := os.Mkdir(foreign, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Chown(foreign, 12345, 12345); err != nil {
			t.Fatal(err)
		}
		up.Passing = foreign
		if got := place(); got == foreign {
			t.Error("another user's directory is used")
		}
	}
}
