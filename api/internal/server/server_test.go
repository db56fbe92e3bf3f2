package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"systemscale/api/internal/publishtest"
	"systemscale/api/internal/store"
	"systemscale/sql"
)

func TestDocuments(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		run := s.publish("things", things(1, 3)...)
		for _, c := range []struct {
			target, document string
			id               int64
		}{
			{"/things/1", "item", 1},
			{"/things/3", "item", 3},
			{"/things/2/detail", "detail", 2},
			{"/things/2?utm_source=nonsense&fbclid", "item", 2},
			{"/things/2?", "item", 2},
		} {
			for _, method := range []string{"GET", "HEAD"} {
				t.Run(method+" "+c.target, func(t *testing.T) {
					r := s.send(method, c.target)
					if method == "HEAD" {
						if r.body != "" {
							t.Errorf("the response to HEAD has the body %.60q", r.body)
						}
						r.body = publishtest.NewRow(c.document, 1, c.id).Body
					}
					checkDocument(t, c.document, c.id, r)
					checkTiming(t, r)
					checkHeaders(t, r, append(common(run, documentCaching),
						"Content-Type", "application/json; charset=utf-8", "Connection", "")...)
				})
			}
		}
	})
}

func TestPages(t *testing.T) {
	const count = 230
	onBoth(t, func(t *testing.T, s *site) {
		run := s.publish("things", things(1, count)...)
		page := func(first, last int64) string {
			var bodies []string
			for id := first; id <= last; id++ {
				bodies = append(bodies, publishtest.NewRow("page", 1, id).Body)
			}
			return "[" + strings.Join(bodies, ",") + "]"
		}
		for _, c := range []struct {
			query, want string
		}{
			{"", page(1, 5)},
			{"?", page(1, 5)},
			{"?page=2", page(6, 10)},
			{"?count=1", page(1, 1)},
			{"?count=100", page(1, 100)},
			{"?page=3&count=100", page(201, count)},
			{"?page=4&count=100", "[]"},
			{"?count=7&page=15", page(99, 105)},
			{"?page=46", page(226, 230)},
			{"?page=47", "[]"},
			{"?page=1000000000000", "[]"},
			{"?page=9223372036854775807&count=100", "[]"},
			{"?page=9223372036854775808&count=100", "[]"},
			{"?page=99999999999999999999999999999999999999", "[]"},
			{"?utm_medium=x&page=1&_ga=&count=2&&", page(1, 2)},
			{"?%70age=2", page(6, 10)},
			{"?count=1000", page(1, count)},
			{"?count=1001", page(1, count)},
			{"?count=99999999999999999999", page(1, count)},
			{"?page=2&count=1000", "[]"},
			{"?page=%31", page(1, 5)},
		} {
			for _, method := range []string{"GET", "HEAD"} {
				t.Run(method+" "+c.query, func(t *testing.T) {
					r := s.send(method, "/things"+c.query)
					want := c.want
					if method == "HEAD" {
						want = ""
					}
					if r.status != http.StatusOK || r.body != want || r.length != int64(len(c.want)) {
						t.Errorf("got %d, length %d, %.200q; want %d, %.200q", r.status, r.length, r.body, len(c.want), want)
					}
					checkHeaders(t, r, append(common(run, pageCaching), "Content-Type", "application/json; charset=utf-8",
						"ETag", pageTag(t, s, run), "X-Total-Count", strconv.Itoa(count))...)
					checkTiming(t, r)
				})
			}
		}
	})
}

