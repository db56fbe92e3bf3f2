package command

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"systemscale/etl/internal/dump/dumptest"
	"systemscale/sql"
	"systemscale/sql/testdb"
)

// etl runs a command line.
func etl(ctx context.Context, args ...string) (code int, stdout, stderr string) {
	var out, err bytes.Buffer
	code = Run(ctx, args, &out, &err)
	return code, out.String(), err.String()
}

// written returns the body of a document of the live version, as Postgres prints it.
func written(t *testing.T, conn *pgx.Conn, collection, endpoint string, id int64) string {
	t.Helper()
	var generation int64
	err := conn.QueryRow(t.Context(), "select generation from catalog.version where collection = $1", collection).Scan(&generation)
	if err != nil {
		t.Fatal(err)
	}
	var etag int64
	var body string
	statement := sql.QueryFor("api/get_documents", "identity", "0", "table", sql.DocumentTable(collection, endpoint, generation))
	err = conn.QueryRow(t.Context(), statement, []int64{id}).Scan(nil, nil, &etag, &body)
	if errors.Is(err, pgx.ErrNoRows) {
		return ""
	}
	if err != nil {
		t.Fatal(err)
	}
	return body
}

func TestRunPublishesRealRows(t *testing.T) {
	database := testdb.New(t)
	conn := testdb.Connect(t, database.API)
	rejects := t.TempDir()

	code, stdout, stderr := etl(t.Context(), "run", "--database", database.ETL, "--csv", "../../testdata/v1", "--rejects", rejects)
	if code != exitOK {
		t.Fatalf("exit code %d: %s", code, stderr)
	}
	for _, line := range []string{
		"product.csv    350   350         0         0         0\n",
		"photos.csv     287   287         0         0        11\n",
		"photos.csv: 10 repaired: closed quote",
		"photos.csv: 1 repaired: uhttps",
		"version 1 is published",
	} {
		if !strings.Contains(stdout, line) {
			t.Errorf("the report has no %q:\n%s", line, stdout)
		}
	}
	// With fields that span lines, these styles would have no photos.
	for style := 13; style <= 36; style++ {
		at := fmt.Sprintf(`jsonb_path_query_first(body, '$.results[*] ? (@.style_id == %d).photos[0].url')`, style)
		var url *string
		err := conn.QueryRow(t.Context(), `select `+at+` #>> '{}' from catalog.products_styles_g1 where `+at+` is not null`).Scan(&url)
		if err != nil || url == nil || !strings.HasPrefix(*url, "https://") {
			t.Errorf("style %d has no photo (%v)", style, err)
		}
	}
	if entries, err := os.ReadDir(rejects); err != nil || len(entries) > 0 {
		t.Errorf("nothing was rejected, and the directory of rejects has %v (%v)", entries, err)
	}

	code, stdout, stderr = etl(t.Context(), "run", "--database", database.ETL, "--csv", "../../testdata/v2", "--rejects", rejects,
		"--accept", "rejects", "--accept", "removed", "--accept", "changed", "--accept", "fewer-rows")
	if code != exitOK {
		t.Fatalf("exit code %d: %s", code, stderr)
	}
	if !strings.Contains(stdout, "product.csv: 1 repaired: stray label") ||
		!strings.Contains(written(t, conn, "products", "product", 11), `"default_price": "49.00"`) {
		t.Errorf("the price after a stray label is not repaired and counted:\n%s", stdout)
	}

	// The same row without its first quote is malformed.
	badPrice := t.TempDir()
	if err := os.CopyFS(badPrice, os.DirFS("../../testdata/v2")); err != nil {
		t.Fatal(err)
	}
	products, err := os.ReadFile("../../testdata/v2/product.csv")
	if err != nil {
		t.Fatal(err)
	}
	dumptest.Write(t, badPrice, map[string]string{
		"product.csv": strings.Replace(string(products), `"default_price": 49`, `default_price": 49`, 1),
	})
	code, stdout, stderr = etl(t.Context(), "run", "--database", database.ETL, "--csv", badPrice, "--rejects", rejects, "--accept", "rejects")
	if code != exitOK {
		t.Fatalf("exit code %d: %s", code, stderr)
	}
	const row = `11,"Air Minis 250","Full court support"`
	if !strings.Contains(stdout, "product.csv:12: default_price bare quote: `"+row) ||
		!strings.Contains(stdout, "features.csv: 3 rejected: orphan") {
		t.Errorf("the malformed price is not reported with file, line and text:\n%s", stdout)
	}
	if raw, err := os.ReadFile(filepath.Join(rejects, "products-3", "product.csv")); err != nil || !strings.HasPrefix(string(raw), row) {
		t.Errorf("the rejected row is not kept: %q, %v", raw, err)
	}
	if written(t, conn, "products", "product", 11) != "" || !strings.Contains(written(t, conn, "products", "product", 12), `"id": 12`) {
		t.Error("the product with the malformed price is published, or the next product is not")
	}
}

