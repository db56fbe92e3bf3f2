package main

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"systemscale/sql/testdb"
)

// TestSQLMakesTheSameDocuments compares the documents of both ways for a small catalog, and again after changing those made in SQL.
func TestSQLMakesTheSameDocuments(t *testing.T) {
	database, programs := testdb.New(t), build(t)
	csv := generatedCSV(t, programs)
	measured(t, filepath.Join(programs, "etl"), "run", "--csv", csv, "--database", database.ETL, "--rejects", t.TempDir())
	if took, err := runSQL(t.Context(), database.ETL, csv, sqlTimeout); err != nil || took <= 0 {
		t.Fatalf("runSQL took %s, %v", took, err)
	}
	if err := compareWithSQL(t.Context(), database.ETL); err != nil {
		t.Fatal(err)
	}
	if _, err := runSQL(t.Context(), database.ETL, csv, time.Nanosecond); !errors.Is(err, errSQLTimeout) {
		t.Errorf("runSQL with a limit of 1 ns returns %v, want %v", err, errSQLTimeout)
	}
	conn := testdb.Connect(t, database.ETL)
	for _, change := range []struct{ statement, want string }{
		{
			"update in_sql.document_summary set body = body || '{\"name\": \"other\"}' where id = 97",
			"summary: 300 documents, and 300 in SQL; of 3 that were compared, 1 differ",
		},
		{"delete from in_sql.document_summary where id = 98", "summary: 300 documents, and 299 in SQL"},
	} {
		if _, err := conn.Exec(t.Context(), change.statement); err != nil {
			t.Fatal(err)
		}
		if err := compareWithSQL(t.Context(), database.ETL); err == nil || !strings.Contains(err.Error(), change.want) {
			t.Errorf("after %s: %v, want %q", change.statement, err, change.want)
		}
	}
}
