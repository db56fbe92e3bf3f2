package command

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"systemscale/etl/internal/publish"
	"systemscale/etl/internal/source"
)

func TestExplain(t *testing.T) {
	code, stdout, stderr := etl(t.Context(), "explain", "products", "4", "--csv", "../../testdata/v1")
	if code != exitOK {
		t.Fatalf("exit code %d: %s", code, stderr)
	}
	text, err := os.ReadFile(filepath.Join("..", "..", "testdata", "v1", "product.csv"))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(text), "\n")
	if !strings.HasPrefix(stdout, "product.csv:5: "+lines[4]+"\n") || strings.Count(stdout, "product.csv:") != 1 {
		t.Errorf("the product's line is not the first, or not the only one: %s", stdout)
	}
	// Every line that names product 4 as its parent, and no other.
	for file, column := range map[string]int{"features.csv": 1, "styles.csv": 1, "related.csv": 1} {
		text, err := os.ReadFile(filepath.Join("..", "..", "testdata", "v1", file))
		if err != nil {
			t.Fatal(err)
		}
		want := 0
		for i, line := range strings.Split(strings.TrimSpace(string(text)), "\n") {
			if fields := strings.Split(line, ","); fields[column] == "4" {
				want++
				if at := file + ":" + count(int64(i+1)) + ": " + line + "\n"; !strings.Contains(stdout, at) {
					t.Errorf("missing: %s", at)
				}
			}
		}
		if got := strings.Count(stdout, file+":"); got != want || want == 0 {
			t.Errorf("%d lines of %s, want %d", got, file, want)
		}
	}
	for _, part := range []string{"photos.csv:", "skus.csv:", "styles, at /products/4/styles, etag ", `"product_id": "4"`, "related, at /products/4/related, etag "} {
		if !strings.Contains(stdout, part) {
			t.Errorf("no %q in %s", part, stdout)
		}
	}

	cases := []struct {
		args []string
		code int
		want string
	}{
		{[]string{"products", "1000", "--csv", "../../testdata/v1"}, exitFiles, "product.csv: no row that can be used has id 1000"},
		{[]string{"products", "0", "--csv", "../../testdata/v1"}, exitFiles, "product.csv: no row that can be used has id 0"},
		{[]string{"books", "1", "--csv", "../../testdata/v1"}, exitUsage, "is of the collection products, not books"},
		{[]string{"products", "one", "--csv", "../../testdata/v1"}, exitUsage, "id"},
	}
	for _, c := range cases {
		if code, stdout, stderr := etl(t.Context(), append([]string{"explain"}, c.args...)...); code != c.code || !strings.Contains(stderr, c.want) || stdout != "" {
			t.Errorf("%v: exit code %d, want %d; stderr %q, want %q in it; stdout %q", c.args, code, c.code, stderr, c.want, stdout)
		}
	}
}

// TestExplainFindsTheLinesOfASortedFile prints the lines as they stand in the file, not as they were sorted.
func TestExplainFindsTheLinesOfASortedFile(t *testing.T) {
	directory := t.TempDir()
	write(t, directory, map[string]string{"books.yaml": books, "book.csv": "isbn,title\n8,Eight\n7,Seven\n", "review.csv": "id,isbn,stars\n3,8,1\n1,7,5\n"})
	// The first reading comes to 8 before it finds that the file must be sorted.
	for id, want := range map[string]string{"7": "book.csv:3: 7,Seven\nreview.csv:3: 1,7,5\n\n", "8": "book.csv:2: 8,Eight\nreview.csv:2: 3,8,1\n\n"} {
		code, stdout, stderr := etl(t.Context(), "explain", "books", id, "--csv", directory, "--shape", filepath.Join(directory, "books.yaml"))
		if code != exitOK || !strings.HasPrefix(stdout, want) {
			t.Errorf("exit code %d, stdout %q, stderr %q", code, stdout, stderr)
		}
	}
}

