package cacherefresh

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"systemscale/etl/internal/cacherefresh/gatewaytest"
)

// hurried has short waits, and time limits that are long enough for a slow machine.
var hurried = timing{
	answer: 20 * time.Second, follow: 20 * time.Millisecond, patience: 200 * time.Millisecond, pause: time.Millisecond, all: 40 * time.Second,
}

// patient has a long patience, for an API that follows late.
var patient = timing{
	answer: 20 * time.Second, follow: 20 * time.Millisecond, patience: 40 * time.Second, pause: time.Millisecond, all: 60 * time.Second,
}

const run = 7

func gatewayOf(t testing.TB, address string) Gateway {
	t.Helper()
	var gateway Gateway
	if err := gateway.UnmarshalText([]byte(address)); err != nil {
		t.Fatal(err)
	}
	return gateway
}

func these(paths ...string) Paths {
	return func(_ context.Context, yield func(string) error) error {
		for _, path := range paths {
			if err := yield(path); err != nil {
				return err
			}
		}
		return nil
	}
}

func refreshThings(t *testing.T, timing timing, gateway *gatewaytest.Gateway, paths ...string) (Counts, error) {
	t.Helper()
	return refresh(t.Context(), timing, gatewayOf(t, gateway.URL), run, these(paths...), func() {})
}

func TestRefreshesExistingCopies(t *testing.T) {
	gateway := gatewaytest.New(t)
	old := []gatewaytest.Copy{
		{Path: "/things/1", Encoding: "identity"},
		{Path: "/things/2/parts", Encoding: "gzip"},
		{Path: "/things/3", Encoding: "identity"},
		{Path: "/things/3", Encoding: "gzip"},
		{Path: "/things/4", Encoding: "gzip"},
	}
	gateway.Hold(run-1, old...)
	gateway.Hold(run, gatewaytest.Copy{Path: "/things/5", Encoding: "gzip"})
	gateway.Hold(run+1, gatewaytest.Copy{Path: "/things/5", Encoding: "identity"})
	gateway.Hold(run-1, gatewaytest.Copy{Path: "/things/7", Encoding: "gzip"}) // did not change
	gateway.Publish(run, "/things/3", "/things/6")                             // the copies of 3 become 404s
	gateway.Hold(run-1, gatewaytest.Copy{Path: "/things/6", Encoding: "gzip"}) // is a 404 already

	var looked atomic.Int64
	counts, err := refresh(t.Context(), hurried, gatewayOf(t, gateway.URL), run,
		these("/things/1", "/things/2/parts", "/things/3", "/things/4", "/things/5", "/things/6"), func() { looked.Add(1) })
	if want := (Counts{Absent: 4, Fresh: 2, Refreshed: 6}); err != nil || counts != want {
		t.Errorf("counts %+v (%v), want %+v", counts, err, want)
	}
	if looked.Load() != 6*CopiesOfPath {
		t.Errorf("%d copies were looked up, want %d", looked.Load(), 6*CopiesOfPath)
	}
	requests := slices.Compact(gateway.Requests())
	want := []string{"HEAD /lists ", "HEAD /status "}
	for id, path := range []string{"/things/1", "/things/2/parts", "/things/3", "/things/4", "/things/5", "/things/6"} {
		want = append(want, "HEAD /cached"+path+" gzip", "HEAD /cached"+path+" identity")
		for _, encoding := range [][]string{{"identity"}, {"gzip"}, {"gzip", "identity"}, {"gzip"}, {}, {"gzip"}}[id] {
			want = append(want, "HEAD /refresh"+path+" "+encoding)
		}
	}
	slices.Sort(want)
	if diff := cmp.Diff(want, requests); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
	for _, c := range old {
		if gateway.Held(c) != run {
			t.Errorf("the copy %v is of version %d", c, gateway.Held(c))
		}
	}
}

