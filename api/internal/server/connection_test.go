package server

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"systemscale/api/internal/publishtest"
	"systemscale/sql"
)

// dial opens a connection that the test closes.
func (s *site) dial() net.Conn {
	s.t.Helper()
	conn, err := net.Dial("tcp", s.address)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(publishtest.Patience))
	return conn
}

// receive reads one response.
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
	f := newFake(t)
	s := newSite(t, f, Options{Logger: quiet()})
	s.connectionLimit = 3
	s.start(tcp(t))
	f.publish("things", things(1, 1)...)
	var open []net.Conn
	for range s.connectionLimit {
		conn := s.dial()
		_, _ = io.WriteString(conn, "GET /things/1 HTTP/1.1\r\nHost: h\r\n\r\n")
		checkDocument(t, "item", 1, receive(t, conn))
		open = append(open, conn)
	}
	for range 5 {
		// The refusal comes at once, before the request.
		conn := s.dial()
		r := receive(t, conn)
		checkProblem(t, r, http.StatusServiceUnavailable)
		if n, err := conn.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
			t.Errorf("the connection stays: %d, %v", n, err)
		}
	}
	_, _ = io.WriteString(open[0], "GET /things/1 HTTP/1.1\r\nHost: h\r\n\r\n")
	checkDocument(t, "item", 1, receive(t, open[0]))
	_ = open[1].Close()
	publishtest.Eventually(t, "there is room again", func() bool { return s.connections.Load() < s.connectionLimit })
	checkDocument(t, "item", 1, s.send("GET", "/things/1"))
}

// exhausted is a listener whose first calls fail for lack of file descriptors.
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

func TestOutOfFileDescriptors(t *testing.T) {
	f := newFake(t)
	short := &exhausted{Listener: tcp(t)}
	short.failures.Store(4)
	s := newSite(t, f, Options{Logger: quiet()})
	s.start(short)
	f.publish("things", things(1, 1)...)
	checkDocument(t, "item", 1, s.send("GET", "/things/1"))
}

// impatient returns a fake site with short timeouts.
func impatient(t *testing.T) (*site, *fake) {
	t.Helper()
	f := newFake(t)
	s := newSite(t, f, Options{Logger: quiet()})
	s.app.Server().ReadTimeout, s.app.Server().WriteTimeout = 200*time.Millisecond, 200*time.Millisecond
	s.start(tcp(t))
	s.publish = f.publish
	return s, f
}

func TestLimits(t *testing.T) {
	s := New(newFake(t), Options{}).app.Server()
	if s.ReadTimeout <= 0 || s.WriteTimeout <= 0 || s.IdleTimeout <= 0 || s.ReadBufferSize > 16<<10 || s.MaxRequestBodySize > 16<<10 ||
		s.Concurrency <= maxConnections {
		t.Errorf("a client may use too much time or memory: %+v", s)
	}
}

// checkNothingStays waits until no connection is open and no goroutine serves one.
func (s *site) checkNothingStays() {
	s.t.Helper()
	s.client.CloseIdleConnections()
	publishtest.Eventually(s.t, "no connection stays", func() bool { return s.connections.Load() == 0 })
	// Workers that wait for their next connection are not counted.
	publishtest.Eventually(s.t, "no goroutine stays", func() bool {
		stacks := make([]byte, 1<<20)
		return !bytes.Contains(stacks[:runtime.Stack(stacks, true)], []byte("fasthttp.(*Server).serveConn("))
	})
}

// TestSlowLoris covers clients that send one byte at a time, so that no connection is idle.
func TestSlowLoris(t *testing.T) {
	s, _ := impatient(t)
	s.publish("things", things(1, 1)...)
	var wait sync.WaitGroup
	for range 20 {
		wait.Go(func() {
			conn := s.dial()
			for _, c := range []byte("GET /things/1 HTTP/1.1\r\nHost: h\r\nX-Slow: " + strings.Repeat("x", maxHeader)) {
				if _, err := conn.Write([]byte{c}); err != nil {
					break
				}
				time.Sleep(5 * time.Millisecond)
			}
			// The last bytes met a closed socket, and the reset may have discarded the response. So the response is optional.
			if answer, err := http.ReadResponse(bufio.NewReader(conn), nil); err == nil {
				if answer.StatusCode != http.StatusRequestTimeout {
					t.Errorf("the answer is %d, want 408", answer.StatusCode)
				}
				_ = answer.Body.Close()
			}
		})
	}
	stop := make(chan struct{})
	var honest sync.WaitGroup
	honest.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				checkDocument(t, "item", 1, s.send("GET", "/things/1"))
			}
		}
	})
	wait.Wait()
	close(stop)
	honest.Wait()
	s.checkNothingStays()
}

// large is a document that exceeds the socket buffers.
func large() publishtest.Table {
	return publishtest.Table{
		Endpoint: sql.Endpoint{Name: "item"},
		Rows:     []publishtest.Row{{ID: sql.IntID(1), ETag: 7, Body: `{"pad": "` + strings.Repeat("x", 8<<20) + `"}`}},
	}
}

// TestClientDisconnects covers clients that close or reset their connection during the response.
func TestClientDisconnects(t *testing.T) {
	s, f := impatient(t)
	s.publish("things", large())
	for client := range 6 {
		conn := s.dial()
		_, _ = io.WriteString(conn, "GET /things/1 HTTP/1.1\r\nHost: h\r\n\r\n")
		// The response has begun.
		if _, err := io.ReadFull(conn, make([]byte, 100)); err != nil {
			t.Fatal(err)
		}
		if client%2 == 0 {
			// Without lingering, the close is a reset.
			_ = conn.(*net.TCPConn).SetLinger(0)
		}
		_ = conn.Close()
	}
	// The same during the lookup.
	hold := make(chan struct{})
	f.mutex.Lock()
	f.hold, f.seen = hold, 0
	f.mutex.Unlock()
	const count = 6
	var leaving []net.Conn
	for range count {
		conn := s.dial()
		_, _ = io.WriteString(conn, "GET /things/1 HTTP/1.1\r\nHost: h\r\n\r\n")
		leaving = append(leaving, conn)
	}
	publishtest.Eventually(t, "they are being answered", func() bool {
		f.mutex.Lock()
		defer f.mutex.Unlock()
		return f.seen == count
	})
	for _, conn := range leaving {
		_ = conn.Close()
	}
	close(hold)
	f.mutex.Lock()
	f.hold = nil
	f.mutex.Unlock()
	if r := s.send("HEAD", "/things/1"); r.status != http.StatusOK {
		t.Errorf("afterwards an honest request gets %d", r.status)
	}
	s.checkNothingStays()
}

// TestClientStopsReading covers a client that does not read its response.
func TestClientStopsReading(t *testing.T) {
	s, _ := impatient(t)
	s.publish("things", large())
	for range 6 {
		conn := s.dial()
		_ = conn.(*net.TCPConn).SetReadBuffer(4 << 10)
		_, _ = io.WriteString(conn, "GET /things/1 HTTP/1.1\r\nHost: h\r\n\r\n")
		if _, err := io.ReadFull(conn, make([]byte, 100)); err != nil {
			t.Fatal(err)
		}
	}
	if r := s.send("HEAD", "/things/1"); r.status != http.StatusOK {
		t.Errorf("meanwhile an honest request gets %d", r.status)
	}
	s.checkNothingStays()
}
