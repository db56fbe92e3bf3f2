package main

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"systemscale/sql/testdb"
)

// TestSQLMakesTheSameDocuments runs both ways on one small catalog, and then spoils what SQL made.
func TestSQLMakesTheSameDocuments(t *testing.T) {
	database := testdb.New(t)
	directory := t.TempDir()
	csv := filepath.Join(directory, "csv")
	for _, command := range [][]string{
		{"go", "build", "-o", directory + "/", "systemscale/etl", "systemscale/scripts/generate"},
		{filepath.Join(directory, "generate"), "--products", "300", "--out", csv},
		{filepath.Join(directory, "etl"), "run", "--csv", csv, "--database", database.ETL, "--rejects", filepath.Join(directory, "rejects")},
	} {
		if _, err := measure(t.Context(), command[0], command[1:]...); err != nil {
			t.Fatal(err)
		}
	}
	if took, err := inSQL(t.Context(), database.ETL, csv, sqlLimit); err != nil || took <= 0 {
		t.Fatalf("inSQL took %s, %v", took, err)
	}
	if err := compareWithSQL(t.Context(), database.ETL); err != nil {
		t.Fatal(err)
	}
	if _, err := inSQL(t.Context(), database.ETL, csv, time.Nanosecond); !errors.Is(err, errSQLTooSlow) {
		t.Errorf("inSQL, with no time at all, says %v", err)
	}
	conn := testdb.Connect(t, database.ETL)
	for _, spoil := range []struct{ statement, want string }{
		{"update in_sql.document_summary set body = body || '{\"name\": \"other\"}' where id = 97", "summary: 300 documents, and 300 in SQL; of 3 that were compared, 1 differ"},
		{"delete from in_sql.document_summary where id = 98", "summary: 300 documents, and 299 in SQL"},
	} {
		if _, err := conn.Exec(t.Context(), spoil.statement); err != nil {
			t.Fatal(err)
		}
		if err := compareWithSQL(t.Context(), database.ETL); err == nil || !strings.Contains(err.Error(), spoil.want) {
			t.Errorf("after %s: %v, want %q", spoil.statement, err, spoil.want)
		}
	}
}
