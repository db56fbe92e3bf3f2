package nginx

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

func (r *rig) wantTooMany(got answer) {
	r.t.Helper()
	wantProblem(r.t, got, http.StatusTooManyRequests)
	if got.header.Get("Retry-After") != "1" || got.header.Get("Access-Control-Allow-Origin") != "*" {
		r.t.Errorf("429: %v", got.header)
	}
}

func TestRateLimit(t *testing.T) {
	rig := start(t, func(gateway *Gateway) { gateway.RateLimit = 2 })
	for _, path := range []string{"/products/1", "/api/products/1"} {
		counts := map[int]int{}
		for range 30 {
			got := rig.sendTo(rig.url, stranger(), http.MethodGet, path, nil)
			if counts[got.status]++; got.status != http.StatusOK {
				rig.wantTooMany(got)
			}
		}
		if counts[http.StatusTooManyRequests] == 0 || path == "/products/1" && counts[http.StatusOK] < 3 {
			t.Errorf("%s: %v, want three and a few 200 and the rest 429", path, counts)
		}
		for range 30 {
			if got := rig.get(path); got.status != http.StatusOK {
				t.Errorf("unlimited: %d", got.status)
			}
		}
	}
}

// TestRateLimitOfUnusualRequests covers the other ways through the template: each has the limit.
func TestRateLimitOfUnusualRequests(t *testing.T) {
	rig := start(t, func(gateway *Gateway) { gateway.RateLimit = 1 })
	for _, test := range []struct {
		name, path string
		header     []string
	}{
		{"for a person", "/products/1", []string{"Accept", "text/html"}},
		{"with a condition", "/products/1", []string{"If-Match", `"x"`}},
		{"with an unknown parameter", "/products/1?x=1", nil},
		{"a list", "/products?page=1", nil},
		{"a list with a word", "/api/products?page=undefined", nil},
		{"without gzip", "/products/1", []string{"Accept-Encoding", "identity", "Accept", "text/html"}},
	} {
		refused := 0
		for range 12 {
			if got := rig.sendTo(rig.url, stranger(), http.MethodGet, test.path, nil, test.header...); got.status == http.StatusTooManyRequests {
				refused++
			}
		}
		if refused == 0 {
			t.Errorf("%s: none of 12 requests was refused", test.name)
		}
	}
}

// TestLimitsCountNetworks chooses the clients' addresses: the test's NGINX reads them from a header.
func TestLimitsCountNetworks(t *testing.T) {
	rig := start(t,
		func(gateway *Gateway) {
			gateway.RateLimit, gateway.Unlimited = 1, []string{"2001:db8:ff::/48", "192.0.2.64/26"}
		},
		replace(t, "server_tokens off;", "server_tokens off; set_real_ip_from 127.0.0.0/8; real_ip_header X-Client;"))
	// limited sends many requests, each from the next address, and reports whether any are refused.
	limited := func(addresses ...string) bool {
		t.Helper()
		refused := false
		for i := range 12 {
			got := rig.get("/products/1", "X-Client", addresses[i%len(addresses)])
			if got.status == http.StatusTooManyRequests {
				refused = true
			} else if got.status != http.StatusOK {
				t.Errorf("%s: %d %q", addresses, got.status, got.body)
			}
		}
		return refused
	}
	var oneNetwork, manyNetworks, manyIPv4, mapped []string
	for i := range 12 {
		oneNetwork = append(oneNetwork, fmt.Sprintf("2001:db8:1:2:%x:%x:0:%x", i*4099, i, i))
		manyNetworks = append(manyNetworks, fmt.Sprintf("2001:db8:2:%x::1", i))
		manyIPv4 = append(manyIPv4, fmt.Sprintf("192.0.2.%d", i))
		mapped = append(mapped, fmt.Sprintf("::ffff:198.51.100.%d", i))
	}
	for _, test := range []struct {
		name      string
		addresses []string
		want      bool
	}{
		{"one IPv6 address", []string{"2001:db8::1"}, true},
		{"a /64", oneNetwork, true},
		{"a /64 whose bytes are line feeds", []string{"a0a:a0a:a0a:a0a::1", "a0a:a0a:a0a:a0a:a0a:a0a:a0a:a0a"}, true},
		{"many /64", manyNetworks, false},
		{"one IPv4 address", []string{"192.0.2.200"}, true},
		{"many IPv4 addresses", manyIPv4, false},
		{"one IPv4 address, written as IPv6", []string{"::ffff:192.0.2.201"}, true},
		{"one IPv4 address, written both ways", []string{"192.0.2.202", "::ffff:192.0.2.202"}, true},
		{"many IPv4 addresses, written as IPv6", mapped, false},
		{"a network without limits", []string{"2001:db8:ff::1"}, false},
		{"IPv4 addresses without limits", []string{"192.0.2.65", "::ffff:192.0.2.65"}, false},
	} {
		if got := limited(test.addresses...); got != test.want {
			t.Errorf("%s: limited %v, want %v", test.name, got, test.want)
		}
	}
}

