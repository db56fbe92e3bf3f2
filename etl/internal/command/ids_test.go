package command

import (
	"path/filepath"
	"strings"
	"testing"

	"systemscale/etl/internal/dump/dumptest"
	"systemscale/sql/testdb"
)

// Shapes of a collection whose ids are of one kind each.
const (
	slugShape = `
collection: shop
sources:
  item: {file: item.csv, key: slug, columns: {slug: text, name: text}}
documents:
  list: {list: true, body: {slug: slug}}
  item: {path: "", body: {slug: slug, name: name}}
  name: {path: name, body: {name: name}}
`
	pairShape = `
collection: shop
sources:
  item: {file: item.csv, key: [year, slug], columns: {year: int, slug: text, name: text}}
documents:
  list: {list: true, body: {slug: slug}}
  item: {path: "", body: {slug: slug, name: name}}
`
	intShape = `
collection: shop
sources:
  item: {file: item.csv, key: year, columns: {year: int, name: text}}
documents:
  item: {path: "", body: {name: name}}
`
)

// TestTextIDs plans, publishes, explains and rolls back a collection whose ids are texts.
func TestTextIDs(t *testing.T) {
	database := testdb.New(t)
	directory := t.TempDir()
	dumptest.Write(t, directory, map[string]string{"slug.yaml": slugShape, "pair.yaml": pairShape, "int.yaml": intShape})
	items := func(rows ...string) {
		dumptest.Write(t, directory, map[string]string{"item.csv": "year,slug,name\n" + strings.Join(rows, "\n") + "\n"})
	}
	run := func(want int, command, shape string, more ...string) (stdout, stderr string) {
		t.Helper()
		args := append([]string{command, "--database", database.ETL, "--csv", directory, "--shape", filepath.Join(directory, shape)}, more...)
		code, stdout, stderr := etl(t.Context(), args...)
		if code != want {
			t.Fatalf("%s %v: exit code %d: %s%s", command, more, code, stdout, stderr)
		}
		return stdout, stderr
	}
	publish := []string{"--rejects", t.TempDir(), "--accept", "rejects", "--accept", "removed", "--accept", "changed", "--accept", "fewer-rows"}
	items(`1,b,first`, `2,AC/DC,second`, `3,ä+ö,third`, `4,B,fourth`, `5,,none`, `6,..,none`, `7,changes,none`, `8,x/name,none`)
	stdout, _ := run(exitOK, "run", "slug.yaml", publish...)
	contains(t, stdout, "version 1 is published", "item.csv: 1 rejected: key length", "item.csv: 3 rejected: no id")
	items(`1,b,other`, `2,AC/DC,second`, `4,B,fourth`, `9,100%,fifth`)
	stdout, _ = run(exitChanges, "plan", "slug.yaml", "--max-removed", "100%", "--max-changed", "100%", "--max-fewer-rows", "100%")
	contains(t, stdout, "/shop/100%25 /shop/b /shop/%C3%A4%2B%C3%B6", "/shop/b\n    name: \"first\" → \"other\"")
	stdout, _ = run(exitChanges, "plan", "slug.yaml", "--json", "--max-removed", "100%", "--max-changed", "100%", "--max-fewer-rows", "100%")
	contains(t, stdout, `"id": "b"`)
	stdout, _ = run(exitOK, "run", "slug.yaml", publish...)
	contains(t, stdout, "version 2 is published")
	code, stdout, stderr := etl(t.Context(), "explain", "shop", "AC/DC", "--csv", directory, "--shape", filepath.Join(directory, "slug.yaml"))
	if code != exitOK {
		t.Errorf("explain: exit code %d: %s", code, stderr)
	}
	contains(t, stdout, "item.csv:3: 2,AC/DC,second", "name, at /shop/AC/DC/name, ")

	for _, shape := range []string{"pair.yaml", "int.yaml"} {
		for _, command := range []string{"plan", "run"} {
			_, stderr = run(exitUsage, command, shape)
			contains(t, stderr, "the ids of the shape are ", "those of the published version of shop are texts", "etl drop shop")
		}
	}
	code, stdout, stderr = etl(t.Context(), "rollback", "--no-hold", "--database", database.ETL, "--collection", "shop")
	if code != exitOK {
		t.Errorf("rollback: exit code %d: %s", code, stderr)
	}
	contains(t, stdout, "version 3 is published, with the documents of version 1")
	conn := testdb.Connect(t, database.API)
	var ids string
	if err := conn.QueryRow(t.Context(), `select string_agg(id, ' ' order by id) from catalog.shop_item_g1`).Scan(&ids); err != nil || ids != "AC/DC B b ä+ö" {
		t.Errorf("after the rollback, the ids are %q (%v)", ids, err)
	}
	if code, _, stderr = etl(t.Context(), "drop", "shop", "--yes", "--database", database.ETL); code != exitOK {
		t.Errorf("drop: exit code %d: %s", code, stderr)
	}
	var left int
	if err := conn.QueryRow(t.Context(), `select (select count(*) from catalog.text_change) + (select count(*) from catalog.text_page_anchor)`).Scan(&left); err != nil || left != 0 {
		t.Errorf("%d rows are left after the drop (%v)", left, err)
	}
	items(`1,b,first`, `2,a/b,second`, `2,changes,third`)
	run(exitOK, "run", "pair.yaml", publish...)
	if err := conn.QueryRow(t.Context(), `select string_agg(id, ' ' order by id) from catalog.shop_item_g4`).Scan(&ids); err != nil || ids != "1/b 2/a%2Fb 2/changes" {
		t.Errorf("with two columns, the ids are %q (%v)", ids, err)
	}
}
