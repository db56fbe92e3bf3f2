package dashboard

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"systemscale/api/internal/cache"
	"systemscale/api/internal/store"
	"systemscale/sql"
)

type fakeStore struct {
	snapshot *store.Snapshot
	ready    error
	runs     []store.Run
	err      error
	hosts    []store.Host
	holds    []store.Hold

	calls atomic.Int32  // number of calls of Runs
	hold  chan struct{} // if not nil, Runs returns when it is closed
	panic bool          // in Runs
}

func (f *fakeStore) Snapshot() *store.Snapshot { return f.snapshot }
func (f *fakeStore) Ready() error              { return f.ready }
func (f *fakeStore) Hosts() []store.Host       { return f.hosts }
func (f *fakeStore) Holds(context.Context) ([]store.Hold, error) {
	return f.holds, f.err
}

func (f *fakeStore) Runs(ctx context.Context, _ string, _ int) ([]store.Run, error) {
	f.calls.Add(1)
	if f.panic {
		panic("secret of the inside")
	}
	if f.hold != nil {
		<-f.hold
	}
	return f.runs, errors.Join(f.err, ctx.Err())
}

var noon = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

func published() *fakeStore {
	end := noon.Add(28500 * time.Millisecond)
	return &fakeStore{
		snapshot: store.NewSnapshot(nil, store.Version{Collection: "things", Generation: 3, Run: 4, PublishedAt: time.Now().Add(-3 * time.Hour), Endpoints: []sql.Endpoint{{Name: "item"}}}),
		runs: []store.Run{
			{ID: 5, State: "failed", Mode: "delta", StartedAt: noon, FinishedAt: &end, Verdict: "failed", Error: `gate "<rejects>" failed`},
			{
				ID: 4, State: "published", Mode: "delta", StartedAt: noon, FinishedAt: &end, Verdict: "passed", Live: true,
				Sources:   []store.RunSource{{File: "item.csv", Read: 100, Used: 97, Rejected: map[string]int64{"orphan": 2, "not an int": 1}}},
				Documents: []store.RunDocument{{Name: "item", Rows: 1234567, Bytes: 1_500_000_000}},
			},
			{ID: 3, State: "running", Mode: "generation", StartedAt: noon},
		},
	}
}

// replicated returns a store with hosts in each state.
func replicated() *fakeStore {
	f := published()
	earlier := store.NewSnapshot(nil, store.Version{Collection: "things", Generation: 3, Run: 3}).Collections()
	f.hosts = []store.Host{
		{Name: "a:5432", Up: true, Several: true, Versions: f.snapshot.Collections()},
		{Name: "b:5432", Up: true, Several: true, Standby: true, Lag: 12_000_000, Versions: earlier},
		{Name: "c:5432", Up: true, Several: true, Standby: true, Lag: -1, Versions: earlier},
		{Name: "d:5432"},
	}
	return f
}

// onHold returns a store with a hold of its collection and of another one.
func onHold() *fakeStore {
	f := published()
	f.holds = []store.Hold{
		{Collection: "things", Reason: "<bad> prices", Author: "ann@host", Since: noon}, {Collection: "other", Reason: "another reason"},
	}
	return f
}

func newPage(o Options) *Page {
	o.Logger = slog.New(slog.DiscardHandler)
	if o.Metrics == nil {
		o.Metrics = prometheus.NewRegistry()
	}
	return New(o)
}

// later makes the rendered page too old.
func later(p *Page) {
	before := p.now
	p.now = func() time.Time { return before().Add(keepPage) }
}

func text(t *testing.T, p *Page) string {
	t.Helper()
	recorder := httptest.NewRecorder()
	p.ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, "/", nil))
	if recorder.Code != http.StatusOK || recorder.Header().Get("Cache-Control") != "no-store" || recorder.Header().Get("Content-Type") != "text/html; charset=utf-8" {
		t.Errorf("status %d, headers %v", recorder.Code, recorder.Header())
	}
	return recorder.Body.String()
}

