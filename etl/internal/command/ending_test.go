package command

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/goccy/go-json"

	"systemscale/etl/internal/dump/dumptest"
	"systemscale/etl/internal/plan"
	"systemscale/etl/internal/publish"
	"systemscale/etl/internal/source"
	"systemscale/sql/testdb"
)

// marks returns a shape whose child file has lastColumn as its last column. endings is the option for final line ends.
func marks(lastColumn, endings string) string {
	return `
collection: books
dialect: {close_quotes: true` + endings + `}
sources:
  book:   {file: book.csv, key: isbn, columns: {isbn: int, title: text}}
  review: {file: review.csv, key: id, parent: book, on: isbn, columns: {id: int, isbn: int, ` + lastColumn + `}}
documents:
  reviews: {path: reviews, body: {book: title, marks: {each: review, as: mark}}}
`
}

const optional = ", final_newline: optional"

// TestTruncatedFilesAreRejected truncates a file at every byte.
func TestTruncatedFilesAreRejected(t *testing.T) {
	database := testdb.New(t)
	for kind, c := range map[string]struct{ column, rows, whole string }{
		"an int":        {"mark: int", "1,7,40\n2,7,123\n", `^\d,7,\d+$`},
		"a quoted text": {"mark: text", "1,7,\"good\"\n2,7,\"goo\"\"d, ü\"\n", `^\d,7,("([^"]|"")*")?$`},
		"a bare text":   {"mark: text", "1,7,good\r\n2,7,gööd\r\n", `^\d,7,\pL*$`},
		"an amount":     {"mark: money", "1,7,40\n2,7,123.50\n", `^\d,7,\d+(\.\d\d?)?$`},
	} {
		whole := "id,isbn,mark\n" + c.rows
		if strings.Contains(c.rows, "\r") {
			whole = strings.Replace(whole, "\n", "\r\n", 1)
		}
		t.Run(kind, func(t *testing.T) {
			directory := t.TempDir()
			dumptest.Write(t, directory, map[string]string{
				"books.yaml": marks(c.column, optional), "strict.yaml": marks(c.column, ""), "book.csv": "isbn,title\n7,Seven\n", "review.csv": whole,
			})
			command := func(name, shape string, more ...string) (int, string) {
				args := []string{name, "--csv", directory, "--shape", filepath.Join(directory, shape)}
				if name != "render" {
					args = append(args, "--max-rejects", "100%", "--max-changed", "100%", "--min-rows", "0", "--database", database.ETL)
				}
				args = append(args, more...)
				code, stdout, stderr := etl(t.Context(), args...)
				return code, stdout + stderr
			}
			if code, text := command("run", "books.yaml", "--rejects", t.TempDir()); code != exitOK {
				t.Fatalf("exit code %d: %s", code, text)
			}
			for size := 1; size < len(whole); size++ {
				cut := whole[:size]
				if strings.HasSuffix(cut, "\n") {
					continue // after a record, which only a count of rows may detect
				}
				dumptest.Write(t, directory, map[string]string{"review.csv": cut})
				if code, text := command("plan", "books.yaml"); code != exitFiles || !strings.Contains(text, "review.csv:") {
					t.Errorf("%q after %q: exit code %d: %s", cut, whole, code, text)
				}
				if code, text := command("render", "strict.yaml"); code != exitFiles || !strings.Contains(text, "review.csv:") {
					t.Errorf("%q without final_newline: exit code %d: %s", cut, code, text)
				}
				last := cut[strings.LastIndexByte(cut, '\n')+1:]
				want := exitFiles
				if strings.Contains(cut, "\n") && utf8.ValidString(last) && regexp.MustCompile(c.whole).MatchString(last) {
					want = exitOK // the last row is complete
				}
				if code, text := command("render", "books.yaml"); code != want {
					t.Errorf("%q without an earlier run: exit code %d, want %d: %s", cut, code, want, text)
				}
				if size%5 > 0 {
					continue
				}
				put(t, filepath.Join(directory, "review.csv.gz"), dumptest.Gzip(t, []byte(cut)))
				if err := os.Remove(filepath.Join(directory, "review.csv")); err != nil {
					t.Fatal(err)
				}
				if code, text := command("plan", "books.yaml"); code != exitFiles || !strings.Contains(text, "review.csv.gz:") {
					t.Errorf("%q in gzip: exit code %d: %s", cut, code, text)
				}
				if err := os.Remove(filepath.Join(directory, "review.csv.gz")); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// TestFinalNewline publishes files with and without a final line end in turn.
func TestFinalNewline(t *testing.T) {
	database := testdb.New(t)
	steps := []struct {
		name, shape, review string
		args                []string
		code                int
		want                string
	}{
		{
			name: "no earlier run", review: "id,isbn,mark\n1,7,40", code: exitFiles,
			want: "truncated-file: 1 file is cut off: review.csv:2: the last line has no line end. " +
				"If complete files of source review have none, declare final_newline: optional in ",
		},
		{name: "accepted", review: "id,isbn,mark\n1,7,40", args: []string{"--accept", "truncated-file"}, want: "version 2 is published"},
		{name: "the last file had none", review: "id,isbn,mark\n1,7,41", want: "version 3 is published"},
		{
			name: "a truncated row", review: "id,isbn,mark\n1,7,41\n2,7", code: exitFiles,
			want: "review.csv:3: the file ends within a line, which is rejected: field count",
		},
		{name: "none, and no change", review: "id,isbn,mark\n1,7,41", want: "nothing changed"},
		{name: "a line end, and no change", review: "id,isbn,mark\n1,7,41\n", want: "nothing changed"},
		{
			name: "the last file had one", review: "id,isbn,mark\n1,7,4", code: exitFiles,
			want: "review.csv:2: the last line has no line end, and the file of run 6 had one",
		},
		{name: "failed runs do not count", review: "id,isbn,mark\n1,7,4", code: exitFiles, want: "the file of run 6 had one"},
		{
			name: "the last file had one, and it is optional", shape: optional, review: "id,isbn,mark\n1,7,4", code: exitFiles,
			want: "the file of run 6 had one",
		},
		{
			name: "the message names the file", shape: optional, review: "id,isbn,mark\n1,7,\"4",
			code: exitFiles, want: "review.csv:2: the file ends within a quoted field",
		},
		{
			name: "in another order", review: "id,isbn,mark\n2,8,4\n1,7,4", args: []string{"--max-changed", "100%"}, code: exitFiles,
			want: "review.csv:3: the last line has no line end, and the file of run 6 had one",
		},
		{
			name: "in another order, and rejected", review: "id,isbn,mark\n2,8,4\n1,7,4\n3,8", args: []string{"--max-changed", "100%"},
			code: exitFiles, want: "review.csv:4: the file ends within a line, which is rejected: field count",
		},
	}
	for _, s := range steps {
		directory := t.TempDir()
		dumptest.Write(t, directory, map[string]string{
			"books.yaml": marks("mark: int", s.shape), "book.csv": "isbn,title\n7,Seven\n8,Eight\n", "review.csv": s.review,
		})
		args := append([]string{"run", "--csv", directory, "--shape", filepath.Join(directory, "books.yaml"), "--database", database.ETL, "--rejects", t.TempDir(), "--max-rejects", "100%"}, s.args...)
		code, stdout, stderr := etl(t.Context(), args...)
		if text := stdout + stderr; code != s.code || !strings.Contains(text, s.want) {
			t.Errorf("%s: exit code %d, want %d and %q in\n%s", s.name, code, s.code, s.want, text)
		}
		if !strings.Contains(stdout, "review.csv") {
			t.Errorf("%s: the fates of the rows are not reported: %s", s.name, stdout)
		}
	}
	code, stdout, stderr := etl(t.Context(), "history", "--database", database.ETL, "--collection", "books", "--json", "--limit", "1")
	var runs []struct {
		Verdict publish.Verdict
		Sources []source.Counts
		Gates   []publish.GateResult
	}
	if err := json.Unmarshal([]byte(must(t, exitOK, code, stdout, stderr)), &runs); err != nil {
		t.Fatal(err)
	}
	r := runs[0]
	if r.Verdict != publish.Failed || r.Gates[0].Gate != string(plan.TruncatedFile) ||
		*r.Sources[1].Ending != (source.Ending{Line: 4, Fault: source.FaultRejected + source.Fault(source.FieldCount)}) {
		t.Errorf("the history has %s", stdout)
	}
}

// TestBuiltInShapeAcceptsMissingFinalNewlines loads real files, without final line ends, twice. It expects a warning only if some files
// have a final line end and others do not.
func TestBuiltInShapeAcceptsMissingFinalNewlines(t *testing.T) {
	database := testdb.New(t)
	for range 2 {
		code, stdout, stderr := etl(t.Context(), "run", "--csv", "../../testdata/v1", "--database", database.ETL, "--rejects", t.TempDir())
		if must(t, exitOK, code, stdout, stderr); strings.Contains(stderr, "no line end") {
			t.Errorf("stderr: %s", stderr)
		}
	}
	directory := t.TempDir()
	if err := os.CopyFS(directory, os.DirFS("../../testdata/v1")); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("../../testdata/v1/skus.csv")
	if err != nil {
		t.Fatal(err)
	}
	dumptest.Write(t, directory, map[string]string{"skus.csv": string(text) + "\n"})
	code, stdout, stderr := etl(t.Context(), "plan", "--csv", directory, "--database", testdb.New(t).ETL)
	if must(t, exitChanges, code, stdout, stderr); strings.Count(stderr, "the last line of a file has no line end") != 5 {
		t.Errorf("stderr: %s", stderr)
	}
}

// TestLineBreaksInQuotes has a text with a line break, and one without its closing quote, in sorted files and in files that must be sorted.
func TestLineBreaksInQuotes(t *testing.T) {
	database := testdb.New(t)
	for order, books := range map[string]string{"in order": "isbn,title\n7,Seven\n8,Eight\n", "sorted": "isbn,title\n8,Eight\n7,Seven\n"} {
		const first, second = "1,7,\"Hand wash only.\nDo not bleach.\"\n2,7,fine\n3,7,\"open\n", "4,8,\"a\n5,8,b\nc\"\n6,8,\"d\n7,8,\"\"\n"
		review, lines := first+second, "review.csv:2 review.csv:3 review.csv:6 review.csv:7 review.csv:8"
		if order == "sorted" {
			review, lines = second+first, "review.csv:2 review.csv:3 review.csv:4 review.csv:7 review.csv:8"
		}
		directory := t.TempDir()
		dumptest.Write(t, directory, map[string]string{
			"books.yaml": marks("mark: text", ""), "book.csv": books, "review.csv": "id,isbn,mark\n" + review + "9,8,e\n",
		})
		code, stdout, stderr := etl(t.Context(), "run", "--csv", directory, "--shape", filepath.Join(directory, "books.yaml"),
			"--database", database.ETL,
			"--rejects", filepath.Join(directory, "rejects"), "--max-rejects", "100%")
		must(t, exitOK, code, stdout, stderr)
		for _, want := range []string{"review.csv: 5 rejected: line break in quotes (if its quoted fields may contain line ends, declare records: quoted", "review.csv: 2 repaired: closed quote\n"} {
			if !strings.Contains(stdout, want) {
				t.Errorf("%s: the report does not contain %q:\n%s", order, want, stdout)
			}
		}
		log, err := filepath.Glob(filepath.Join(directory, "rejects", "*", "rejects.ndjson"))
		if err != nil || len(log) != 1 {
			t.Fatal(log, err)
		}
		text, err := os.ReadFile(log[0])
		if err != nil {
			t.Fatal(err)
		}
		var rejected []string
		for line := range strings.Lines(string(text)) {
			var r struct {
				File string
				Line int64
			}
			if err := json.Unmarshal([]byte(line), &r); err != nil {
				t.Fatal(err)
			}
			rejected = append(rejected, fmt.Sprintf("%s:%d", r.File, r.Line))
		}
		slices.Sort(rejected)
		if got := strings.Join(rejected, " "); got != lines {
			t.Errorf("%s: rejected are %s, want %s", order, got, lines)
		}
		conn := testdb.Connect(t, database.API)
		for id, want := range map[int64]string{
			7: `{"book": "Seven", "marks": ["fine", "open"]}`, 8: `{"book": "Eight", "marks": ["d", "", "e"]}`,
		} {
			if got := written(t, conn, "books", "reviews", id); got != want {
				t.Errorf("%s: %d is %s, want %s", order, id, got, want)
			}
		}
	}
}
