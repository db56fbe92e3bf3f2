// Package server answers HTTP requests with documents from a store.
//
// The addresses are derived from the published versions; the package names no collection:
//
//	GET /{collection}?page=1&count=5   a page of the list
//	GET /{collection}/{id}             the document of the endpoint without a path
//	GET /{collection}/{id}/{path}      the document of the endpoint with that path
//	GET /{collection}/changes?since=7  the change feed: documents changed by runs after 7
//
// Other addresses may have pages; see package web.
//
// Pages and counts are positive integers without sign or leading zero. Ids are integers, too, which may be zero and negative, or texts; see
// textID. Paths are normalized as in the gateway; see canonical. Unknown query parameters are errors; see readQuery.
//
// The stored etag identifies a document, the data version a page. Only this package sets cache lifetimes: max-age for browsers, s-maxage
// and stale-while-revalidate for shared caches. Every error is application/problem+json with a fixed text and must not be cached, with one
// exception: the gateway caches a 404 for an id as long as a document, to replace its copy of a document that was removed.
package server

import (
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/prometheus/client_golang/prometheus"

	"systemscale/api/internal/store"
	"systemscale/api/web"
	"systemscale/sql"
)

// Store is the source of documents. See store.Store for the contract of each method.
type Store interface {
	Snapshot() *store.Snapshot
	Get(endpoint *store.Endpoint, id sql.ID, unless store.Match, dst []byte) (store.Result, error)
	List(endpoint *store.Endpoint, skip, limit int64, dst []byte) (store.Result, error)
	Changes(collection *store.Collection, since int64, after store.Cursor, limit int64, dst []byte) (store.Result, error)
}

// Options configure a server. A zero field selects the default in its comment.
type Options struct {
	CacheAge   time.Duration         // how long shared caches may use a document without revalidation, in whole seconds; 10 s
	Logger     *slog.Logger          // of unexpected errors; slog.Default()
	Registerer prometheus.Registerer // of the metrics; none
	Site       *web.Site             // the pages; none
}

func (o Options) withDefaults() Options {
	if o.CacheAge <= 0 {
		o.CacheAge = 10 * time.Second
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	return o
}

// Server serves HTTP. Its methods are safe for concurrent use.
type Server struct {
	store    Store
	logger   *slog.Logger
	caching  caching
	metrics  *metrics
	pages    pages
	app      *fiber.App
	draining atomic.Bool

	connections     atomic.Int64 // number of open connections
	connectionLimit int64        // maximum of connections
}
