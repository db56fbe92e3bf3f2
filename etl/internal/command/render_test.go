package command

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"systemscale/etl/internal/shape"
)

// TestCreateFilesClosesFiles has the last file of three fail.
func TestCreateFilesClosesFiles(t *testing.T) {
	directory := t.TempDir()
	if err := os.Mkdir(filepath.Join(directory, "tags.copy"), 0o700); err != nil {
		t.Fatal(err)
	}
	spec := &shape.Shape{Endpoints: []shape.Endpoint{{Name: "brief"}, {Name: "item"}, {Name: "tags"}}}
	if files, err := (&renderCommand{Out: directory}).createFiles(spec); err == nil {
		t.Fatalf("createFiles = %v, want an error for a directory", files)
	}
	descriptors, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range descriptors {
		if path, err := os.Readlink(filepath.Join("/proc/self/fd", d.Name())); err == nil && strings.HasPrefix(path, directory) {
			t.Errorf("%s is open", path)
		}
	}
	for _, name := range []string{"brief.copy", "item.copy"} {
		if _, err := os.Stat(filepath.Join(directory, name)); err != nil {
			t.Errorf("the earlier file: %v", err)
		}
	}
}
