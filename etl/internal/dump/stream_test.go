package dump

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"systemscale/etl/internal/dump/dumptest"
	"systemscale/etl/internal/source"
)

// openBooks opens a directory with a book.csv in the given form and a review.csv.
func openBooks(t *testing.T, extension string, text []byte) (*Dump, error) {
	t.Helper()
	directory := t.TempDir()
	dumptest.Write(t, directory, map[string]string{
		"books.yaml": dumptest.Books, "review.csv": "id,isbn,stars\n1,7,5\n", "book.csv" + extension: string(text),
	})
	d, err := Open(t.Context(), optionsOf(directory))
	if err == nil {
		t.Cleanup(d.Close)
	}
	return d, err
}

// optionsOf returns the options for a directory with books.yaml.
func optionsOf(directory string) Options {
	return Options{Directory: directory, Shape: filepath.Join(directory, "books.yaml"), Logger: slog.New(slog.DiscardHandler)}
}

// readBooks reads the reader of book.csv to its end.
func readBooks(d *Dump) (rows int, err error) {
	for {
		more, err := d.readers[0].Next()
		if err != nil || !more {
			return rows, err
		}
		rows++
	}
}

func TestPositionEndsAtTheSizeOnDisk(t *testing.T) {
	text := []byte("isbn,title\n" + strings.Repeat("7,Seven\n", 1000))
	for ending, form := range map[string][]byte{"": text, ".gz": dumptest.Gzip(t, text), ".zst": dumptest.Zstd(t, text)} {
		d, err := openBooks(t, ending, form)
		if err != nil {
			t.Fatal(err)
		}
		if rows, err := readBooks(d); err != nil || rows != 1000 {
			t.Fatalf("book.csv%s has %d rows (%v)", ending, rows, err)
		}
		if got := d.files[0].position(); got != int64(len(form)) {
			t.Errorf("book.csv%s: read up to byte %d of %d", ending, got, len(form))
		}
		if got, want := d.Size(), int64(len(form)+len("id,isbn,stars\n1,7,5\n")); got != want {
			t.Errorf("book.csv%s: the files have %d bytes, want %d", ending, got, want)
		}
		again, err := d.files[0].open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if got := d.files[0].position(); got >= int64(len(form)) && ending == "" {
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
	d, err := openBooks(t, ".gz", dumptest.Gzip(t, []byte("isbn,title\nx,Ten\n7,Seven\n")))
	if err != nil {
		t.Fatal(err)
	}
	d.rejects = rejects
	if rows, err := readBooks(d); err != nil || rows != 1 {
		t.Fatalf("%d rows (%v)", rows, err)
	}
	if err := rejects.Close(); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(filepath.Join(directory, "book.csv")); err != nil || string(got) != "x,Ten\n" {
		t.Errorf("the rejected rows are %q (%v)", got, err)
	}
}

func TestGzipOfSeveralMembers(t *testing.T) {
	members := append(dumptest.Gzip(t, []byte("isbn,title\n7,Se")), dumptest.Gzip(t, []byte("ven\n8,Eight\n"))...)
	d, err := openBooks(t, ".gz", append(members, dumptest.Gzip(t, nil)...))
	if err != nil {
		t.Fatal(err)
	}
	if rows, err := readBooks(d); err != nil || rows != 2 {
		t.Errorf("%d rows (%v), want 2", rows, err)
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
	gz, zst := dumptest.Gzip(t, text), dumptest.Zstd(t, text)
	wide := dumptest.Zstd(t, make([]byte, 4*maxWindow), zstd.WithWindowSize(2*maxWindow))
	cases := []struct {
		name, ending string
		archive      []byte
		want         string
	}{
		{"gzip with a zero after it", ".gz", append(bytes.Clone(gz), 0), "other bytes follow the end of the archive"},
		{"two gzip files, the second one cut off", ".gz", append(bytes.Clone(gz), gz[:len(gz)-20]...), "ends early"},
		{"zstd with other bytes after it", ".zst", append(bytes.Clone(zst), "trailing"...), "other bytes follow the end of the archive"},
		{"gzip cut off", ".gz", gz[:len(gz)-20], "ends early"},
		{"gzip of which the beginning is there", ".gz", gz[:5], "ends early"},
		{"gzip of nothing", ".gz", nil, "ends early"},
		{"gzip with other bytes", ".gz", spoilt(gz), "is damaged"},
		{"gzip with more bytes after it", ".gz", append(bytes.Clone(gz), "and more than a header"...), "book.csv.gz:50001: the file cannot be read after this line: other bytes follow"},
		{"no gzip", ".gz", text, "is damaged"},
		{"zstd of nothing", ".zst", nil, "ends early"},
		{"zstd cut off", ".zst", zst[:len(zst)-20], "ends early"},
		{"zstd with other bytes", ".zst", spoilt(zst), "is damaged"},
		{"no zstd", ".zst", text, "is damaged"},
		{"zstd with a large window", ".zst", wide, "zstd -19 or less"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			d, err := openBooks(t, c.ending, c.archive)
			if err == nil {
				_, err = readBooks(d)
			}
			if !errors.As(err, new(*source.FileError)) || !strings.Contains(err.Error(), "book.csv"+c.ending) ||
				!strings.Contains(err.Error(), c.want) {
				t.Errorf("the error is %v, want a *source.FileError with %q", err, c.want)
			}
		})
	}
}

// TestReadsEndWithTheContext reads from a reader that blocks.
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
		t.Fatal("a read continues after the end of its context")
	}
	if _, err := reader.Read(nil); !errors.Is(err, context.Canceled) {
		t.Errorf("a second Read = %v", err)
	}
	whole := &interruptible{ctx: t.Context(), reader: strings.NewReader(strings.Repeat("text", 1000))}
	if text, err := io.ReadAll(whole); err != nil || len(text) != 4000 {
		t.Errorf("%d bytes were read (%v)", len(text), err)
	}
}
