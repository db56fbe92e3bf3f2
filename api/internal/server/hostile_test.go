package server

import (
	"bufio"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"systemscale/api/internal/catalogtest"
)

// say sends raw bytes over a new connection and returns the first answer, or false if the server just hung up.
func (s *site) say(raw string) (response, bool) {
	s.t.Helper()
	conn, err := net.Dial("tcp", s.address)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(catalogtest.Patience))
	// The server may answer and close before it has read everything.
	_, _ = io.WriteString(conn, raw)
	if half, ok := conn.(*net.TCPConn); ok {
		_ = half.CloseWrite()
	}
	method, _, _ := strings.Cut(raw, " ")
	answer, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if err != nil {
		return response{}, false
	}
	defer func() { _ = answer.Body.Close() }()
	body, _ := io.ReadAll(answer.Body)
	return response{answer.StatusCode, answer.Header, string(body), answer.ContentLength}, true
}

func TestOddRequests(t *testing.T) {
	s, _ := fakeSite(t)
	s.publish("things", things(1, 3)...)
	for _, c := range []struct {
		name, raw string
		status    int
	}{
		{"headers too long", "GET /things/1 HTTP/1.1\r\nHost: h\r\nX: " + strings.Repeat("x", maxHeader) + "\r\n\r\n", 431},
		{"line too long", "GET /things/" + strings.Repeat("1", maxHeader) + " HTTP/1.1\r\nHost: h\r\n\r\n", 431},
		{"long id", "GET /things/" + strings.Repeat("1", maxHeader/2) + " HTTP/1.1\r\nHost: h\r\n\r\n", 400},
		{"body too long", "POST /things HTTP/1.1\r\nHost: h\r\nContent-Length: 2000\r\n\r\n" + strings.Repeat("x", 2000), 413},
		{"body promised too long", "POST /things HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999\r\n\r\n", 413},
		{"no HTTP", "hello\r\n\r\n", 400},
		{"TLS", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400},
		{"space in a header's name", "GET /things/1 HTTP/1.1\r\nHost: h\r\nA b : c\r\n\r\n", 400},
		{"bad length", "GET /things/1 HTTP/1.1\r\nHost: h\r\nContent-Length: x\r\n\r\n", 400},
		{"absolute address", "GET http://elsewhere/things/1 HTTP/1.1\r\nHost: h\r\n\r\n", 200},
		{"HTTP/1.0", "GET /things/1 HTTP/1.0\r\n\r\n", 200},
		{"fragment", "GET /things/1#x HTTP/1.1\r\nHost: h\r\n\r\n", 200},
		{"asterisk", "GET * HTTP/1.1\r\nHost: h\r\n\r\n", 404},
		{"no slash", "GET things/1 HTTP/1.1\r\nHost: h\r\n\r\n", 404},
		{"NUL", "GET /things/1\x00 HTTP/1.1\r\nHost: h\r\n\r\n", 404},
		{"body of a GET is not the next request", "GET /things/1 HTTP/1.1\r\nHost: h\r\nContent-Length: 38\r\n\r\nDELETE /things/1 HTTP/1.1\r\nHost: h\r\n\r\n", 200},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, answered := s.say(c.raw)
			if !answered {
				t.Fatal("the server hangs up")
			}
			if c.status >= 400 {
				checkProblem(t, r, c.status)
			} else if r.status != c.status {
				t.Errorf("got %d, want %d", r.status, c.status)
			}
		})
	}
}

// TestSlowClient is about one that opens a connection and never ends its request.
func TestSlowClient(t *testing.T) {
	t.Parallel()
	s, _ := fakeSite(t)
	s.publish("things", things(1, 1)...)
	conn, err := net.Dial("tcp", s.address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(catalogtest.Patience))
	_, _ = io.WriteString(conn, "GET /things/1 HTTP/1.1\r\nHost: h\r\nX-Slow: ")
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatalf("the server keeps waiting: %v", err)
	}
	defer func() { _ = answer.Body.Close() }()
	body, _ := io.ReadAll(answer.Body)
	checkProblem(t, response{answer.StatusCode, answer.Header, string(body), answer.ContentLength}, http.StatusRequestTimeout)
}

