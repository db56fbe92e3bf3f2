package sql

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func TestQueryForQuotesNames(t *testing.T) {
	if got, want := QueryFor("api/get_etags", "identity", "it's"), `select 'it''s'::bigint`; !strings.Contains(got, want) {
		t.Errorf("QueryFor = %s, want %s in it", got, want)
	}
	got := QueryFor("etl/count_rows", "table", `odd"name`)
	if want := `select count(*) from "catalog"."odd""name"`; got != want {
		t.Errorf("QueryFor = %s, want %s", got, want)
	}
}

// TestStatementParameters rejects a statement with a name that no caller sets.
func TestStatementParameters(t *testing.T) {
	files, err := fs.Glob(queries, "query/*/*.sql")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d statements, %v", len(files), err)
	}
	open := regexp.MustCompile(`:["'][a-z_]+["']`)
	for _, file := range files {
		name := strings.TrimSuffix(strings.TrimPrefix(file, "query/"), ".sql")
		if program, _, _ := strings.Cut(name, "/"); program != "etl" && program != "api" && program != "stack" {
			t.Errorf("%s: a statement is in the directory of the program that sends it", file)
		}
		filled := QueryFor(name, "table", "t", "constraint", "c", "database", "d", "owner", "o", "cursor", "c", "channel", "c", "schema", "s", "reader", "r", "change", "c", "page_anchor", "a", "identity", "1", "collection", "c")
		if left := open.FindAllString(filled, -1); len(left) > 0 {
			t.Errorf("%s: no caller sets %v", file, left)
		}
	}
}

// TestStatementsAreUsed compares the names that the programs give to Query with the files.
func TestStatementsAreUsed(t *testing.T) {
	files, err := fs.Glob(queries, "query/*/*.sql")
	if err != nil {
		t.Fatal(err)
	}
	sent := map[string]bool{}
	for _, file := range files {
		sent[strings.TrimSuffix(strings.TrimPrefix(file, "query/"), ".sql")] = false
	}
	name := regexp.MustCompile(`"((?:etl|api|stack)/[a-z_]+)"`)
	for _, directory := range []string{"../etl", "../api", "../sql", "../scripts"} {
		if err := filepath.WalkDir(directory, func(path string, entry fs.DirEntry, err error) error {
			if entry != nil && entry.Name() == "node_modules" {
				return filepath.SkipDir
			}
			if err != nil || !strings.HasSuffix(path, ".go") {
				return err
			}
			text, err := os.ReadFile(path)
			for _, found := range name.FindAllStringSubmatch(string(text), -1) {
				if _, exists := sent[found[1]]; !exists {
					t.Errorf("%s: there is no statement %s", path, found[1])
				}
				sent[found[1]] = sent[found[1]] || !strings.HasSuffix(path, "_test.go")
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
	for name, used := range sent {
		if !used {
			t.Errorf("no program sends %s", name)
		}
	}
}

func TestDocumentTableFitsAnIdentifier(t *testing.T) {
	longest := strings.Repeat("x", MaxNameLength)
	if name := DocumentTable(longest, longest, 1<<62); len(name) > 63 {
		t.Errorf("%s has %d bytes; Postgres cuts names at 63", name, len(name))
	}
	if got := DocumentTable("products", "styles", 12); got != "products_styles_g12" {
		t.Errorf("DocumentTable = %s", got)
	}
}

func TestCheckCollection(t *testing.T) {
	for _, name := range []string{"products", "items", "api_2", "a", "apis", strings.Repeat("x", MaxNameLength)} {
		if err := CheckCollection(name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, name := range []string{
		"api", "fec2", "item", "assets", "docs", "changes", "live", "ready", "metrics", "version", "status", "cached", "refresh", "lists",
		"", "-", "Item", "ITEM", "item.", "openapi.yaml", "%61pi", "a/b", "a b", "1a", "_a", "\u00e4", "a\n", strings.Repeat("x", MaxNameLength+1),
	} {
		if CheckCollection(name) == nil {
			t.Errorf("%q may name a collection", name)
		}
	}
}
