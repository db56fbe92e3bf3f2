// Package admin answers the questions of those who run the server, on a port of its own.
package admin

import (
	"net/http"
	"time"

	"github.com/goccy/go-json"
)

// Limits that keep a stuck client from holding anything for long. Whoever asks here asks for a few bytes.
const timeout = 5 * time.Second

// New returns an HTTP server, to be given a listener, that answers
//
//	GET /live    200 as long as the process answers at all; it never asks the database
//	GET /ready   200, or 503 and the reason if ready returns one
//
// and 404 to everything else. ready may be called by several goroutines at once.
func New(ready func() error) *http.Server {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /live", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, map[string]any{"live": true})
	})
	mux.HandleFunc("GET /ready", func(w http.ResponseWriter, _ *http.Request) {
		if err := ready(); err != nil {
			answer(w, http.StatusServiceUnavailable, map[string]any{"ready": false, "reason": err.Error()})
			return
		}
		answer(w, http.StatusOK, map[string]any{"ready": true})
	})
	return &http.Server{Handler: mux, ReadTimeout: timeout, WriteTimeout: timeout, MaxHeaderBytes: 8 << 10}
}

func answer(w http.ResponseWriter, status int, body map[string]any) {
	text, err := json.Marshal(body)
	if err != nil {
		panic("BUG: " + err.Error())
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(text) // the client has gone: nothing to be done
}