func TestHostileRequestsAreNoFaultOfOurs(t *testing.T) {
	s, _ := fakeSite(t)
	s.publish("things", things(1, 3)...)
	random := rand.New(rand.NewPCG(4, 4))
	pick := func(from ...string) string { return from[random.IntN(len(from))] }
	noise := func() string {
		raw := make([]byte, random.IntN(40))
		for i := range raw {
			raw[i] = byte(random.IntN(256))
		}
		return string(raw)
	}
	segment := func() string {
		return pick("things", "things", "1", "2", "4", "0", "-1", "detail", "page", "", ".", "..", "%2e%2e", "%00", "%", "%zz", "%ff", "'", "1'--", "1;drop", "\\", "~",
			"9223372036854775807", "9223372036854775808", strings.Repeat("9", 300), strings.Repeat("a", 900), "ü", "\xff\xfe", "http:", "*", "\t", "{id}", noise())
	}
	target := func() string {
		var path strings.Builder
		for range random.IntN(6) {
			path.WriteString("/" + segment())
		}
		if random.IntN(2) == 0 {
			path.WriteString(pick("?", "??", "?page=", "?count=", "?page=1&count=", "?page="+segment(), "?count="+segment(), "?&&&=&", "?page=1&page=x", "?"+noise(), "#", "#?page=0"))
		}
		return path.String()
	}
	header := func() string {
		return pick("Host: h", "Host:", "Host: h\r\nHost: i", "Host: h:x", "Host: [::1", "Host: %zz", "Host: a@b", noise(), "If-None-Match: *", "If-None-Match: "+noise(), "If-None-Match: W/\"", `If-None-Match: "`+strings.Repeat(`","`, 500),
			"Content-Length: 5", "Content-Length: -1", "Content-Length: 99999999999999999999", "Transfer-Encoding: chunked", "Transfer-Encoding: x", "Expect: 100-continue",
			"Connection: close", "Connection: upgrade\r\nUpgrade: h2c", "Range: bytes=0-1", "Accept-Encoding: gzip", "Cookie: "+noise(), "X:"+strings.Repeat("y", random.IntN(9000)), ": empty", "Trailer: Content-Length")
	}
	const requests = 4000
	statuses := map[int]int{}
	for range requests {
		var raw strings.Builder
		raw.WriteString(pick("GET", "GET", "GET", "GET", "HEAD", "POST", "OPTIONS", "DELETE", "PRI", "G\x00T", "", noise()))
		raw.WriteString(pick(" ", " ", " ", " ", "  ", "\t", "") + target() + pick(" HTTP/1.1", " HTTP/1.1", " HTTP/1.1", " HTTP/1.0", " HTTP/2.0", " HTTP/9", "", " x") + "\r\n")
		for range random.IntN(4) {
			raw.WriteString(header() + "\r\n")
		}
		raw.WriteString("\r\n" + pick("", "", "hello", "5\r\nhello\r\n0\r\n\r\n", "GET / HTTP/1.1\r\n\r\n"))

		r, answered := s.say(raw.String())
		statuses[r.status]++
		if !answered {
			continue
		}
		if r.status >= 500 {
			t.Errorf("%d for %.300q", r.status, raw.String())
		}
		if r.status >= 400 && (r.header.Get("Content-Type") != "application/problem+json" || r.header.Get("Cache-Control") != "no-store") {
			t.Errorf("%d is no problem or may be cached: %v for %.300q", r.status, r.header, raw.String())
		}
	}
	t.Log(statuses)
	if statuses[200] == 0 || statuses[400] == 0 || statuses[404] == 0 || statuses[405] == 0 || statuses[0] > requests/4 {
		t.Errorf("the requests are too much alike to test anything: %v", statuses)
	}
	if r := s.ask("GET", "/things/1"); r.status != http.StatusOK {
		t.Errorf("afterwards an honest request gets %d", r.status)
	}
}
