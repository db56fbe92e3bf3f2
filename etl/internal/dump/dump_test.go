package dump

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"systemscale/etl/internal/dump/dumptest"
	"systemscale/etl/internal/source"
	"systemscale/sql"
)

// TestProgressOfASortedFile checks the position during the pass after the sort, for a plain and for a compressed file.
func TestProgressOfASortedFile(t *testing.T) {
	text := "isbn,title\n"
	for i := 5000; i > 0; i-- {
		text += fmt.Sprintf("%d,Title\n", i)
	}
	for ending, form := range map[string][]byte{"": []byte(text), ".gz": dumptest.Gzip(t, []byte(text))} {
		d, err := openBooks(t, ending, form)
		if err != nil {
			t.Fatal(err)
		}
		// The read of its first row reads all of review.csv.
		err = d.Arranged(t.Context(), func(d *Dump) error {
			var positions []int64
			err := d.Pass(t.Context(), Handlers{
				Document: func(int, sql.ID, uint64, []byte) error { return nil },
				Tick:     func() { positions = append(positions, d.Position()) },
			})
			if err != nil {
				return err
			}
			half := positions[len(positions)-1-len(positions)/2]
			if at := d.Position(); at != d.Size() || half < d.Size()/3 || half > d.Size()*2/3 {
				t.Errorf("%s: half-way at byte %d, and at last at %d of %d", ending, half, at, d.Size())
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestMissingColumnIsNull reads a missing column of any type as null, and an empty file as one without rows.
func TestMissingColumnIsNull(t *testing.T) {
	for _, c := range []struct {
		name    string
		files   map[string]string
		kind    source.Kind
		want    string
		missing []string
	}{
		{
			"a missing column",
			map[string]string{"book.csv": "isbn\n7\n8\n", "review.csv": "id,isbn\n1,7\n2,\"7\"\n"},
			source.MissingColumn,
			`{"book":null,"stars":[null,null]} {"book":null,"stars":[]}`,
			[]string{"title", "stars"},
		},
		{
			"an empty file",
			map[string]string{"book.csv": "isbn,title\n7,Seven\n", "review.csv": ""},
			source.Empty,
			`{"book":"Seven","stars":[]}`, nil,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			directory := t.TempDir()
			dumptest.Write(t, directory, map[string]string{"books.yaml": dumptest.Books})
			dumptest.Write(t, directory, c.files)
			options := optionsOf(directory)
			if _, err := Open(t.Context(), options); err == nil {
				t.Error("it is accepted without Accepts")
			}
			options.Accepts = func(kind source.Kind) bool { return kind == c.kind }
			d, err := Open(t.Context(), options)
			if err != nil {
				t.Fatal(err)
			}
			defer d.Close()
			var bodies, missing []string
			err = d.Pass(t.Context(), Handlers{Document: func(_ int, _ sql.ID, _ uint64, body []byte) error {
				bodies = append(bodies, string(body))
				return nil
			}})
			if got := strings.Join(bodies, " "); err != nil || got != c.want {
				t.Errorf("rendered %s (%v)", got, err)
			}
			for _, counts := range d.Counts() {
				missing = append(missing, counts.Missing...)
			}
			if diff := cmp.Diff(c.missing, missing); diff != "" {
				t.Errorf("missing columns: want (-), got (+)\n%s", diff)
			}
		})
	}
}

// TestRejectsKeepLongLinesWhole rejects lines that are too long, in plain and in compressed files: the reject files have every byte.
func TestRejectsKeepLongLinesWhole(t *testing.T) {
	long := "9,\"" + strings.Repeat("lorem ipsum ", 300_000) + "\""
	text := []byte("isbn,title\n7,Seven\n" + long + "\r\n8,Eight\n" + long)
	for ending, form := range map[string][]byte{"": text, ".gz": dumptest.Gzip(t, text)} {
		directory := filepath.Join(t.TempDir(), "rejects")
		files := &source.RejectFiles{Directory: directory}
		d, err := openBooks(t, ending, form)
		if err != nil {
			t.Fatal(err)
		}
		d.rejects = files
		if rows, err := readBooks(d); err != nil || rows != 2 {
			t.Fatalf("%d rows (%v)", rows, err)
		}
		if err := files.Close(); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(filepath.Join(directory, "book.csv")); err != nil || string(got) != long+"\r\n"+long+"\n" {
			t.Errorf("%d bytes are kept (%v), want %d", len(got), err, 2*len(long)+3)
		}
		log, err := os.ReadFile(filepath.Join(directory, "rejects.ndjson"))
		if err != nil || len(log) > 4096 || strings.Count(string(log), `"reason":"line too long","cut":true`) != 2 {
			t.Errorf("rejects.ndjson holds %d bytes (%v)", len(log), err)
		}
	}
}

// changes are ways to change a file while it is read. old and changed have the same length.
func changes(path, old, changed string) map[string]func() error {
	inPlace := func(text string) error {
		file, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		_, err = file.WriteString(text)
		return errors.Join(err, file.Close())
	}
	return map[string]func() error{
		"overwritten in place": func() error { return inPlace(changed) },
		"overwritten in place, with the old time": func() error {
			info, err := os.Stat(path)
			if err != nil {
				return err
			}
			return errors.Join(inPlace(changed), os.Chtimes(path, info.ModTime(), info.ModTime()))
		},
		"grown":       func() error { return inPlace(old + changed) },
		"cut":         func() error { return os.Truncate(path, int64(len(old)/2)) },
		"cut at once": func() error { return os.WriteFile(path, nil, 0o600) },
		"replaced": func() error {
			return errors.Join(os.WriteFile(path+".new", []byte(changed), 0o600), os.Rename(path+".new", path))
		},
		"removed":        func() error { return os.Remove(path) },
		"there twice":    func() error { return os.WriteFile(path+".gz", nil, 0o600) },
		"a pipe":         func() error { return errors.Join(os.Remove(path), syscall.Mkfifo(path, 0o600)) },
		"now an archive": func() error { return os.Rename(path, path+".zst") },
	}
}

// TestFilesThatChangeAreRefused changes a file when the first document is rendered. The files are then not yet read to their ends, because
// they are longer than one read.
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
			old = dumptest.Books
		}
		changed := strings.ReplaceAll(strings.ReplaceAll(old, "one night", "two night"), ",5\n", ",4\n")
		for how := range changes("", "", "") {
			if file == "books.yaml" && (how == "there twice" || how == "now an archive") {
				continue
			}
			t.Run(file+" is "+how, func(t *testing.T) {
				directory := t.TempDir()
				dumptest.Write(t, directory, text)
				dumptest.Write(t, directory, map[string]string{"books.yaml": dumptest.Books})
				d, err := Open(t.Context(), optionsOf(directory))
				if err != nil {
					t.Fatal(err)
				}
				defer d.Close()
				change := sync.OnceValue(changes(filepath.Join(directory, file), old, changed)[how])
				handlers := Handlers{Document: func(int, sql.ID, uint64, []byte) error { return change() }}
				err = d.Arranged(t.Context(), func(d *Dump) error { return d.Pass(t.Context(), handlers) })
				if !errors.As(err, new(*source.FileError)) || !strings.Contains(err.Error(), file) ||
					!strings.Contains(err.Error(), "changed while it was read") {
					t.Errorf("the error is %v", err)
				}
			})
		}
	}
}

// TestReadRefusesFilesThatChange changes a file before Read.
func TestReadRefusesFilesThatChange(t *testing.T) {
	for file, changed := range map[string]string{
		"book.csv": "isbn,title\n9,Sieve\n", "books.yaml": strings.Replace(dumptest.Books, "books", "bocks", 1),
	} {
		directory := t.TempDir()
		dumptest.Write(t, directory, map[string]string{
			"books.yaml": dumptest.Books, "book.csv": "isbn,title\n7,Seven\n", "review.csv": "id,isbn,stars\n1,7,5\n",
		})
		d, err := Open(t.Context(), optionsOf(directory))
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		dumptest.Write(t, directory, map[string]string{file: changed})
		want := file + ": the file changed while it was read"
		if err := d.Read(); !errors.As(err, new(*source.FileError)) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: the error is %v", file, err)
		}
	}
}
