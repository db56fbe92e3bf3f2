package server

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"systemscale/api/internal/catalogtest"
)

// dial opens a connection that the test closes.
func (s *site) dial() net.Conn {
	s.t.Helper()
	conn, err := net.Dial("tcp", s.address)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(catalogtest.Patience))
	return conn
}

// receive reads one answer.
func receive(t testing.TB, conn net.Conn) response {
	t.Helper()
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatalf("no answer: %v", err)
	}
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response{answer.StatusCode, answer.Header, string(body), answer.ContentLength}
}

func TestTooManyConnections(t *testing.T) {
	s, _ := fakeSite(t)
	s.publish("things", things(1, 1)...)
	s.connectionLimit = 3
	var open []net.Conn
	for range s.connectionLimit {
		conn := s.dial()
		_, _ = io.WriteString(conn, "GET /things/1 HTTP/1.1\r\nHost: h\r\n\r\n")
		checkDocument(t, "item", 1, receive(t, conn))
		open = append(open, conn)
	}
	for range 5 {
		// It says so at once, before the request.
		conn := s.dial()
		r := receive(t, conn)
		checkProblem(t, r, http.StatusServiceUnavailable)
		if n, err := conn.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("the connection stays: %d, %v", n, err)
		}
	}
	_, _ = io.WriteString(open[0], "GET /things/1 HTTP/1.1\r\nHost: h\r\n\r\n")
	checkDocument(t, "item", 1, receive(t, open[0]))
	_ = open[1].Close()
	catalogtest.Eventually(t, "there is room again", func() bool { return s.connections.Load() < s.connectionLimit })
	checkDocument(t, "item", 1, s.ask("GET", "/things/1"))
}

// exhausted is a listener that finds no file descriptor a few times.
type exhausted struct {
	net.Listener
	failures atomic.Int32
}

func (e *exhausted) Accept() (net.Conn, error) {
	if n := e.failures.Add(-1); n >= 0 {
		return nil, &net.OpError{Op: "accept", Err: []error{syscall.EMFILE, syscall.ENFILE}[n%2]}
	}
	return e.Listener.Accept()
}

func TestNoFileDescriptorLeft(t *testing.T) {
	f := newFake(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	short := &exhausted{Listener: listener}
	short.failures.Store(4)
	s := serve(t, short, f, Options{Logger: quiet()})
	f.publish("things", things(1, 1)...)
	checkDocument(t, "item", 1, s.ask("GET", "/things/1"))
}