// TestAPIFollowsLate has an API that serves an earlier version, or none, for a while.
func TestAPIFollowsLate(t *testing.T) {
	for name, late := range map[string]func(w http.ResponseWriter, gateway *gatewaytest.Gateway){
		"an earlier version": func(w http.ResponseWriter, _ *gatewaytest.Gateway) { w.Header().Set("X-Data-Version", "6") },
		"no version":         func(http.ResponseWriter, *gatewaytest.Gateway) {},
		"a malformed version": func(w http.ResponseWriter, _ *gatewaytest.Gateway) {
			w.Header().Set("X-Data-Version", "99999999999999999999")
		},
		"a 404 of an earlier version": func(w http.ResponseWriter, _ *gatewaytest.Gateway) {
			w.Header().Set("X-Data-Version", "6")
			w.WriteHeader(http.StatusNotFound)
		},
		"503": func(w http.ResponseWriter, _ *gatewaytest.Gateway) { w.WriteHeader(http.StatusServiceUnavailable) },
		"429": func(w http.ResponseWriter, _ *gatewaytest.Gateway) { w.WriteHeader(http.StatusTooManyRequests) },
	} {
		t.Run(name, func(t *testing.T) {
			gateway := gatewaytest.New(t)
			copies := []gatewaytest.Copy{{Path: "/things/1", Encoding: "gzip"}, {Path: "/things/2", Encoding: "identity"}}
			gateway.Hold(run-1, copies...)
			gateway.Publish(run)
			var refreshes atomic.Int64
			gateway.Spoil(func(w http.ResponseWriter, r *http.Request) bool {
				if !strings.HasPrefix(r.URL.Path, "/refresh/") || refreshes.Add(1) > 5 {
					return false
				}
				late(w, gateway)
				return true
			})
			counts, err := refreshThings(t, patient, gateway, "/things/1", "/things/2", "/things/3")
			if want := (Counts{Absent: 4, Refreshed: 2}); err != nil || counts != want {
				t.Errorf("counts %+v (%v), want %+v", counts, err, want)
			}
			for _, c := range copies {
				if gateway.Held(c) != run {
					t.Errorf("the copy %v is of version %d", c, gateway.Held(c))
				}
			}

			gateway.Hold(run-1, copies...)
			refreshes.Store(-1 << 40)
			counts, err = refreshThings(t, hurried, gateway, "/things/1", "/things/2", "/things/3")
			if want := (Counts{Absent: 4, Behind: 2}); err == nil || !strings.Contains(err.Error(), "2 copies are not of run 7 yet") ||
				counts != want {
				t.Errorf("an API that never follows: counts %+v (%v), want %+v", counts, err, want)
			}
		})
	}
}

// TestLooksTwice has a client fetch an old document right after its copy was found absent, and another replace a refreshed copy by the old
// document. Both can happen while an instance still serves the old version.
func TestLooksTwice(t *testing.T) {
	gateway := gatewaytest.New(t)
	missed, overwritten := gatewaytest.Copy{Path: "/things/1", Encoding: "gzip"}, gatewaytest.Copy{Path: "/things/2", Encoding: "gzip"}
	gateway.Hold(run-1, overwritten)
	gateway.Publish(run)
	var looks [2]atomic.Int64
	timing := patient
	timing.follow = 2 * time.Second
	began := time.Now()
	gateway.Spoil(func(w http.ResponseWriter, r *http.Request) bool {
		switch c := (gatewaytest.Copy{Path: strings.TrimPrefix(r.URL.Path, "/cached"), Encoding: r.Header.Get("Accept-Encoding")}); {
		case c == missed && looks[0].Add(1) == 1:
			gateway.Hold(run-1, missed)
			w.WriteHeader(http.StatusNotFound)
			return true
		case c == overwritten && looks[1].Add(1) == 2:
			gateway.Hold(run-1, overwritten)
		}
		return false
	})
	counts, err := refreshThings(t, timing, gateway, missed.Path, overwritten.Path)
	if time.Since(began) < timing.follow {
		t.Error("the refresh ended before every instance had followed")
	}
	if want := (Counts{Absent: 2, Refreshed: 2}); err != nil || counts != want || gateway.Held(missed) != run ||
		gateway.Held(overwritten) != run {
		t.Errorf("counts %+v (%v), want %+v; the copies are of versions %d and %d", counts, err, want, gateway.Held(missed),
			gateway.Held(overwritten))
	}
}

