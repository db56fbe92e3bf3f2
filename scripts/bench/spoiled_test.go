package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"systemscale/sql/testdb"
)

// TestRejectsAreComparedWithWhatWasSpoiled runs on one small catalog, and then tampers with what was reported.
func TestRejectsAreComparedWithWhatWasSpoiled(t *testing.T) {
	database := testdb.New(t)
	directory := t.TempDir()
	csv, rejects, program := filepath.Join(directory, "csv"), filepath.Join(directory, "rejects"), filepath.Join(directory, "etl")
	for _, command := range [][]string{
		{"go", "build", "-o", directory + "/", "systemscale/etl", "systemscale/scripts/generate"},
		{filepath.Join(directory, "generate"), "--products", "300", "--dirt", "--malformed", "--out", csv},
		{program, "run", "--csv", csv, "--database", database.ETL, "--rejects", rejects, "--accept", "rejects"},
	} {
		if _, err := measure(t.Context(), command[0], command[1:]...); err != nil {
			t.Fatal(err)
		}
	}
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
	for _, tampering := range []struct {
		name, path, old, new string
		want                 []string
	}{
		{"another line", log, `"reason":"line too long"`, `"reason":"orphan"`, []string{"rejected rows: 57, want 57", " orphan; missing: features.csv:", " line too long"}},
		{"a row more", log, "\n", "\n" + `{"file":"a.csv","line":7,"reason":"null"}` + "\n", []string{"rejected rows: 58, want 57", "unexpected: a.csv:7 null; missing: none"}},
		{
			"a repair more", report, `"kind":"missing_closing_quote","fate":"repaired","rows":5`, `"kind":"missing_closing_quote","fate":"repaired","rows":6`,
			[]string{"counts: ", "unexpected: photos.csv: 5 repaired, closed quote; missing: photos.csv: 6 repaired, closed quote"},
		},
		{"other rows", report, `"name":"product.csv","rows":300`, `"name":"product.csv","rows":299`, []string{"unexpected: product.csv: 300 read; missing: product.csv: 299 read"}},
		{
			"another count of rejects", report, `"fate":"rejected","rows":1,"reason":"not an int"`, `"fate":"rejected","rows":2,"reason":"not an int"`,
			[]string{"unexpected: features.csv: 1 rejected, not an int; missing: features.csv: 2 rejected, not an int"},
		},
		{"no report", log, string(text), "{", []string{"rejects.ndjson"}},
	} {
		before, err := os.ReadFile(tampering.path)
		if err != nil {
			t.Fatal(err)
		}
		after := strings.Replace(string(before), tampering.old, tampering.new, 1)
		if after == string(before) {
			t.Errorf("%s: %s has no %s", tampering.name, tampering.path, tampering.old)
		}
		if err := os.WriteFile(tampering.path, []byte(after), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err = compare()
		for _, want := range tampering.want {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, want %q", tampering.name, err, want)
			}
		}
		if err := os.WriteFile(tampering.path, before, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
