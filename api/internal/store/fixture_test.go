package store

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"systemscale/api/internal/catalogtest"
	"systemscale/sql"
	"systemscale/sql/testdb"
)

// patience is how long a test waits for what must happen, not how long it may take.
const patience = 20 * time.Second

const collection = "things"

// fixture is a database in which a collection is published, and a store that serves it.
type fixture struct {
	*Store
	t         testing.TB
	database  testdb.Database
	publisher *catalogtest.Publisher
}

// newFixture publishes edition 1 with some ids and opens a store that has seen it.
func newFixture(t testing.TB, ids int, options Options) *fixture {
	t.Helper()
	database := testdb.New(t)
	f := &fixture{t: t, database: database, publisher: catalogtest.NewPublisher(t, database)}
	f.publish(1, ids)
	if options.URL == "" {
		options.URL = database.API
	}
	f.Store = open(t, options)
	eventually(t, "the store is ready", func() bool { return f.Ready() == nil })
	return f
}

func open(t testing.TB, options Options) *Store {
	t.Helper()
	if options.Logger == nil {
		options.Logger = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	s, err := Open(options)
	if err != nil {
		t.Fatalf("open the store: %v", err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := s.Close(ctx); err != nil {
			t.Errorf("close the store: %v", err)
		}
	})
	return s
}

// publish makes an edition live: the same ids, each body and etag saying which edition it is from.
func (f *fixture) publish(edition, ids int) int64 {
	f.t.Helper()
	var item, detail []catalogtest.Row
	for id := int64(1); id <= int64(ids); id++ {
		item = append(item, row("item", edition, id))
		detail = append(detail, row("detail", edition, id))
	}
	return f.publisher.Publish(collection,
		catalogtest.Table{Document: sql.Document{Name: "item"}, Rows: item},
		catalogtest.Table{Document: sql.Document{Name: "detail", Path: "detail"}, Rows: detail},
		catalogtest.Table{Document: sql.Document{Name: "page", List: true}, Rows: item},
	)
}

// row makes a document whose size varies with its id and whose body holds all that it must go with.
func row(document string, edition int, id int64) catalogtest.Row {
	etag := uint64(edition)<<40 | uint64(id)<<8 | uint64(len(document)) | 1<<63
	pad := strings.Repeat(document+" ", int(id*37%499))
	body := fmt.Sprintf(`{"id": %d, "pad": "%s", "etag": "%016x", "edition": %d}`, id, pad, etag, edition)
	return catalogtest.Row{ID: id, ETag: etag, Body: body}
}

// checkBody fails t unless result is the whole document with id, of any edition, and returns the edition.
func checkBody(t testing.TB, document string, id int64, result Result) int {
	t.Helper()
	var said struct {
		ID      int64
		Edition int
	}
	if err := json.Unmarshal(result.Body, &said); err != nil {
		t.Errorf("body of %s %d is no JSON: %v: %.100q", document, id, err, result.Body)
		return 0
	}
	want := row(document, said.Edition, id)
	if string(result.Body) != want.Body || result.ETag != want.ETag {
		t.Errorf("%s %d: got etag %016x and %.100q, want etag %016x and %.100q", document, id, result.ETag, result.Body, want.ETag, want.Body)
	}
	return said.Edition
}

func (f *fixture) document(path string) *Document {
	f.t.Helper()
	document := f.Snapshot().Collection([]byte(collection)).Path([]byte(path))
	if document == nil {
		f.t.Fatalf("no document is served at %q", path)
	}
	return document
}

func (f *fixture) list() *Document { return f.Snapshot().Collection([]byte(collection)).List }

// lock keeps everybody from reading document until the function that it returns is called.
func (f *fixture) lock(document *Document) (unlock func()) {
	f.t.Helper()
	ctx := context.Background()
	conn := testdb.Connect(f.t, f.database.ETL)
	transaction, err := conn.Begin(ctx)
	if err == nil {
		_, err = transaction.Exec(ctx, "lock table "+pgx.Identifier{"catalog", document.table}.Sanitize()+" in access exclusive mode")
	}
	if err != nil {
		f.t.Fatalf("lock %s: %v", document.table, err)
	}
	return func() {
		if err := transaction.Rollback(ctx); err != nil {
			f.t.Errorf("unlock %s: %v", document.table, err)
		}
	}
}

// eventually waits for a condition.
func eventually(t testing.TB, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !condition(); {
		if time.Now().After(deadline) {
			t.Fatalf("waited %s in vain: %s", patience, what)
		}
		time.Sleep(time.Millisecond)
	}
}