// TestRunPublishesAnotherShape publishes a second collection, with another shape file.
func TestRunPublishesAnotherShape(t *testing.T) {
	database := testdb.New(t)
	directory := t.TempDir()
	dumptest.Write(t, directory, map[string]string{
		"books.yaml": dumptest.Books, "book.csv": "isbn,title\n7,Seven\n", "review.csv": "id,isbn,stars\n1,7,5\n2,7,3\n",
	})
	for _, args := range [][]string{{"--csv", "../../testdata/v1"}, {"--csv", directory, "--shape", filepath.Join(directory, "books.yaml")}} {
		code, _, stderr := etl(t.Context(), append([]string{"run", "--database", database.ETL, "--rejects", directory}, args...)...)
		if code != exitOK {
			t.Fatalf("%v: exit code %d: %s", args, code, stderr)
		}
	}
	conn := testdb.Connect(t, database.API)
	if got := written(t, conn, "books", "reviews", 7); got != `{"book": "Seven", "stars": [5, 3]}` {
		t.Errorf("the book's document is %s", got)
	}
	if got := written(t, conn, "products", "related", 1); got != `[2, 3, 8, 7]` {
		t.Errorf("the product's document is %s", got)
	}
}

// validBooks returns the files of a run that succeeds.
func validBooks() map[string]string {
	return map[string]string{
		"books.yaml": dumptest.Books, "book.csv": "isbn,title\n7,Seven\n8,Eight\n", "review.csv": "id,isbn,stars\n1,7,5\n",
	}
}

// wantNoTables fails the test if the database has document tables.
func wantNoTables(t *testing.T, database testdb.Database) {
	t.Helper()
	var left int
	err := testdb.Connect(t, database.ETL).QueryRow(t.Context(),
		"select count(*) from pg_tables where schemaname = 'catalog' and tablename ~ '_g[0-9]+$'").Scan(&left)
	if err != nil || left != 0 {
		t.Errorf("failed runs left %d document tables (%v)", left, err)
	}
}

// TestRunFails covers the exit codes of runs that do not publish. The message names the remedy.
func TestRunFails(t *testing.T) {
	database := testdb.New(t)
	empty := testdb.NewEmpty(t)
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	misspelled := strings.Replace(dumptest.Books, "as: stars", "as: star", 1)
	for _, c := range []struct {
		name     string
		files    map[string]string // instead of the valid ones
		ctx      context.Context
		database string
		args     []string
		code     int
		want     string
	}{
		{name: "an unknown flag", args: []string{"--sped", "3"}, code: exitUsage, want: "unknown flag --sped"},
		{name: "no streams", args: []string{"--streams", "0"}, code: exitUsage, want: "--streams must be between 1 and 64"},
		{name: "a shape with a mistake", files: map[string]string{"books.yaml": misspelled}, code: exitUsage, want: `books.yaml:7:`},
		{
			name: "no shape", args: []string{"--shape", "missing.yaml"}, code: exitUsage,
			want: "missing.yaml:1:1: the shape file cannot be read: no such file",
		},
		{
			name: "no directory", args: []string{"--csv", "missing"}, code: exitFiles,
			want: "missing: there is no such directory: the dump has not arrived",
		},
		{
			name: "a file instead of a directory", args: []string{"--csv", "command_test.go"}, code: exitFiles,
			want: "command_test.go: it is a file: --csv takes the directory",
		},
		{name: "an empty file", files: map[string]string{"review.csv": ""}, code: 25, want: "review.csv: the file is empty"},
		{
			name: "a missing column", files: map[string]string{"book.csv": "isbn,name\n"}, code: 24,
			want: `book.csv:1: the header has no column "title"`,
		},
		{
			name: "two files with mistakes", files: map[string]string{"book.csv": "isbn\n", "review.csv": ""}, code: 24,
			want: "the shape file. If this is intended, pass --accept missing-column\nreview.csv: the file is empty: " +
				"it has no header. If this is intended, pass --accept empty-file",
		},
		{
			name: "mistakes that cannot be accepted", files: map[string]string{"book.csv": "", "review.csv": "id,stars\n"}, code: exitFiles,
			want: "book.csv: the file is empty: it has no header\n" +
				`review.csv:1: the header has no column "isbn"; it has id, stars. Correct the header, or the columns of source review in the shape file` + "\n",
		},
		{
			name: "no valid row", files: map[string]string{"book.csv": "isbn,title\nx,Seven\n"}, code: exitFiles,
			want: "book.csv: no row of this file can be used, so there is nothing to publish: 1 rejected: not an int\n" +
				"  book.csv:2: isbn not an int: `x,Seven`\nthe rejected rows are in ",
		},
		{
			name: "a header alone", files: map[string]string{"book.csv": "isbn,title\n"}, code: exitFiles,
			want: "nothing to publish: it has a header and no rows\n",
		},
		{
			name: "an unreachable database", database: "postgres://user:secret@127.0.0.1:1/none", code: exitDatabase,
			want: "connect to the database",
		},
		{name: "a malformed database URL", database: "postgres://%zz", code: exitUsage, want: "postgres://user:password@host:5432/name"},
		{name: "no schema", database: empty.ETL, code: exitDatabase, want: "run etl migrate"},
		{name: "interrupted", ctx: canceled, code: exitInterrupted, want: "interrupted"},
	} {
		t.Run(c.name, func(t *testing.T) {
			directory := t.TempDir()
			dumptest.Write(t, directory, validBooks())
			dumptest.Write(t, directory, c.files)
			args := append([]string{
				"run", "--csv", directory, "--shape", filepath.Join(directory, "books.yaml"),
				"--rejects", filepath.Join(directory, "rejects"), "--database", cmp.Or(c.database, database.ETL),
			}, c.args...)
			code, stdout, stderr := etl(cmp.Or(c.ctx, t.Context()), args...)
			if code != c.code || !strings.Contains(stderr, c.want) {
				t.Errorf("exit code %d, want %d; stderr %q, want %q in it", code, c.code, stderr, c.want)
			}
			if strings.Contains(stderr, "secret") || strings.Contains(stdout, "published") {
				t.Errorf("stderr %q, stdout %q", stderr, stdout)
			}
		})
	}
	wantNoTables(t, database)
}

