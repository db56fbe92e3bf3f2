// Package server answers HTTP requests with documents from a store.
//
// The addresses follow from what is published; no collection's name is known here:
//
//	GET /{collection}?page=1&count=5   a page of the list document
//	GET /{collection}/{id}             the document with the empty path
//	GET /{collection}/{id}/{path}      the document with that path
//	GET /{collection}/changes?since=7  which documents runs after 7 have changed
//
// Where no collection is, there may be pages for people; see package web.
//
// An id, a page and a count are plain positive numbers: digits without sign or leading zero. A path has several spellings, the same ones
// as in the gateway: see canonical. What an address does not take as a query parameter is refused: see readQuery.
//
// A document is strongly identified by its stored ETag, a page by the data version. How long a copy of either may be used is
// said here, and nowhere else: to browsers by max-age, to shared caches by s-maxage and stale-while-revalidate. Every error is
// application/problem+json with a fixed text, and none may be cached, but for one: a shared cache keeps the news that an id
// is gone as long as it would have kept the document, because otherwise the document's copy would stay.
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

// Limits on what a client may hold on to. Whatever stands in front has its own, tighter ones.
const (
	readTimeout  = 5 * time.Second  // from the first byte of a request to its last
	writeTimeout = 10 * time.Second // of a whole response
	idleTimeout  = 75 * time.Second // longer than NGINX keeps its upstream connections, so that NGINX closes first

	maxHeader      = 8 << 10  // bytes of request line and headers
	maxRequestBody = 8 << 10  // bytes; it is read within readTimeout and ignored: some clients send "{}" with a GET
	writeBuffer    = 16 << 10 // bytes; most documents leave with their headers in one write
	maxConnections = 4096     // each holding up to 32 KiB of buffers; more get a 503 and are closed
)

// Store is where documents come from. See store.Store for the contract of each method.
type Store interface {
	Snapshot() *store.Snapshot
	Get(endpoint *store.Endpoint, id int64, unless store.Match, dst []byte) (store.Result, error)
	List(endpoint *store.Endpoint, skip, limit int64, dst []byte) (store.Result, error)
	Changes(collection *store.Collection, since int64, after store.Cursor, limit int64, dst []byte) (store.Result, error)
}

// Options says how a server answers. A zero field takes the default that is named beside it.
type Options struct {
	CacheAge   time.Duration         // how long a shared cache may use a document without asking, 10 s; whole seconds
	Logger     *slog.Logger          // of what nobody expected, slog.Default()
	Registerer prometheus.Registerer // of the metrics, none
	Site       *web.Site             // what people see where no collection is, nothing
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

	connections     atomic.Int64 // that are open
	connectionLimit int64        // of those
}

// New returns a server that answers from store.
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
		// A body is ignored whatever it calls itself.
		DisablePreParseMultipartForm: true,
		// Never reached: the gate closes before.
		Concurrency:               2 * maxConnections,
		DisableDefaultContentType: true,
		DisableStartupMessage:     true,
		// One handler splits the path itself, so Fiber need not prettify it.
		CaseSensitive: true,
		StrictRouting: true,
	})
	s.app.Use(recover.New(recover.Config{EnableStackTrace: true, StackTraceHandler: saveStack}))
	s.app.Use(s.route)
	s.app.Server().Handler = s.middleware(s.app.Handler())
	s.app.Server().ConnState = s.trackConnection
	return s
}

// stackKey is the local under which the stack of a panic waits for the error handler, which logs it.
const stackKey = "stack"

func saveStack(c *fiber.Ctx, _ any) { c.Locals(stackKey, debug.Stack()) }

// inFront does what every answer needs and sorts out methods, because Fiber answers one that it does not know
// with a text of its own before any handler runs.
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

// withoutBody is the content length that fasthttp reports for a GET or a HEAD that announces no body.
const withoutBody = -2

// framedTwice reports whether header lines hold both a Content-Length and a Transfer-Encoding. fasthttp goes by the latter, and a server
// in front may go by the former: what one takes for the body the other would take for the next request. RFC 9112, 6.1 wants the
// connection closed.
func framedTwice(lines []byte) bool {
	var length, coding bool
	for line := range bytes.Lines(lines) {
		name, _, _ := bytes.Cut(line, []byte(":"))
		length = length || bytes.EqualFold(name, []byte("Content-Length"))
		coding = coding || bytes.EqualFold(name, []byte("Transfer-Encoding"))
	}
	return length && coding
}

// Serve accepts connections until Shutdown, and then returns nil. It may be called for several listeners at once.
func (s *Server) Serve(listener net.Listener) error {
	return s.app.Server().Serve(&connectionLimiter{Listener: listener, server: s})
}

// Drain asks clients to move on: from now on every answer closes its connection. New ones are still served.
func (s *Server) Drain() { s.draining.Store(true) }

// Shutdown closes the listeners and then each connection once its request is answered. If ctx ends before the
// last of them it returns ctx's error.
func (s *Server) Shutdown(ctx context.Context) error { return s.app.ShutdownWithContext(ctx) }
