package publish

import (
	"errors"
	"strings"
	"testing"
	"time"

	"systemscale/sql/testdb"
)

// TestDrop removes one of two collections, and publishes it again.
func TestDrop(t *testing.T) {
	database := testdb.New(t)
	conn := testdb.Connect(t, database.ETL)
	for _, collection := range []string{"things", "museums"} {
		session := open(t, database, collection)
		if err := session.Register(t.Context(), []string{"http://gateway:8281"}); err != nil {
			t.Fatal(err)
		}
		publish(t, session, 3)
		publish(t, session, 4)
		session.Close()
	}
	const rows = `select (select count(*) from catalog.version where collection = $1) + (select count(*) from catalog.run where collection = $1)
		+ (select count(*) from catalog.gateway where collection = $1) + (select count(*) from catalog.page_anchor where collection = $1) + (select count(*) from catalog.text_page_anchor where collection = $1)
		+ (select count(*) from catalog.change where collection = $1) + (select count(*) from catalog.text_change where collection = $1)
		+ (select count(*) from pg_tables where schemaname = 'catalog' and tablename like $1 || '\_%')`
	count := func(collection string) (n int) {
		t.Helper()
		if err := conn.QueryRow(t.Context(), rows, collection).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	other := count("museums")
	if live, err := Find(t.Context(), database.ETL, "things"); err != nil || live == 0 {
		t.Fatalf("run %d is live (%v)", live, err)
	}
	session := open(t, database, "things")
	if err := session.Drop(t.Context()); err != nil {
		t.Fatal(err)
	}
	session.Close()
	if left := count("things"); left != 0 {
		t.Errorf("%d rows and tables are left", left)
	}
	if now := count("museums"); now != other {
		t.Errorf("the other collection has %d rows and tables, and had %d", now, other)
	}
	var unknown *UnknownError
	if _, err := Find(t.Context(), database.ETL, "things"); !errors.As(err, &unknown) || !strings.Contains(err.Error(), "no collection things; it has museums") {
		t.Errorf("a dropped collection is found: %v", err)
	}
	publish(t, open(t, database, "things"), 2)
	if live, err := Find(t.Context(), database.ETL, "things"); err != nil || live == 0 {
		t.Errorf("published again, run %d is live (%v)", live, err)
	}
}

// TestDropWhileATableIsRead removes the version at once, and the tables when the reader has ended.
func TestDropWhileATableIsRead(t *testing.T) {
	defer func(before time.Duration) { dropPatience = before }(dropPatience)
	dropPatience = time.Millisecond
	database := testdb.New(t)
	session := open(t, database, "things")
	published := publish(t, session, 3)
	reader := testdb.Connect(t, database.API)
	tx, err := reader.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), "select from catalog.things_item_g1"); err != nil {
		t.Fatal(err)
	}
	err = session.Drop(t.Context())
	if err == nil || !strings.Contains(err.Error(), "things is no longer served, but a long transaction, such as a dump, uses its table things_item_g1") {
		t.Errorf("error %v", err)
	}
	session.Close()
	if live, err := Find(t.Context(), database.ETL, "things"); err != nil || live != 0 {
		t.Errorf("after run %d, run %d is live (%v)", published.Run, live, err)
	}
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	again := open(t, database, "things")
	if err := again.Drop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := tables(t, testdb.Connect(t, database.ETL)); got != "" {
		t.Errorf("tables %s are left", got)
	}
}
