// Package gatewaytest is a fake gateway for tests: it has a refresh endpoint, cached copies of some paths, and an API.
package gatewaytest

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// Copy is a cached copy of a path in an encoding: identity or gzip.
type Copy struct{ Path, Encoding string }

// Gateway is a fake gateway. It is safe for concurrent use.
type Gateway struct {
	URL string // of the refresh endpoint

	mu       sync.Mutex
	copies   map[Copy]int64  // version of each copy
	gone     map[string]bool // paths for which the API returns 404
	version  int64           // data version of the API's responses
	requests []string
	lists    int // number of refreshes of the lists
	spoil    func(http.ResponseWriter, *http.Request) bool
}

// New starts a gateway that is stopped when t ends. The data version of its API is 1.
func New(t testing.TB) *Gateway {
	g := &Gateway{copies: map[Copy]int64{}, gone: map[string]bool{}, version: 1}
	server := httptest.NewServer(g)
	t.Cleanup(server.Close)
	g.URL = server.URL
	return g
}

// Hold puts copies of a version into the cache.
func (g *Gateway) Hold(version int64, copies ...Copy) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, c := range copies {
		g.copies[c] = version
	}
}

// Held returns the version of a copy, 0 if there is none.
func (g *Gateway) Held(c Copy) int64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.copies[c]
}

// Publish sets the data version of the API, and makes it return 404 for some paths.
func (g *Gateway) Publish(version int64, gone ...string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.version = version
	for _, path := range gone {
		g.gone[path] = true
	}
}

// Spoil sets a function that is called for every request first and reports whether it has responded. It may call the other methods.
func (g *Gateway) Spoil(spoil func(http.ResponseWriter, *http.Request) bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.spoil = spoil
}

// Requests returns the requests since the last call, such as "HEAD /cached/products/1 gzip", sorted.
func (g *Gateway) Requests() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	requests := g.requests
	g.requests = nil
	slices.Sort(requests)
	return requests
}

// Refreshed returns the copies that were refreshed since the last call of Requests or Refreshed, such as "/products/1 gzip", each once.
func (g *Gateway) Refreshed() []string {
	var refreshed []string
	for _, request := range g.Requests() {
		if path, found := strings.CutPrefix(request, "HEAD /refresh"); found {
			refreshed = append(refreshed, path)
		}
	}
	return slices.Compact(refreshed)
}

// Lists returns the number of refreshes of the lists since the last call.
func (g *Gateway) Lists() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	lists := g.lists
	g.lists = 0
	return lists
}

// ServeHTTP implements the refresh endpoint.
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	g.mu.Lock()
	g.requests = append(g.requests, r.Method+" "+r.URL.Path+" "+r.Header.Get("Accept-Encoding"))
	spoil := g.spoil
	g.mu.Unlock()
	if spoil != nil && spoil(w, r) {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	at := Copy{Encoding: r.Header.Get("Accept-Encoding")}
	var refresh, cached bool
	if at.Path, refresh = strings.CutPrefix(r.URL.Path, "/refresh"); !refresh {
		at.Path, cached = strings.CutPrefix(r.URL.Path, "/cached")
	}
	if refresh {
		g.copies[at] = g.version
	}
	version, held := g.copies[at]
	switch {
	case r.URL.Path == "/status":
	case r.URL.Path == "/lists":
		g.lists++
	case !refresh && (!cached || !held):
		w.WriteHeader(http.StatusNotFound)
	default:
		w.Header().Set("X-Data-Version", strconv.FormatInt(version, 10))
		if g.gone[at.Path] {
			w.WriteHeader(http.StatusNotFound)
		}
	}
}
