package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"systemscale/api/internal/publishtest"
	"systemscale/sql"
	"systemscale/sql/testdb"
)

// TestBlocksReadOfTexts is TestBlocksRead for ids that are texts.
func TestBlocksReadOfTexts(t *testing.T) {
	database := testdb.New(t)
	etl := testdb.Connect(t, database.ETL)
	exec := func(statement string) {
		t.Helper()
		if _, err := etl.Exec(t.Context(), statement, pgx.QueryExecModeSimpleProtocol); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	const table = "things_item_g1"
	exec(sql.QueryFor("etl/create_text_document_table", "table", table))
	exec(sql.QueryFor("etl/create_primary_key", "table", table, "constraint", table+"_pkey"))
	exec(`insert into catalog.run (collection, state, mode, holder, generation, finished_at, documents)
		select 'things', 'published', 'delta', 'test', 1, now(), '[{"name": "item", "rows": 5}]' from generate_series(1, 3)`)
	exec(`insert into catalog.version (collection, generation, run_id, documents)
		values ('things', 1, 3, '[{"name": "item", "path": "", "id_parts": 1}]')`)
	version := Version{Collection: collection, Generation: 1, Run: 3, Endpoints: []sql.Endpoint{{Name: "item", IDParts: 1}}}
	item, log := version.endpoint("item"), version.endpoint("")
	item.table = table
	config, err := configure(Options{URL: database.API, Timeout: publishtest.Patience})
	if err != nil {
		t.Fatal(err)
	}
	measure := func(rows int) map[string]int {
		exec("truncate catalog.text_change, catalog.text_page_anchor, catalog." + table)
		exec(fmt.Sprintf(`insert into catalog.%s select 'id ' || lpad(n::text, 8, '0'), n, '{}' from generate_series(1, %d) n`, table, rows))
		exec("insert into catalog.text_page_anchor select 'things', 1, (etag - 1) / 100, id from catalog." + table + " where etag % 100 = 1")
		exec(`insert into catalog.text_change (collection, generation, run_id, document, id, kind)
			select 'things', 1, r, 'item', id, 'changed' from catalog.` + table + `, generate_series(2, 3) r`)
		exec("vacuum analyze catalog.text_change")
		exec("vacuum analyze catalog." + table)
		conn, err := pgx.ConnectConfig(t.Context(), config)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close(context.Background()) }()
		return map[string]int{
			"document":            blocks(t, conn, item.statement(kindGet), fmt.Sprintf("'{id %08d}'", rows/2)),
			"with its version":    blocks(t, conn, item.statement(kindVersioned), fmt.Sprintf("'{id %08d}'", rows/2)),
			"etag":                blocks(t, conn, item.statement(kindETag), fmt.Sprintf("'{id %08d}'", rows/2)),
			"page":                blocks(t, conn, item.statement(kindList), fmt.Sprintf("'things', 1, %d, 50, 5, 'item', 0", rows/200)),
			"changes, first":      blocks(t, conn, log.statement(kindChanges), "'things', 1, 2, '', '', 5, 0"),
			"changes, in between": blocks(t, conn, log.statement(kindChanges), fmt.Sprintf("'things', 1, 3, 'item', 'id %08d', 5, 0", rows/2)),
		}
	}
	before, after := measure(2_000), measure(40_000)
	for address, got := range after {
		if got > before[address]+12 || got > 40 {
			t.Errorf("%s: %d blocks, and %d in a small catalog", address, got, before[address])
		}
	}
}

// TestConcurrentLookupsOfTexts looks up texts together, the same ones and others, which share statements.
func TestConcurrentLookupsOfTexts(t *testing.T) {
	database := testdb.New(t)
	publisher := publishtest.NewPublisher(t, database)
	ids := []string{"a", "A", "ä", "a b", "10", "9", "{x}", `"`, `\`, ",", "null", "AC/DC"}
	slices.Sort(ids)
	table := publishtest.Table{Endpoint: sql.Endpoint{Name: "item", IDParts: 1}}
	for _, id := range ids {
		table.Rows = append(table.Rows, publishtest.NewTextRow("item", 1, id))
	}
	publisher.Publish(collection, table)
	s := open(t, Options{URL: database.API, Connections: 1})
	publishtest.Eventually(t, "the store is ready", func() bool { return s.Ready() == nil })
	item := s.Snapshot().Collection([]byte(collection)).Path(nil)
	var clients sync.WaitGroup
	for n := range 16 {
		clients.Go(func() {
			for i := range 200 {
				row := table.Rows[(n+i)%len(ids)]
				var unless Match
				if i%3 == 0 {
					unless.ETags = []uint64{row.ETag}
				}
				result, err := s.Get(item, row.ID, unless, nil)
				if err != nil || result.ETag != row.ETag || result.NotModified != (i%3 == 0) {
					t.Errorf("%q: %+v, %v", row.ID, result, err)
					return
				}
				if _, err := s.Get(item, sql.TextID("no "+row.ID.Text()), unless, nil); !errors.Is(err, ErrNotFound) {
					t.Errorf("an unknown id: %v", err)
					return
				}
			}
		})
	}
	clients.Wait()
	s.queue.mutex.Lock()
	defer s.queue.mutex.Unlock()
	if left := len(s.queue.inFlight); left != 0 {
		t.Errorf("%d lookups are still in flight", left)
	}
}