func TestRefusals(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		run := s.publish("things", things(1, 3)...)
		s.publish("bare", onlyItems(1, 3))
		s.publish("pages", publishtest.Table{Endpoint: sql.Endpoint{Name: "page", List: true}})
		for _, c := range []struct {
			status  int
			absent  bool // the address is one of a document
			targets []string
		}{
			{
				http.StatusNotFound, true,
				[]string{
					"/things/4", "/things/4/detail", "/things/9223372036854775807", "/things/0", "/things/-1", "/things/-9223372036854775808",
					"/things/0/detail", "/things/4?utm_source=1", "/things/4/",
					"/api/things/4", "/things/%34",
				},
			},
			{http.StatusNotFound, false, []string{
				"/", "/nothing", "/thing", "/Things", "/things/1/detail/1", "/things/1/nothing", "/things/x/nothing", "/things/1/Detail",
				"/nothing/1", "/nothing/x", "/nothing/1/detail", "/bare", "/bare?page=x", "/bare/1/detail", "/pages/1", "/pages/x",
				"/things;x/1", "/api", "/api/", "/api/api/things/1", "/api/fec2", "/api/fec2/x", "/fec2/x/things/1", "/API/things/1",
				"/nothing?x=1",
				"/things%252F1", "/things%3F1", "/changes", "/changes?since=0", "/nothing/changes?since=0", "/changes/1",
				"/changes/changes", "/things/1/changes",
			}},
			{http.StatusBadRequest, false, []string{
				"/things/changes/detail", "/things/Changes", "/things/change",
				"/things/changes", "/things/changes?", "/things/changes?since", "/things/changes?since=", "/things/changes?since=-1",
				"/things/changes?since=x", "/things/changes?since=00",
				"/things/changes?since=01", "/things/changes?since=1.0", "/things/changes?since=+1", "/things/changes?after=1.item.1",
				"/things/changes?SINCE=1",
				"/things/changes?since=1&after=", "/things/changes?since=1&after", "/things/changes?since=1&after=1",
				"/things/changes?since=1&after=1.item", "/things/changes?since=1&after=1.item.",
				"/things/changes?since=1&after=.item.1", "/things/changes?since=1&after=1..1", "/things/changes?since=1&after=0.item.1",
				"/things/changes?since=1&after=1.item.-0",
				"/things/changes?since=1&after=1.it%27em.1", "/things/changes?since=1&after=1.item.1.1",
				"/things/changes?since=1&after=1.Item.1", "/things/changes?since=1&after=99999999999999999999.item.1",
				"/things/changes?since=1&after=1." + strings.Repeat("x", 64) + ".1",
				"/things/changes?since=1&count=", "/things/changes?since=1&count=0", "/things/changes?since=1&count=all",
				"/things/changes?since=1&count=-1",
				"/things/-0", "/things/007", "/things/01", "/things/-01", "/things/--1", "/things/-", "/things/+1", "/things/1.0", "/things/1e3", "/things/0x1",
				"/things/x", "/things/1x", "/things/%2531", "/..", "/things/../../things/1", "/%2e%2e/things/1",
				"/things/%20", "/things/1%00", "/things/9223372036854775808", "/things/-9223372036854775809", "/things/99999999999999999999999", "/things/%EF%BC%91",
				"/things/null", "/things/1;2",
				"/things/00/detail", "/things/x/detail", "/things/-x/detail", "/things/list",
				"/things?page=", "/things?page", "/things?page=0", "/things?page=-1", "/things?page=+1", "/things?page=x",
				"/things?page=1.5", "/things?page=01", "/things?page=1x", "/things?page=1%002",
				"/things?count=", "/things?count=0", "/things?count=all", "/things?count=max", "/things?count=*", "/things?count=NaN",
				"/things?page=undefined", "/things?count=-5", "/things?count=x", "/things?count=5&page=0", "/things?page=1&count=five",
			}},
		} {
			for _, target := range c.targets {
				t.Run(target, func(t *testing.T) {
					r := s.send("GET", target)
					if c.absent {
						checkAbsent(t, r, run)
					} else {
						checkProblem(t, r, c.status)
						checkHeaders(t, r, "Server-Timing", "")
					}
					head := s.send("HEAD", target)
					if head.status != c.status || head.body != "" || head.length <= 0 {
						t.Errorf("HEAD: %d with body %q and length %d, want %d", head.status, head.body, head.length, c.status)
					}
				})
			}
		}
	})
}

func TestMethods(t *testing.T) {
	s, f := fakeSite(t)
	s.publish("things", things(1, 1)...)
	for _, target := range []string{"/things", "/things/1", "/things/x", "/nothing"} {
		for _, method := range []string{"POST", "PUT", "PATCH", "DELETE", "TRACE", "CONNECT", "PROPFIND", "BREW", "get"} {
			t.Run(method+" "+target, func(t *testing.T) { checkProblem(t, s.send(method, target), http.StatusMethodNotAllowed) })
		}
		t.Run("OPTIONS "+target, func(t *testing.T) {
			r := s.send("OPTIONS", target)
			if r.status != http.StatusNoContent || r.body != "" {
				t.Errorf("got %d with %q, want 204 without a body", r.status, r.body)
			}
			checkHeaders(t, r, "Allow", "GET, HEAD, OPTIONS", "Access-Control-Allow-Origin", "*", "Content-Type", "",
				"Access-Control-Allow-Methods", "GET, HEAD, OPTIONS", "Access-Control-Max-Age", "600",
				"Access-Control-Allow-Headers", "*, Authorization")
		})
	}
	if f.seen != 0 {
		t.Errorf("%d lookups for methods without lookups", f.seen)
	}
}

