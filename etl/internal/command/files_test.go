package command

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"systemscale/etl/internal/dump/dumptest"
	"systemscale/sql/testdb"
)

// readers returns the commands that read dumps, with their arguments for a directory with books.yaml.
func readers(directory, database string) map[string][]string {
	shape := filepath.Join(directory, "books.yaml")
	files := []string{"--csv", directory, "--shape", shape}
	return map[string][]string{
		"run":     append([]string{"run", "--database", database, "--rejects", filepath.Join(directory, "rejects")}, files...),
		"plan":    append([]string{"plan", "--database", database}, files...),
		"render":  append([]string{"render"}, files...),
		"explain": append([]string{"explain", "books", "7"}, files...),
		"check":   append([]string{"check"}, files...),
	}
}

// runInTime runs a command line, and fails the test if it hangs.
func runInTime(t *testing.T, ctx context.Context, args ...string) (code int, stderr string) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		code, _, stderr = etl(ctx, args...)
	}()
	select {
	case <-done:
		return code, stderr
	case <-time.After(time.Minute):
		t.Fatalf("etl %v hangs", args)
		return 0, ""
	}
}

// TestOnlyRegularFilesAreRead replaces each file that a command reads or writes by one that is not regular.
func TestOnlyRegularFilesAreRead(t *testing.T) {
	database := testdb.New(t)
	good := map[string]string{"books.yaml": dumptest.Books, "book.csv": "isbn,title\n7,Seven\n", "review.csv": "id,isbn,stars\n1,7,5\n"}
	kinds := map[string]func(path string) error{
		"a named pipe": func(path string) error { return syscall.Mkfifo(path, 0o600) },
		"a directory":  func(path string) error { return os.Mkdir(path, 0o700) },
		"a device":     func(path string) error { return os.Symlink("/dev/zero", path) },
		"a named pipe by a link": func(path string) error {
			return errors.Join(syscall.Mkfifo(path+"-pipe", 0o600), os.Symlink(path+"-pipe", path))
		},
	}
	for kind, put := range kinds {
		for file, code := range map[string]int{
			"book.csv": exitFiles, "review.csv": exitFiles, "review.csv.gz": exitFiles, "review.csv.zst": exitFiles, "books.yaml": exitUsage,
		} {
			directory := t.TempDir()
			dumptest.Write(t, directory, good)
			if err := os.Remove(filepath.Join(directory, strings.TrimSuffix(strings.TrimSuffix(file, ".gz"), ".zst"))); err != nil {
				t.Fatal(err)
			}
			if err := put(filepath.Join(directory, file)); err != nil {
				t.Fatal(err)
			}
			want := file + " is not a regular file but " + strings.TrimSuffix(kind, " by a link")
			for command, args := range readers(directory, database.ETL) {
				if got, stderr := runInTime(t, t.Context(), args...); got != code || !strings.Contains(stderr, want) {
					t.Errorf("%s with %s for %s: exit code %d, want %d; stderr %q, want %q in it", command, kind, file, got, code, stderr, want)
				}
			}
		}
	}
	t.Run("output files", func(t *testing.T) {
		directory := t.TempDir()
		dumptest.Write(t, directory, good)
		dumptest.Write(t, directory, map[string]string{"book.csv": "isbn,title\nx,Ten\n7,Seven\n"})
		pipe := func(parts ...string) {
			path := filepath.Join(append([]string{directory}, parts...)...)
			if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), syscall.Mkfifo(path, 0o600)); err != nil {
				t.Fatal(err)
			}
		}
		pipe("out", "reviews.copy")
		pipe("rejects", "books-1", "book.csv")
		pipe("temp")
		commands := readers(directory, database.ETL)
		if code, stderr := runInTime(t, t.Context(), append(commands["render"], "--out", filepath.Join(directory, "out"))...); code == exitOK ||
			!strings.Contains(stderr, "is not a regular file but a named pipe") {
			t.Errorf("render: exit code %d, stderr %q", code, stderr)
		}
		// An existing directory of rejects is not written to.
		if code, stderr := runInTime(t, t.Context(), append(commands["run"], "--accept", "rejects")...); code != exitOK {
			t.Errorf("run: exit code %d, stderr %q", code, stderr)
		}
		if kept, err := os.ReadFile(filepath.Join(directory, "rejects", "books-1-2", "book.csv")); err != nil || string(kept) != "x,Ten\n" {
			t.Errorf("the rejected rows are %q (%v)", kept, err)
		}
		dumptest.Write(t, directory, map[string]string{"book.csv": "isbn,title\n7,Seven\n6,Six\n" + strings.Repeat("5,Five\n", 300_000)})
		if code, stderr := runInTime(t, t.Context(), append(commands["render"], "--temp", filepath.Join(directory, "temp"))...); code == exitOK ||
			!strings.Contains(stderr, "--temp names another") {
			t.Errorf("a pipe for --temp: exit code %d, stderr %q", code, stderr)
		}
	})
}

// overwrite replaces the beginning of a file by a text.
func overwrite(path, text string) error {
	file, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = file.WriteString(text)
	return errors.Join(err, file.Close())
}

// changer is a writer that calls change before the first write.
type changer struct {
	bytes.Buffer
	change func() error
}

func (c *changer) Write(p []byte) (int, error) {
	if c.Len() == 0 {
		if err := c.change(); err != nil {
			return 0, err
		}
	}
	return c.Buffer.Write(p)
}

// TestCommandsRejectChangingFiles changes a file during each command, when it warns that it must sort.
func TestCommandsRejectChangingFiles(t *testing.T) {
	database := testdb.New(t)
	files := map[string]string{
		"books.yaml": dumptest.Books, "book.csv": "isbn,title\n8,Eight\n7,Seven\n", "review.csv": "id,isbn,stars\n1,7,5\n2,8,5\n",
	}
	for command := range readers("", "") {
		if command == "check" {
			continue // writes nothing until it has read all files; see TestCheckRefusesFilesThatChange
		}
		for file, old := range files {
			directory := t.TempDir()
			dumptest.Write(t, directory, files)
			stderr := &changer{change: func() error {
				return overwrite(filepath.Join(directory, file), strings.Replace(old, "Seven", "Sieve", 1))
			}}
			var stdout bytes.Buffer
			if code := Run(t.Context(), readers(directory, database.ETL)[command], &stdout, stderr); code != exitFiles ||
				!strings.Contains(stderr.String(), file+": the file changed while it was read") {
				t.Errorf("%s while %s changes: exit code %d, stderr %q", command, file, code, stderr)
			}
		}
	}
	var live int
	if err := testdb.Connect(t, database.API).QueryRow(t.Context(), "select count(*) from catalog.version").Scan(&live); err != nil ||
		live != 0 {
		t.Errorf("%d collections are published (%v)", live, err)
	}
}
