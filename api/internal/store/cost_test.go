package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"systemscale/api/internal/publishtest"
	"systemscale/sql"
	"systemscale/sql/testdb"
)

// blocks returns how many blocks the server reads to execute a statement, as the store would, with these arguments.
func blocks(t *testing.T, conn *pgx.Conn, s *statement, arguments string) (read int) {
	t.Helper()
	exec := func(statement string) {
		t.Helper()
		if _, err := conn.Exec(t.Context(), statement, pgx.QueryExecModeSimpleProtocol); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	var types []string
	for _, oid := range s.declared.parameters {
		known, found := conn.TypeMap().TypeForOID(oid)
		if !found {
			t.Fatalf("no type %d", oid)
		}
		types = append(types, strings.NewReplacer("_int8", "int8[]", "_text", "text[]").Replace(known.Name))
	}
	exec("prepare costly (" + strings.Join(types, ", ") + ") as " + s.text)
	defer exec("deallocate costly")
	for range 2 { // the first reads the catalogs, and sets hint bits
		var text string
		explain := "explain (analyze, buffers, timing off, format json) execute costly (" + arguments + ")"
		if err := conn.QueryRow(t.Context(), explain, pgx.QueryExecModeSimpleProtocol).Scan(&text); err != nil {
			t.Fatal(err)
		}
		var plans []struct {
			Plan struct {
				Hit  int `json:"Shared Hit Blocks"`
				Read int `json:"Shared Read Blocks"`
			}
		}
		if err := json.Unmarshal([]byte(text), &plans); err != nil {
			t.Fatal(err)
		}
		read = plans[0].Plan.Hit + plans[0].Plan.Read
	}
	return read
}

// size is the size of a catalog, its change log and its history.
type size struct{ documents, changes, runs int }

// fillCatalog fills a catalog with a few kept runs and their log, after many runs that are not kept. Every second of these published
// nothing.
func fillCatalog(t *testing.T, etl *pgx.Conn, size size) {
	t.Helper()
	exec := func(statement string) {
		t.Helper()
		if _, err := etl.Exec(t.Context(), statement, pgx.QueryExecModeSimpleProtocol); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	exec("truncate catalog.change, catalog.page_anchor, catalog.things_item_g1, catalog.things_page_g1")
	exec("update catalog.version set run_id = 1")
	exec("delete from catalog.run where id > 1")
	exec("update catalog.run set state = 'published', generation = 1, finished_at = now() where id = 1")
	exec(fmt.Sprintf(`insert into catalog.run (id, collection, state, mode, holder) overriding system value
		select n, 'things', case when n %% 2 = 0 then 'unchanged' else 'published' end, 'delta', 'test'
		from generate_series(2, %d) n`, size.runs))
	exec(fmt.Sprintf(`insert into catalog.run
			(id, collection, state, mode, holder, generation, finished_at, documents) overriding system value
		select n, 'things', 'published', 'delta', 'test', 1, now(), '[{"name": "page", "rows": 5}]'
		from generate_series(%d, %[1]d + 2) n`, size.runs+1))
	exec(fmt.Sprintf("update catalog.version set run_id = %d", size.runs+3))
	for _, table := range []string{"item", "page"} {
		exec(fmt.Sprintf(`insert into catalog.things_%s_g1 select n, n, jsonb_build_object('id', n, 'name', repeat('x', 100))
			from generate_series(1, %d) n`, table, size.documents))
	}
	exec("insert into catalog.page_anchor select 'things', 1, (id - 1) / 100, id from catalog.things_page_g1 where id % 100 = 1")
	exec(fmt.Sprintf(`insert into catalog.change (collection, generation, run_id, document, id, kind)
		select 'things', 1, r, 'item', n, 'changed' from generate_series(1, %d) n, generate_series(%d, %[2]d + 2) r`,
		size.changes/3, size.runs+1))
	for _, table := range []string{"change", "page_anchor", "things_item_g1", "things_page_g1", "run", "version"} {
		exec("vacuum analyze catalog." + table)
	}
}

// TestBlocksRead executes the statements of every address, with a catalog, a change log and a history of two sizes. The
// number of blocks must be small, and must not depend on the size.
func TestBlocksRead(t *testing.T) {
	small, large := size{2_000, 2_100, 20}, size{30_000, 60_000, 8_000}
	database := testdb.New(t)
	f := &fixture{t: t, database: database, publisher: publishtest.NewPublisher(t, database)}
	f.publish(1, 10)
	etl := testdb.Connect(t, database.ETL)
	config, err := configure(Options{URL: database.API, Timeout: publishtest.Patience})
	if err != nil {
		t.Fatal(err)
	}
	version := Version{Collection: collection, Generation: 1, Run: 1}
	item, page := version.endpoint("item"), version.endpoint("page")
	item.table, page.table = "things_item_g1", "things_page_g1"
	log := version.endpoint("")

	measure := func(size size) map[string]int {
		conn, err := pgx.ConnectConfig(t.Context(), config)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close(context.Background()) }()
		live, lastPage := size.runs+3, (size.documents-1)/100
		first := fmt.Sprintf("'things', %d, %d, '', 0, ", size.runs, size.runs+1)
		last := fmt.Sprintf("'things', %d, %d, 'item', %d, ", size.runs, live, size.changes/3-500)
		read := func(statement *statement, arguments string, values ...any) int {
			return blocks(t, conn, statement, fmt.Sprintf(arguments, values...))
		}
		return map[string]int{
			"document":                      read(item.statement(kindGet), "'{%d}'", size.documents/2),
			"document that does not exist":  read(item.statement(kindGet), "'{%d}'", size.documents*2),
			"document with its version":     read(item.statement(kindVersioned), "'{%d}'", size.documents/2),
			"etag":                          read(item.statement(kindETag), "'{%d}'", size.documents/2),
			"page, first, 1":                read(page.statement(kindList), "'things', 1, 0, 0, 1, 'page', 0"),
			"page, first, 1000":             read(page.statement(kindList), "'things', 1, 0, 0, 1000, 'page', 0"),
			"page, deep, 1":                 read(page.statement(kindList), "'things', 1, %d, 99, 1, 'page', 0", lastPage),
			"page, deep, 1000":              read(page.statement(kindList), "'things', 1, %d, 99, 1000, 'page', 0", lastPage-10),
			"page, beyond the end":          read(page.statement(kindList), "'things', 1, 90071992547409, 99, 1000, 'page', 0"),
			"page, generation not kept":     read(page.statement(kindList), "'things', 7, 0, 0, 5, 'page', 0"),
			"changes, first, 1":             read(log.statement(kindChanges), "%s1, 0", first),
			"changes, first, 1000":          read(log.statement(kindChanges), "%s1000, 0", first),
			"changes, last, 1000":           read(log.statement(kindChanges), "%s1000, 0", last),
			"changes, nothing new":          read(log.statement(kindChanges), "'things', %d, %d, '', 0, 1000, 0", live, live+1),
			"changes, of the last run, 1":   read(log.statement(kindChanges), "'things', %d, %d, '', 0, 1, 0", live-1, live),
			"changes, cursor after the end": read(log.statement(kindChanges), "'things', %d, %d, 'zzz', 1, 1000, 0", size.runs, live),
			"changes, not in the log":       read(log.statement(kindChanges), "'things', 0, 1, '', 0, 1000, 0"),
			"changes, of the future":        read(log.statement(kindChanges), "'things', %d, %d, '', 0, 1000, 0", live+9, live+10),
			"changes, before many runs":     read(log.statement(kindChanges), "'things', 1, 2, '', 0, 1000, 0"),
		}
	}
	fillCatalog(t, etl, small)
	before := measure(small)
	fillCatalog(t, etl, large)
	after := measure(large)
	for address, got := range after {
		t.Logf("%-30s %4d blocks, %4d in a small catalog", address, got, before[address])
		// Some indexes have one more level.
		if got > before[address]+12 {
			t.Errorf("%s: %d blocks, and %d in a small catalog", address, got, before[address])
		}
		most := 32
		if strings.HasSuffix(address, "1000") {
			most = 150
		}
		if got > most {
			t.Errorf("%s: %d blocks, want at most %d", address, got, most)
		}
	}
}

// TestPagesDoNotDelayDocuments blocks pages and changes. Documents are still looked up, and the number of waiting pages is limited.
func TestPagesDoNotDelayDocuments(t *testing.T) {
	f := newFixture(t, 20, Options{Connections: 1, Poll: time.Hour, Timeout: publishtest.Patience})
	lock := testdb.Connect(t, f.database.ETL)
	transaction, err := lock.Begin(t.Context())
	if err == nil {
		_, err = transaction.Exec(t.Context(), "lock table catalog.page_anchor, catalog.change in access exclusive mode")
	}
	if err != nil {
		t.Fatal(err)
	}
	things := f.Snapshot().Collection([]byte(collection))
	const askers = 4 * (pageQueue + pageBatch)
	errs := make(chan error, askers)
	for i := range askers {
		go func() {
			var err error
			if i%2 == 0 {
				_, err = f.List(things.List, 0, 5, nil)
			} else {
				_, err = f.Changes(things, 0, Cursor{}, int64(i+1), nil)
			}
			errs <- err
		}()
	}
	for range askers - pageQueue - pageBatch {
		if err := <-errs; !errors.Is(err, ErrOverloaded) {
			t.Errorf("beyond the limit: %v, want %v", err, ErrOverloaded)
		}
	}
	for id := int64(1); id <= 20; id++ {
		result, err := f.Get(f.document(""), sql.IntID(id), Match{}, nil)
		if err != nil {
			t.Fatalf("a document while pages are delayed: %v", err)
		}
		checkBody(t, "item", id, result)
	}
	// Responses without a lookup are not delayed either.
	result, err := f.Changes(things, things.Run, Cursor{}, 10, []byte("kept"))
	if err != nil || result.Run != things.Run || !strings.HasPrefix(string(result.Body), `kept{"next": null`) {
		t.Errorf("nothing new while the log is locked: %s, %v", result.Body, err)
	}
	if len(errs) > pageQueue+pageBatch-1 {
		t.Error("no page was delayed, so the test proves nothing")
	}
	if err := transaction.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range pageQueue + pageBatch {
		if err := <-errs; err != nil && !errors.Is(err, ErrOverloaded) && !errors.Is(err, ErrHistoryTooShort) {
			t.Errorf("a page that waited: %v", err)
		}
	}
}

// TestNoChangesEqualsDatabaseResult compares the result without a lookup with that of the statement.
func TestNoChangesEqualsDatabaseResult(t *testing.T) {
	f := newFixture(t, 3, Options{Poll: time.Hour})
	conn := testdb.Connect(t, f.database.ETL)
	if _, err := conn.Exec(t.Context(), "update catalog.run set state = 'published', generation = id, finished_at = now()"); err != nil {
		t.Fatal(err)
	}
	things := f.Snapshot().Collection([]byte(collection))
	l := newLookup()
	l.kind, l.endpoint, l.since, l.after, l.limit = kindChanges, things.log, things.Run, Cursor{Run: things.Run + 1}, 10
	want, err := f.lookUp(l, nil)
	if err != nil {
		t.Fatal(err)
	}
	got, err := f.Changes(things, things.Run, Cursor{}, 10, nil)
	if err != nil || string(got.Body) != string(want.Body) || got.Run != want.Run || !got.PublishedAt.Equal(want.PublishedAt) {
		t.Errorf("got %+v (%v), want %+v", got, err, want)
	}
}
