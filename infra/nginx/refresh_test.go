package nginx

import (
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
)

// refresh sends a request to the refresh endpoint.
func (r *rig) refresh(method, path string, header ...string) answer {
	r.t.Helper()
	return r.sendTo("http://"+r.gateway.Refresh, &http.Transport{}, method, path, nil, header...)
}

// stranger returns a transport with another address, which is neither a refresher nor unlimited.
func stranger() *http.Transport {
	return &http.Transport{DialContext: (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}}).DialContext}
}

// answerChanged is the API after a publish. Its header is not longer than that of answerDocument: NGINX renames the new file before it
// notes the length of the new header, and a request between the two that finds a longer one than noted is a miss.
func answerChanged(response http.ResponseWriter, _ *http.Request) {
	response.Header().Set("Cache-Control", fresh)
	response.Header().Set("Content-Type", "application/json")
	response.Header().Set("ETag", `"new"`)
	response.Header().Set("X-Data-Version", "8")
	_, _ = io.WriteString(response, changed)
}

var changed = strings.Repeat("changed ", 200)

func (r *rig) wantCached(path string, want int, header ...string) {
	r.t.Helper()
	for _, method := range []string{http.MethodHead, http.MethodGet} {
		if got := r.refresh(method, "/cached"+path, header...); got.status != want {
			r.t.Errorf("%s /cached%s %q: %d, want %d", method, path, header, got.status, want)
		}
	}
}

func TestRefreshReplacesAnEntryInPlace(t *testing.T) {
	for _, method := range []string{http.MethodHead, http.MethodGet} {
		rig := start(t)
		plain, compressed := []string{"Accept-Encoding", "identity"}, []string{"Accept-Encoding", "gzip"}
		rig.fill("/products/1/styles", plain...)
		rig.wantCached("/products/1/styles", http.StatusOK, plain...)
		rig.wantCached("/products/1/styles", http.StatusNotFound, compressed...)
		rig.fill("/products/1/styles", compressed...)
		rig.wantCached("/products/1/styles", http.StatusOK, compressed...)
		rig.wantSeen()

		rig.setAnswer(answerChanged)
		for i, header := range [][]string{plain, compressed} {
			got := rig.refresh(method, "/refresh/products/1/styles", header...)
			if tag := strings.TrimPrefix(got.header.Get("ETag"), "W/"); got.status != http.StatusOK || tag != `"new"` || got.header.Get("X-Data-Version") != "8" {
				t.Errorf("%s %q: %d %v, want the API's new answer", method, header, got.status, got.header)
			}
			rig.wantSeen("GET /products/1/styles")
			rig.await("changed document", "/products/1/styles", func(got answer) bool {
				rig.wantCache(got, "HIT")
				if i == 1 && got.body != changed {
					got.body = decompress(t, got.body)
				}
				return got.body == changed
			}, header...)
			rig.wantSeen()
			if i == 0 {
				if text := decompress(t, rig.get("/products/1/styles", compressed...).body); text != body("/products/1/styles") {
					t.Errorf("the other encoding became %.40q", text)
				}
			}
		}
	}
}

func TestRefreshOfUncachedDocument(t *testing.T) {
	rig := start(t)
	for range 3 {
		rig.wantCached("/products/1", http.StatusNotFound)
		rig.wantCached("/products?page=2", http.StatusNotFound)
	}
	rig.wantSeen()
	// The lookup does not count as a use of the document either.
	rig.wantCache(rig.get("/products/1"), "MISS")
	rig.wantCached("/products/2", http.StatusNotFound)
	rig.fill("/products/2")
	if got := rig.entries(); got != 1 {
		t.Errorf("the cache holds %d entries, want that of product 2 alone", got)
	}
}

func TestRefreshOfARemovedDocument(t *testing.T) {
	rig := start(t)
	for _, encoding := range []string{"identity", "gzip"} {
		rig.setAnswer(answerDocument)
		rig.fill("/products/1", "Accept-Encoding", encoding)
		rig.setAnswer(answerMissing)
		got := rig.refresh(http.MethodHead, "/refresh/products/1", "Accept-Encoding", encoding)
		if got.status != http.StatusNotFound || got.header.Get("X-Data-Version") != "7" {
			t.Errorf("refresh: %d, version %q, want the API's 404", got.status, got.header.Get("X-Data-Version"))
		}
		got = rig.await("404", "/products/1", func(got answer) bool { return got.status == http.StatusNotFound }, "Accept-Encoding", encoding)
		if got.cache() != "HIT" {
			t.Errorf("X-Cache %s, want the 404 from the cache", got.cache())
		}
		// The 404 is a normal entry: it is replaced when the document returns.
		rig.wantCached("/products/1", http.StatusOK, "Accept-Encoding", encoding)
	}
}

