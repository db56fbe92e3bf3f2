package dump

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"systemscale/etl/internal/charset"
	"systemscale/etl/internal/csvscan"
	"systemscale/etl/internal/dump/dumptest"
	"systemscale/etl/internal/source"
	"systemscale/sql"
)

// severalBooks is the shape of books whose reviews are in several files.
var severalBooks = strings.Replace(dumptest.Books, "file: review.csv", `file: "review-?.csv"`, 1)

// passSeveral reads a directory with severalBooks, as often as necessary, and returns the stars of book 7, the Dump of the last attempt
// and the directory of rejects.
func passSeveral(t *testing.T, files map[string]string) (last *Dump, stars, rejects string, err error) {
	t.Helper()
	directory := t.TempDir()
	dumptest.Write(t, directory, map[string]string{"books.yaml": severalBooks, "book.csv": "isbn,title\n7,Seven\n8,Eight\n"})
	dumptest.Write(t, directory, files)
	last, rejects, err = passAll(t, directory, func() {}, func(id sql.ID, body []byte) {
		if id == sql.IntID(7) {
			stars = string(body)
		}
	})
	return last, stars, rejects, err
}

// TestSeveralFiles reads files in order and not, compressed and in other encodings. The rejects have the place in their file.
func TestSeveralFiles(t *testing.T) {
	long := strings.Repeat("ü", csvscan.MaxLine)
	utf16 := encode(t, "\ufeffid,isbn,stars\r\n6,7,3\r\nx,7,Ü\r\n", charset.UTF16LE)
	for name, files := range map[string]map[string]string{
		"in order": {
			"review-1.csv": "id,isbn,stars\n1,7,5\n", "review-2.csv.gz": string(dumptest.Gzip(t, []byte("\n\nid,isbn,stars\n2,7,4\n3,7,"+long+"\n"))),
			"review-3.csv": utf16, "review-33.csv": "id\n",
		},
		"sorted": {
			"review-1.csv": "id,isbn,stars\n9,8,1\n1,7,5\n", "review-2.csv": "\n\nid,isbn,stars\n2,7,4\n3,7," + long + "\n", "review-3.csv": utf16,
		},
	} {
		t.Run(name, func(t *testing.T) {
			d, stars, rejects, err := passSeveral(t, files)
			if err != nil || stars != `{"book":"Seven","stars":[5,4,3]}` {
				t.Fatalf("%s (%v)", stars, err)
			}
			for file, want := range map[string]string{"review-2.csv": "3,7," + long + "\n", "review-3.csv": encode(t, "x,7,Ü\n", charset.UTF16LE)} {
				if kept, err := os.ReadFile(filepath.Join(rejects, file)); err != nil || string(kept) != want {
					t.Errorf("%s: %.80q (%v), want %.80q", file, kept, err, want)
				}
			}
			log, err := os.ReadFile(filepath.Join(rejects, source.RejectLog))
			for _, want := range []string{
				`{"file":"review-2.csv","source":"review","line":5,"offset":22,"reason":"line too long"`,
				`{"file":"review-3.csv","source":"review","line":3,"offset":25,"column":"id","reason":"not an int","row":"x,7,Ü"}`,
			} {
				if err != nil || !strings.Contains(string(log), want) {
					t.Errorf("the log is %.1000s (%v), want %s", log, err, want)
				}
			}
			if err := d.RefuseCutFiles(); err != nil {
				t.Error(err)
			}
			if counts := d.Counts()[1]; counts.File != "review-?.csv" || counts.Unreconciled() != 0 {
				t.Errorf("counts %+v", counts)
			}
			if d.Position() != d.Size() {
				t.Errorf("%d of %d bytes are read", d.Position(), d.Size())
			}
		})
	}
}

// TestSeveralFilesWithNamesLikePatterns reads files whose names are themselves patterns.
func TestSeveralFilesWithNamesLikePatterns(t *testing.T) {
	_, stars, _, err := passSeveral(t, map[string]string{"review-*.csv": "id,isbn,stars\n1,7,5\n", "review-[.csv": "id,isbn,stars\n2,7,4\n"})
	if err != nil || stars != `{"book":"Seven","stars":[5,4]}` {
		t.Errorf("%s (%v)", stars, err)
	}
}

