// Package admin serves the admin port: probes, metrics, the build and data version, and the dashboard.
package admin

import (
	"context"
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/goccy/go-json"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"systemscale/api/internal/cache"
	"systemscale/api/internal/store"
)

// Limits on slow clients. Requests and responses are small.
const (
	timeout    = 5 * time.Second
	maxScrapes = 4       // concurrent; further ones get 503
	maxHeader  = 8 << 10 // bytes

	holdsTimeout = time.Second
)

// Options configure the server. The functions must be safe for concurrent use.
type Options struct {
	Ready    func() error           // returns nil, or the reason why the server is not ready
	Snapshot func() *store.Snapshot // returns the published versions
	Cache    *cache.Cache           // of documents; nil if there is none
	Holds    func(context.Context) ([]store.Hold, error)
	Metrics  prometheus.Gatherer
	Page     http.Handler // the dashboard
	Names    []string     // host names to accept, in addition to those of checkHost
	Logger   *slog.Logger
}

// New returns an HTTP server for the admin port:
//
//	GET /          the dashboard
//	GET /live      200 while the process responds; independent of the database
//	GET /ready     200, or 503 with the reason why the server is not ready
//	GET /metrics   metrics in the Prometheus format
//	GET /version   versions of the build and of the data, holds, and the document cache
//
// Any other path is a 404. A panic is logged and results in a 500. A request with an unknown host name results in a 421; see checkHost.
func New(options Options) *http.Server {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /live", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, map[string]any{"live": true})
	})
	mux.HandleFunc("GET /ready", func(w http.ResponseWriter, _ *http.Request) {
		if err := options.Ready(); err != nil {
			answer(w, http.StatusServiceUnavailable, map[string]any{"ready": false, "reason": err.Error()})
			return
		}
		answer(w, http.StatusOK, map[string]any{"ready": true})
	})
	mux.Handle("GET /{$}", options.Page)
	errorLog := slog.NewLogLogger(options.Logger.Handler(), slog.LevelError)
	mux.Handle("GET /metrics", promhttp.HandlerFor(options.Metrics, promhttp.HandlerOpts{
		ErrorLog: errorLog,
		// If one collector fails, the metrics of the others are still useful.
		ErrorHandling:       promhttp.ContinueOnError,
		MaxRequestsInFlight: maxScrapes,
	}))
	mux.HandleFunc("GET /version", func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), holdsTimeout)
		defer cancel()
		holds, err := options.Holds(ctx)
		if err != nil { // the versions are known without the database
			options.Logger.Warn("cannot read the holds for /version", "error", err)
		}
		answer(w, http.StatusOK, versionOf(options.Snapshot(), holds, options.Cache.Status(), time.Now()))
	})
	return &http.Server{
		Handler:        recoverPanics(checkHost(mux, options.Names), options.Logger),
		ReadTimeout:    timeout,
		WriteTimeout:   timeout,
		MaxHeaderBytes: maxHeader,
		ErrorLog:       errorLog,
	}
}

// recoverPanics returns a handler that answers a panic of next with 500.
func recoverPanics(next http.Handler, logger *slog.Logger) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			if reason := recover(); reason != nil {
				logger.Error("admin request failed", "path", r.URL.Path, "panic", reason, "stack", string(debug.Stack()))
				answer(w, http.StatusInternalServerError, map[string]any{"error": "unexpected error; see the log"})
			}
		}()
		next.ServeHTTP(w, r)
	})
}

func answer(w http.ResponseWriter, status int, body any) {
	text, err := json.Marshal(body)
	if err != nil {
		panic("BUG: " + err.Error())
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(text) // an error means that the client is gone
}
