package server

import (
	"bytes"
	"context"
	"net"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/middleware/recover"
	"github.com/valyala/fasthttp"
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
	// Fiber provides timeouts, limits, recovery and the error handler, and no routing: the addresses depend on the published versions,
	// change while the server runs, and are matched on the raw path without allocating. So one handler, route, serves all of them.
	s.app.Use(recover.New(recover.Config{EnableStackTrace: true, StackTraceHandler: saveStack}))
	s.app.Use(s.route)
	s.app.Server().Handler = s.middleware(s.app.Handler())
	s.app.Server().ConnState = s.trackConnection
	return s
}

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