func TestSeveralFilesThatAreCutOff(t *testing.T) {
	const header = "id,isbn,stars\n"
	for _, c := range []struct{ first, second, want string }{
		{header + "1,7,5\n", header + "2,7,4\n", ""},
		{header + "1,7,5", header + "2,7,4\n", "review-1.csv:2: the last line has no line end"},
		{header + "1,7,5\n", header + "2,7,4", "review-2.csv:2: the last line has no line end"},
		{header + "1,7,5\n", header + "2,7", "review-2.csv:2: the file ends within a line, which is rejected"},
		{header, header + "1,7,5\n2,7,4", "review-2.csv:3: the last line has no line end"},
		{"id,isbn,stars", header + "1,7,5\n2,7,4\n", "review-1.csv:1: the last line has no line end"},
	} {
		d, stars, _, err := passSeveral(t, map[string]string{"review-1.csv": c.first, "review-2.csv": c.second})
		if err != nil {
			t.Fatal(err)
		}
		if c.want == "" && stars != `{"book":"Seven","stars":[5,4]}` {
			t.Errorf("%q and %q: %s", c.first, c.second, stars)
		}
		err = d.RefuseCutFiles()
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%q and %q: %v, want %q", c.first, c.second, err, c.want)
		}
	}
}

func TestSeveralFilesThatCannotBeUsed(t *testing.T) {
	const good = "id,isbn,stars\n1,7,5\n"
	for _, c := range []struct {
		name  string
		files map[string]string
		want  string
	}{
		{"no file", map[string]string{"reviews-1.csv": good}, "review-?.csv: no file matches, and source review needs it"},
		{"a near name", map[string]string{"reviews-1.csv": good}, "did you mean reviews-1.csv?"},
		{"another header", map[string]string{"review-1.csv": good, "review-2.csv": "\nid,isbn\n"}, "review-2.csv:2: the header has the columns id, isbn, and that of review-1.csv has id, isbn, stars"},
		{"an empty file", map[string]string{"review-1.csv": good, "review-2.csv": ""}, "review-2.csv: the file is empty"},
		{"a missing column", map[string]string{"review-1.csv": "id,isbn\n", "review-2.csv": "id,isbn\n"}, `review-1.csv:1: the header has no column "stars"`},
		{"two forms", map[string]string{"review-1.csv": good, "review-1.csv.gz": ""}, "both exist"},
		{"a damaged archive", map[string]string{"review-1.csv": good, "review-2.csv.gz": "x"}, "review-2.csv.gz: the archive"},
	} {
		if _, _, _, err := passSeveral(t, c.files); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}

// TestSeveralFilesThatChange changes, adds and removes a file between the opening and the end of the reading.
func TestSeveralFilesThatChange(t *testing.T) {
	for want, change := range map[string]func(directory string) error{
		"review-2.csv: the file changed while it was read": func(directory string) error {
			return os.WriteFile(filepath.Join(directory, "review-2.csv"), []byte("id,isbn,stars\n3,7,1\n4,7,1\n"), 0o600)
		},
		"review-3.csv: the file changed while it was read: it was added": func(directory string) error {
			return os.WriteFile(filepath.Join(directory, "review-3.csv"), nil, 0o600)
		},
		"review-1.csv: the file changed while it was read: no such file": func(directory string) error {
			return os.Remove(filepath.Join(directory, "review-1.csv"))
		},
	} {
		directory := t.TempDir()
		dumptest.Write(t, directory, map[string]string{
			"books.yaml": severalBooks, "book.csv": "isbn,title\n7,Seven\n",
			"review-1.csv": "id,isbn,stars\n1,7,5\n", "review-2.csv": "id,isbn,stars\n2,7,4\n",
		})
		d, err := Open(t.Context(), optionsOf(directory))
		if err != nil {
			t.Fatal(err)
		}
		err = d.Pass(t.Context(), Handlers{Document: func(int, sql.ID, uint64, []byte) error { return change(directory) }})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
		d.Close()
	}
}

func TestPlaceInSeveralFiles(t *testing.T) {
	d, _, _, err := passSeveral(t, map[string]string{"review-1.csv": "id,isbn,stars\n1,7,5\n2,7,4", "review-2.csv": "\nid,isbn,stars\n3,7,4\n"})
	if err != nil {
		t.Fatal(err)
	}
	for line, want := range map[int64]struct {
		name string
		line int64
	}{1: {"review-1.csv", 1}, 2: {"review-1.csv", 2}, 3: {"review-1.csv", 3}, 4: {"review-2.csv", 3}} {
		if name, got := d.Place(1, line); name != want.name || got != want.line {
			t.Errorf("line %d is %s:%d, want %v", line, name, got, want)
		}
	}
	all, err := d.files[1].open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = all.Close() }()
	if err := all.skip(26); err != nil {
		t.Fatal(err)
	}
	if rest, err := io.ReadAll(all); err != nil || string(rest) != "3,7,4\n" {
		t.Errorf("%q (%v)", rest, err)
	}
}
