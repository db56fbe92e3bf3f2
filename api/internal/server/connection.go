package server

import (
	"errors"
	"net"
	"syscall"
	"time"

	"github.com/valyala/fasthttp"
)

// acceptPause is the pause before the next accept when the process has run out of file descriptors.
const acceptPause = 10 * time.Millisecond

// refusalTimeout bounds the write of a refusal, which fits into the socket buffer of a new connection and does not block.
const refusalTimeout = 100 * time.Millisecond

// connectionLimiter is a listener that limits the number of open connections. The limit of fasthttp answers with plain text instead of
// problem+json, and fasthttp stops serving when it runs out of file descriptors.
type connectionLimiter struct {
	net.Listener
	server *Server
}

func (l *connectionLimiter) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) {
			// A descriptor is free again when an open connection ends.
			time.Sleep(acceptPause)
			continue
		}
		if err != nil {
			return nil, err
		}
		if l.server.connections.Load() < l.server.connectionLimit {
			return conn, nil
		}
		l.server.refuse(conn)
	}
}

// refuse answers a new connection with a 503, before any request, and closes it.
func (s *Server) refuse(conn net.Conn) {
	s.metrics.refused.Inc()
	response := fasthttp.AcquireResponse()
	defer fasthttp.ReleaseResponse(response)
	answerProblem(response, problemOf(errTooManyConnections))
	response.SetConnectionClose()
	_ = conn.SetWriteDeadline(time.Now().Add(refusalTimeout))
	_, _ = response.WriteTo(conn)
	_ = conn.Close()
}

// trackConnection counts open connections.
func (s *Server) trackConnection(_ net.Conn, state fasthttp.ConnState) {
	switch state {
	case fasthttp.StateNew:
		s.connections.Add(1)
	case fasthttp.StateClosed:
		s.connections.Add(-1)
	}
}
