package command

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"systemscale/sql"
	"systemscale/sql/testdb"
)

// table is a CSV file: its header and its rows.
type table [][]string

// catalogFiles are the files of the generated catalog, and which of their columns are keys of which source.
var catalogFiles = map[string]map[string]string{
	"product":  {"id": "product"},
	"features": {"id": "features", "product_id": "product"},
	"styles":   {"id": "styles", "productId": "product"},
	"photos":   {"id": "photos", "styleId": "styles"},
	"skus":     {"id": "skus", "styleId": "styles"},
	"related":  {"id": "related", "current_product_id": "product", "related_product_id": "product"},
}

// generatedTables returns a generated catalog with what the generator leaves out: cents, negative quantities and related products that do
// not exist.
func generatedTables(t *testing.T) map[string]table {
	t.Helper()
	directory := filepath.Join(t.TempDir(), "csv")
	generate := filepath.Join(build(t, "systemscale/scripts/generate"), "generate")
	out, err := exec.CommandContext(t.Context(), generate, "--products", "400", "--seed", "11", "--out", directory).CombinedOutput()
	if err != nil {
		t.Fatalf("generate: %v\n%s", err, out)
	}
	tables := map[string]table{}
	for name := range catalogFiles {
		text, err := os.ReadFile(filepath.Join(directory, name+".csv"))
		if err != nil {
			t.Fatal(err)
		}
		rows, err := csv.NewReader(bytes.NewReader(text)).ReadAll()
		if err != nil {
			t.Fatalf("%s.csv: %v", name, err)
		}
		for i, row := range rows[1:] {
			for column, field := range row {
				row[column] = varied(rows[0][column], field, i)
			}
		}
		tables[name] = rows
	}
	return tables
}

// varied returns the field of a column in a row.
func varied(column, field string, row int) string {
	switch {
	case strings.HasSuffix(column, "_price") && field != "null":
		return fmt.Sprintf("%s.%02d", field, row*37%100)
	case column == "quantity" && row%11 == 0:
		return "-" + field
	case column == "related_product_id" && row%50 == 0:
		return "9999"
	}
	return field
}

// withTextKeys returns the tables with texts as keys, such as "product-000012" for 12, in the same order.
func withTextKeys(tables map[string]table) map[string]table {
	texts := map[string]table{}
	for name, rows := range tables {
		texts[name] = table{rows[0]}
		for _, row := range rows[1:] {
			row = append([]string(nil), row...)
			for column, field := range row {
				if of := catalogFiles[name][rows[0][column]]; of != "" {
					row[column] = fmt.Sprintf("%s-%06s", of, field)
				}
			}
			texts[name] = append(texts[name], row)
		}
	}
	return texts
}

// shuffledTables returns the tables with their rows in random order.
func shuffledTables(tables map[string]table) map[string]table {
	random := rand.New(rand.NewPCG(5, 1))
	result := map[string]table{}
	for name, rows := range tables {
		rows = append(table(nil), rows...)
		random.Shuffle(len(rows)-1, func(i, k int) { rows[i+1], rows[k+1] = rows[k+1], rows[i+1] })
		result[name] = rows
	}
	return result
}

