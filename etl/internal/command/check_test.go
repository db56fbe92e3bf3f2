package command

import (
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"systemscale/etl/internal/dump/dumptest"
	"systemscale/etl/internal/plan"
)

// shapeLine returns the position of a text in the shape of books, as messages show it.
func shapeLine(text string) string {
	for i, line := range strings.Split(dumptest.Books, "\n") {
		if at := strings.Index(line, text); at >= 0 {
			return strings.Join([]string{"books.yaml", strconv.Itoa(i + 1), strconv.Itoa(at + 1)}, ":")
		}
	}
	panic("BUG: the shape does not contain " + text)
}

// checkCase is a check of the files of books.
type checkCase struct {
	name   string
	files  map[string]string // instead of the valid ones; "" removes a file
	code   int
	stdout []string // parts of it
	stderr []string
}

func TestCheckHeaders(t *testing.T) {
	checkAll(t, []checkCase{
		{
			name:   "valid",
			stdout: []string{"book.csv: 2 columns, all are read", "review.csv: 3 columns, all are read", "books.yaml fits these headers"},
		},
		{
			name: "unused columns", files: map[string]string{"book.csv": "campus,isbn,title,created_at\n"},
			stdout: []string{"book.csv: 4 columns, not read: campus, created_at\n", "fits"},
		},
		{
			name:  "a header after empty lines, with quotes and a byte order mark",
			files: map[string]string{"book.csv": "\xef\xbb\xbf\"isbn\",\"title\"\r\n"},
		},
		{
			name:   "a compressed file",
			files:  map[string]string{"book.csv": "", "book.csv.gz": string(dumptest.Gzip(t, []byte("isbn,title,x\n")))},
			stdout: []string{"book.csv.gz: 3 columns, not read: x"},
		},
		{
			name: "transposed letters", files: map[string]string{"book.csv": "isbn,titel\n"}, code: exitUsage,
			stdout: []string{"book.csv: 2 columns, not read: titel"},
			stderr: []string{shapeLine("title: text") + ": column title of source book: ", "book.csv:1 has no such column; did you mean titel?"},
		},
		{
			name: "another spelling", files: map[string]string{"review.csv": "ID,is_bn,stars\n"}, code: exitUsage,
			stderr: []string{"column id of source review", "did you mean ID?", "column isbn of source review", "did you mean is_bn?"},
		},
		{
			name: "no similar column", files: map[string]string{"book.csv": "isbn,name,year\n"}, code: exitUsage,
			stderr: []string{"has no such column; not used: name, year"},
		},
		{
			name: "no unused column", files: map[string]string{"review.csv": "id,isbn\n"}, code: exitUsage,
			stderr: []string{shapeLine("stars: int"), "all others are used"},
		},
		{
			name: "names with spaces", files: map[string]string{"book.csv": "isbn , title\n"}, code: exitUsage,
			stderr: []string{
				shapeLine("isbn: int"), `book.csv:1 has no such column; did you mean "isbn " (with a space at its beginning or end)? With trim_spaces: true in the dialect`, `" title" (with a space at its beginning or end)?`,
			},
		},
		{
			name: "a row instead of a header", files: map[string]string{"book.csv": "7,Seven\n8,Eight\n"}, code: exitUsage,
			stderr: []string{"not used: 7, Seven. If the first line is a row, declare header: false in the dialect"},
		},
		{
			name:   "no header",
			files:  map[string]string{"books.yaml": "dialect: {header: false}\n" + dumptest.Books, "book.csv": "7,Seven\n", "review.csv": "1,7,5\n"},
			stdout: []string{"book.csv: 2 columns, all are read", "fits these headers"},
		},
		{
			name: "looked-up columns",
			files: map[string]string{
				"books.yaml": strings.NewReplacer("title: text}", "title: text, kind: {lookup: kind, by: isbn, show: name}}", "  review:",
					"  kind: {file: kind.csv, key: id, columns: {id: int, name: text}}\n  review:", "book: title", "book: kind").Replace(dumptest.Books),
				"book.csv": "isbn,title\n7,Seven\n", "kind.csv": "id,name,x\n7,Kind,\n", "review.csv": "id,isbn,stars\n1,7,5\n",
			},
			stdout: []string{"book.csv: 2 columns, all are read", "kind.csv: 3 columns, not read: x", "fits these headers"},
		},
		{
			name: "a look-up that is required finds nothing",
			files: map[string]string{
				"books.yaml": strings.NewReplacer("title: text}", "title: text, kind: {lookup: kind, by: isbn, show: name, required: true}}",
					"  review:", "  kind: {file: kind.csv, key: id, columns: {id: int, name: text}}\n  review:", "book: title", "book: kind",
				).Replace(dumptest.Books),
				"book.csv": "isbn,title\n7,Seven\n8,Eight\n", "kind.csv": "id,name\n7,Kind\n", "review.csv": "id,isbn,stars\n1,7,5\n",
			},
			code:   gateExits[plan.Rejects],
			stdout: []string{"no target", "remove required: true from the look-up by isbn"},
			stderr: []string{"1 of 2 rows of book.csv"},
		},
		{
			name: "old Macs", files: map[string]string{"book.csv": "isbn,title\r7,Seven\r"}, code: exitFiles,
			stderr: []string{`book.csv:1: its lines end with CR alone, as on old Macs; convert it, for example with tr '\r' '\n'`},
		},
		{
			name:  "several mistakes in several files",
			files: map[string]string{"book.csv": "\nisbm,titles\n", "review.csv": "id,isbn,star,id\n"}, code: exitUsage,
			stderr: []string{
				shapeLine("isbn: int") + ": ", "book.csv:2 has no such column; did you mean isbm?", "did you mean titles?", "did you mean star?",
				shapeLine("id: int") + ": column id of source review: ", "review.csv:1 has a duplicate column of this name",
			},
		},
	})
}

