// Package admin answers the questions of those who run the server, on a port of its own.
package admin

import (
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/goccy/go-json"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"systemscale/api/internal/store"
)

// Limits that keep a stuck client from holding anything for long. Whoever asks here asks for a few bytes.
const (
	timeout    = 5 * time.Second
	maxScrapes = 4       // at once; more get 503
	maxHeader  = 8 << 10 // bytes
)

// Options says what the answers are made from. Its functions may be called by several goroutines at once.
type Options struct {
	Ready    func() error           // nil, or the reason why not
	Snapshot func() *store.Snapshot // what is published
	Metrics  prometheus.Gatherer
	Page     http.Handler // for people
	Names    []string     // host names, beside those that checkHost accepts, under which the server is asked
	Logger   *slog.Logger
}

// New returns an HTTP server, to be given a listener, that answers
//
//	GET /          a page for people
//	GET /live      200 as long as the process answers at all; it never asks the database
//	GET /ready     200, or 503 and the reason why the server is not ready
//	GET /metrics   what Prometheus scrapes
//	GET /version   what the program was built from, and what data it serves
//
// and 404 to everything else. A panic is answered with 500, and logged. A request for the name of another host is answered with
// 421; see checkHost.
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
		// One collector that cannot say its part is no reason to be blind to all others.
		ErrorHandling:       promhttp.ContinueOnError,
		MaxRequestsInFlight: maxScrapes,
	}))
	mux.HandleFunc("GET /version", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, versionOf(options.Snapshot(), time.Now()))
	})
	return &http.Server{
		Handler:        recoverPanics(checkHost(mux, options.Names), options.Logger),
		ReadTimeout:    timeout,
		WriteTimeout:   timeout,
		MaxHeaderBytes: maxHeader,
		ErrorLog:       errorLog,
	}
}

// survive answers a panic of next with 500.
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
	_, _ = w.Write(text) // the client has gone: nothing to be done
}
