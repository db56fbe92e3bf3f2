package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"systemscale/api/internal/cache"
	"systemscale/api/internal/store"
)

// options returns the options of a server that is ready and has no published versions.
func options() Options {
	return Options{
		Ready:    func() error { return nil },
		Snapshot: func() *store.Snapshot { return nil },
		Holds:    func(context.Context) ([]store.Hold, error) { return nil, errors.New("no database") },
		Metrics:  prometheus.NewRegistry(),
		Page:     http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("a page")) }),
		Logger:   slog.New(slog.DiscardHandler),
	}
}

func send(handler http.Handler, method, path string) *httptest.ResponseRecorder {
	recorder := httptest.NewRecorder()
	request := httptest.NewRequest(method, path, nil)
	request.Host = "127.0.0.1:8181"
	handler.ServeHTTP(recorder, request)
	return recorder
}

func TestAnswers(t *testing.T) {
	calls := 0
	var reason error
	o := options()
	o.Ready = func() error {
		calls++
		return reason
	}
	handler := New(o).Handler
	for _, c := range []struct {
		name, method, path string
		reason             error
		status             int
		calls              int
		body               string
	}{
		{name: "live", method: "GET", path: "/live", status: 200, body: `{"live":true}`},
		{name: "live while not ready", method: "GET", path: "/live", reason: errors.New("no"), status: 200, body: `{"live":true}`},
		{name: "ready", method: "GET", path: "/ready", status: 200, calls: 1, body: `{"ready":true}`},
		{name: "not ready", method: "GET", path: "/ready", reason: errors.New(`no "version"`), status: 503, calls: 1, body: `{"ready":false,"reason":"no \"version\""}`},
		{name: "head", method: "HEAD", path: "/ready", status: 200, calls: 1},
		{name: "longer", method: "GET", path: "/live/x", status: 404},
		{name: "documents", method: "GET", path: "/products/1", status: 404},
		{name: "post", method: "POST", path: "/ready", status: 405},
		{name: "post metrics", method: "POST", path: "/metrics", status: 405},
	} {
		t.Run(c.name, func(t *testing.T) {
			calls, reason = 0, c.reason
			recorder := send(handler, c.method, c.path)
			if recorder.Code != c.status || calls != c.calls {
				t.Errorf("%d after %d calls of Ready, want %d after %d", recorder.Code, calls, c.status, c.calls)
			}
			if c.body != "" {
				checkJSON(t, recorder, c.body)
			}
		})
	}
}

// checkJSON fails t unless the response is this JSON and must not be cached.
func checkJSON(t *testing.T, recorder *httptest.ResponseRecorder, body string) {
	t.Helper()
	if header := recorder.Header(); header.Get("Content-Type") != "application/json" || header.Get("Cache-Control") != "no-store" {
		t.Errorf("headers %v", header)
	}
	var got, want any
	if err := json.Unmarshal(recorder.Body.Bytes(), &got); err != nil {
		t.Fatalf("%q: %v", recorder.Body, err)
	}
	if err := json.Unmarshal([]byte(body), &want); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s, want %s", recorder.Body, body)
	}
}