func TestCheckFiles(t *testing.T) {
	checkAll(t, []checkCase{
		{
			name: "missing files", files: map[string]string{"book.csv": "", "boks.csv": "isbn,title\n", "review.csv": ""}, code: exitFiles,
			stderr: []string{
				"book.csv: no such file or directory, and source book needs it (", shapeLine("book.csv") + "); did you mean boks.csv?",
				"review.csv: no such file", "not used: boks.csv",
			},
		},
		{
			name: "an empty file and a mistake", files: map[string]string{"book.csv": "\n", "review.csv": "id,isbn,star\n"}, code: exitUsage,
			stderr: []string{"book.csv: the file is empty", "did you mean star?"},
		},
		{
			name: "a file in two forms", files: map[string]string{"book.csv.gz": "x", "other.csv": "x"}, code: exitFiles,
			stderr: []string{"both exist: keep only one of them, and source book needs it (", shapeLine("book.csv") + ")\n"},
		},
		{
			name: "an empty file", files: map[string]string{"book.csv": "\n"}, code: exitFiles,
			stderr: []string{"book.csv: the file is empty"},
		},
		{
			name: "a truncated file", files: map[string]string{"review.csv": "id,isbn,stars\n1,7,5\n2,7"}, code: exitFiles,
			stderr: []string{"review.csv:3: the file ends within a line"},
		},
		{
			name: "a last line without a line end", files: map[string]string{"review.csv": "id,isbn,stars\n1,7,5"}, code: exitFiles,
			stderr: []string{"review.csv:2: the last line has no line end"},
		},
		{
			name: "a damaged archive", files: map[string]string{"book.csv": "", "book.csv.zst": "isbn,title\n"}, code: exitFiles,
			stderr: []string{"book.csv.zst: the file cannot be read: the archive is damaged"},
		},
	})
}

func checkAll(t *testing.T, cases []checkCase) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			directory := t.TempDir()
			files := map[string]string{
				"books.yaml": dumptest.Books, "book.csv": "isbn,title\n",
				"review.csv": "id,isbn,stars\n1,7,not a number: check reads no values\n",
			}
			for name, text := range c.files {
				files[name] = text
				if text == "" {
					delete(files, name)
				}
			}
			dumptest.Write(t, directory, files)
			code, stdout, stderr := etl(t.Context(), "check", "--csv", directory, "--shape", filepath.Join(directory, "books.yaml"))
			if code != c.code || (stderr == "") != (code == exitOK) {
				t.Errorf("exit code %d, want %d; stderr %q", code, c.code, stderr)
			}
			for _, want := range c.stdout {
				if !strings.Contains(stdout, want) {
					t.Errorf("stdout does not contain %q:\n%s", want, stdout)
				}
			}
			for _, want := range c.stderr {
				if !strings.Contains(stderr, want) {
					t.Errorf("stderr does not contain %q:\n%s", want, stderr)
				}
			}
			if code != exitOK && strings.Contains(stdout, "fits") {
				t.Errorf("exit code %d, and stdout reports that the shape fits:\n%s", code, stdout)
			}
		})
	}
}

func TestCheckBuiltInShape(t *testing.T) {
	for _, directory := range []string{"../../testdata/v1", "../../testdata/v2"} {
		if code, stdout, stderr := etl(t.Context(), "check", "--csv", directory); code != exitOK ||
			strings.Count(stdout, "columns, all are read") != 6 {
			t.Errorf("%s: exit code %d, stdout %q, stderr %q", directory, code, stdout, stderr)
		}
	}
	code, _, stderr := etl(t.Context(), "check", "--csv", filepath.Join(t.TempDir(), "dump"))
	if code != exitFiles || strings.Count(stderr, "the dump has not arrived") != 1 || strings.Contains(stderr, "product.csv") {
		t.Errorf("no directory: exit code %d, stderr %q", code, stderr)
	}
	code, _, stderr = etl(t.Context(), "check", "--csv", "../../testdata/v1", "--shape", "missing.yaml")
	if code != exitUsage || !strings.Contains(stderr, "missing.yaml:1:1: the shape file cannot be read") {
		t.Errorf("no shape: exit code %d, stderr %q", code, stderr)
	}
}