func TestRunWithoutFiles(t *testing.T) {
	database := testdb.New(t)
	directory := t.TempDir()
	dumptest.Write(t, directory, map[string]string{"books.yaml": dumptest.Books})
	code, _, stderr := etl(t.Context(), "run", "--csv", directory, "--shape", filepath.Join(directory, "books.yaml"),
		"--database", database.ETL)
	for _, file := range []string{"book.csv", "review.csv"} {
		if code != exitFiles || !strings.Contains(stderr, file+": no such file or directory, and source ") {
			t.Errorf("exit code %d, stderr %q, want %s named", code, stderr, file)
		}
	}
	code, _, stderr = etl(t.Context(), "run", "--csv", filepath.Join(t.TempDir(), "dump"), "--database", database.ETL)
	if code != exitFiles || !strings.Contains(stderr, "the dump has not arrived") {
		t.Errorf("no directory: exit code %d, stderr %q", code, stderr)
	}
	wantNoTables(t, database)
}

func TestRunWithRejectsFailsToPublish(t *testing.T) {
	database := testdb.New(t)
	if _, err := testdb.Connect(t, database.ETL).Exec(t.Context(), `
		create function catalog.refuse() returns trigger language plpgsql as 'begin raise exception ''boom''; end';
		create trigger refuse before insert on catalog.version execute function catalog.refuse()`); err != nil {
		t.Fatal(err)
	}
	code, _, stderr := etl(t.Context(), "run", "--csv", "../../testdata/v2", "--accept", "rejects", "--rejects", t.TempDir(),
		"--database", database.ETL)
	if code != exitDatabase || !strings.Contains(stderr, "boom") || strings.Contains(stderr, "already closed") {
		t.Errorf("exit code %d, want %d; stderr %q", code, exitDatabase, stderr)
	}
	wantNoTables(t, database)
}

func TestRunCannotWriteRejects(t *testing.T) {
	database := testdb.New(t)
	directory := t.TempDir()
	dumptest.Write(t, directory, validBooks())
	dumptest.Write(t, directory, map[string]string{"book.csv": "isbn,title\nx,Seven\n8,Eight\n", "file": ""})
	code, _, stderr := etl(t.Context(), "run", "--csv", directory, "--shape", filepath.Join(directory, "books.yaml"),
		"--rejects", filepath.Join(directory, "file", "x"), "--database", database.ETL)
	if code != exitUnexpected || !strings.Contains(stderr, "not a directory") {
		t.Errorf("exit code %d, want %d; stderr %q", code, exitUnexpected, stderr)
	}
	wantNoTables(t, database)
}

func TestMigrateCommand(t *testing.T) {
	database := testdb.NewEmpty(t)
	for range 2 {
		if code, _, stderr := etl(t.Context(), "migrate", "--database", database.ETL); code != exitOK {
			t.Fatalf("exit code %d: %s", code, stderr)
		}
	}
	if code, _, stderr := etl(t.Context(), "migrate", "--database", "postgres://user:secret@127.0.0.1:1/none"); code != exitDatabase ||
		strings.Contains(stderr, "secret") {
		t.Errorf("exit code %d, stderr %q", code, stderr)
	}
}

func TestVersion(t *testing.T) {
	code, stdout, stderr := etl(t.Context(), "--version")
	if code != exitOK || strings.TrimSpace(stdout) == "" || strings.Count(stdout, "\n") != 1 || stderr != "" {
		t.Errorf("exit code %d, stdout %q, stderr %q", code, stdout, stderr)
	}
}

func TestHelpShowsAnExample(t *testing.T) {
	for _, args := range [][]string{
		{"--help"}, {"run", "--help"}, {"plan", "--help"}, {"history", "--help"}, {"rollback", "--help"}, {"migrate", "--help"},
	} {
		code, stdout, stderr := etl(t.Context(), args...)
		if code != exitOK || !strings.Contains(stdout, "Example:") || stderr != "" {
			t.Errorf("%v: exit code %d, stdout %q, stderr %q", args, code, stdout, stderr)
		}
	}
}