// TestListsAreRefreshedLast expects the refresh of the lists after that of the documents, when all instances have followed, and none if
// copies could not be replaced.
func TestListsAreRefreshedLast(t *testing.T) {
	gateway := gatewaytest.New(t)
	gateway.Hold(run-1, gatewaytest.Copy{Path: "/things/1", Encoding: "gzip"})
	gateway.Publish(run)
	var last atomic.Value
	gateway.Spoil(func(_ http.ResponseWriter, r *http.Request) bool { last.Store(r.URL.Path); return false })
	timing := patient
	timing.follow = 300 * time.Millisecond
	for name, paths := range map[string]Paths{"documents": these("/things/1"), "only lists": nil} {
		began := time.Now()
		if _, err := refresh(t.Context(), timing, gatewayOf(t, gateway.URL), run, paths, func() {}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if elapsed := time.Since(began); elapsed < timing.follow {
			t.Errorf("%s: the lists were refreshed after %v, before every instance had followed", name, elapsed)
		}
		if lists := gateway.Lists(); lists != 1 || last.Load() != "/lists" {
			t.Errorf("%s: the lists were refreshed %d times, and the last request was for %v", name, lists, last.Load())
		}
	}
	gateway.Hold(run-2, gatewaytest.Copy{Path: "/things/1", Encoding: "gzip"})
	gateway.Publish(run - 1)
	if _, err := refreshThings(t, hurried, gateway, "/things/1"); err == nil || gateway.Lists() != 0 {
		t.Errorf("an API that never follows: %v, and the lists were refreshed", err)
	}
}

// hangUp closes the connection without a response.
func hangUp(w http.ResponseWriter, _ *http.Request) {
	if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
		_ = conn.Close()
	}
}

// hang sends no response.
func hang(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

// speakSMTP responds with another protocol.
func speakSMTP(w http.ResponseWriter, _ *http.Request) {
	if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
		_, _ = conn.Write([]byte("220 mail.example.com ESMTP\r\n"))
		_ = conn.Close()
	}
}

// sendLongHeader sends a header of about 300 kB.
func sendLongHeader(w http.ResponseWriter, _ *http.Request) {
	for i := range 3000 {
		w.Header().Set(fmt.Sprintf("X-Header-%d", i), strings.Repeat("x", 100))
	}
}

// status returns a handler that responds with a status.
func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

