package command

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"systemscale/etl/internal/dump/dumptest"
)

// TestInit writes a shape file, checks the files with it, and does not overwrite it.
func TestInit(t *testing.T) {
	directory := filepath.Join(t.TempDir(), "a dump")
	if err := os.Mkdir(directory, 0o755); err != nil {
		t.Fatal(err)
	}
	dumptest.Write(t, directory, map[string]string{"book.csv": "isbn,title\n7,Seven\n", "review.csv": "id,isbn,stars\n1,7,5\n"})
	shape := filepath.Join(t.TempDir(), "books.yaml")
	code, stdout, stderr := etl(t.Context(), "init", "--csv", directory, "--out", shape)
	if code != exitOK || stdout != "" || !strings.Contains(stderr, "Next: etl check --shape "+shape+" --csv '"+directory+"'\n") {
		t.Errorf("exit code %d, stdout %q, stderr %q", code, stdout, stderr)
	}
	if code, stdout, stderr := etl(t.Context(), "check", "--csv", directory, "--shape", shape); code != exitOK || !strings.Contains(stdout, "fits") {
		t.Errorf("check: exit code %d, stdout %q, stderr %q", code, stdout, stderr)
	}
	written, err := os.ReadFile(shape)
	if err != nil {
		t.Fatal(err)
	}
	code, _, stderr = etl(t.Context(), "init", "--csv", directory, "--out", shape)
	if code != exitUsage || !strings.Contains(stderr, shape+" exists and is not overwritten") {
		t.Errorf("exit code %d, stderr %q", code, stderr)
	}
	code, stdout, stderr = etl(t.Context(), "init", "--csv", directory)
	if code != exitOK || stdout != string(written) || !strings.Contains(stderr, "Next: etl check --shape FILE --csv ") {
		t.Errorf("exit code %d, stdout %q, stderr %q", code, stdout, stderr)
	}
	code, stdout, _ = etl(t.Context(), "init", "--csv", directory, "--root", "review.csv")
	if code != exitOK || !strings.Contains(stdout, "collection: reviews") || !strings.Contains(stdout, "lookup: book") {
		t.Errorf("another root: exit code %d, stdout %q", code, stdout)
	}
}

// TestInitFails has the exit codes and messages of directories without a shape.
func TestInitFails(t *testing.T) {
	empty := t.TempDir()
	dumptest.Write(t, empty, map[string]string{"notes.md": "no rows"})
	code, stdout, stderr := etl(t.Context(), "init", "--csv", empty)
	if code != exitFiles || stdout != "" || !strings.Contains(stderr, empty+": there is no CSV file") || strings.Contains(stderr, "Next") {
		t.Errorf("no file: exit code %d, stdout %q, stderr %q", code, stdout, stderr)
	}
	code, _, stderr = etl(t.Context(), "init", "--csv", filepath.Join(empty, "dump"))
	if code != exitFiles || !strings.Contains(stderr, "there is no such directory") {
		t.Errorf("no directory: exit code %d, stderr %q", code, stderr)
	}
	code, _, stderr = etl(t.Context(), "init", "--csv", "../../testdata/v1", "--out", filepath.Join(empty, "missing", "x.yaml"))
	if code != exitUsage || !strings.Contains(stderr, "the shape file cannot be written: ") {
		t.Errorf("no directory of the shape file: exit code %d, stderr %q", code, stderr)
	}
}
