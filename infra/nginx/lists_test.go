package nginx

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"systemscale/infra/program"
)

// listAddresses are addresses of lists, change feeds and a page, each with its own cache key.
var listAddresses = []string{
	"/products", "/products?page=3&count=2", "/products?page=77&count=13", "/api/products?count=9", "/api/fec2/x/reviews?page=2",
	"/products/changes?since=1", "/api/products/changes?since=2&count=5", "/openapi.yaml", "/",
}

// answerVersion answers like an API that serves a version, with the given Cache-Control.
func answerVersion(version int, cacheControl string) http.HandlerFunc {
	return func(response http.ResponseWriter, _ *http.Request) {
		response.Header().Set("Cache-Control", cacheControl)
		response.Header().Set("ETag", fmt.Sprintf(`"%d"`, version))
		fmt.Fprintf(response, "version %d", version)
	}
}

// refreshLists refreshes the lists and waits until they are fresh: NGINX responds before it has written the cache.
func (r *rig) refreshLists() {
	r.t.Helper()
	const sentinel = "/sentinel"
	r.fill(sentinel)
	if got := r.refresh(http.MethodHead, "/lists"); got.status != http.StatusOK || got.header.Get("X-Lists") != "" {
		r.t.Fatalf("HEAD /lists: %d %v", got.status, got.header)
	}
	r.await("MISS", sentinel, func(got answer) bool { return got.cache() == "MISS" })
	r.seen()
}

func TestRefreshAllLists(t *testing.T) {
	rig := start(t)
	rig.setAnswer(answerVersion(1, fresh))
	all := append([]string{"/products/1", "/products/1/styles", "/products/1/changes"}, listAddresses...)
	for range 2 {
		for _, path := range all {
			rig.fill(path)
		}
		rig.setAnswer(answerVersion(2, fresh))
		for _, path := range all {
			if got := rig.get(path); got.body != "version 1" {
				t.Fatalf("%s: %q, want the copy", path, got.body)
			}
		}
		rig.wantSeen()
		rig.refreshLists()
		for i, path := range all {
			want := "version 2"
			if i < 3 {
				want = "version 1"
			}
			if got := rig.get(path); got.body != want {
				t.Errorf("%s: %q, want %q", path, got.body, want)
			}
			rig.fill(path)
		}
		rig.setAnswer(answerVersion(1, fresh))
		rig.refreshLists()
	}
}

// TestRefreshOneList covers the list's own address at the refresh endpoint.
func TestRefreshOneList(t *testing.T) {
	rig := start(t)
	for range 2 {
		rig.setAnswer(answerVersion(1, fresh))
		rig.fill("/products?page=3&count=2")
		rig.fill("/products?page=4&count=2")
		rig.wantCached("/products?page=3&count=2", http.StatusOK)
		rig.wantCached("/products?page=5&count=2", http.StatusNotFound)
		rig.setAnswer(answerVersion(2, fresh))
		rig.refresh(http.MethodHead, "/refresh/products?page=3&count=2")
		got := rig.await("version 2", "/products?page=3&count=2", func(got answer) bool { return got.body == "version 2" })
		rig.wantCache(got, "HIT")
		if got := rig.get("/products?page=4&count=2"); got.body != "version 1" || got.cache() != "HIT" {
			t.Errorf("the other page: %s %q, want a hit of version 1", got.cache(), got.body)
		}
		rig.refreshLists()
	}
}

func TestRefreshListsRequiresRefresher(t *testing.T) {
	rig := start(t)
	rig.setAnswer(answerVersion(1, fresh))
	rig.fill("/products?page=3")
	wantProblem(t, rig.sendTo("http://"+rig.gateway.Refresh, stranger(), http.MethodGet, "/lists", nil), http.StatusForbidden)
	for _, path := range []string{"/lists", "/-/lists", "/api/-/lists", "/-/no-lists"} {
		if got := rig.get(path); got.header.Get("X-Lists") != "" {
			t.Errorf("%s: %d %v", path, got.status, got.header)
		}
	}
	rig.wantCache(rig.get("/products?page=3"), "HIT")
	if log, err := os.ReadFile(rig.gateway.Log); err != nil || len(log) > 0 {
		t.Errorf("NGINX logged %s (%v)", log, err)
	}
}

// withClock gives NGINX a clock that is ahead by the offset in the file, such as +30m. Its timers use the real clock.
func withClock(t *testing.T, gateway *Gateway) (file string) {
	t.Helper()
	library, err := program.FindFaketime()
	if err != nil {
		t.Fatalf("%v: ./scripts/task test installs it", err)
	}
	file = filepath.Join(gateway.Prefix, "clock")
	settings := "LD_PRELOAD='" + library + "' DYLD_INSERT_LIBRARIES='" + library + "' DYLD_FORCE_FLAT_NAMESPACE=1 FAKETIME_TIMESTAMP_FILE='" + file +
		"' FAKETIME_NO_CACHE=1 FAKETIME_DONT_FAKE_MONOTONIC=1"
	nginx := filepath.Join(gateway.Prefix, "nginx")
	if err := os.WriteFile(nginx, []byte("#!/bin/sh\nexec env "+settings+" '"+gateway.NGINX.Path+"' \"$@\"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	gateway.NGINX.Path = nginx
	// NGINX empties its environment otherwise.
	replace(t, "worker_processes auto;", "worker_processes auto; env FAKETIME_TIMESTAMP_FILE; env FAKETIME_NO_CACHE; env FAKETIME_DONT_FAKE_MONOTONIC;")(gateway)
	return file
}

func setClock(t *testing.T, file, ahead string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(ahead+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestClockSetBack caches copies for a second while the clock is half an hour ahead.
func TestClockSetBack(t *testing.T) {
	var clock string
	rig := start(t, func(gateway *Gateway) {
		clock = withClock(t, gateway)
		setClock(t, clock, "+30m")
	})
	rig.setAnswer(answerVersion(1, "public, s-maxage=1, stale-while-revalidate=2"))
	all := append([]string{"/products/1"}, listAddresses...)
	for _, path := range all {
		rig.fill(path)
	}
	setClock(t, clock, "+0")
	rig.setAnswer(answerVersion(2, fresh))
	// Waits until the gateway reads the present time.
	rig.await("the present time", "/products/2", func(got answer) bool {
		date, err := http.ParseTime(got.header.Get("Date"))
		return err == nil && time.Until(date).Abs() < 10*time.Minute
	})
	time.Sleep(3100 * time.Millisecond)
	for _, path := range all {
		if got := rig.get(path); got.cache() != "HIT" || got.body != "version 1" {
			t.Fatalf("%s: %s %q: this copy is not kept fresh by the clock, and proves nothing below", path, got.cache(), got.body)
		}
	}
	rig.refresh(http.MethodHead, "/refresh/products/1")
	rig.refreshLists()
	rig.await("version 2", "/products/1", func(got answer) bool { return got.body == "version 2" })
	for _, path := range listAddresses {
		if got := rig.get(path); got.body != "version 2" {
			t.Errorf("%s: %s %q, want version 2", path, got.cache(), got.body)
		}
	}
}