// TestGatewayMisbehaves has a gateway violate the protocol of refresh endpoints. The refresh ends at once.
func TestGatewayMisbehaves(t *testing.T) {
	var redirected atomic.Int64
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { redirected.Add(1) }))
	t.Cleanup(other.Close)
	redirect := http.RedirectHandler(other.URL, http.StatusMovedPermanently).ServeHTTP
	for name, c := range map[string]struct {
		at        string // prefix of the paths that do handles
		do        http.HandlerFunc
		err       string
		refreshes bool // whether /refresh is requested
	}{
		"another server":             {"/status", status(404), "the response to HEAD /status has status 404: is this a refresh endpoint?", false},
		"forbids":                    {"/", status(403), "403: the gateway does not trust this machine", false},
		"is down":                    {"/status", status(502), "the response to HEAD /status has status 502", false},
		"hangs up":                   {"/cached/", hangUp, "request /cached/things/", false},
		"hangs up at a refresh":      {"/refresh/", hangUp, "request /refresh/things/", true},
		"hangs":                      {"/cached/", hang, "request /cached/things/", false},
		"hangs at a refresh":         {"/refresh/", hang, "request /refresh/things/", true},
		"uses another protocol":      {"/status", speakSMTP, "request /status", false},
		"sends a long header":        {"/status", sendLongHeader, "request /status", false},
		"requires a password":        {"/cached/", status(401), "401: is this a refresh endpoint?", false},
		"does not support refreshes": {"/refresh/", status(405), "405: is this a refresh endpoint?", true},
		"does not support lists":     {"/lists", status(404), "404: the configuration of this NGINX is older than etl", true},
		"hangs at the lists":         {"/lists", hang, "request /lists", true},
		"redirects":                  {"/", redirect, "301: is this a refresh endpoint?", false},
	} {
		t.Run(name, func(t *testing.T) {
			gateway := gatewaytest.New(t)
			gateway.Hold(run-1, gatewaytest.Copy{Path: "/things/1", Encoding: "gzip"})
			gateway.Publish(run)
			gateway.Spoil(func(w http.ResponseWriter, r *http.Request) bool {
				if !strings.HasPrefix(r.URL.Path, c.at) {
					return false
				}
				c.do(w, r)
				return true
			})
			timing := hurried
			if strings.HasPrefix(name, "hangs") {
				timing.answer = 2 * time.Second // more than the other responses take
			}
			_, err := refreshThings(t, timing, gateway, "/things/1")
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("the error is %v, want %q", err, c.err)
			}
			refreshes := slices.ContainsFunc(gateway.Requests(), func(request string) bool { return strings.HasPrefix(request, "HEAD /refresh/") })
			if refreshes != c.refreshes {
				t.Errorf("/refresh was requested: %v, want %v", refreshes, c.refreshes)
			}
		})
	}
	if redirected.Load() != 0 {
		t.Error("a redirect was followed")
	}
}

func TestGatewayIsDown(t *testing.T) {
	closed := httptest.NewServer(nil)
	closed.Close()
	_, err := refresh(t.Context(), hurried, gatewayOf(t, closed.URL), run, these("/things/1"), func() {})
	if err == nil || !strings.Contains(err.Error(), "connection refused") {
		t.Errorf("the error is %v, want a refused connection", err)
	}
}

// TestRefreshEnds covers the causes that end a refresh early. The reader of the paths must not block.
func TestRefreshEnds(t *testing.T) {
	gateway := gatewaytest.New(t)
	forever := func(_ context.Context, yield func(string) error) error {
		for id := 1; ; id++ {
			if err := yield(fmt.Sprintf("/things/%d", id)); err != nil {
				return fmt.Errorf("read: %w", err)
			}
		}
	}
	t.Run("interrupted", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		var looked atomic.Int64
		_, err := refresh(ctx, hurried, gatewayOf(t, gateway.URL), run, forever, func() {
			if looked.Add(1) == 100 {
				cancel()
			}
		})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("the error is %v", err)
		}
	})
	t.Run("too slow", func(t *testing.T) {
		timing := hurried
		timing.all = 50 * time.Millisecond
		if _, err := refresh(t.Context(), timing, gatewayOf(t, gateway.URL), run, forever, func() {}); !errors.Is(err, errTooSlow) {
			t.Errorf("the error is %v", err)
		}
	})
	t.Run("an error of the paths", func(t *testing.T) {
		lost := errors.New("the connection was lost")
		_, err := refresh(t.Context(), hurried, gatewayOf(t, gateway.URL), run, func(_ context.Context, yield func(string) error) error {
			if err := yield("/things/1"); err != nil {
				return err
			}
			return lost
		}, func() {})
		if !errors.Is(err, lost) {
			t.Errorf("the error is %v", err)
		}
	})
	t.Run("connections are closed", func(t *testing.T) {
		gateway := gatewaytest.New(t)
		var requests atomic.Int64
		gateway.Spoil(func(w http.ResponseWriter, _ *http.Request) bool {
			if requests.Add(1) < 50 {
				return false
			}
			if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
				_ = conn.Close()
			}
			return true
		})
		if _, err := refresh(t.Context(), hurried, gatewayOf(t, gateway.URL), run, forever, func() {}); err == nil ||
			!strings.Contains(err.Error(), "request /cached/things/") {
			t.Errorf("the error is %v", err)
		}
	})
}

