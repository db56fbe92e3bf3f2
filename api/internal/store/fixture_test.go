package store

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"systemscale/api/internal/publishtest"
	"systemscale/sql"
	"systemscale/sql/testdb"
)

const collection = "things"

// fixture is a database in which a collection is published, and a store that serves it.
type fixture struct {
	*Store
	t         testing.TB
	database  testdb.Database
	publisher *publishtest.Publisher
}

// newFixture publishes edition 1 with some ids and opens a store that has seen it.
func newFixture(t testing.TB, ids int, options Options) *fixture {
	t.Helper()
	database := testdb.New(t)
	f := &fixture{t: t, database: database, publisher: publishtest.NewPublisher(t, database)}
	f.publish(1, ids)
	if options.URL == "" {
		options.URL = database.API
	}
	f.Store = open(t, options)
	publishtest.Eventually(t, "the store is ready", func() bool { return f.Ready() == nil })
	return f
}

func open(t testing.TB, options Options) *Store {
	t.Helper()
	if options.Logger == nil {
		options.Logger = slog.New(slog.DiscardHandler)
	}
	s, err := Open(options)
	if err != nil {
		t.Fatalf("open the store: %v", err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), publishtest.Patience)
		defer cancel()
		if err := s.Close(ctx); err != nil {
			t.Errorf("close the store: %v", err)
		}
	})
	return s
}

// publish makes an edition live: the same ids, with the edition in each body and etag.
func (f *fixture) publish(edition, ids int) int64 {
	f.t.Helper()
	var item, detail []publishtest.Row
	for id := int64(1); id <= int64(ids); id++ {
		item = append(item, publishtest.NewRow("item", edition, id))
		detail = append(detail, publishtest.NewRow("detail", edition, id))
	}
	return f.publisher.Publish(collection,
		publishtest.Table{Endpoint: sql.Endpoint{Name: "item"}, Rows: item},
		publishtest.Table{Endpoint: sql.Endpoint{Name: "detail", Path: "detail"}, Rows: detail},
		publishtest.Table{Endpoint: sql.Endpoint{Name: "page", List: true}, Rows: item},
	)
}

// checkBody fails t unless result is the whole document with id, of any edition, and returns the edition.
func checkBody(t testing.TB, document string, id int64, result Result) int {
	t.Helper()
	var got struct {
		ID      int64
		Edition int
	}
	if err := json.Unmarshal(result.Body, &got); err != nil {
		t.Errorf("body of %s %d is not JSON: %v: %.100q", document, id, err, result.Body)
		return 0
	}
	want := publishtest.NewRow(document, got.Edition, id)
	if string(result.Body) != want.Body || result.ETag != want.ETag {
		t.Errorf("%s %d: got etag %016x and %.100q, want etag %016x and %.100q",
			document, id, result.ETag, result.Body, want.ETag, want.Body)
	}
	return got.Edition
}

func (f *fixture) document(path string) *Endpoint {
	f.t.Helper()
	endpoint := f.Snapshot().Collection([]byte(collection)).Path([]byte(path))
	if endpoint == nil {
		f.t.Fatalf("no document is served at %q", path)
	}
	return endpoint
}

func (f *fixture) list() *Endpoint { return f.Snapshot().Collection([]byte(collection)).List }

// lock blocks all reads of document until the returned function is called.
func (f *fixture) lock(endpoint *Endpoint) (unlock func()) {
	f.t.Helper()
	ctx := context.Background()
	conn := testdb.Connect(f.t, f.database.ETL)
	transaction, err := conn.Begin(ctx)
	if err == nil {
		_, err = transaction.Exec(ctx, "lock table "+pgx.Identifier{"catalog", endpoint.table}.Sanitize()+" in access exclusive mode")
	}
	if err != nil {
		f.t.Fatalf("lock %s: %v", endpoint.table, err)
	}
	return func() {
		if err := transaction.Rollback(ctx); err != nil {
			f.t.Errorf("unlock %s: %v", endpoint.table, err)
		}
	}
}

// change runs statements in a transaction that makes a new run of the same tables live, and returns the run. $run in the statements
// is its number.
func (f *fixture) change(endpoint *Endpoint, statements ...string) (run int64) {
	f.t.Helper()
	conn := testdb.Connect(f.t, f.database.ETL)
	err := pgx.BeginFunc(context.Background(), conn, func(tx pgx.Tx) error {
		if err := tx.QueryRow(context.Background(), sql.Query("etl/insert_run"), collection, "delta", "test").Scan(&run); err != nil {
			return err
		}
		for _, statement := range append(statements,
			fmt.Sprintf("update catalog.run set state = 'published', finished_at = now(), generation = %d, "+
				"documents = case documents when '[]' then "+
				"(select r.documents from catalog.run r join catalog.version v on v.run_id = r.id) else documents end "+
				"where id = $run", endpoint.Generation),
			"update catalog.version set run_id = $run, published_at = now()",
		) {
			if _, err := tx.Exec(context.Background(), strings.ReplaceAll(statement, "$run", strconv.FormatInt(run, 10))); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		f.t.Fatalf("change %s: %v", endpoint.table, err)
	}
	return run
}

// fetchable returns the lookups that wait for a connection.
func (q *queue) fetchable() []*lookup {
	q.mutex.Lock()
	defer q.mutex.Unlock()
	return slices.Clone(q.waiting)
}
