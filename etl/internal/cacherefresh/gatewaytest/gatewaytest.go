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

// Gateway is a fake gateway. It may be used by several goroutines.
type Gateway struct {
	URL string // of the refresh endpoint

	mu      sync.Mutex
	copies  map[Copy]int64  // with the version that each is of
	gone    map[string]bool // paths that the API has no document for
	version int64           // that the API answers with
	asked   []string
	lists   int // how often the lists were refreshed
	spoil   func(http.ResponseWriter, *http.Request) bool
}

// New starts a gateway that is stopped when t ends. Its API answers with data version 1.
func New(t testing.TB) *Gateway {
	n := &Gateway{copies: map[Copy]int64{}, gone: map[string]bool{}, version: 1}
	server := httptest.NewServer(n)
	t.Cleanup(server.Close)
	n.URL = server.URL
	return n
}

// Hold puts copies of a version into the cache.
func (n *Gateway) Hold(version int64, copies ...Copy) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, c := range copies {
		n.copies[c] = version
	}
}

// Held returns the version of a copy, 0 if there is none.
func (n *Gateway) Held(c Copy) int64 {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.copies[c]
}

// Publish makes the API answer with a version, and with 404 for some paths.
func (n *Gateway) Publish(version int64, gone ...string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.version = version
	for _, path := range gone {
		n.gone[path] = true
	}
}

// Spoil has every request go through a function first, which reports that it has answered. It may call the gateway's other methods.
func (n *Gateway) Spoil(spoil func(http.ResponseWriter, *http.Request) bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.spoil = spoil
}

// Asked returns what the gateway was asked since the last call, such as "HEAD /cached/products/1 gzip", sorted.
func (n *Gateway) Asked() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	asked := n.asked
	n.asked = nil
	slices.Sort(asked)
	return asked
}

// Refreshed returns the copies that Asked has as refreshed, such as "/products/1 gzip", each once.
func (n *Gateway) Refreshed() []string {
	var refreshed []string
	for _, request := range n.Asked() {
		if path, found := strings.CutPrefix(request, "HEAD /refresh"); found {
			refreshed = append(refreshed, path)
		}
	}
	return slices.Compact(refreshed)
}

// Lists returns how often the lists were refreshed since the last call.
func (n *Gateway) Lists() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	lists := n.lists
	n.lists = 0
	return lists
}

// ServeHTTP answers as a refresh endpoint does.
func (n *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	n.mu.Lock()
	n.asked = append(n.asked, r.Method+" "+r.URL.Path+" "+r.Header.Get("Accept-Encoding"))
	spoil := n.spoil
	n.mu.Unlock()
	if spoil != nil && spoil(w, r) {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	at := Copy{Encoding: r.Header.Get("Accept-Encoding")}
	var refresh, cached bool
	if at.Path, refresh = strings.CutPrefix(r.URL.Path, "/refresh"); !refresh {
		at.Path, cached = strings.CutPrefix(r.URL.Path, "/cached")
	}
	if refresh {
		n.copies[at] = n.version
	}
	version, held := n.copies[at]
	switch {
	case r.URL.Path == "/status":
	case r.URL.Path == "/lists":
		n.lists++
	case !refresh && (!cached || !held):
		w.WriteHeader(http.StatusNotFound)
	default:
		w.Header().Set("X-Data-Version", strconv.FormatInt(version, 10))
		if n.gone[at.Path] {
			w.WriteHeader(http.StatusNotFound)
		}
	}
}
