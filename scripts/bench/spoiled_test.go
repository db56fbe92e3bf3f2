package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"systemscale/sql/testdb"
)

// TestCompareWithSpoiled compares the rejects of a small catalog with the generator's report, and again after changing one of the two.
func TestCompareWithSpoiled(t *testing.T) {
	database, programs, rejects := testdb.New(t), build(t), t.TempDir()
	csv, program := generatedCSV(t, programs, "--dirt", "--malformed"), filepath.Join(programs, "etl")
	measured(t, program, "run", "--csv", csv, "--database", database.ETL, "--rejects", rejects, "--accept", "rejects")
	log, report := filepath.Join(rejects, "products-1", "rejects.ndjson"), filepath.Join(csv, "generated.json")
	compare := func() (int, error) {
		return compareWithSpoiled(t.Context(), program, database.ETL, csv, rejects)
	}
	text, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	if rows, err := compare(); err != nil || rows != bytes.Count(text, []byte("\n")) || rows < 50 {
		t.Fatalf("%d rows, %v", rows, err)
	}
	for _, change := range []struct {
		name, path, old, new string
		want                 []string
	}{
		{
			"another reason", log, `"reason":"line too long"`, `"reason":"orphan"`,
			[]string{"rejected rows: 57, want 57", " orphan; missing: features.csv:", " line too long"},
		},
		{
			"an additional row", log, "\n", "\n" + `{"file":"a.csv","line":7,"reason":"null"}` + "\n",
			[]string{"rejected rows: 58, want 57", "unexpected: a.csv:7 null; missing: none"},
		},
		{
			"an additional repair", report, `"kind":"missing_closing_quote","fate":"repaired","rows":5`,
			`"kind":"missing_closing_quote","fate":"repaired","rows":6`,
			[]string{"counts: ", "unexpected: photos.csv: 5 repaired, closed quote; missing: photos.csv: 6 repaired, closed quote"},
		},
		{
			"another number of rows", report, `"name":"product.csv","rows":300`, `"name":"product.csv","rows":299`,
			[]string{"unexpected: product.csv: 300 read; missing: product.csv: 299 read"},
		},
		{
			"another number of rejects", report, `"fate":"rejected","rows":1,"reason":"not an int"`,
			`"fate":"rejected","rows":2,"reason":"not an int"`,
			[]string{"unexpected: features.csv: 1 rejected, not an int; missing: features.csv: 2 rejected, not an int"},
		},
		{"invalid rejects", log, string(text), "{", []string{"rejects.ndjson"}},
	} {
		before, err := os.ReadFile(change.path)
		if err != nil {
			t.Fatal(err)
		}
		after := strings.Replace(string(before), change.old, change.new, 1)
		if after == string(before) {
			t.Errorf("%s: %s has no %s", change.name, change.path, change.old)
		}
		if err := os.WriteFile(change.path, []byte(after), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err = compare()
		for _, want := range change.want {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, want %q", change.name, err, want)
			}
		}
		if err := os.WriteFile(change.path, before, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
