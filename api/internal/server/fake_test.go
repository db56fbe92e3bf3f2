package server

import (
	"errors"
	"fmt"
	"sort"
	"strings"
	"sync"
	"testing"
	"time"

	"systemscale/api/internal/publishtest"
	"systemscale/api/internal/store"
	"systemscale/sql"
)

// fake is a store in memory. It implements the contract of store.Store and fails on demand.
type fake struct {
	mutex     sync.Mutex
	snapshot  *store.Snapshot
	documents map[*store.Endpoint][]publishtest.Row
	versions  []store.Version
	runs      int64

	fail error         // error of the next lookups, if set
	hold chan struct{} // lookups wait until it is closed, if set
	loud bool          // lookups panic
	seen int           // lookups
}

func newFake(testing.TB) *fake {
	return &fake{snapshot: store.NewSnapshot(nil), documents: map[*store.Endpoint][]publishtest.Row{}}
}

func (f *fake) publish(collection string, tables ...publishtest.Table) int64 {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	f.runs++
	version := store.Version{Collection: collection, Generation: f.runs, Run: f.runs, PublishedAt: time.UnixMicro(f.runs)}
	for _, table := range tables {
		version.Endpoints = append(version.Endpoints, table.Endpoint)
	}
	f.versions = append(f.versions, version)
	f.snapshot = store.NewSnapshot(f.snapshot, f.versions...)
	published := f.snapshot.Collection([]byte(collection))
	for _, table := range tables {
		endpoint := published.List
		if !table.List {
			endpoint = published.Path([]byte(table.Path))
		}
		f.documents[endpoint] = table.Rows
	}
	return f.runs
}

func (f *fake) Snapshot() *store.Snapshot {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	return f.snapshot
}

// rows returns the documents, or the error set by the test.
func (f *fake) rows(endpoint *store.Endpoint) ([]publishtest.Row, error) {
	f.mutex.Lock()
	f.seen++
	hold, fail, loud, rows := f.hold, f.fail, f.loud, f.documents[endpoint]
	f.mutex.Unlock()
	if hold != nil {
		<-hold
	}
	if loud {
		panic("secret of the inside")
	}
	return rows, fail
}

func (f *fake) Get(endpoint *store.Endpoint, id sql.ID, unless store.Match, dst []byte) (store.Result, error) {
	rows, err := f.rows(endpoint)
	if errors.Is(err, store.ErrTimeout) {
		return store.Result{}, err // the buffer is lost
	}
	if err != nil {
		return store.Result{Body: dst}, err
	}
	at := sort.Search(len(rows), func(i int) bool { return !rows[i].ID.Before(id) })
	if at == len(rows) || rows[at].ID != id {
		return store.Result{Run: endpoint.Run, PublishedAt: time.UnixMicro(endpoint.Run), Body: dst}, store.ErrNotFound
	}
	result := store.Result{Run: endpoint.Run, ETag: rows[at].ETag, Body: dst, NotModified: unless.Any}
	for _, etag := range unless.ETags {
		result.NotModified = result.NotModified || etag == result.ETag
	}
	if !result.NotModified {
		result.Body = append(dst, rows[at].Body...)
	}
	return result, nil
}

func (f *fake) List(endpoint *store.Endpoint, skip, limit int64, dst []byte) (store.Result, error) {
	rows, err := f.rows(endpoint)
	if err != nil {
		return store.Result{Body: dst}, err
	}
	skip = min(skip, int64(len(rows)))
	var bodies []string
	for _, row := range rows[skip:min(skip+limit, int64(len(rows)))] {
		bodies = append(bodies, row.Body)
	}
	return store.Result{
		Run: endpoint.Run, PublishedAt: time.UnixMicro(endpoint.Run), Total: int64(len(rows)),
		Body: append(dst, "["+strings.Join(bodies, ",")+"]"...),
	}, nil
}

// Changes returns its arguments as a document.
func (f *fake) Changes(collection *store.Collection, since int64, after store.Cursor, limit int64, dst []byte) (store.Result, error) {
	if _, err := f.rows(nil); err != nil {
		return store.Result{Run: collection.Run, PublishedAt: collection.PublishedAt, Body: dst}, err
	}
	return store.Result{
		Run: collection.Run, PublishedAt: collection.PublishedAt,
		Body: fmt.Appendf(dst, `{"collection": %q, "since": %d, "after": "%d.%s.%s", "count": %d}`,
			collection.Collection, since, after.Run, after.Document, after.ID, limit),
	}, nil
}

// things are the tables of the collection that most tests serve: ids 1 to count.
func things(edition, count int) []publishtest.Table {
	item := publishtest.Table{Endpoint: sql.Endpoint{Name: "item"}}
	detail := publishtest.Table{Endpoint: sql.Endpoint{Name: "detail", Path: "detail"}}
	page := publishtest.Table{Endpoint: sql.Endpoint{Name: "page", List: true}}
	for id := int64(1); id <= int64(count); id++ {
		item.Rows = append(item.Rows, publishtest.NewRow("item", edition, id))
		detail.Rows = append(detail.Rows, publishtest.NewRow("detail", edition, id))
		page.Rows = append(page.Rows, publishtest.NewRow("page", edition, id))
	}
	return []publishtest.Table{item, detail, page}
}
