package command

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"systemscale/etl/internal/shape"
	"systemscale/etl/internal/source"
)

func gzipped(t *testing.T, text []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, err := w.Write(text)
	if err := errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func zstandard(t *testing.T, text []byte, options ...zstd.EOption) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := zstd.NewWriter(&out, options...)
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.Write(text)
	if err := errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func put(t *testing.T, path string, text []byte) {
	t.Helper()
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// rendered returns the files that render writes of a directory.
func rendered(t *testing.T, directory string) map[string]string {
	t.Helper()
	out := t.TempDir()
	if code, _, stderr := etl(t.Context(), "render", "--csv", directory, "--out", out); code != exitOK {
		t.Fatalf("exit code %d: %s", code, stderr)
	}
	files := map[string]string{}
	paths, err := filepath.Glob(filepath.Join(out, "*"))
	if err != nil || len(paths) != 4 {
		t.Fatalf("render wrote %v (%v), want four files", paths, err)
	}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		files[filepath.Base(path)] = string(text)
	}
	return files
}

func TestCompressedFilesGiveTheSameDocuments(t *testing.T) {
	directory := t.TempDir()
	paths, err := filepath.Glob("../../testdata/v1/*.csv")
	if err != nil || len(paths) != 6 {
		t.Fatalf("testdata holds %v (%v)", paths, err)
	}
	for i, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		to := filepath.Join(directory, filepath.Base(path))
		half := len(text) / 2
		switch i % 3 {
		case 0:
			put(t, to+".gz", append(gzipped(t, text[:half]), gzipped(t, text[half:])...)) // as cat a.gz b.gz makes it
		case 1:
			put(t, to+".zst", append(zstandard(t, text[:half]), zstandard(t, text[half:])...))
		default:
			put(t, to, text)
		}
	}
	got := rendered(t, directory)
	for name, want := range rendered(t, "../../testdata/v1") {
		if got[name] != want {
			t.Errorf("%s of compressed files is another", name)
		}
	}
}

// openBooks opens a directory with a book.csv in the given form, and reviews beside it.
func openBooks(t *testing.T, ending string, text []byte, rejects rejects) (*input, error) {
	t.Helper()
	directory := t.TempDir()
	write(t, directory, map[string]string{"books.yaml": books, "review.csv": "id,isbn,stars\n1,7,5\n"})
	put(t, filepath.Join(directory, "book.csv"+ending), text)
	in, err := openInput(t.Context(), readingOf(directory, "books.yaml", rejects))
	if err == nil {
		t.Cleanup(in.close)
	}
	return in, err
}

// readBooks reads the reader of book.csv to its end.
func readBooks(in *input) (rows int, err error) {
	for {
		more, err := in.readers[0].Next()
		if err != nil || !more {
			return rows, err
		}
		rows++
	}
}