func TestVersion(t *testing.T) {
	published := time.Date(2026, 11, 23, 4, 0, 0, 0, time.FixedZone("", 3600))
	snapshot := store.NewSnapshot(nil,
		store.Version{Collection: "things", Run: 7, Generation: 5, PublishedAt: published},
		store.Version{Collection: "museums", Run: 1, Generation: 1, PublishedAt: published})
	hold := store.Hold{Collection: "things", Reason: "why", Author: "ann@host", Since: published}
	got := versionOf(snapshot, []store.Hold{hold, {Collection: "none"}}, nil, published.Add(90*time.Second))
	if got.Go != runtime.Version() || got.Module != "systemscale" {
		t.Errorf("built by %q from %q", got.Go, got.Module)
	}
	want := map[string]data{
		"things":  {Run: 7, Generation: 5, PublishedAt: published.UTC(), Age: 90, Hold: &hold},
		"museums": {Run: 1, Generation: 1, PublishedAt: published.UTC(), Age: 90},
	}
	if !reflect.DeepEqual(got.Data, want) {
		t.Errorf("data %+v, want %+v", got.Data, want)
	}

	o := options()
	recorder := send(New(o).Handler, "GET", "/version")
	var answer struct {
		Go   string
		Data map[string]any
	}
	if err := json.Unmarshal(recorder.Body.Bytes(), &answer); err != nil || recorder.Code != 200 || answer.Go == "" || answer.Data == nil || len(answer.Data) != 0 {
		t.Errorf("before anything is published: %d %s: %v", recorder.Code, recorder.Body, err)
	}
	o.Snapshot = func() *store.Snapshot { return snapshot }
	recorder = send(New(o).Handler, "GET", "/version")
	if !strings.Contains(recorder.Body.String(), `"things":{"run":7,"generation":5,"published_at":"2026-11-23T03:00:00Z","age_seconds":`) {
		t.Errorf("%s", recorder.Body)
	}

	documents, err := cache.Open(cache.Options{URL: "memory://8MiB"})
	if err != nil {
		t.Fatal(err)
	}
	defer documents.Close()
	o.Cache = documents
	recorder = send(New(o).Handler, "GET", "/version")
	if !strings.Contains(recorder.Body.String(), `"document_cache":{"kind":"memory","address":"8.0 MiB","up":true}`) {
		t.Errorf("with a document cache: %s", recorder.Body)
	}
}

func TestMetrics(t *testing.T) {
	registry := prometheus.NewRegistry()
	counter := prometheus.NewCounter(prometheus.CounterOpts{Name: "things_total", Help: "Things."})
	registry.MustRegister(counter)
	counter.Add(3)
	o := options()
	o.Metrics = registry
	recorder := send(New(o).Handler, "GET", "/metrics")
	if recorder.Code != 200 || !strings.Contains(recorder.Body.String(), "\nthings_total 3\n") {
		t.Errorf("%d %s", recorder.Code, recorder.Body)
	}
}

func TestPanic(t *testing.T) {
	var log bytes.Buffer
	o := options()
	o.Logger = slog.New(slog.NewTextHandler(&log, nil))
	o.Ready = func() error { panic("secret of the inside") }
	o.Snapshot = func() *store.Snapshot { panic("secret of the inside") }
	handler := New(o).Handler
	for _, path := range []string{"/ready", "/version"} {
		log.Reset()
		recorder := send(handler, "GET", path)
		if recorder.Code != http.StatusInternalServerError || strings.Contains(recorder.Body.String(), "secret") {
			t.Errorf("%s: %d %s", path, recorder.Code, recorder.Body)
		}
		checkJSON(t, recorder, `{"error": "unexpected error; see the log"}`)
		for _, want := range []string{"path=" + path, `panic="secret of the inside"`, "admin_test.go"} {
			if !strings.Contains(log.String(), want) {
				t.Errorf("%s: the log does not contain %s: %s", path, want, log.String())
			}
		}
	}
	if recorder := send(handler, "GET", "/live"); recorder.Code != http.StatusOK {
		t.Errorf("afterwards /live is %d", recorder.Code)
	}
}

func TestLimits(t *testing.T) {
	s := New(options())
	if s.ReadTimeout <= 0 || s.WriteTimeout <= 0 || s.MaxHeaderBytes <= 0 || s.MaxHeaderBytes >= http.DefaultMaxHeaderBytes {
		t.Errorf("a client may hold on for ever: %+v", s)
	}
}

func TestPageOnlyAtRoot(t *testing.T) {
	handler := New(options()).Handler
	if got := send(handler, "GET", "/"); got.Code != http.StatusOK || got.Body.String() != "a page" {
		t.Errorf("at the root: %d %q", got.Code, got.Body)
	}
	if got := send(handler, "GET", "/other"); got.Code != http.StatusNotFound {
		t.Errorf("elsewhere: %d %q", got.Code, got.Body)
	}
}