// text returns the table as a CSV file.
func (c table) text(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := csv.NewWriter(&b).WriteAll(c); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// makeInSQL makes the documents in SQL, in temporary tables of the connection.
func makeInSQL(t *testing.T, conn *pgx.Conn, tables map[string]table) {
	t.Helper()
	execFile := func(name string) {
		text, err := os.ReadFile(filepath.Join("testdata", "same_in_sql", name))
		if err == nil {
			_, err = conn.Exec(t.Context(), string(text))
		}
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	execFile("tables.sql")
	for name, rows := range tables {
		statement := "copy pg_temp." + name + " from stdin with (format csv, header, null 'null')"
		if _, err := conn.PgConn().CopyFrom(t.Context(), bytes.NewReader(rows.text(t)), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	execFile("documents.sql")
}

// publishTables runs the ETL with the tables. The collection is that of the shape file, renamed; with textKeys, its keys are texts.
func publishTables(t *testing.T, database testdb.Database, collection string, tables map[string]table, textKeys bool) {
	t.Helper()
	text, err := os.ReadFile("testdata/same_in_sql/shape.yaml")
	if err != nil {
		t.Fatal(err)
	}
	shape := strings.Replace(string(text), "collection: by_number", "collection: "+collection, 1)
	directory := t.TempDir()
	for name, rows := range tables {
		if textKeys {
			for column := range catalogFiles[name] {
				shape = strings.ReplaceAll(shape, column+": int", column+": text")
			}
		}
		if err := os.WriteFile(filepath.Join(directory, name+".csv"), rows.text(t), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(directory, "shape.yaml")
	if err := os.WriteFile(path, []byte(shape), 0o600); err != nil {
		t.Fatal(err)
	}
	code, stdout, stderr := etl(t.Context(), "run", "--csv", directory, "--shape", path, "--database", database.ETL,
		"--rejects", t.TempDir(), "--temp", t.TempDir())
	if code != exitOK || strings.Contains(stdout, "rejected:") {
		t.Fatalf("run: exit code %d: %s%s", code, stdout, stderr)
	}
}

// numbered is an SQL expression for a published column with the numbers that the texts of withTextKeys were made of.
func numbered(column string) string {
	const key = `"(?:product|styles|photos|skus|related)-0*([0-9]+)"`
	return `regexp_replace(regexp_replace(` + column + `::text, '` + key + `:', '"\1":', 'g'), '` + key + `', '\1', 'g')::jsonb`
}

// compareWithSQL compares every published document with the one that was made in SQL. Texts are compared, because jsonb takes 1.50 and 1.5
// for the same number.
func compareWithSQL(t *testing.T, conn *pgx.Conn, collection string, items int) {
	t.Helper()
	var generation int64
	err := conn.QueryRow(t.Context(), "select generation from catalog.version where collection = $1", collection).Scan(&generation)
	if err != nil {
		t.Fatal(err)
	}
	for _, document := range []string{"summary", "totals", "styles", "related"} {
		var all, different int
		var example string
		err := conn.QueryRow(t.Context(), `
			select count(*), count(*) filter (where ours is distinct from theirs),
				coalesce(min(format(E'%s\n  is     %s\n  in SQL %s', id, ours, theirs)) filter (where ours is distinct from theirs), '')
			from (
				select regexp_replace(id::text, '^product-0*', '')::bigint as id, `+numbered("body")+`::text as ours
				from catalog.`+sql.DocumentTable(collection, document, generation)+`
			) as published full join (select id, body::text as theirs from pg_temp.`+document+`_document) as made using (id)`).
			Scan(&all, &different, &example)
		if err != nil {
			t.Fatal(err)
		}
		if all != items || different > 0 {
			t.Errorf("%s of %s: of %d documents, want %d, %d differ, such as %s", document, collection, all, items, different, example)
		}
	}
}

// TestHalfEvenInSQL tests the function with which the SQL rounds.
func TestHalfEvenInSQL(t *testing.T) {
	conn := testdb.Connect(t, testdb.New(t).AdminURL)
	makeInSQL(t, conn, nil)
	for division, want := range map[string]string{
		"5, 2, 0": "2", "7, 2, 0": "4", "-5, 2, 0": "-2", "-7, 2, 0": "-4", "1, 2, 0": "0", "-1, 2, 0": "0", "0, 3, 2": "0.00",
		"1, 3, 2": "0.33", "2, 3, 2": "0.67", "-2, 3, 2": "-0.67", "1, 8, 2": "0.12", "3, 8, 2": "0.38", "0.25, 1, 1": "0.2",
		"0.2501, 1, 1": "0.3", "20, 2, 1": "10.0", "1, 0, 2": "null", "null, 0, 2": "null",
	} {
		var got string
		err := conn.QueryRow(t.Context(), "select coalesce(pg_temp.half_even("+division+")::text, 'null')").Scan(&got)
		if err != nil || got != want {
			t.Errorf("half_even(%s) is %s (%v), want %s", division, got, err, want)
		}
	}
}

// wantRareCases fails the test unless the documents that were made in SQL have the cases that a wrong document is likely to have wrong.
func wantRareCases(t *testing.T, conn *pgx.Conn) {
	t.Helper()
	for name, statement := range map[string]string{
		"half to round down": `
			select count(*) from (
				select sum(quantity) as total, count(*) as rows from styles as s join skus as k on k.style_id = s.id group by s.product_id
			) as sums where pg_temp.half_even(total, rows, 1) <> round(total / rows, 1)`,
		"item without SKUs": `select count(*) from totals_document where body -> 'mean' = 'null'`,
		"negative average":  `select count(*) from styles_document where body @? '$[*].mean ? (@ < 0)'`,
		"more styles than the limit": `
			select count(*) from (select product_id from styles where original_price >= 100 group by product_id having count(*) > 3) as many`,
		"related item that is gone": `select count(*) from related_document where body @> '{"cards": ["gone"]}'`,
		"card without a photo":      `select count(*) from related_document where body @> '{"cards": [{"photo": null}]}'`,
		"full list of cards":        `select count(*) from related_document where jsonb_array_length(body -> 'cards') = 5`,
		"related item that is filtered": `
			select count(*) from related as r join product as p on p.id = r.related_product_id where p.category = 'Jacket'`,
	} {
		var cases int
		if err := conn.QueryRow(t.Context(), statement).Scan(&cases); err != nil || cases == 0 {
			t.Errorf("the generated catalog has no %s (%v)", name, err)
		}
	}
}

// TestLookupsAndAggregatesAreThoseOfSQL publishes documents with look-ups and aggregates of a generated catalog, and compares each with the
// document that PostgreSQL makes of the same files. Neither the order of the rows nor the type of the keys makes a difference.
func TestLookupsAndAggregatesAreThoseOfSQL(t *testing.T) {
	database := testdb.New(t)
	conn := testdb.Connect(t, database.AdminURL)
	tables := generatedTables(t)
	makeInSQL(t, conn, tables)
	wantRareCases(t, conn)
	publishTables(t, database, "by_number", tables, false)
	publishTables(t, database, "shuffled", shuffledTables(tables), false)
	publishTables(t, database, "by_text", withTextKeys(tables), true)
	publishTables(t, database, "by_text_shuffled", shuffledTables(withTextKeys(tables)), true)
	for _, collection := range []string{"by_number", "shuffled", "by_text", "by_text_shuffled"} {
		t.Run(collection, func(t *testing.T) { compareWithSQL(t, conn, collection, len(tables["product"])-1) })
	}
}