func TestPageContent(t *testing.T) {
	for _, c := range []struct {
		name  string
		store *fakeStore
		want  []string
		never []string
	}{
		{"published", published(), []string{
			"This instance is ready", "version 4", "published 3 hours ago", "1,234,567", "1.5 GB", "<td>orphan</td><td class=\"number\">2</td>", "in run 4",
			"4 ●", "28.5 s", "gate &#34;&lt;rejects&gt;&#34; failed", "run 5, delta, failed: 28.5 s", "run 3, generation, running: running", `aria-label="Duration of the last 3 runs, 0 to 50 seconds"`,
		}, []string{"<rejects>", "5 ●", "Database hosts", "on hold"}},
		{"several hosts", replicated(), []string{
			"<td>a:5432</td><td>primary</td><td class=\"number\">0 B</td><td>things 4 </td>",
			"<td>b:5432</td><td>standby</td><td class=\"number\">12 MB</td><td>things 3 </td>",
			"<td>c:5432</td><td>standby</td><td class=\"number\">unknown</td><td>things 3 </td>",
			"<td>d:5432</td><td class=\"bad\">cannot be read</td>",
		}, nil},
		{"on hold", onHold(), []string{"on hold since 2026-05-04 12:00:00 UTC, by ann@host: &lt;bad&gt; prices."}, []string{"another reason"}},
		{"nothing published", &fakeStore{ready: store.ErrNotPublished}, []string{"not ready: no version is published", "Nothing is published yet"}, []string{"generation"}},
		{"no history", &fakeStore{snapshot: published().snapshot, err: errors.New("secret address")}, []string{"version 4", "The run history cannot be read"}, []string{"secret", ">none<"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := text(t, newPage(Options{Store: c.store}))
			for _, want := range c.want {
				if !strings.Contains(got, want) {
					t.Errorf("%q is not on the page", want)
				}
			}
			body := got[strings.Index(got, "<body>"):strings.Index(got, "<h2>Now")]
			for _, never := range c.never {
				if strings.Contains(body, never) {
					t.Errorf("%q is on the page", never)
				}
			}
		})
	}
}

// TestConcurrentRequestsSharePage sends concurrent requests, and more while the page is fresh: they share one query of the database,
// whether it succeeds or fails.
func TestConcurrentRequestsSharePage(t *testing.T) {
	for _, c := range []struct {
		name   string
		store  *fakeStore
		status int
		want   string
	}{
		{"an answer", published(), http.StatusOK, "version 4"},
		{"a database that is down", &fakeStore{snapshot: published().snapshot, err: errors.New("down")}, http.StatusOK, "The run history cannot be read"},
		{"a panic", &fakeStore{snapshot: published().snapshot, panic: true}, http.StatusInternalServerError, "the page cannot be rendered; see the log\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.store.hold = make(chan struct{})
			p := newPage(Options{Store: c.store})
			clock := noon
			p.now = func() time.Time { return clock }
			get := func(ctx context.Context, address string) *httptest.ResponseRecorder {
				recorder := httptest.NewRecorder()
				p.ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, address, nil).WithContext(ctx))
				return recorder
			}
			check := func(address string) {
				t.Helper()
				if got := get(t.Context(), address); got.Code != c.status || !strings.Contains(got.Body.String(), c.want) {
					t.Errorf("%s: %d, and no %q in %.300q", address, got.Code, c.want, got.Body)
				}
			}
			// The first client leaves while the page is rendered, which must not affect the others.
			leaving, leave := context.WithCancel(t.Context())
			var wait sync.WaitGroup
			wait.Go(func() { get(leaving, "/") })
			for c.store.calls.Load() == 0 {
				time.Sleep(time.Millisecond)
			}
			for i := range 150 {
				wait.Go(func() { check([]string{"/", "/?live"}[i%2]) })
			}
			leave()
			close(c.store.hold)
			wait.Wait()
			clock = clock.Add(keepPage - 1)
			check("/")
			if calls := c.store.calls.Load(); calls != 1 {
				t.Errorf("%d queries of the database, want 1", calls)
			}
			clock = clock.Add(1)
			check("/?live")
			check("/")
			if calls := c.store.calls.Load(); calls != 2 {
				t.Errorf("after a second: %d queries of the database, want 2", calls)
			}
		})
	}
}

// instance returns a registry with the histogram of an instance.
func instance() (*prometheus.Registry, *prometheus.HistogramVec) {
	registry := prometheus.NewRegistry()
	histogram := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: latency, Buckets: []float64{.001, .01, .1}}, []string{"route", "status"})
	registry.MustRegister(histogram)
	return registry, histogram
}

