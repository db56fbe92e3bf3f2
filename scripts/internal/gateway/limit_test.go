package gateway

import (
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"
)

func (rig *rig) wantTooMany(got answer) {
	rig.t.Helper()
	wantProblem(rig.t, got, http.StatusTooManyRequests)
	if got.header.Get("Retry-After") != "1" || got.header.Get("Access-Control-Allow-Origin") != "*" {
		rig.t.Errorf("429: %v", got.header)
	}
}

func TestRateLimit(t *testing.T) {
	rig := start(t, func(gateway *Gateway) { gateway.RateLimit = 2 })
	for _, path := range []string{"/products/1", "/api/products/1"} {
		counts := map[int]int{}
		for range 30 {
			got := rig.askAt(rig.url, stranger(), http.MethodGet, path, nil)
			if counts[got.status]++; got.status != http.StatusOK {
				rig.wantTooMany(got)
			}
		}
		if counts[http.StatusTooManyRequests] == 0 || path == "/products/1" && counts[http.StatusOK] < 3 {
			t.Errorf("%s: %v, want three and a few 200 and the rest 429", path, counts)
		}
		for range 30 {
			if got := rig.get(path); got.status != http.StatusOK {
				t.Errorf("trusted: %d", got.status)
			}
		}
	}
}

func TestConnectionLimit(t *testing.T) {
	rig := start(t, func(gateway *Gateway) { gateway.ConnectionLimit = 1 })
	rig.warm("/products/1")
	releases := []func(){rig.upstreams[0].hold(t), rig.upstreams[1].hold(t)}
	var held sync.WaitGroup
	held.Go(func() { rig.askAt(rig.url, stranger(), http.MethodGet, "/products/2", nil) })
	rig.awaitAnySeen()
	rig.wantTooMany(rig.askAt(rig.url, stranger(), http.MethodGet, "/products/1", nil))
	rig.wantCache(rig.get("/products/1"), "HIT")
	for _, release := range releases {
		release()
	}
	held.Wait()
}

// awaitAnySeen waits until one of the upstreams has a request.
func (rig *rig) awaitAnySeen() {
	rig.t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for len(rig.seen()) == 0 {
		if time.Now().After(deadline) {
			rig.t.Fatal("no upstream was asked")
		}
		time.Sleep(time.Millisecond)
	}
}

// TestSlowHeaders: each byte of a header would win another ten seconds if only silence were timed.
func TestSlowHeaders(t *testing.T) {
	rig := start(t, replace(t, "client_header_timeout 10s;", "client_header_timeout 1s;"))
	connection, err := net.Dial("tcp", rig.gateway.Listen)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = connection.Close() }()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = io.Copy(io.Discard, connection)
	}()
	if _, err := io.WriteString(connection, "GET /products/1 HTTP/1.1\r\nHost: a\r\nX: "); err != nil {
		t.Fatal(err)
	}
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(20 * time.Second)
	for {
		select {
		case <-ended:
			rig.wantSeen()
			return
		case <-tick.C:
			_, _ = io.WriteString(connection, "x") // fails once the other side has closed
		case <-deadline:
			t.Fatal("a client that never ends its header is never closed")
		}
	}
}
