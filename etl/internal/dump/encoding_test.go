package dump

import (
	"bytes"
	"errors"
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

// encode returns a text in an encoding.
func encode(t *testing.T, text, encoding string) string {
	t.Helper()
	var out bytes.Buffer
	if _, err := charset.NewEncoder(&out, encoding).Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// passEncoded reads the books of a directory in a declared encoding, in a pass or as often as necessary, and returns the documents and
// the directory of rejects. The Dump is that of the last attempt.
func passEncoded(t *testing.T, declared string, files map[string]string) (last *Dump, documents, rejects string, err error) {
	t.Helper()
	directory := t.TempDir()
	dumptest.Write(t, directory, files)
	dumptest.Write(t, directory, map[string]string{
		"books.yaml": strings.Replace(dumptest.Books, "sources:", "dialect: {encoding: "+declared+"}\nsources:", 1),
	})
	last, rejects, err = passAll(t, directory, func() { documents = "" }, func(_ sql.ID, body []byte) { documents += string(body) + "\n" })
	return last, documents, rejects, err
}

// passAll reads a directory, as often as necessary, with its rejects in a directory below it. It calls begin before each attempt, and
// document with each document.
func passAll(t *testing.T, directory string, begin func(), document func(id sql.ID, body []byte)) (last *Dump, rejects string, err error) {
	t.Helper()
	d, err := Open(t.Context(), optionsOf(directory))
	if err != nil {
		return nil, "", err
	}
	t.Cleanup(d.Close)
	rejects = filepath.Join(directory, "rejects")
	err = d.Arranged(t.Context(), func(d *Dump) error {
		last = d
		begin()
		sink := &source.RejectFiles{Directory: rejects}
		err := d.Pass(t.Context(), Handlers{Rejects: sink, Document: func(_ int, id sql.ID, _ uint64, body []byte) error {
			document(id, body)
			return nil
		}})
		if err != nil {
			return errors.Join(err, sink.Remove())
		}
		return sink.Close()
	})
	return last, rejects, err
}

func TestEncodings(t *testing.T) {
	const books, reviews = "isbn,title\n7,Größe €\n8,Plain\n", "id,isbn,stars\n1,7,5\n2,8,4\n"
	const want = `{"book":"Größe €","stars":[5]}` + "\n" + `{"book":"Plain","stars":[4]}` + "\n"
	bom := "\ufeff"
	for _, c := range []struct {
		name, declared string
		files          map[string]string
		want           string
	}{
		{"UTF-8", charset.UTF8, map[string]string{"book.csv": books, "review.csv": reviews}, want},
		{"latin1", charset.Latin1, map[string]string{
			"book.csv": encode(t, strings.Replace(books, "€", "¤", 1), charset.Latin1), "review.csv": reviews,
		}, strings.Replace(want, "€", "¤", 1)},
		{"windows-1252", charset.Windows1252, map[string]string{
			"book.csv": encode(t, books, charset.Windows1252), "review.csv": reviews,
		}, want},
		{"UTF-16, compressed, with a byte order mark", charset.UTF8, map[string]string{
			"book.csv.gz":    string(dumptest.Gzip(t, []byte(encode(t, bom+books, charset.UTF16LE)))),
			"review.csv.zst": string(dumptest.Zstd(t, []byte(encode(t, bom+reviews, charset.UTF16BE)))),
		}, want},
		{"UTF-16, declared", charset.UTF16BE, map[string]string{
			"book.csv": encode(t, books, charset.UTF16BE), "review.csv": encode(t, reviews, charset.UTF16BE),
		}, want},
		{"byte order marks of other encodings than the declared one", charset.Latin1, map[string]string{
			"book.csv": bom + books, "review.csv": encode(t, bom+reviews, charset.UTF16LE),
		}, want},
		{"sorted", charset.Windows1252, map[string]string{
			"book.csv": encode(t, "isbn,title\n8,Plain\n7,Größe €\n", charset.Windows1252), "review.csv": "id,isbn,stars\n2,8,4\n1,7,5\n",
		}, want},
	} {
		t.Run(c.name, func(t *testing.T) {
			d, documents, _, err := passEncoded(t, c.declared, c.files)
			if err != nil || documents != c.want {
				t.Fatalf("%s (%v), want %s", documents, err, c.want)
			}
			if err := d.RefuseCutFiles(); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestRejectsKeepTheirEncoding reads rows that have to be rejected, in order and not: the kept rows have the bytes of the file, and the
// log has the place in UTF-8.
func TestRejectsKeepTheirEncoding(t *testing.T) {
	long := strings.Repeat("ü", csvscan.MaxLine)
	for _, c := range []struct{ declared, bad, reason string }{
		{charset.Latin1, "9,\x93q\xe9\n", "not latin1"},
		{charset.Windows1252, "9,\x81q\x80\n", "not windows-1252"},
		{charset.UTF16LE, encode(t, "9,", charset.UTF16LE) + "\x3d\xd8" + encode(t, "q\n", charset.UTF16LE), "not utf-16le"},
	} {
		for _, order := range []string{"7,Größe\n8,Plain\n", "8,Plain\n7,Größe\n"} {
			in := func(text string) string { return encode(t, text, c.declared) }
			bad := []string{in("x,Ü\n"), c.bad, in("6," + long + "\n")}
			d, documents, rejects, err := passEncoded(t, c.declared, map[string]string{
				"book.csv": in("isbn,title\n"+order) + strings.Join(bad, ""), "review.csv": in("id,isbn,stars\n1,7,5\n"),
			})
			if err != nil || !strings.Contains(documents, `{"book":"Größe","stars":[5]}`) {
				t.Fatalf("%s: %s (%v)", c.declared, documents, err)
			}
			kept, err := os.ReadFile(filepath.Join(rejects, "book.csv"))
			for _, row := range bad { // in the order of the reading
				if err != nil || !strings.Contains(string(kept), row) || len(kept) != len(strings.Join(bad, "")) {
					t.Errorf("%s: the rejected rows have %d bytes (%v) and not %.40q: %.80q", c.declared, len(kept), err, row, kept)
				}
			}
			log, err := os.ReadFile(filepath.Join(rejects, "rejects.ndjson"))
			const place = `{"file":"book.csv","source":"book","line":4,"offset":29,"column":"isbn","reason":"not an int","row":"x,Ü"}`
			if err != nil || !strings.Contains(string(log), place) || !strings.Contains(string(log), c.reason) {
				t.Errorf("%s: the log is %s (%v), want %s and %s", c.declared, log, err, place, c.reason)
			}
			if counts := d.Counts()[0]; counts.Rejected[source.Reason(c.reason)] != 1 || counts.Rejected[source.LineTooLong] != 1 {
				t.Errorf("%s: counts %+v", c.declared, counts)
			}
		}
	}
}

func TestCutUTF16(t *testing.T) {
	text := encode(t, "isbn,title\n7,Seven\n8,Eight\n", charset.UTF16LE)
	for cut, want := range map[int]string{
		0: "", 1: "book.csv:3: the file ends within a line, which is rejected: not utf-16le",
		2: "book.csv:3: the last line has no line end", 3: "book.csv:3: the file ends within a line, which is rejected: not utf-16le",
	} {
		d, _, _, err := passEncoded(t, charset.UTF16LE, map[string]string{
			"book.csv": text[:len(text)-cut], "review.csv": encode(t, "id,isbn,stars\n1,7,5\n", charset.UTF16LE),
		})
		if err != nil {
			t.Fatal(err)
		}
		err = d.RefuseCutFiles()
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%d bytes are missing: %v, want %q", cut, err, want)
		}
	}
}

func TestWrongEncodings(t *testing.T) {
	const reviews = "id,isbn,stars\n1,7,5\n"
	for _, c := range []struct{ name, declared, book, want string }{
		{"a header in latin1", charset.UTF8, "isbn,gr\xf6\xdfe\n", "encoding: latin1 or windows-1252"},
		{"UTF-16 without a byte order mark", charset.UTF8, encode(t, "isbn,title\n", charset.UTF16LE), "declare encoding: utf-16le"},
		{"UTF-16 for latin1", charset.Latin1, encode(t, "isbn,title\n", charset.UTF16BE), "declare encoding: utf-16be"},
		{"UTF-8 for UTF-16", charset.UTF16LE, "isbn,title\n7,Seven\n", "The file is read as utf-16le"},
		{"UTF-32", charset.UTF8, "\xff\xfe\x00\x00i\x00\x00\x00", "the file is UTF-32"},
		{"an archive", charset.Windows1252, string(dumptest.Gzip(t, []byte("isbn,title\n"))), "compressed with gzip"},
		{"an archive for UTF-16", charset.UTF16BE, string(dumptest.Zstd(t, []byte("isbn,title\n"))), "compressed with zstd"},
	} {
		_, _, _, err := passEncoded(t, c.declared, map[string]string{"book.csv": c.book, "review.csv": reviews})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}
