package server

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"systemscale/api/internal/publishtest"
	"systemscale/api/internal/store"
	"systemscale/sql"
	"systemscale/sql/testdb"
)

// site is a listening server and its store.
type site struct {
	*Server
	t       testing.TB
	url     string
	address string
	client  *http.Client
	publish func(collection string, tables ...publishtest.Table) int64 // and wait until it is served
}

func listen(t testing.TB, from Store, options Options) *site {
	t.Helper()
	s := newSite(t, from, options)
	s.start(tcp(t))
	return s
}

func tcp(t testing.TB) net.Listener {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return listener
}

// newSite makes a site that does not listen yet.
func newSite(t testing.TB, from Store, options Options) *site {
	transport := &http.Transport{MaxIdleConnsPerHost: 64}
	return &site{Server: New(from, options), t: t, client: &http.Client{Transport: transport, Timeout: publishtest.Patience}}
}

// start serves until the test ends.
func (s *site) start(listener net.Listener) {
	s.address = listener.Addr().String()
	s.url = "http://" + s.address
	served := make(chan error, 1)
	go func() { served <- s.Serve(listener) }()
	s.t.Cleanup(func() {
		s.client.CloseIdleConnections()
		ctx, cancel := context.WithTimeout(context.Background(), publishtest.Patience)
		defer cancel()
		if err := s.Shutdown(ctx); err != nil {
			s.t.Errorf("shut down: %v", err)
		}
		if err := <-served; err != nil {
			s.t.Errorf("serve: %v", err)
		}
	})
}

// logged is a log that is read while it is written.
type logged struct {
	mutex sync.Mutex
	text  strings.Builder
}

func (l *logged) Write(line []byte) (int, error) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return l.text.Write(line)
}

func (l *logged) String() string {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return l.text.String()
}

func (l *logged) Reset() {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	l.text.Reset()
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func fakeSite(t testing.TB) (*site, *fake) {
	t.Helper()
	f := newFake(t)
	s := listen(t, f, Options{Logger: quiet()})
	s.publish = f.publish
	return s, f
}

// realSite serves from a new database. It polls often unless the options set an interval.
func realSite(t testing.TB, options store.Options) (*site, testdb.Database) {
	t.Helper()
	database := testdb.New(t)
	options.URL, options.Logger = database.API, quiet()
	if options.Poll == 0 {
		options.Poll = 5 * time.Millisecond
	}
	st, err := store.Open(options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), publishtest.Patience)
		defer cancel()
		if err := st.Close(ctx); err != nil {
			t.Errorf("close the store: %v", err)
		}
	})
	s := listen(t, st, Options{Logger: quiet(), Registerer: prometheus.NewRegistry()})
	publisher := publishtest.NewPublisher(t, database)
	s.publish = func(collection string, tables ...publishtest.Table) int64 {
		t.Helper()
		run := publisher.Publish(collection, tables...)
		publishtest.Eventually(t, "the new version is served", func() bool {
			live := st.Snapshot().Collection([]byte(collection))
			return live != nil && live.Run == run && st.Ready() == nil
		})
		return run
	}
	return s, database
}

// onBoth runs a test against the fake store and against the real one.
func onBoth(t *testing.T, test func(t *testing.T, s *site)) {
	t.Run("fake", func(t *testing.T) {
		s, _ := fakeSite(t)
		test(t, s)
	})
	t.Run("real", func(t *testing.T) {
		s, _ := realSite(t, store.Options{})
		test(t, s)
	})
}

type response struct {
	status int
	header http.Header
	body   string
	length int64 // as declared
}

// send sends a request with pairs of header name and value. A request that net/http would change is an error: sendRaw sends it.
func (s *site) send(method, target string, pairs ...string) response {
	s.t.Helper()
	request, err := http.NewRequest(method, s.url+target, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	if sent := request.URL.RequestURI(); sent != target {
		s.t.Fatalf("net/http would send %q for %q", sent, target)
	}
	for i := 0; i < len(pairs); i += 2 {
		switch http.CanonicalHeaderKey(pairs[i]) {
		case "Host", "Content-Length", "Transfer-Encoding", "Trailer":
			s.t.Fatalf("net/http would not send %s", pairs[i])
		}
		request.Header.Add(pairs[i], pairs[i+1])
	}
	answer, err := s.client.Do(request)
	if err != nil {
		s.t.Fatalf("%s %s: %v", method, target, err)
	}
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		s.t.Fatalf("%s %s: %v", method, target, err)
	}
	return response{answer.StatusCode, answer.Header, string(body), answer.ContentLength}
}

// checkHeaders compares headers given as pairs of name and value; an empty value means that the header is absent.
func checkHeaders(t testing.TB, r response, pairs ...string) {
	t.Helper()
	for i := 0; i < len(pairs); i += 2 {
		if got := strings.Join(r.header.Values(pairs[i]), " | "); got != pairs[i+1] {
			t.Errorf("%s: %q, want %q", pairs[i], got, pairs[i+1])
		}
	}
}

