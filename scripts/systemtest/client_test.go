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

// patience is the timeout of clients. It is no limit of a test.
const patience = 10 * time.Second

// wire is a client with one connection, which it keeps until the server closes it. Unlike net/http, it does not retry: a connection that
// breaks before the response is an error. It connects on first use. It is not safe for concurrent use.
type wire struct {
	address string // host:port
	conn    net.Conn
	reader  *bufio.Reader
}

// get requests a path. headers are whole lines.
func (w *wire) get(path string, headers ...string) (answer, error) {
	var lines strings.Builder
	for _, line := range headers {
		lines.WriteString(line + "\r\n")
	}
	return w.send("GET", "GET "+path+" HTTP/1.1\r\nHost: systemtest\r\n"+lines.String()+"\r\n")
}

// send sends the bytes of a request with a method and reads one response. If it is compressed, send decompresses it and removes W/ from its
// ETag, which NGINX adds on compression. After an error or Connection: close, the next call reconnects.
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
	// A server may respond and close before it has read the request.
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

// load is a number of clients that send requests until stop is called.
type load struct {
	t        *testing.T
	ctx      context.Context
	cancel   context.CancelFunc
	wait     sync.WaitGroup
	requests atomic.Int64
	failed   atomic.Int64
}

// mostErrors is the maximum number of reported errors of a load.
const mostErrors = 5

func newLoad(t *testing.T) *load {
	ctx, cancel := context.WithCancel(t.Context())
	l := &load{t: t, ctx: ctx, cancel: cancel}
	t.Cleanup(l.stop)
	return l
}

// client adds a client with its own connection. It calls send with 0, 1, 2 ..., at most once every pace. send makes one request.
func (l *load) client(address string, pace time.Duration, send func(w *wire, n int) error) {
	l.wait.Go(func() {
		w := &wire{address: address}
		defer w.close()
		for n := 0; l.ctx.Err() == nil; n++ {
			began := time.Now()
			if err := send(w, n); err != nil && l.failed.Add(1) <= mostErrors {
				l.t.Error(err)
			}
			l.requests.Add(1)
			select {
			case <-l.ctx.Done():
			case <-time.After(pace - time.Since(began)):
			}
		}
	})
}

// more waits until the clients have made that many more requests.
func (l *load) more(count int64) {
	l.t.Helper()
	enough := l.requests.Load() + count
	eventually(l.t, fmt.Sprintf("%d more requests", count), func() bool {
		return l.requests.Load() >= enough || l.failed.Load() > mostErrors
	})
}

// stop stops the clients after their present requests.
func (l *load) stop() {
	l.cancel()
	l.wait.Wait()
	if failed := l.failed.Swap(0); failed > mostErrors {
		l.t.Errorf("and %d more errors, in %d requests", failed-mostErrors, l.requests.Load())
	}
}

// gzipped is the header of a client that accepts gzip.
const gzipped = "Accept-Encoding: gzip"

// encodings are the headers for the two encodings that NGINX caches.
var encodings = [][]string{nil, {gzipped}}