func TestConditions(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		run := s.publish("things", things(1, 3)...)
		mine, other := quoted(publishtest.NewRow("item", 1, 1)), quoted(publishtest.NewRow("item", 1, 2))
		version := pageTag(t, s, run)
		for _, c := range []struct {
			name, target, header string
			status               int
		}{
			{"held", "/things/1", mine, 304},
			{"held weakly", "/things/1", "W/" + mine, 304},
			{"held among others", "/things/1", `"x", ` + other + `,W/` + mine + ` , "y"`, 304},
			{"held after a comma in quotes", "/things/1", `"a,b", ` + mine, 304},
			{"anything", "/things/1", "*", 304},
			{"held on another line", "/things/1", other + "\n" + `W/"x", ` + mine, 304},
			{"held on a line after a broken one", "/things/1", `"x` + "\n" + mine, 304},
			{"anything on another line", "/things/1", other + "\n*", 304},
			{"held on no line", "/things/1", other + "\n" + `"x"`, 200},
			{"another", "/things/1", other, 200},
			{"another's detail", "/things/1/detail", mine, 200},
			{"foreign", "/things/1", `"abc"`, 200},
			{"foreign of our length", "/things/1", `"zzzzzzzzzzzzzzzz"`, 200},
			{"unquoted", "/things/1", strings.Trim(mine, `"`), 200},
			{"unclosed", "/things/1", mine[:17], 200},
			{"nothing", "/things/1", "", 200},
			{"empty tag", "/things/1", `""`, 200},
			{"garbage", "/things/1", "W/, ,,\t\"", 200},
			{"no such document", "/things/4", mine, 404},
			{"anything, no such document", "/things/4", "*", 404},
			{"bad id", "/things/x", "*", 400},
			{"page held", "/things", version, 304},
			{"page held weakly", "/things?page=2", "W/" + version, 304},
			{"page held among others", "/things", mine + ", " + version, 304},
			{"page held on another line", "/things", mine + "\n" + version, 304},
			{"any page", "/things", "*", 304},
			{"page of another version", "/things", `"v0"`, 200},
			{"page of the same run in another database", "/things", strings.Replace(version, "-", "-1", 1), 200},
			{"page by a document's tag", "/things", mine, 200},
			{"bad page", "/things?page=0", version, 400},
		} {
			for _, method := range []string{"GET", "HEAD"} {
				t.Run(method+" "+c.name, func(t *testing.T) {
					var lines []string
					for line := range strings.SplitSeq(c.header, "\n") {
						lines = append(lines, "If-None-Match", line)
					}
					r := s.send(method, c.target, lines...)
					if r.status != c.status {
						t.Fatalf("If-None-Match: %s: got %d, want %d", c.header, r.status, c.status)
					}
					if c.status != http.StatusNotModified {
						return
					}
					etag, caching := mine, documentCaching
					if !strings.Contains(c.target, "/1") {
						etag, caching = version, pageCaching
						checkHeaders(t, r, "Server-Timing", "")
					} else {
						checkTiming(t, r)
					}
					checkHeaders(t, r, append(common(run, caching), "ETag", etag, "Content-Type", "", "Content-Length", "")...)
					if r.body != "" {
						t.Errorf("a 304 with the body %.60q", r.body)
					}
				})
			}
		}
	})
}

// pageTag returns the entity tag of the pages of a run, and checks its form.
func pageTag(t testing.TB, s *site, run int64) string {
	t.Helper()
	tag := s.send("GET", "/things").header.Get("ETag")
	if !regexp.MustCompile(fmt.Sprintf(`^"v%d-[0-9a-f]+"$`, run)).MatchString(tag) {
		t.Fatalf("a page of run %d has the ETag %s", run, tag)
	}
	return tag
}