// checkProblem fails t unless r is a complete problem that must not be cached.
func checkProblem(t testing.TB, r response, status int) {
	t.Helper()
	checkFixed(t, r, status)
	checkHeaders(t, r, "X-Data-Version", "", "X-Accel-Expires", "")
}

// checkAbsent fails t unless r is the 404 for an unknown id, which a shared cache may store.
func checkAbsent(t testing.TB, r response, run int64) {
	t.Helper()
	checkFixed(t, r, http.StatusNotFound)
	checkHeaders(t, r, "X-Data-Version", strconv.FormatInt(run, 10), "X-Accel-Expires", "10")
	checkTiming(t, r)
}

// checkTiming fails t unless r contains the duration of the lookup.
func checkTiming(t testing.TB, r response) {
	t.Helper()
	if timing := r.header.Get("Server-Timing"); !regexp.MustCompile(`^db;dur=\d+\.\d\d$`).MatchString(timing) {
		t.Errorf("Server-Timing: %q", timing)
	}
}

// checkFixed fails t unless r is a complete problem that browsers may not cache.
func checkFixed(t testing.TB, r response, status int) {
	t.Helper()
	if r.status != status {
		t.Errorf("status %d, want %d", r.status, status)
		return
	}
	retry, allow := "", ""
	switch status {
	case http.StatusServiceUnavailable:
		retry = "1"
	case http.StatusMethodNotAllowed:
		allow = "GET, HEAD, OPTIONS"
	}
	checkHeaders(t, r,
		"Content-Type", "application/problem+json", "Cache-Control", "no-store", "Access-Control-Allow-Origin", "*",
		"Access-Control-Expose-Headers", exposedHeaders,
		"X-Content-Type-Options", "nosniff", "ETag", "", "Server", "", "Vary", "Accept", "X-Total-Count", "",
		"Retry-After", retry, "Allow", allow)
	var body struct {
		Type, Title, Detail string
		Status              int
	}
	if err := json.Unmarshal([]byte(r.body), &body); err != nil {
		t.Errorf("%q: %v", r.body, err)
		return
	}
	if body.Type != "about:blank" || body.Title != http.StatusText(status) || body.Status != status || body.Detail == "" {
		t.Errorf("problem %q does not describe status %d", r.body, status)
	}
}

// detail returns the detail of a problem.
func detail(t testing.TB, r response) string {
	t.Helper()
	var problem struct{ Detail string }
	if err := json.Unmarshal([]byte(r.body), &problem); err != nil {
		t.Errorf("%q: %v", r.body, err)
	}
	return problem.Detail
}

// checkDocument fails t unless r is the whole document, of any edition, with the headers that go with it.
func checkDocument(t testing.TB, document string, id int64, r response) {
	t.Helper()
	var got struct{ Edition int }
	if err := json.Unmarshal([]byte(r.body), &got); err != nil || r.status != http.StatusOK {
		t.Errorf("%s %d: status %d and %.100q: %v", document, id, r.status, r.body, err)
		return
	}
	want := publishtest.NewRow(document, got.Edition, id)
	if etag := `"` + fmt.Sprintf("%016x", want.ETag) + `"`; r.body != want.Body || r.header.Get("ETag") != etag {
		t.Errorf("%s %d: got etag %s and %.100q, want %s and %.100q", document, id, r.header.Get("ETag"), r.body, etag, want.Body)
	}
	if r.length != int64(len(want.Body)) {
		t.Errorf("%s %d: Content-Length %d, want %d", document, id, r.length, len(want.Body))
	}
}

const (
	exposedHeaders = "ETag, X-Data-Version, X-Total-Count, X-Cache, Server-Timing, X-Request-ID, Retry-After"

	documentCaching = "public, max-age=5, s-maxage=10, stale-while-revalidate=30"
	pageCaching     = "public, max-age=1, s-maxage=1, stale-while-revalidate=5"
)

// common are the headers of every 200 and 304 of a run.
func common(run int64, caching string) []string {
	return []string{
		"Cache-Control", caching, "X-Data-Version", strconv.FormatInt(run, 10), "X-Accel-Expires", "",
		"Access-Control-Allow-Origin", "*", "Access-Control-Expose-Headers", exposedHeaders,
		"X-Content-Type-Options", "nosniff", "Server", "", "Vary", "", "X-Request-ID", "",
	}
}

func quoted(row publishtest.Row) string { return fmt.Sprintf(`"%016x"`, row.ETag) }

// onlyItems is a collection with one document and no list.
func onlyItems(edition, count int) publishtest.Table {
	return publishtest.Table{Endpoint: sql.Endpoint{Name: "item"}, Rows: things(edition, count)[0].Rows}
}
