package server

import (
	"bufio"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/valyala/fasthttp"

	"systemscale/api/internal/publishtest"
	"systemscale/api/internal/store"
)

func TestCacheAge(t *testing.T) {
	for _, c := range []struct {
		age              time.Duration
		document, absent string
	}{
		{0, documentCaching, "10"},
		{10 * time.Second, documentCaching, "10"},
		{time.Second, "public, max-age=1, s-maxage=1, stale-while-revalidate=3", "1"},
		{time.Minute, "public, max-age=30, s-maxage=60, stale-while-revalidate=180", "60"},
	} {
		t.Run(c.age.String(), func(t *testing.T) {
			f := newFake(t)
			s := listen(t, f, Options{Logger: quiet(), CacheAge: c.age})
			f.publish("things", things(1, 1)...)
			checkHeaders(t, s.send("GET", "/things/1"), "Cache-Control", c.document)
			checkHeaders(t, s.send("GET", "/things"), "Cache-Control", pageCaching)
			checkHeaders(t, s.send("GET", "/things/2"), "Cache-Control", "no-store", "X-Accel-Expires", c.absent)
		})
	}
}

// TestAccelExpiresPrecedesCacheControl checks the order on the wire: NGINX uses the first of the two headers.
func TestAccelExpiresPrecedesCacheControl(t *testing.T) {
	s, f := fakeSite(t)
	s.publish("things", things(1, 1)...)
	for _, method := range []string{"GET", "HEAD"} {
		raw := s.wire(method + " /things/2 HTTP/1.1\r\nHost: h\r\nX-Request-ID: a\r\nConnection: close\r\n\r\n")
		accel, control := strings.Index(raw, "\r\nX-Accel-Expires: 10\r\n"), strings.Index(raw, "\r\nCache-Control: no-store\r\n")
		if accel < 0 || control < accel {
			t.Errorf("%s: %q", method, raw)
		}
	}
	// Other errors of a lookup are not cached.
	f.fail = store.ErrUnavailable
	r := s.send("GET", "/things/2")
	checkProblem(t, r, http.StatusServiceUnavailable)
	checkTiming(t, r)
}

// wire sends raw bytes and returns all bytes until the server closes the connection.
func (s *site) wire(raw string) string {
	s.t.Helper()
	conn, err := net.Dial("tcp", s.address)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(publishtest.Patience))
	if _, err := io.WriteString(conn, raw); err != nil {
		s.t.Fatal(err)
	}
	answer, err := io.ReadAll(bufio.NewReader(conn))
	if err != nil {
		s.t.Fatal(err)
	}
	return string(answer)
}

func TestServerTiming(t *testing.T) {
	f := func(took time.Duration, want string) {
		t.Helper()
		var header fasthttp.ResponseHeader
		setServerTiming(&header, took)
		if got := string(header.Peek("Server-Timing")); got != want {
			t.Errorf("%s: %q, want %q", took, got, want)
		}
	}
	f(0, "db;dur=0.00")
	f(4*time.Microsecond, "db;dur=0.00")
	f(5*time.Microsecond, "db;dur=0.01")
	f(70*time.Microsecond, "db;dur=0.07")
	f(994*time.Microsecond, "db;dur=0.99")
	f(995*time.Microsecond, "db;dur=1.00")
	f(12345678*time.Nanosecond, "db;dur=12.35")
	f(2*time.Second, "db;dur=2000.00")
}

func TestRequestID(t *testing.T) {
	f := newFake(t)
	log := new(logged)
	s := listen(t, f, Options{Logger: slog.New(slog.NewTextHandler(log, nil))})
	f.publish("things", things(1, 1)...)
	good := []string{"a", "0", "5f2c9a51-0a.B_c", strings.Repeat("x", 128)}
	bad := []string{"", "a b", "a\tb", strings.Repeat("x", 129), "ä", `"a"`, "a/b", "a,b", "a;b", "<script>", "%0d%0a", "a=b"}
	requests := [][2]string{
		{"GET", "/things/1"},
		{"HEAD", "/things/1"},
		{"GET", "/things"},
		{"GET", "/things/2"},
		{"GET", "/nothing"},
		{"OPTIONS", "/things"},
		{"POST", "/things"},
	}
	for _, r := range requests {
		for _, id := range good {
			checkHeaders(t, s.send(r[0], r[1], "X-Request-ID", id), "X-Request-ID", id)
		}
		for _, id := range bad {
			checkHeaders(t, s.send(r[0], r[1], "X-Request-ID", id), "X-Request-ID", "")
		}
	}
	f.loud = true
	for _, id := range good {
		log.Reset()
		r := s.send("GET", "/things/1", "X-Request-ID", id)
		checkProblem(t, r, http.StatusInternalServerError)
		checkHeaders(t, r, "X-Request-ID", id)
		if !strings.Contains(log.String(), " request_id="+id+" ") {
			t.Errorf("the log does not name the request %q: %s", id, log.String())
		}
	}
	for _, id := range bad {
		log.Reset()
		_ = s.send("GET", "/things/1", "X-Request-ID", id)
		if strings.Contains(log.String(), "request_id") {
			t.Errorf("the log repeats %q: %s", id, log.String())
		}
	}
}