func TestRevalidatePageWithoutLookup(t *testing.T) {
	s, f := fakeSite(t)
	run := s.publish("things", things(1, 3)...)
	r := s.send("GET", "/things", "If-None-Match", fmt.Sprintf(`"v%d-%x"`, run, run))
	if r.status != http.StatusNotModified || f.seen != 0 {
		t.Errorf("got %d after %d lookups, want 304 after none", r.status, f.seen)
	}
}

func TestPublishNewCollection(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		checkProblem(t, s.send("GET", "/things/1"), http.StatusServiceUnavailable)
		s.publish("things", things(1, 2)...)
		checkDocument(t, "item", 1, s.send("GET", "/things/1"))
		checkProblem(t, s.send("GET", "/museums/1"), http.StatusNotFound)

		deep := publishtest.Table{
			Endpoint: sql.Endpoint{Name: "deep", Path: "hall/deep"}, Rows: []publishtest.Row{publishtest.NewRow("deep", 5, 7)},
		}
		run := s.publish("museums", onlyItems(2, 9), deep)
		r := s.send("GET", "/museums/9")
		checkDocument(t, "item", 9, r)
		checkHeaders(t, r, common(run, documentCaching)...)
		checkDocument(t, "deep", 7, s.send("GET", "/museums/7/hall/deep"))
		checkProblem(t, s.send("GET", "/museums/7/hall"), http.StatusNotFound)
		checkProblem(t, s.send("GET", "/museums/3/detail"), http.StatusNotFound)
		checkDocument(t, "item", 2, s.send("GET", "/things/2"))
		checkFixed(t, s.send("GET", "/things/9"), http.StatusNotFound)
	})
}

func TestFailures(t *testing.T) {
	secret := errors.New(`select "body" from "catalog"."things_item_g1" at /srv/api/store.go`)
	for _, c := range []struct {
		name   string
		fail   error
		loud   bool
		status int
		logged bool
	}{
		{name: "timeout", fail: store.ErrTimeout, status: 503},
		{name: "overload", fail: store.ErrOverloaded, status: 503},
		{name: "database lost", fail: store.ErrUnavailable, status: 503},
		{name: "cursor outside of the log", fail: store.ErrBadCursor, status: 400},
		{name: "no right to read", fail: store.ErrUnreadable, status: 503},
		{name: "wrapped", fail: fmt.Errorf("%w: %w", store.ErrUnavailable, secret), status: 503},
		{name: "unexpected", fail: secret, status: 500, logged: true},
		{name: "panic", loud: true, status: 500, logged: true},
	} {
		for _, target := range []string{"/things/1", "/things"} {
			t.Run(c.name+" "+target, func(t *testing.T) {
				f := newFake(t)
				log := new(logged)
				s := listen(t, f, Options{Logger: slog.New(slog.NewTextHandler(log, nil))})
				f.publish("things", things(1, 1)...)
				f.fail, f.loud = c.fail, c.loud
				r := s.send("GET", target)
				checkProblem(t, r, c.status)
				for _, inside := range []string{"secret", "select", "catalog", ".go", "panic", "goroutine"} {
					if strings.Contains(r.body, inside) {
						t.Errorf("%q reveals %q", r.body, inside)
					}
				}
				f.fail, f.loud = nil, false
				if s.send("GET", "/things/1").status != http.StatusOK {
					t.Error("the next request fails, too")
				}
				lines := strings.Count(log.String(), "\n")
				if want := map[bool]int{true: 1}[c.logged]; lines != want {
					t.Errorf("%d lines in the log, want %d: %s", lines, want, log.String())
				}
				if c.logged && (!strings.Contains(log.String(), "path="+target+" ") || !strings.Contains(log.String(), "error=")) {
					t.Errorf("the log lacks the place or the cause: %s", log.String())
				}
				if c.loud && !strings.Contains(log.String(), "fake_test.go") {
					t.Errorf("the log of a panic has no stack: %s", log.String())
				}
			})
		}
	}
}

