package store

import (
	"errors"
	"sync"
	"testing"
	"time"

	"systemscale/api/internal/publishtest"
	"systemscale/sql"
	"systemscale/sql/testdb"
)

// TestDroppedCollection drops a collection as etl drop does, during lookups. They find nothing of it from then on, and no other lookup
// fails.
func TestDroppedCollection(t *testing.T) {
	for name, poll := range map[string]time.Duration{"with polls": 5 * time.Millisecond, "with notifications alone": time.Hour} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, 20, Options{Poll: poll})
			rows := []publishtest.Row{publishtest.NewRow("item", 1, 1)}
			f.publisher.Publish("museums", publishtest.Table{Endpoint: sql.Endpoint{Name: "item"}, Rows: rows})
			conn := testdb.Connect(t, f.database.ETL)
			notify := func() {
				if _, err := conn.Exec(t.Context(), sql.Query("etl/notify_version"), sql.VersionChannel, collection); err != nil {
					t.Fatal(err)
				}
			}
			publishtest.Eventually(t, "both collections are served", func() bool {
				notify()
				return f.Snapshot().Collection([]byte("museums")) != nil
			})
			dropped, other := f.document(""), f.Snapshot().Collection([]byte("museums")).Path(nil)
			stop := make(chan struct{})
			var clients sync.WaitGroup
			for _, endpoint := range []*Endpoint{dropped, other} {
				clients.Go(func() {
					for {
						select {
						case <-stop:
							return
						default:
						}
						if _, err := f.Get(endpoint, sql.IntID(1), Match{}, nil); err != nil && (endpoint == other || !errors.Is(err, ErrNotFound)) {
							t.Errorf("a lookup in %s: %v", endpoint.Collection, err)
							return
						}
					}
				})
			}
			if _, err := conn.Exec(t.Context(), sql.Query("etl/unpublish"), collection); err != nil {
				t.Fatal(err)
			}
			notify()
			f.publisher.Drop(collection, dropped.Generation, "item", "detail", "page")
			publishtest.Eventually(t, "the collection is no longer served", func() bool { return f.Snapshot().Collection([]byte(collection)) == nil })
			close(stop)
			clients.Wait()
			if _, err := f.Get(other, sql.IntID(1), Match{}, nil); err != nil {
				t.Errorf("a lookup in the other collection: %v", err)
			}
			if err := f.Ready(); err != nil {
				t.Errorf("the store is not ready: %v", err)
			}
		})
	}
}