func TestGatewayUnmarshalText(t *testing.T) {
	for text, want := range map[string]string{
		"http://127.0.0.1:8281":    "http://127.0.0.1:8281",
		" http://cache-a:8281/":    "http://cache-a:8281",
		"HTTPS://Cache.Example":    "https://cache.example",
		"http://[::1]:8281":        "http://[::1]:8281",
		"DNS+http://Gateways:8281": "dns+http://gateways:8281",
		"dns+https://gateways":     "",
		"dns+unix://gateways":      "",
		"dns+dns+http://gateways":  "",
		"127.0.0.1:8281":           "",
		"cache-a":                  "",
		"":                         "",
		"http://":                  "",
		"http://:8281":             "",
		"unix:///run/cache":        "",
		"http://cache/status":      "",
		"http://cache?x":           "",
		"http://cache?":            "",
		"http://cache#x":           "",
		"http://u:secret@cache":    "",
		"http://cache:secret:port": "",
	} {
		var gateway Gateway
		err := gateway.UnmarshalText([]byte(text))
		if want == "" && (err == nil || strings.Contains(err.Error(), "secret")) || want != "" && (err != nil || gateway.String() != want) {
			t.Errorf("%q is %v (%v), want %q", text, gateway, err, want)
		}
	}
}

// BenchmarkProbe looks up absent copies, which most are.
func BenchmarkProbe(b *testing.B) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/status" && r.URL.Path != "/lists" {
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	b.Cleanup(server.Close)
	timing := hurried
	timing.follow = 0
	b.ReportAllocs()
	counts, err := refresh(b.Context(), timing, gatewayOf(b, server.URL), run, func(_ context.Context, yield func(string) error) error {
		for i := range (b.N + 1) / CopiesOfPath {
			if err := yield(fmt.Sprintf("/things/%d", i)); err != nil {
				return err
			}
		}
		return nil
	}, func() {})
	if err != nil || counts.Absent != int64((b.N+1)/CopiesOfPath*CopiesOfPath) {
		b.Fatalf("%+v, %v", counts, err)
	}
}

// TestEncodedPaths sends paths as they are, percent-encoding included.
func TestEncodedPaths(t *testing.T) {
	gateway := gatewaytest.New(t)
	gateway.Publish(run)
	var mu sync.Mutex
	sent := map[string]bool{}
	gateway.Spoil(func(_ http.ResponseWriter, r *http.Request) bool {
		mu.Lock()
		defer mu.Unlock()
		sent[r.RequestURI] = true
		return false
	})
	paths := []string{
		"/things/AC/DC", "/things/100%25", "/things/a%20b%3F%23%3B%2B%C3%BC/parts", "/teams/1901/a%252Fb%2525", "/things/%0A", "/things/a..",
		"/things/~._-", "/things/%22%27%5C%3C", "/things/-7",
	}
	for _, path := range paths {
		decoded, err := url.PathUnescape(path)
		if err != nil {
			t.Fatal(err)
		}
		gateway.Hold(run-1, gatewaytest.Copy{Path: decoded, Encoding: "gzip"})
	}
	counts, err := refreshThings(t, hurried, gateway, paths...)
	if want := (Counts{Absent: int64(len(paths)), Refreshed: int64(len(paths))}); err != nil || counts != want {
		t.Errorf("counts %+v (%v), want %+v", counts, err, want)
	}
	for _, path := range paths {
		if !sent["/cached"+path] || !sent["/refresh"+path] {
			t.Errorf("%s was not requested as it is", path)
		}
	}
	if _, err := refreshThings(t, hurried, gateway, "/things/%zz"); err == nil {
		t.Error("a path that is not percent-encoded was sent")
	}
}
