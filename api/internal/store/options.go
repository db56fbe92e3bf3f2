package store

import (
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"systemscale/api/internal/cache"
)

// Options configure a store. A zero field selects the default in its comment.
type Options struct {
	URL         string        // of the database; with several hosts, connections spread over them and avoid hosts that are down or behind
	Connections int           // for lookups, 2; the version rows take one more for each host, and notifications one
	Batch       int           // maximum number of lookups in one round trip, 64
	Queue       int           // maximum number of waiting lookups, 1024; further ones get ErrOverloaded
	Timeout     time.Duration // of one lookup, from call to return, 2 s
	Poll        time.Duration // interval between two reads of the version rows, 1 s
	Logger      *slog.Logger  // slog.Default()
	Cache       *cache.Cache  // of documents; none. The store does not close it

	Registerer prometheus.Registerer // for the store's metrics; a private one
}

func (o Options) withDefaults() Options {
	if o.Connections <= 0 {
		o.Connections = 2
	}
	if o.Batch <= 0 {
		o.Batch = 64
	}
	if o.Queue <= 0 {
		o.Queue = 1024
	}
	if o.Timeout <= 0 {
		o.Timeout = 2 * time.Second
	}
	if o.Poll <= 0 {
		o.Poll = time.Second
	}
	if o.Registerer == nil {
		o.Registerer = prometheus.NewRegistry()
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	return o
}
