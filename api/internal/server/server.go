// Package server answers HTTP requests with documents from a store.
//
// The addresses are derived from the published versions; the package knows no collection:
//
//	GET /{collection}?page=1&count=5   a page of the list
//	GET /{collection}/{id}             the document of the endpoint without a path
//	GET /{collection}/{id}/{path}      the document of the endpoint with that path
//	GET /{collection}/changes?since=7  the change feed: documents changed by runs after 7
//
// Other addresses may have pages; see package web.
//
// Ids, pages and counts are positive integers without sign or leading zero. Paths are normalized as in the gateway; see canonical. Unknown
// query parameters are errors; see readQuery.
//
// The stored etag identifies a document, the data version a page. Only this package sets cache lifetimes: max-age for browsers, s-maxage
// and stale-while-revalidate for shared caches. Every error is application/problem+json with a fixed text and must not be cached, with one
// exception: the gateway caches a 404 for an id as long as a document, to replace its copy of a document that was removed.
package server

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/middleware/recover"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/valyala/fasthttp"

	"systemscale/api/internal/store"
	"systemscale/api/web"
)

// Limits on clients. The gateway has tighter ones.
const (
	readTimeout  = 5 * time.Second  // from the first byte of a request to the last
	writeTimeout = 10 * time.Second // of a whole response
	idleTimeout  = 75 * time.Second // longer than NGINX keeps idle upstream connections, so that NGINX closes first

	maxHeader      = 8 << 10  // bytes of request line and headers
	maxRequestBody = 8 << 10  // bytes; the body is read and ignored: some clients send "{}" with a GET
	writeBuffer    = 16 << 10 // bytes; most documents and their headers fit into one write
	maxConnections = 4096     // each with up to 32 KiB of buffers; further ones get a 503 and are closed
)

// Store is the source of documents. See store.Store for the contract of each method.
type Store interface {
	Snapshot() *store.Snapshot
	Get(endpoint *store.Endpoint, id int64, unless store.Match, dst []byte) (store.Result, error)
	List(endpoint *store.Endpoint, skip, limit int64, dst []byte) (store.Result, error)
	Changes(collection *store.Collection, since int64, after store.Cursor, limit int64, dst []byte) (store.Result, error)
}

// Options configure a server. A zero field selects the default given beside it.
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

// New returns a server for the documents of store.
func New(store Store, options Options) *Server {
	options = options.withDefaults()
	s := &Server{
		store:           store,
		logger:          options.Logger,
		caching:         newCaching(options.CacheAge),
		pages:           pages{site: options.Site},
		connectionLimit: maxConnections,
	}
	s.metrics = newMetrics(options.Registerer, func() float64 { return float64(s.connections.Load()) })
	s.app = fiber.New(fiber.Config{
		ErrorHandler:    s.handleError,
		ReadTimeout:     readTimeout,
		WriteTimeout:    writeTimeout,
		IdleTimeout:     idleTimeout,
		ReadBufferSize:  maxHeader,
		WriteBufferSize: writeBuffer,
		BodyLimit:       maxRequestBody,
		// Bodies of any type are ignored.
		DisablePreParseMultipartForm: true,
		// Never reached: the connection limiter refuses connections before.
		Concurrency:               2 * maxConnections,
		DisableDefaultContentType: true,
		DisableStartupMessage:     true,
		// route splits the path itself, so Fiber need not normalize it.
		CaseSensitive: true,
		StrictRouting: true,
	})
	// Fiber provides timeouts, limits, recovery and the error handler, and no routing: the addresses depend on the published versions, change
	// while the server runs, and are matched on the raw path without allocating. So one handler, route, serves all of them.
	s.app.Use(recover.New(recover.Config{EnableStackTrace: true, StackTraceHandler: saveStack}))
	s.app.Use(s.route)
	s.app.Server().Handler = s.middleware(s.app.Handler())
	s.app.Server().ConnState = s.trackConnection
	return s
}

// stackKey is the local that passes the stack of a panic to the error handler, which logs it.
const stackKey = "stack"

func saveStack(c *fiber.Ctx, _ any) { c.Locals(stackKey, debug.Stack()) }

// middleware handles methods, request ids, draining and metrics of every request. It wraps Fiber's handler, because Fiber answers an
// unknown method with plain text before any handler runs.
func (s *Server) middleware(next fasthttp.RequestHandler) fasthttp.RequestHandler {
	return func(ctx *fasthttp.RequestCtx) {
		start := time.Now()
		if s.draining.Load() {
			ctx.SetConnectionClose()
		}
		if id := requestID(&ctx.Request); id != nil {
			ctx.Response.Header.SetCanonical(keyRequestID, id)
		}
		switch header := &ctx.Request.Header; {
		case header.ContentLength() != withoutBody && framedTwice(header.RawHeaders()):
			ctx.SetConnectionClose()
			s.answer(ctx, problemOf(errMalformed))
		case header.IsGet() || header.IsHead():
			next(ctx)
		case header.IsOptions():
			answerOptions(&ctx.Response)
		default:
			s.answer(ctx, problemOf(errMethod))
		}
		s.metrics.observe(s.metrics.routeOf(ctx), ctx.Response.StatusCode(), time.Since(start))
	}
}

// withoutBody is the content length that fasthttp reports for a GET or HEAD without a body.
const withoutBody = -2

// framedTwice reports whether header lines contain both Content-Length and Transfer-Encoding. fasthttp uses the latter, and a proxy may use
// the former: one would read the other's body as the next request. RFC 9112, 6.1 requires closing the connection.
func framedTwice(lines []byte) bool {
	var length, coding bool
	for line := range bytes.Lines(lines) {
		name, _, _ := bytes.Cut(line, []byte(":"))
		length = length || bytes.EqualFold(name, []byte("Content-Length"))
		coding = coding || bytes.EqualFold(name, []byte("Transfer-Encoding"))
	}
	return length && coding
}

// Serve accepts connections until Shutdown, and then returns nil. It may be called concurrently with several listeners.
func (s *Server) Serve(listener net.Listener) error {
	return s.app.Server().Serve(&connectionLimiter{Listener: listener, server: s})
}

// Drain makes every response close its connection from now on. New connections are still served.
func (s *Server) Drain() { s.draining.Store(true) }

// Shutdown closes the listeners, and each connection once its request has been answered. If ctx ends first, it returns ctx's error.
func (s *Server) Shutdown(ctx context.Context) error { return s.app.ShutdownWithContext(ctx) }