func TestDrain(t *testing.T) {
	s, f := fakeSite(t)
	s.publish("things", things(1, 1)...)
	checkHeaders(t, s.send("GET", "/things/1"), "Connection", "")

	// The client removes the header and sets Close.
	closes := func(method, target string) bool {
		request, _ := http.NewRequest(method, s.url+target, nil)
		answer, err := s.client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, answer.Body)
		_ = answer.Body.Close()
		return answer.Close
	}
	requests := [][2]string{
		{"GET", "/things/1"}, {"GET", "/things"}, {"GET", "/nothing"}, {"POST", "/things"}, {"OPTIONS", "/"}, {"HEAD", "/things/1"},
	}
	for _, r := range requests {
		if closes(r[0], r[1]) {
			t.Errorf("%v closes the connection before the drain", r)
		}
	}
	s.Drain()
	for range 2 {
		for _, r := range requests {
			if !closes(r[0], r[1]) {
				t.Errorf("%v leaves the connection open during the drain", r)
			}
		}
	}

	hold := make(chan struct{})
	f.mutex.Lock()
	f.hold, f.seen = hold, 0
	f.mutex.Unlock()
	answer := make(chan response)
	go func() { answer <- s.send("GET", "/things/1") }()
	publishtest.Eventually(t, "the request is under way", func() bool {
		f.mutex.Lock()
		defer f.mutex.Unlock()
		return f.seen == 1
	})
	var released atomic.Bool
	stopped := make(chan error)
	go func() {
		err := s.Shutdown(context.Background())
		if !released.Load() {
			t.Error("Shutdown returns before the request is answered")
		}
		stopped <- err
	}()
	publishtest.Eventually(t, "new connections are refused", func() bool {
		_, err := s.client.Get(s.url + "/nothing")
		return err != nil
	})
	released.Store(true)
	close(hold)
	checkDocument(t, "item", 1, <-answer)
	if err := <-stopped; err != nil {
		t.Errorf("Shutdown: %v", err)
	}
}

func TestShutdownTimeout(t *testing.T) {
	s, f := fakeSite(t)
	s.publish("things", things(1, 1)...)
	hold := make(chan struct{})
	f.mutex.Lock()
	f.hold = hold
	f.mutex.Unlock()
	answer := make(chan response)
	go func() { answer <- s.send("GET", "/things/1") }()
	publishtest.Eventually(t, "the request is under way", func() bool {
		f.mutex.Lock()
		defer f.mutex.Unlock()
		return f.seen == 1
	})
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := s.Shutdown(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Shutdown with a request under way and no time: %v, want %v", err, context.Canceled)
	}
	close(hold)
	checkDocument(t, "item", 1, <-answer)
}

// TestLookupsOfEachAddress counts the store's lookups for each public address. decisions/0014 has the cost of one lookup.
func TestLookupsOfEachAddress(t *testing.T) {
	s, f := fakeSite(t)
	run := s.publish("things", things(1, 3)...)
	for _, c := range []struct {
		method, target, header, value string
		lookups                       int
	}{
		{"GET", "/things/1", "", "", 1},
		{"HEAD", "/things/1", "", "", 1},
		{"GET", "/things/4", "", "", 1},
		{"GET", "/things/1/detail", "", "", 1},
		{"GET", "/things/1", "If-None-Match", "*", 1},
		{"GET", "/things", "", "", 1},
		{"GET", "/things?page=99&count=100", "", "", 1},
		{"GET", "/things", "If-None-Match", pageTag(t, s, run), 0},
		{"GET", "/things/changes?since=0", "", "", 1},
		{"GET", "/things/changes?since=0&after=1.item.1", "", "", 1},
		{"GET", "/things/changes?since=0", "If-None-Match", "*", 0},
		{"GET", "/", "", "", 0},
		{"GET", "/docs", "", "", 0},
		{"GET", "/openapi.json", "", "", 0},
		{"GET", "/nothing", "", "", 0},
		{"GET", "/things/x", "", "", 0},
		{"GET", "/things/1/nothing", "", "", 0},
		{"GET", "/things?page=0", "", "", 0},
		{"GET", "/things/changes", "", "", 0},
		{"GET", "/things/changes?since=x", "", "", 0},
		{"OPTIONS", "/things/1", "", "", 0},
		{"POST", "/things/1", "", "", 0},
	} {
		f.mutex.Lock()
		f.seen = 0
		f.mutex.Unlock()
		if c.header == "" {
			_ = s.send(c.method, c.target)
		} else {
			_ = s.send(c.method, c.target, c.header, c.value)
		}
		f.mutex.Lock()
		if f.seen != c.lookups {
			t.Errorf("%s %s %s: %d lookups, want %d", c.method, c.target, c.header, f.seen, c.lookups)
		}
		f.mutex.Unlock()
	}
}
