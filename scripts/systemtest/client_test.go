package systemtest

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// patience is how long a client waits for what must come, not how long it may take.
const patience = 10 * time.Second

// wire is a client with one connection, which it keeps as long as the server does. What net/http would mend behind a test's back, such
// as a connection that breaks before the answer, is an error here. The zero value of conn connects on first use. One goroutine at a time.
type wire struct {
	address string // host:port
	conn    net.Conn
	reader  *bufio.Reader
}

// get asks for a path, with headers as lines.
func (w *wire) get(path string, headers ...string) (answer, error) {
	var lines strings.Builder
	for _, line := range headers {
		lines.WriteString(line + "\r\n")
	}
	return w.send("GET", "GET "+path+" HTTP/1.1\r\nHost: systemtest\r\n"+lines.String()+"\r\n")
}

// send sends raw bytes, which ask with a method, and reads one answer. A gzipped one is unpacked, and has the ETag that it had before NGINX
// compressed it. After an error, and where the server says so, the next call reconnects.
func (w *wire) send(method, raw string) (answer, error) {
	if w.conn == nil {
		conn, err := net.DialTimeout("tcp", w.address, patience)
		if err != nil {
			return answer{}, err
		}
		w.conn, w.reader = conn, bufio.NewReader(conn)
	}
	got, closes, err := w.exchange(method, raw)
	if err != nil || closes {
		w.close()
	}
	return got, err
}

func (w *wire) exchange(method, raw string) (got answer, closes bool, err error) {
	if err := w.conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return got, true, err
	}
	// A server may answer and close before it has read everything.
	_, writeErr := io.WriteString(w.conn, raw)
	response, err := http.ReadResponse(w.reader, &http.Request{Method: method})
	if err != nil {
		if writeErr != nil {
			err = writeErr
		}
		return got, true, err
	}
	defer func() { _ = response.Body.Close() }()
	var body bytes.Buffer
	if _, err = body.ReadFrom(response.Body); err == nil && response.Header.Get("Content-Encoding") == "gzip" && method != http.MethodHead {
		packed := bytes.NewReader(bytes.Clone(body.Bytes()))
		body.Reset()
		var unpacker *gzip.Reader
		if unpacker, err = gzip.NewReader(packed); err == nil {
			_, err = body.ReadFrom(unpacker)
		}
		if err != nil {
			err = fmt.Errorf("unpack: %w", err)
		}
		response.Header.Set("ETag", strings.TrimPrefix(response.Header.Get("ETag"), "W/"))
	}
	return answer{response.StatusCode, response.Header, body.String()}, response.Close, err
}

func (w *wire) close() {
	if w.conn != nil {
		_ = w.conn.Close()
		w.conn = nil
	}
}

// load is a number of clients that ask until they are told to stop.
type load struct {
	t      *testing.T
	ctx    context.Context
	cancel context.CancelFunc
	wait   sync.WaitGroup
	asked  atomic.Int64
	failed atomic.Int64
}

// mostErrors is how many errors of a load are shown.
const mostErrors = 5

func newLoad(t *testing.T) *load {
	ctx, cancel := context.WithCancel(t.Context())
	l := &load{t: t, ctx: ctx, cancel: cancel}
	t.Cleanup(l.stop)
	return l
}

// client adds a client with a connection of its own. ask is called with 0, 1, 2 ..., at most once every pace, and makes one request.
func (l *load) client(address string, pace time.Duration, ask func(w *wire, n int) error) {
	l.wait.Go(func() {
		w := &wire{address: address}
		defer w.close()
		for n := 0; l.ctx.Err() == nil; n++ {
			began := time.Now()
			if err := ask(w, n); err != nil && l.failed.Add(1) <= mostErrors {
				l.t.Error(err)
			}
			l.asked.Add(1)
			select {
			case <-l.ctx.Done():
			case <-time.After(pace - time.Since(began)):
			}
		}
	})
}

// more waits until the clients have asked that many times more.
func (l *load) more(requests int64) {
	l.t.Helper()
	enough := l.asked.Load() + requests
	eventually(l.t, fmt.Sprintf("%d more requests", requests), func() bool { return l.asked.Load() >= enough || l.failed.Load() > mostErrors })
}

// stop ends the clients once each has its answer.
func (l *load) stop() {
	l.cancel()
	l.wait.Wait()
	if failed := l.failed.Swap(0); failed > mostErrors {
		l.t.Errorf("and %d errors more, in %d requests", failed-mostErrors, l.asked.Load())
	}
}

// gzipped is the header of a client that takes gzip.
const gzipped = "Accept-Encoding: gzip"

// encodings are the headers that make NGINX keep one copy each.
var encodings = [][]string{nil, {gzipped}}
