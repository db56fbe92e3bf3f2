package command

import (
	"path/filepath"
	"strings"
	"testing"

	"systemscale/etl/internal/dump/dumptest"
	"systemscale/sql/testdb"
)

// TestDropCommand drops one of two collections.
func TestDropCommand(t *testing.T) {
	database := testdb.New(t)
	directory := t.TempDir()
	dumptest.Write(t, directory, validBooks())
	books := []string{"run", "--database", database.ETL, "--csv", directory, "--shape", filepath.Join(directory, "books.yaml"), "--rejects", directory}
	for _, args := range [][]string{books, {"run", "--database", database.ETL, "--csv", "../../testdata/v1", "--rejects", directory}} {
		if code, _, stderr := etl(t.Context(), args...); code != exitOK {
			t.Fatalf("exit code %d: %s", code, stderr)
		}
	}
	code, stdout, stderr := etl(t.Context(), "drop", "books", "--database", database.ETL)
	if code != exitUsage || stdout != "" || !strings.Contains(stderr, "books is not dropped: pass --yes, because standard input is no terminal") {
		t.Errorf("without --yes: exit code %d, stdout %q, stderr %q", code, stdout, stderr)
	}
	code, stdout, stderr = etl(t.Context(), "drop", "books", "--yes", "--database", database.ETL)
	if code != exitOK || !strings.Contains(stdout, "books: dropped") || stderr != "" {
		t.Errorf("exit code %d, stdout %q, stderr %q", code, stdout, stderr)
	}
	code, _, stderr = etl(t.Context(), "drop", "books", "--yes", "--database", database.ETL)
	if code != exitUsage || !strings.Contains(stderr, "the database has no collection books; it has products") {
		t.Errorf("again: exit code %d, stderr %q", code, stderr)
	}
	if written(t, testdb.Connect(t, database.API), "products", "product", 1) == "" {
		t.Error("the other collection is gone")
	}
	if code, stdout, _ := etl(t.Context(), "history", "--collection", "books", "--database", database.ETL); code != exitOK ||
		!strings.Contains(stdout, "No run of books yet") {
		t.Errorf("history: exit code %d, stdout %q", code, stdout)
	}
	if code, _, stderr := etl(t.Context(), books...); code != exitOK {
		t.Errorf("published again: exit code %d: %s", code, stderr)
	}
	empty := testdb.NewEmpty(t)
	if code, _, stderr := etl(t.Context(), "drop", "books", "--yes", "--database", empty.ETL); code != exitDatabase ||
		!strings.Contains(stderr, "run etl migrate") {
		t.Errorf("without a schema: exit code %d, stderr %q", code, stderr)
	}
}

// TestDropAsks needs the collection's name as the answer.
func TestDropAsks(t *testing.T) {
	for answer, want := range map[string]bool{"books\n": true, "books": true, "yes\n": false, "": false, "book\n": false} {
		var asked strings.Builder
		if got := confirmed(strings.NewReader(answer), &asked, "books", 7); got != want || !strings.Contains(asked.String(), "version 7 is live") {
			t.Errorf("answer %q: %v after %q", answer, got, asked.String())
		}
	}
}