func TestSamples(t *testing.T) {
	own, requests := instance()
	other, otherRequests := instance()
	peer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/metrics" {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		promhttp.HandlerFor(other, promhttp.HandlerOpts{}).ServeHTTP(w, r)
	}))
	defer peer.Close()
	atGateway := 1000
	gateway := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, "Active connections: 2 \nserver accepts handled requests\n 7 7 %d \nReading: 0 Writing: 1 Waiting: 1 \n", atGateway)
	}))
	p := newPage(Options{Store: published(), Metrics: own, Peers: []string{strings.TrimPrefix(peer.URL, "http://")}, Gateway: gateway.URL})
	p.sample(t.Context())

	for range 60 {
		requests.WithLabelValues("/a", "200").Observe(.0005)
	}
	for range 39 {
		otherRequests.WithLabelValues("/a", "200").Observe(.005)
	}
	requests.WithLabelValues("/b", "503").Observe(.05)
	atGateway += 400
	p.sample(t.Context())
	p.samples[1].at = p.samples[0].at.Add(10 * time.Second)

	got, err := p.intervals()
	if err != nil || len(got) != 1 {
		t.Fatalf("%d intervals, %v", len(got), err)
	}
	i := got[0]
	if i.rate != 10 || i.failures != .1 || i.gateway != 40 || i.p50 != 1 || i.p99 != 10 || i.hits != .75 {
		t.Errorf("got %+v", i)
	}
	shown := text(t, p)
	for _, want := range []string{
		"40 requests/s at the gateway, 10 requests/s at the instances, 0.1/s of them with 5xx", "p50 ≤ 1 ms, p99 ≤ 10 ms", "75.0 % of the gateway&#39;s requests",
		"0 to 50 requests/s", "<p>10 ms</p>", "<p>100 %</p>",
	} {
		if !strings.Contains(shown, want) {
			t.Errorf("%q is not on the page", want)
		}
	}

	gateway.Close()
	p.sample(t.Context())
	later(p)
	if again, err := p.intervals(); err == nil || len(again) != 1 {
		t.Errorf("without the gateway: %d intervals, %v", len(again), err)
	}
	if !strings.Contains(text(t, p), "Some instances do not respond") {
		t.Error("the page does not report missing numbers")
	}
}

func TestRateAfterRestart(t *testing.T) {
	a := counters{at: noon, requests: 100, gateway: 100, buckets: map[float64]float64{1: 100}}
	b := counters{at: noon.Add(time.Second), requests: 3, gateway: 5, buckets: map[float64]float64{1: 3}}
	if i := between(a, b); i.rate != 0 || i.gateway != 0 || !math.IsNaN(i.p99) || !math.IsNaN(i.hits) {
		t.Errorf("got %+v", i)
	}
}

func TestSampleLimit(t *testing.T) {
	p := newPage(Options{Store: published()})
	for range keepSamples + 5 {
		p.sample(t.Context())
	}
	if len(p.samples) != keepSamples {
		t.Errorf("%d samples are kept, want %d", len(p.samples), keepSamples)
	}
}

func TestCeiling(t *testing.T) {
	for value, want := range map[float64]float64{0: 1, .3: .5, 1: 1, 1.1: 2, 28.5: 50, 99: 100, 5000: 5000} {
		if got := ceiling(value); math.Abs(got-want) > 1e-9 {
			t.Errorf("ceiling(%g) = %g, want %g", value, got, want)
		}
	}
}

func TestDocumentCache(t *testing.T) {
	for url, want := range map[string]string{
		"memory://8MiB": "The document cache is in memory: 8.0 MiB.",
		"unix:///none":  "The document cache in redis (/none) does not respond.",
	} {
		documents, err := cache.Open(cache.Options{URL: url, Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		if got := text(t, newPage(Options{Store: published(), Cache: documents})); !strings.Contains(got, want) {
			t.Errorf("%s: no %q in\n%s", url, want, got)
		}
		documents.Close()
	}
	if got := text(t, newPage(Options{Store: published()})); strings.Contains(got, "document cache") {
		t.Errorf("without a document cache:\n%s", got)
	}
}