func TestFailedRefreshKeepsTheEntry(t *testing.T) {
	rig := start(t)
	rig.fill("/products/1")
	rig.setAnswer(func(response http.ResponseWriter, _ *http.Request) {
		response.Header().Set("Cache-Control", "no-store")
		response.WriteHeader(http.StatusServiceUnavailable)
	})
	if got := rig.refresh(http.MethodGet, "/refresh/products/1"); got.status != http.StatusServiceUnavailable {
		t.Errorf("refresh: %d, want 503", got.status)
	}
	got := rig.get("/products/1")
	rig.wantCache(got, "HIT")
	if got.body != body("/products/1") {
		t.Errorf("body %.40q", got.body)
	}
}

func TestCachedDoesNotUpdateStaleEntry(t *testing.T) {
	rig := start(t)
	for path, test := range map[string]struct{ cacheControl, next string }{
		"/products/1": {brief, "STALE"},
		"/products/2": {"public, s-maxage=1", "REVALIDATED"}, // too old to be served, but there
	} {
		rig.setAnswer(func(response http.ResponseWriter, request *http.Request) {
			answerWith(test.cacheControl, response, request)
		})
		rig.fill(path)
		for cache := "HIT"; cache != "STALE"; {
			got := rig.refresh(http.MethodGet, "/cached"+path)
			if cache = got.header.Get("X-Cache"); got.status != http.StatusOK || cache != "HIT" && cache != "STALE" {
				t.Fatalf("%s: %d, X-Cache %q", path, got.status, cache)
			}
		}
		rig.wantCached(path, http.StatusOK)
		rig.wantSeen()
		// The next client's request updates the entry.
		rig.wantCache(rig.get(path), test.next)
		rig.await("HIT", path, func(got answer) bool { return got.cache() == "HIT" })
	}
}

func TestRefreshEndpointAccess(t *testing.T) {
	rig := start(t)
	rig.fill("/products/1")
	for _, path := range []string{"/cached/products/1", "/refresh/products/1", "/status", "/products/1", "/-/cached"} {
		got := rig.sendTo("http://"+rig.gateway.Refresh, stranger(), http.MethodGet, path, nil)
		if path == "/-/cached" {
			wantProblem(t, got, http.StatusNotFound) // no client may use it
			continue
		}
		wantProblem(t, got, http.StatusForbidden)
	}
	if got := rig.refresh(http.MethodGet, "/status"); got.status != http.StatusOK || !strings.HasPrefix(got.body, "Active connections: ") {
		t.Errorf("/status: %d %q", got.status, got.body)
	}
	wantProblem(t, rig.refresh(http.MethodGet, "/products/1"), http.StatusNotFound)
	rig.wantSeen()
}

func TestPublicAddressCannotRefresh(t *testing.T) {
	rig := start(t)
	rig.fill("/products/1")
	rig.setAnswer(answerChanged)
	for _, header := range [][]string{
		{"Cache-Control", "no-cache"},
		{"Cache-Control", "max-age=0"},
		{"Pragma", "no-cache"},
		{"X-Accel-Expires", "0"},
		{"X-Refresh", "1"},
		{"Host", "copies"},
		{"Host", rig.gateway.Refresh},
		{"X-Forwarded-For", "127.0.0.1"},
		{"X-Forwarded-Host", rig.gateway.Refresh},
	} {
		got := rig.get("/products/1", header...)
		rig.wantCache(got, "HIT")
		if got.body != body("/products/1") {
			t.Errorf("%q: body %.40q", header, got.body)
		}
	}
	rig.wantSeen()
	// These are normal paths, which the API refuses.
	for _, path := range []string{"/cached/products/1", "/refresh/products/1", "/status"} {
		rig.get(path)
		rig.wantSeen("GET " + path)
	}
	if got := rig.send("PURGE", "/products/1", nil); got.cache() != "" {
		t.Errorf("PURGE: %d %s", got.status, got.cache())
	}
	if got := rig.get("/products/1"); got.body != body("/products/1") {
		t.Errorf("body %.40q", got.body)
	}
}
