package command

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"systemscale/sql/testdb"
)

// readers are the commands that read dumps, each of a directory with books.yaml.
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

// ends runs a command line, which must end by itself.
func ends(t *testing.T, ctx context.Context, args ...string) (code int, stderr string) {
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

// TestOnlyRegularFilesAreRead puts what is no regular file in the place of every file that a command reads or writes.
func TestOnlyRegularFilesAreRead(t *testing.T) {
	database := testdb.New(t)
	good := map[string]string{"books.yaml": books, "book.csv": "isbn,title\n7,Seven\n", "review.csv": "id,isbn,stars\n1,7,5\n"}
	kinds := map[string]func(path string) error{
		"a named pipe": func(path string) error { return syscall.Mkfifo(path, 0o600) },
		"a directory":  func(path string) error { return os.Mkdir(path, 0o700) },
		"a device":     func(path string) error { return os.Symlink("/dev/zero", path) },
		"a named pipe by a link": func(path string) error {
			return errors.Join(syscall.Mkfifo(path+"-pipe", 0o600), os.Symlink(path+"-pipe", path))
		},
	}
	for kind, put := range kinds {
		for file, code := range map[string]int{"book.csv": exitFiles, "review.csv": exitFiles, "review.csv.gz": exitFiles, "review.csv.zst": exitFiles, "books.yaml": exitUsage} {
			directory := t.TempDir()
			write(t, directory, good)
			if err := os.Remove(filepath.Join(directory, strings.TrimSuffix(strings.TrimSuffix(file, ".gz"), ".zst"))); err != nil {
				t.Fatal(err)
			}
			if err := put(filepath.Join(directory, file)); err != nil {
				t.Fatal(err)
			}
			want := file + " is not a regular file but " + strings.TrimSuffix(kind, " by a link")
			for command, args := range readers(directory, database.ETL) {
				if got, stderr := ends(t, t.Context(), args...); got != code || !strings.Contains(stderr, want) {
					t.Errorf("%s with %s for %s: exit code %d, want %d; stderr %q, want %q in it", command, kind, file, got, code, stderr, want)
				}
			}
		}
	}
	t.Run("files that are written", func(t *testing.T) {
		directory := t.TempDir()
		write(t, directory, good)
		write(t, directory, map[string]string{"book.csv": "isbn,title\nx,Ten\n7,Seven\n"})
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
		if code, stderr := ends(t, t.Context(), append(commands["render"], "--out", filepath.Join(directory, "out"))...); code == exitOK || !strings.Contains(stderr, "is not a regular file but a named pipe") {
			t.Errorf("render: exit code %d, stderr %q", code, stderr)
		}
		// A directory of rejects that is there already is not written to.
		if code, stderr := ends(t, t.Context(), append(commands["run"], "--accept", "rejects")...); code != exitOK {
			t.Errorf("run: exit code %d, stderr %q", code, stderr)
		}
		if kept, err := os.ReadFile(filepath.Join(directory, "rejects", "books-1-2", "book.csv")); err != nil || string(kept) != "x,Ten\n" {
			t.Errorf("the rejected rows are %q (%v)", kept, err)
		}
		write(t, directory, map[string]string{"book.csv": "isbn,title\n7,Seven\n6,Six\n" + strings.Repeat("5,Five\n", 300_000)})
		if code, stderr := ends(t, t.Context(), append(commands["render"], "--temp", filepath.Join(directory, "temp"))...); code == exitOK || !strings.Contains(stderr, "--temp names another") {
			t.Errorf("a pipe for --temp: exit code %d, stderr %q", code, stderr)
		}
	})
}

// changes are ways in which a file can become another while it is read. old and new are of the same length.
func changes(path, old, new string) map[string]func() error {
	inPlace := func(text string) error {
		file, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		_, err = file.WriteString(text)
		return errors.Join(err, file.Close())
	}
	return map[string]func() error{
		"overwritten in place": func() error { return inPlace(new) },
		"overwritten in place, with the old time": func() error {
			info, err := os.Stat(path)
			if err != nil {
				return err
			}
			return errors.Join(inPlace(new), os.Chtimes(path, info.ModTime(), info.ModTime()))
		},
		"grown":       func() error { return inPlace(old + new) },
		"cut":         func() error { return os.Truncate(path, int64(len(old)/2)) },
		"cut at once": func() error { return os.WriteFile(path, nil, 0o600) },
		"replaced": func() error {
			return errors.Join(os.WriteFile(path+".new", []byte(new), 0o600), os.Rename(path+".new", path))
		},
		"removed":        func() error { return os.Remove(path) },
		"there twice":    func() error { return os.WriteFile(path+".gz", nil, 0o600) },
		"a pipe":         func() error { return errors.Join(os.Remove(path), syscall.Mkfifo(path, 0o600)) },
		"now an archive": func() error { return os.Rename(path, path+".zst") },
	}
}

// TestFilesThatChangeAreRefused changes a file when the first document is made, which is before the files have been read to their
// ends: they are longer than what is read at once.
func TestFilesThatChangeAreRefused(t *testing.T) {
	text := map[string]string{"book.csv": "isbn,title\n", "review.csv": "id,isbn,stars\n"}
	for i := 1; len(text["book.csv"]) < 600<<10; i++ {
		n := strconv.Itoa(i)
		text["book.csv"] += n + ",A book of one night\n"
		text["review.csv"] += n + "," + n + ",5\n"
	}
	for _, file := range []string{"book.csv", "review.csv", "books.yaml"} {
		old := text[file]
		if file == "books.yaml" {
			old = books
		}
		new := strings.ReplaceAll(strings.ReplaceAll(old, "one night", "two night"), ",5\n", ",4\n")
		for how := range changes("", "", "") {
			if file == "books.yaml" && (how == "there twice" || how == "now an archive") {
				continue
			}
			t.Run(file+" is "+how, func(t *testing.T) {
				directory := t.TempDir()
				write(t, directory, text)
				write(t, directory, map[string]string{"books.yaml": books})
				in, err := openInput(t.Context(), readingOf(directory, "books.yaml", &countedRejects{}))
				if err != nil {
					t.Fatal(err)
				}
				defer in.close()
				change := sync.OnceValue(changes(filepath.Join(directory, file), old, new)[how])
				err = pass(t.Context(), in, func() {}, func() error { return nil }, func(int, int64, uint64, []byte) error { return change() })
				if exitCode(err) != exitFiles || !strings.Contains(err.Error(), file) || !strings.Contains(err.Error(), "changed while it was read") {
					t.Errorf("exit code %d for %v", exitCode(err), err)
				}
			})
		}
	}
}

// changer changes something when the first line is written to it.
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

// TestEveryCommandRefusesFilesThatChange changes a file in the middle of commands, when they warn that they must sort.
func TestEveryCommandRefusesFilesThatChange(t *testing.T) {
	database := testdb.New(t)
	files := map[string]string{"books.yaml": books, "book.csv": "isbn,title\n8,Eight\n7,Seven\n", "review.csv": "id,isbn,stars\n1,7,5\n2,8,5\n"}
	for command := range readers("", "") {
		if command == "check" {
			continue // writes nothing before it has read all; see TestCheckRefusesFilesThatChange
		}
		for file, old := range files {
			directory := t.TempDir()
			write(t, directory, files)
			stderr := &changer{change: changes(filepath.Join(directory, file), old, strings.Replace(old, "Seven", "Sieve", 1))["overwritten in place"]}
			var stdout bytes.Buffer
			if code := Run(t.Context(), readers(directory, database.ETL)[command], &stdout, stderr); code != exitFiles || !strings.Contains(stderr.String(), file+": the file changed while it was read") {
				t.Errorf("%s while %s changes: exit code %d, stderr %q", command, file, code, stderr)
			}
		}
	}
	var live int
	if err := testdb.Connect(t, database.API).QueryRow(t.Context(), "select count(*) from catalog.version").Scan(&live); err != nil || live != 0 {
		t.Errorf("%d collections are published (%v)", live, err)
	}
}

// TestCheckRefusesFilesThatChange changes a file while check looks for large numbers, which it warns of.
func TestCheckRefusesFilesThatChange(t *testing.T) {
	for file, new := range map[string]string{"book.csv": "isbn,title\n9,Sieve\n", "books.yaml": strings.Replace(books, "books", "bocks", 1)} {
		directory := t.TempDir()
		write(t, directory, map[string]string{"books.yaml": books, "book.csv": "isbn,title\n7,Seven\n", "review.csv": "id,isbn,stars\n1,7,5\n"})
		in, err := openInput(t.Context(), readingOf(directory, "books.yaml", &countedRejects{}))
		if err != nil {
			t.Fatal(err)
		}
		defer in.close()
		write(t, directory, map[string]string{file: new})
		if err := in.unchanged(in.readThrough()); exitCode(err) != exitFiles || !strings.Contains(err.Error(), file+": the file changed while it was read") {
			t.Errorf("%s: exit code %d for %v", file, exitCode(err), err)
		}
	}
}

// TestReadsEndWithTheContext reads from what never answers.
func TestReadsEndWithTheContext(t *testing.T) {
	silent, other := net.Pipe()
	defer func() { _, _ = silent.Close(), other.Close() }()
	ctx, cancel := context.WithCancel(t.Context())
	reader := &interruptible{ctx: ctx, reader: silent}
	done := make(chan error, 1)
	go func() {
		_, err := reader.Read(make([]byte, 1))
		done <- err
	}()
	cancel()
	select {
	case err := <-done:
		if !errors.Is(err, context.Canceled) {
			t.Errorf("Read = %v", err)
		}
	case <-time.After(time.Minute):
		t.Fatal("a read goes on after its context has ended")
	}
	if _, err := reader.Read(nil); !errors.Is(err, context.Canceled) {
		t.Errorf("a second Read = %v", err)
	}
	whole := &interruptible{ctx: t.Context(), reader: strings.NewReader(strings.Repeat("text", 1000))}
	if text, err := io.ReadAll(whole); err != nil || len(text) != 4000 {
		t.Errorf("%d bytes were read (%v)", len(text), err)
	}
}
