package operator

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"systemscale/api/internal/store"
	"systemscale/sql"
)

type fakeStore struct {
	snapshot *store.Snapshot
	ready    error
	runs     []store.Run
	err      error
}

func (f *fakeStore) Snapshot() *store.Snapshot { return f.snapshot }
func (f *fakeStore) Ready() error              { return f.ready }
func (f *fakeStore) Runs(context.Context, string, int) ([]store.Run, error) {
	return f.runs, f.err
}

var noon = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

func published() *fakeStore {
	end := noon.Add(28500 * time.Millisecond)
	return &fakeStore{
		snapshot: store.NewSnapshot(nil, store.Version{Collection: "things", Generation: 3, Run: 4, PublishedAt: time.Now().Add(-3 * time.Hour), Documents: []sql.Document{{Name: "item"}}}),
		runs: []store.Run{
			{ID: 5, State: "failed", Mode: "delta", StartedAt: noon, FinishedAt: &end, Verdict: "failed", Error: `gate "<rejects>" failed`},
			{ID: 4, State: "published", Mode: "delta", StartedAt: noon, FinishedAt: &end, Verdict: "passed", Live: true,
				Sources:   []store.RunSource{{File: "item.csv", Read: 100, Used: 97, Rejected: map[string]int64{"orphan": 2, "not an int": 1}}},
				Documents: []store.RunDocument{{Name: "item", Rows: 1234567, Bytes: 1_500_000_000}}},
			{ID: 3, State: "running", Mode: "generation", StartedAt: noon},
		},
	}
}

func newPage(o Options) *Page {
	o.Logger = slog.New(slog.DiscardHandler)
	if o.Metrics == nil {
		o.Metrics = prometheus.NewRegistry()
	}
	return New(o)
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

func TestPageSays(t *testing.T) {
	for _, c := range []struct {
		name  string
		store *fakeStore
		want  []string
		never []string
	}{
		{"what is published", published(), []string{
			"This instance is ready", "version 4", "published 3 h ago", "1\u202f234\u202f567", "1.50 GB", "<td>orphan</td><td class=\"number\">2</td>", "of run 4",
			"4 ●", "28.5 s", "gate &#34;&lt;rejects&gt;&#34; failed", "run 5, delta, failed: 28.5 s", "run 3, generation, running: running", `aria-label="Duration of the last 3 runs, 0 to 50 seconds"`,
		}, []string{"<rejects>", "5 ●"}},
		{"nothing published", &fakeStore{ready: store.ErrNotPublished}, []string{"not ready: no version is published", "Nothing is published yet"}, []string{"generation"}},
		{"no history", &fakeStore{snapshot: published().snapshot, err: errors.New("secret address")}, []string{"version 4", "The history cannot be read now"}, []string{"secret"}},
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

// instance is a registry with the histogram that instances have.
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
	for _, want := range []string{"40 a second at the gateway, 10 a second by the instances, 0.1 a second with 5xx", "p50 ≤ 1 ms, p99 ≤ 10 ms", "75.0 % never reached an instance"} {
		if !strings.Contains(shown, want) {
			t.Errorf("%q is not on the page", want)
		}
	}

	gateway.Close()
	p.sample(t.Context())
	if again, err := p.intervals(); err == nil || len(again) != 1 {
		t.Errorf("without the gateway: %d intervals, %v", len(again), err)
	}
	if !strings.Contains(text(t, p), "Not all instances answer") {
		t.Error("the page does not say that numbers are missing")
	}
}

func TestRestartIsNoNegativeRate(t *testing.T) {
	a := counters{at: noon, requests: 100, gateway: 100, buckets: map[float64]float64{1: 100}}
	b := counters{at: noon.Add(time.Second), requests: 3, gateway: 5, buckets: map[float64]float64{1: 3}}
	if i := between(a, b); i.rate != 0 || i.gateway != 0 || !math.IsNaN(i.p99) || !math.IsNaN(i.hits) {
		t.Errorf("got %+v", i)
	}
}

func TestOldSamplesGo(t *testing.T) {
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
