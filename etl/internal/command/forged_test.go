package command

import (
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"systemscale/etl/internal/dump"
	"systemscale/sql"
	"systemscale/sql/testdb"
)

// The styles documents of the two dumps have the same xxh3 hash. The third digit of a price differs.
const (
	forgedA = "../../testdata/forged/a"
	forgedB = "../../testdata/forged/b"
)

// TestForgedDocumentIsPublished publishes two documents with the same unkeyed hash one after the other.
func TestForgedDocumentIsPublished(t *testing.T) {
	database := testdb.New(t)
	runForged(t, database, forgedA, exitOK, "version 1 is published")
	planForged(t, database, exitChanges, "1000000.00")
	runForged(t, database, forgedB, exitOK, "version 2 is published")
	conn := testdb.Connect(t, database.API)
	if body := written(t, conn, "products", "styles", 1); !strings.Contains(body, "3000000.00") {
		t.Errorf("%s", body)
	}
}

// TestGenerationOfAnEarlierBuild runs against documents whose etags are unkeyed. They need not be loaded again, and the next generation is
// keyed.
func TestGenerationOfAnEarlierBuild(t *testing.T) {
	database := testdb.New(t)
	runForged(t, database, forgedA, exitOK, "version 1 is published")
	conn := testdb.Connect(t, database.ETL)
	unkey(t, conn, forgedA)
	planForged(t, database, exitOK) // the forged document counts as unchanged
	runForged(t, database, forgedA, exitOK, "nothing changed, and version 1 stays")

	runForged(t, database, forgedA, exitOK, "version 3 is published", "--mode", "generation")
	runForged(t, database, forgedA, exitOK, "nothing changed, and version 3 stays")
	planForged(t, database, exitChanges, "1000000.00")
	code, _, stderr := etl(t.Context(), "rollback", "--no-hold", "--database", database.ETL)
	if code != exitOK {
		t.Fatalf("rollback: exit code %d: %s", code, stderr)
	}
	// The etags are those of the earlier generation again.
	runForged(t, database, forgedA, exitOK, "nothing changed, and version 5 stays")
}

// TestReadersCannotReadTheKey tests the right of the API's role, which may read all other tables.
func TestReadersCannotReadTheKey(t *testing.T) {
	database := testdb.New(t)
	const statement = `select "key" from "catalog"."etag_key"`
	var key []byte
	if err := testdb.Connect(t, database.ETL).QueryRow(t.Context(), statement).Scan(&key); err != nil || len(key) != 32 {
		t.Fatalf("the ETL's role reads the key %x, %v", key, err)
	}
	err := testdb.Connect(t, database.API).QueryRow(t.Context(), statement).Scan(&key)
	if err == nil || !strings.Contains(err.Error(), "permission denied") {
		t.Errorf("the API's role reads the key: %v", err)
	}
}

func runForged(t *testing.T, database testdb.Database, directory string, want int, contains string, more ...string) {
	t.Helper()
	args := []string{"run", "--database", database.ETL, "--csv", directory, "--rejects", t.TempDir(), "--accept", "changed"}
	code, stdout, stderr := etl(t.Context(), append(args, more...)...)
	if code != want || !strings.Contains(stdout, contains) {
		t.Fatalf("run of %s: exit code %d, want %d and %q: %s%s", directory, code, want, contains, stdout, stderr)
	}
}

// planForged plans the second dump.
func planForged(t *testing.T, database testdb.Database, want int, contains ...string) {
	t.Helper()
	code, stdout, stderr := etl(t.Context(), "plan", "--database", database.ETL, "--csv", forgedB, "--accept", "changed")
	if code != want {
		t.Fatalf("plan: exit code %d, want %d: %s%s", code, want, stdout, stderr)
	}
	for _, part := range contains {
		if !strings.Contains(stdout, part) {
			t.Errorf("plan shows no %q:\n%s", part, stdout)
		}
	}
}

// unkey gives the live documents, which are those of a dump, the etags of an earlier build.
func unkey(t *testing.T, conn *pgx.Conn, directory string) {
	t.Helper()
	d, err := dump.Open(t.Context(), dump.Options{Directory: directory})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	spec := d.Spec()
	err = d.Pass(t.Context(), dump.Handlers{Document: func(document int, id sql.ID, etag uint64, _ []byte) error {
		table := pgx.Identifier{"catalog", sql.DocumentTable(spec.Collection, spec.Endpoints[document].Name, 1)}.Sanitize()
		_, err := conn.Exec(t.Context(), "update "+table+` set "etag" = $2 where "id" = $1`, id.Int(), int64(etag))
		return err
	}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Exec(t.Context(), `update "catalog"."run" set "etag_hash" = null`); err != nil {
		t.Fatal(err)
	}
}
