package server

import (
	"errors"
	"net"
	"syscall"
	"time"

	"github.com/valyala/fasthttp"
)

// acceptPause is how long the server waits before it accepts again when the process has no file descriptor left.
const acceptPause = 10 * time.Millisecond

// refusalTimeout bounds the write of a refusal. It fits into the buffer of any new connection, so nothing ever waits for it.
const refusalTimeout = 100 * time.Millisecond

// gate is a listener that lets no more connections in than the server may hold. fasthttp has such a limit of its own, but
// answers with a text that is no problem+json; and it stops serving for good when it cannot accept for want of a file descriptor.
type connectionLimiter struct {
	net.Listener
	server *Server
}

func (l *connectionLimiter) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) {
			// Connections that are open go on, and sooner or later one ends.
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

// refuse turns a client away before it has said anything.
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

// count follows connections from their beginning to their end.
func (s *Server) trackConnection(_ net.Conn, state fasthttp.ConnState) {
	switch state {
	case fasthttp.StateNew:
		s.connections.Add(1)
	case fasthttp.StateClosed:
		s.connections.Add(-1)
	}
}