func TestRefreshersAndUnlimitedAreSeparate(t *testing.T) {
	rig := start(t, func(gateway *Gateway) {
		gateway.RateLimit, gateway.Refreshers, gateway.Unlimited = 1, []string{"127.0.0.2"}, []string{"127.0.0.1"}
	})
	wantProblem(t, rig.refresh(http.MethodGet, "/status"), http.StatusForbidden)
	if got := rig.sendTo("http://"+rig.gateway.Refresh, stranger(), http.MethodGet, "/status", nil); got.status != http.StatusOK {
		t.Errorf("/status for a refresher: %d", got.status)
	}
	refused := 0
	for range 12 {
		if rig.sendTo(rig.url, stranger(), http.MethodGet, "/products/1", nil).status == http.StatusTooManyRequests {
			refused++
		}
		if got := rig.get("/products/1"); got.status != http.StatusOK {
			t.Errorf("unlimited: %d", got.status)
		}
	}
	if refused == 0 {
		t.Error("no request of a refresher was limited")
	}
}

func TestSocketDirectoryPermissions(t *testing.T) {
	rig := start(t)
	info, err := os.Stat(rig.gateway.Sockets)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the directory of the sockets: %v, %v", info.Mode(), err)
	}
	found, err := filepath.Glob(filepath.Join(rig.gateway.Prefix, "*.sock"))
	for _, path := range found {
		if !strings.HasPrefix(filepath.Base(path), "api-") {
			t.Errorf("%s is outside that directory (%v)", path, err)
		}
	}
	if err := os.Chmod(rig.gateway.Sockets, 0o711); err != nil {
		t.Fatal(err)
	}
	if _, err := rig.gateway.Start(t.Context()); err == nil || !strings.Contains(err.Error(), "0700") {
		t.Errorf("Start() with sockets that others can reach: %v", err)
	}
}

func TestConnectionLimit(t *testing.T) {
	rig := start(t, func(gateway *Gateway) { gateway.ConnectionLimit = 1 })
	rig.fill("/products/1")
	releases := []func(){rig.upstreams[0].hold(t), rig.upstreams[1].hold(t)}
	var held sync.WaitGroup
	held.Go(func() { rig.sendTo(rig.url, stranger(), http.MethodGet, "/products/2", nil) })
	rig.awaitAnySeen()
	rig.wantTooMany(rig.sendTo(rig.url, stranger(), http.MethodGet, "/products/1", nil))
	rig.wantCache(rig.get("/products/1"), "HIT")
	for _, release := range releases {
		release()
	}
	held.Wait()
}

// awaitAnySeen waits until one of the upstreams has a request.
func (r *rig) awaitAnySeen() {
	r.t.Helper()
	deadline := time.Now().Add(patience)
	for len(r.seen()) == 0 {
		if time.Now().After(deadline) {
			r.t.Fatal("no upstream got a request")
		}
		time.Sleep(time.Millisecond)
	}
}

// TestSlowHeaders sends a header byte by byte, which no limit on silence alone would end.
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
	deadline := time.After(patience)
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