func TestPositionEndsAtTheSizeOnDisk(t *testing.T) {
	text := []byte("isbn,title\n" + strings.Repeat("7,Seven\n", 1000))
	for ending, form := range map[string][]byte{"": text, ".gz": gzipped(t, text), ".zst": zstandard(t, text)} {
		in, err := openBooks(t, ending, form, &source.RejectFiles{})
		if err != nil {
			t.Fatal(err)
		}
		if rows, err := readBooks(in); err != nil || rows != 1000 {
			t.Fatalf("book.csv%s has %d rows (%v)", ending, rows, err)
		}
		if got := in.files[0].position(); got != int64(len(form)) {
			t.Errorf("book.csv%s: read up to byte %d of %d", ending, got, len(form))
		}
		if got, want := in.size, int64(len(form)+len("id,isbn,stars\n1,7,5\n")); got != want {
			t.Errorf("book.csv%s: the files have %d bytes, want %d", ending, got, want)
		}
		again, err := in.files[0].open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if got := in.files[0].position(); got >= int64(len(form)) && ending == "" {
			t.Errorf("book.csv%s: opened again and not read, it is at byte %d", ending, got)
		}
		if got, err := io.ReadAll(again); err != nil || !bytes.Equal(got, text) {
			t.Errorf("book.csv%s read again holds %d bytes (%v), want %d", ending, len(got), err, len(text))
		}
		if err := again.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestRejectsOfACompressedFileArePlainText(t *testing.T) {
	directory := filepath.Join(t.TempDir(), "rejects")
	rejects := &source.RejectFiles{Directory: directory}
	in, err := openBooks(t, ".gz", gzipped(t, []byte("isbn,title\nx,Ten\n7,Seven\n")), rejects)
	if err != nil {
		t.Fatal(err)
	}
	if rows, err := readBooks(in); err != nil || rows != 1 {
		t.Fatalf("%d rows (%v)", rows, err)
	}
	if err := rejects.Close(); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(filepath.Join(directory, "book.csv")); err != nil || string(got) != "x,Ten\n" {
		t.Errorf("the rejected rows are %q (%v)", got, err)
	}
}

func TestArchivesThatCannotBeRead(t *testing.T) {
	text := []byte("isbn,title\n" + strings.Repeat("7,Seven\n", 50_000))
	spoilt := func(archive []byte) []byte {
		archive = bytes.Clone(archive)
		for i := len(archive) / 2; i < len(archive)/2+8; i++ {
			archive[i] ^= 0x55
		}
		return archive
	}
	gz, zst := gzipped(t, text), zstandard(t, text)
	wide := zstandard(t, make([]byte, 4*maxWindow), zstd.WithWindowSize(2*maxWindow))
	cases := []struct {
		name, ending string
		archive      []byte
		want         string
	}{
		{"gzip cut off", ".gz", gz[:len(gz)-20], "ends early"},
		{"gzip of which the beginning is there", ".gz", gz[:5], "ends early"},
		{"gzip of nothing", ".gz", nil, "ends early"},
		{"gzip with other bytes", ".gz", spoilt(gz), "is damaged"},
		{"gzip with something behind it", ".gz", append(bytes.Clone(gz), "and more than a header"...), "is damaged"},
		{"no gzip", ".gz", text, "is damaged"},
		{"zstd of nothing", ".zst", nil, "ends early"},
		{"zstd cut off", ".zst", zst[:len(zst)-20], "ends early"},
		{"zstd with other bytes", ".zst", spoilt(zst), "is damaged"},
		{"no zstd", ".zst", text, "is damaged"},
		{"zstd with a large window", ".zst", wide, "zstd -19 or less"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			in, err := openBooks(t, c.ending, c.archive, &source.RejectFiles{Directory: t.TempDir()})
			if err == nil {
				_, err = readBooks(in)
			}
			if err == nil || exitCode(err) != exitFiles || !strings.Contains(err.Error(), "book.csv"+c.ending) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("exit code %d for %v, want %d and %q", exitCode(err), err, exitFiles, c.want)
			}
		})
	}
}

// TestShapeIsTheSameWhereverItIsWritten has a run compare with what is published, in place of loading everything anew, when
// the files come compressed or the shape file has one more comment.
func TestShapeIsTheSameWhereverItIsWritten(t *testing.T) {
	text := []byte("isbn,title\n7,Seven\n")
	plain, err := openBooks(t, "", text, &source.RejectFiles{})
	if err != nil {
		t.Fatal(err)
	}
	packed, err := openBooks(t, ".gz", gzipped(t, text), &source.RejectFiles{})
	if err != nil {
		t.Fatal(err)
	}
	commented, err := shape.Parse("books.yaml", []byte("# about books\n"+strings.Replace(books, "title: text", "title:   text", 1)))
	if err != nil {
		t.Fatal(err)
	}
	want := shapeFingerprint(plain.spec)
	for name, spec := range map[string]*shape.Shape{"compressed": packed.spec, "with a comment": commented} {
		if got := shapeFingerprint(spec); got != want {
			t.Errorf("%s the shape is %s, want %s", name, got, want)
		}
	}
}

func TestOneFileInTwoForms(t *testing.T) {
	for _, beside := range []string{"", ".gz"} {
		directory := t.TempDir()
		write(t, directory, map[string]string{"books.yaml": books, "review.csv": "id,isbn,stars\n", "book.csv.zst": "", "book.csv" + beside: ""})
		code, _, stderr := etl(t.Context(), "render", "--csv", directory, "--shape", filepath.Join(directory, "books.yaml"))
		for _, want := range []string{filepath.Join(directory, "book.csv"+beside) + " and ", filepath.Join(directory, "book.csv.zst") + " are there at once"} {
			if code != exitFiles || !strings.Contains(stderr, want) {
				t.Errorf("exit code %d, stderr %q, want %d and %q", code, stderr, exitFiles, want)
			}
		}
	}
}
