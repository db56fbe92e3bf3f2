package server_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"systemscale/api/internal/server"
	"systemscale/api/internal/store"
	"systemscale/sql"
)

// oneBook is a store with one document.
type oneBook struct{ snapshot *store.Snapshot }

func (b oneBook) Snapshot() *store.Snapshot { return b.snapshot }

func (b oneBook) Get(endpoint *store.Endpoint, id sql.ID, _ store.Match, dst []byte) (store.Result, error) {
	if id != sql.IntID(1) {
		return store.Result{Run: endpoint.Run, Body: dst}, store.ErrNotFound
	}
	return store.Result{Run: endpoint.Run, ETag: 0xb00c, Body: append(dst, `{"id": 1, "title": "Emma"}`...)}, nil
}

func (b oneBook) List(_ *store.Endpoint, _, _ int64, dst []byte) (store.Result, error) {
	return store.Result{Body: dst}, store.ErrUnavailable
}

func (b oneBook) Changes(_ *store.Collection, _ int64, _ store.Cursor, _ int64, dst []byte) (store.Result, error) {
	return store.Result{Body: dst}, store.ErrUnavailable
}

// A server serves the endpoints of the published collections, here a collection with one endpoint.
func ExampleServer() {
	snapshot := store.NewSnapshot(nil, store.Version{
		Collection: "books", Generation: 7, Run: 7, PublishedAt: time.Now(),
		Endpoints: []sql.Endpoint{{Name: "book"}},
	})
	s := server.New(oneBook{snapshot}, server.Options{CacheAge: 10 * time.Second})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	go func() { _ = s.Serve(listener) }()
	defer func() { _ = s.Shutdown(context.Background()) }()

	for _, path := range []string{"/books/1", "/books/2"} {
		response, err := http.Get("http://" + listener.Addr().String() + path)
		if err != nil {
			fmt.Println(err)
			return
		}
		body, _ := io.ReadAll(response.Body)
		_ = response.Body.Close()
		fmt.Println(response.Status, response.Header.Get("ETag"), response.Header.Get("Cache-Control"))
		fmt.Println(string(body))
	}
	// Output:
	// 200 OK "000000000000b00c" public, max-age=5, s-maxage=10, stale-while-revalidate=30
	// {"id": 1, "title": "Emma"}
	// 404 Not Found  no-store
	// {"type":"about:blank","title":"Not Found","status":404,"detail":"There is no document with this id."}
}