// TestAcceptedMissingColumnIsNull reads a column that the header lacks as null, whatever its type, and an empty file as one without rows.
func TestAcceptedMissingColumnIsNull(t *testing.T) {
	directory := t.TempDir()
	write(t, directory, map[string]string{"books.yaml": books, "book.csv": "isbn\n7\n8\n", "review.csv": "id,isbn\n1,7\n2,\"7\"\n"})
	in, err := openInput(t.Context(), reading{directory: directory, shape: filepath.Join(directory, "books.yaml"), rejects: &countedRejects{}, accepts: func(gate string) bool { return gate == gateMissingColumn }})
	if err != nil {
		t.Fatal(err)
	}
	defer in.close()
	var bodies []string
	err = pass(t.Context(), in, func() {}, nil, func(_ int, _ int64, _ uint64, body []byte) error {
		bodies = append(bodies, string(body))
		return nil
	})
	if got := strings.Join(bodies, " "); err != nil || got != `{"book":null,"stars":[null,null]} {"book":null,"stars":[]}` {
		t.Errorf("rendered %s (%v)", got, err)
	}
	if counts := in.counts(); len(counts[0].Missing) != 1 || counts[0].Missing[0] != "title" || counts[1].Missing[0] != "stars" {
		t.Errorf("missing columns %v, %v", counts[0].Missing, counts[1].Missing)
	}
	for accepted, want := range map[bool]string{true: verdictAccepted, false: verdictFailed} {
		l := &limits{}
		if accepted {
			l.Accept = []gateName{gateName(gateMissingColumn)}
		}
		for _, f := range judge(l, in.counts(), nil, publish.Changes{}, largest{}) {
			if f.Gate == gateMissingColumn && (f.Verdict != want || f.Value != "2" || !strings.Contains(f.Message, "book.csv title, review.csv stars")) {
				t.Errorf("the gate says %+v, want %s", f, want)
			}
		}
	}

	write(t, directory, map[string]string{"book.csv": "isbn,title\n7,Seven\n", "review.csv": ""})
	in, err = openInput(t.Context(), reading{directory: directory, shape: filepath.Join(directory, "books.yaml"), rejects: &countedRejects{}, accepts: func(gate string) bool { return gate == gateEmptyFile }})
	if err != nil {
		t.Fatal(err)
	}
	defer in.close()
	bodies = nil
	err = pass(t.Context(), in, func() {}, nil, func(_ int, _ int64, _ uint64, body []byte) error {
		bodies = append(bodies, string(body))
		return nil
	})
	if got := strings.Join(bodies, " "); err != nil || got != `{"book":"Seven","stars":[]}` {
		t.Errorf("rendered %s (%v)", got, err)
	}
}

// TestRejectsKeepLongLinesWhole keeps every byte of a line that is too long to be read, of plain and of compressed files.
func TestRejectsKeepLongLinesWhole(t *testing.T) {
	long := "9,\"" + strings.Repeat("lorem ipsum ", 300_000) + "\""
	text := []byte("isbn,title\n7,Seven\n" + long + "\r\n8,Eight\n" + long)
	for ending, form := range map[string][]byte{"": text, ".gz": gzipped(t, text)} {
		directory := filepath.Join(t.TempDir(), "rejects")
		files := &source.RejectFiles{Directory: directory}
		in, err := openBooks(t, ending, form, files)
		if err != nil {
			t.Fatal(err)
		}
		if rows, err := readBooks(in); err != nil || rows != 2 {
			t.Fatalf("%d rows (%v)", rows, err)
		}
		if err := files.Close(); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(filepath.Join(directory, "book.csv")); err != nil || string(got) != long+"\r\n"+long+"\n" {
			t.Errorf("%d bytes are kept (%v), want %d", len(got), err, 2*len(long)+3)
		}
		if log, err := os.ReadFile(filepath.Join(directory, "rejects.ndjson")); err != nil || len(log) > 4096 || strings.Count(string(log), `"reason":"line too long","cut":true`) != 2 {
			t.Errorf("rejects.ndjson holds %d bytes (%v)", len(log), err)
		}
	}
}
