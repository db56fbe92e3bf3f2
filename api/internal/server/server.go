// Package server answers HTTP requests with documents from a store.
//
// The addresses follow from what is published; no collection's name is known here:
//
//	GET /{collection}?page=1&count=5   a page of the list document
//	GET /{collection}/{id}             the document with the empty path
//	GET /{collection}/{id}/{path}      the document with that path
//
// An id, a page and a count are plain positive numbers: digits without sign or leading zero. Addresses are
// compared byte by byte, without decoding: a percent sign or a trailing slash makes another address, so that a
// document has exactly one and a cache holds it once.
//
// A document is strongly identified by its stored ETag, a page by the data version. Every error is
// application/problem+json with a fixed text, and none may be cached.
package server

import (
	"context"
	"log/slog"
	"net"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/middleware/recover"
	"github.com/valyala/fasthttp"

	"systemscale/api/internal/store"
)

// Limits on what a client may hold on to. Whatever stands in front has its own, tighter ones.
const (
	readTimeout  = 5 * time.Second  // from the first byte of a request to its last
	writeTimeout = 10 * time.Second // of a whole response
	idleTimeout  = 75 * time.Second // longer than NGINX keeps its upstream connections, so that NGINX closes first

	maxHeader      = 8 << 10  // bytes of request line and headers
	maxRequestBody = 1 << 10  // bytes; nothing here reads one
	writeBuffer    = 16 << 10 // bytes; most documents leave with their headers in one write
	maxConnections = 4096     // per listener, each holding up to 24 KiB of buffers; fasthttp turns more away with a bare 503
)

// Store is where documents come from. See store.Store for the contract of each method.
type Store interface {
	Snapshot() *store.Snapshot
	Get(document *store.Document, id int64, unless store.Match, dst []byte) (store.Result, error)
	List(document *store.Document, skip, limit int64, dst []byte) (store.Result, error)
}

// Server serves HTTP. Its methods are safe for concurrent use.
type Server struct {
	store    Store
	logger   *slog.Logger
	app      *fiber.App
	draining atomic.Bool
}

// New returns a server that answers from store and logs what nobody expected to logger.
func New(store Store, logger *slog.Logger) *Server {
	s := &Server{store: store, logger: logger}
	s.app = fiber.New(fiber.Config{
		ErrorHandler:              s.handleError,
		ReadTimeout:               readTimeout,
		WriteTimeout:              writeTimeout,
		IdleTimeout:               idleTimeout,
		ReadBufferSize:            maxHeader,
		WriteBufferSize:           writeBuffer,
		BodyLimit:                 maxRequestBody,
		Concurrency:               maxConnections,
		DisableDefaultContentType: true,
		DisableStartupMessage:     true,
		// One handler splits the path itself, so Fiber need not prettify it.
		CaseSensitive: true,
		StrictRouting: true,
	})
	s.app.Use(recover.New(recover.Config{EnableStackTrace: true, StackTraceHandler: keepStack}))
	s.app.Use(s.route)
	s.app.Server().Handler = s.inFront(s.app.Handler())
	return s
}

// stackKey is the local under which the stack of a panic waits for the error handler, which logs it.
const stackKey = "stack"

func keepStack(c *fiber.Ctx, _ any) { c.Locals(stackKey, debug.Stack()) }

// inFront does what every answer needs and sorts out methods, because Fiber answers one that it does not know
// with a text of its own before any handler runs.
func (s *Server) inFront(next fasthttp.RequestHandler) fasthttp.RequestHandler {
	return func(ctx *fasthttp.RequestCtx) {
		if s.draining.Load() {
			ctx.SetConnectionClose()
		}
		switch header := &ctx.Request.Header; {
		case header.IsGet() || header.IsHead():
			next(ctx)
		case header.IsOptions():
			answerOptions(&ctx.Response)
		default:
			answerProblem(&ctx.Response, problemOf(errMethod))
		}
	}
}

// Serve accepts connections until Shutdown, and then returns nil. It may be called for several listeners at once.
func (s *Server) Serve(listener net.Listener) error { return s.app.Server().Serve(listener) }

// Drain asks clients to move on: from now on every answer closes its connection. New ones are still served.
func (s *Server) Drain() { s.draining.Store(true) }

// Shutdown closes the listeners and then each connection once its request is answered. If ctx ends before the
// last of them it returns ctx's error.
func (s *Server) Shutdown(ctx context.Context) error { return s.app.ShutdownWithContext(ctx) }
