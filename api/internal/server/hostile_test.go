package server

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"systemscale/api/internal/publishtest"
	"systemscale/api/internal/store"
)

// sendRaw sends raw bytes over a new connection and returns the first response, or false if the server closes without one.
func (s *site) sendRaw(raw string) (response, bool) {
	s.t.Helper()
	conn, err := net.Dial("tcp", s.address)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(publishtest.Patience))
	// The server may respond and close before it has read everything.
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
		{"body too long", "POST /things HTTP/1.1\r\nHost: h\r\nContent-Length: 9000\r\n\r\n" + strings.Repeat("x", 9000), 413},
		{"body promised too long", "POST /things HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999\r\n\r\n", 413},
		{"no HTTP", "hello\r\n\r\n", 400},
		{"TLS", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400},
		{"space in a header's name", "GET /things/1 HTTP/1.1\r\nHost: h\r\nA b : c\r\n\r\n", 400},
		{"bad length", "GET /things/1 HTTP/1.1\r\nHost: h\r\nContent-Length: x\r\n\r\n", 400},
		{"absolute address", "GET http://elsewhere/things/1 HTTP/1.1\r\nHost: h\r\n\r\n", 200},
		{"HTTP/1.0", "GET /things/1 HTTP/1.0\r\n\r\n", 200},
		{"fragment", "GET /things/1#x HTTP/1.1\r\nHost: h\r\n\r\n", 200},
		{"half a code", "GET /things/% HTTP/1.1\r\nHost: h\r\n\r\n", 400},
		{"no code", "GET /things/%zz HTTP/1.1\r\nHost: h\r\n\r\n", 400},
		{"a code cut off", "GET /things/%3 HTTP/1.1\r\nHost: h\r\n\r\n", 400},
		{"asterisk", "GET * HTTP/1.1\r\nHost: h\r\n\r\n", 400},
		{"no slash", "GET things/1 HTTP/1.1\r\nHost: h\r\n\r\n", 400},
		{"NUL", "GET /things/1\x00 HTTP/1.1\r\nHost: h\r\n\r\n", 400},
		{"two lengths", "GET /things/1 HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\nContent-Length: 5\r\n\r\nhello", 400},
		{"length and chunks", "GET /things/1 HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
		{"unknown transfer coding", "GET /things/1 HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: xchunked\r\n\r\n", 400},
		{"no host", "GET /things/1 HTTP/1.1\r\n\r\n", 400},
		{"two hosts", "GET /things/1 HTTP/1.1\r\nHost: h\r\nHost: i\r\n\r\n", 400},
		{"NUL in a header", "GET /things/1 HTTP/1.1\r\nHost: h\r\nX: a\x00b\r\n\r\n", 400},
		{"bare CR in a header", "GET /things/1 HTTP/1.1\r\nHost: h\r\nX: a\rb\r\n\r\n", 400},
		{"HTTP/0.9", "GET /things/1\r\n\r\n", 400},
		{
			"body of a GET is not the next request",
			"GET /things/1 HTTP/1.1\r\nHost: h\r\nContent-Length: 38\r\n\r\nDELETE /things/1 HTTP/1.1\r\nHost: h\r\n\r\n", 200,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, answered := s.sendRaw(c.raw)
			if !answered {
				t.Fatal("the server closes the connection without a response")
			}
			if c.status >= 400 {
				checkProblem(t, r, c.status)
			} else if r.status != c.status {
				t.Errorf("got %d, want %d", r.status, c.status)
			}
		})
	}
}

// TestSlowClient covers a client that opens a connection and never completes its request.
func TestSlowClient(t *testing.T) {
	t.Parallel()
	s, _ := fakeSite(t)
	s.publish("things", things(1, 1)...)
	conn, err := net.Dial("tcp", s.address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(publishtest.Patience))
	_, _ = io.WriteString(conn, "GET /things/1 HTTP/1.1\r\nHost: h\r\nX-Slow: ")
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatalf("no response: %v", err)
	}
	defer func() { _ = answer.Body.Close() }()
	body, _ := io.ReadAll(answer.Body)
	checkProblem(t, response{answer.StatusCode, answer.Header, string(body), answer.ContentLength}, http.StatusRequestTimeout)
}

// attacker generates requests, the same ones from the same seed.
type attacker struct{ *rand.Rand }

func newAttacker(seed uint64) attacker { return attacker{rand.New(rand.NewPCG(4, seed))} }

func (a attacker) pick(from ...string) string { return from[a.IntN(len(from))] }

// noise returns up to 40 random bytes.
func (a attacker) noise() string {
	raw := make([]byte, a.IntN(40))
	for i := range raw {
		raw[i] = byte(a.IntN(256))
	}
	return string(raw)
}

var (
	nines   = strings.Repeat("9", 300)
	letters = strings.Repeat("a", 900)
	quotes  = strings.Repeat(`","`, 500)
	filler  = strings.Repeat("y", 9000)
)

func (a attacker) segment() string {
	switch a.IntN(8) {
	case 0:
		return a.noise()
	case 1:
		return a.pick("'", "1'--", "1;drop", "1 or 1=1", "1%27%20or%201=1", "$1", "${jndi:ldap://x}", "{{7*7}}", "{id}", "%s%n",
			"$(id)", "`id`", "<script>", "\\", "~", "*")
	case 2:
		return a.pick("..", ".", "%2e%2e", "..%2f..%2fetc%2fpasswd", "%00", "%", "%zz", "%ff", "%c0%ae", "ü", "\xff\xfe", "http:", "\t",
			"\u202e", ".git", ".env", "debug", "pprof", "metrics", "ready", "admin")
	case 3:
		return a.pick("0", "-1", "+1", "1.0", "1e9", "0x1", "01", " 1", "9223372036854775807", "9223372036854775808",
			"18446744073709551616", nines, letters, "１")
	default:
		return a.pick("things", "things", "things", "1", "2", "3", "4", "detail", "page", "item", "changes", "")
	}
}

func (a attacker) query() string {
	key := a.pick("page", "count", "since", "after", "PAGE", "page[]", "%70age", a.noise())
	value := a.pick(a.segment(), a.noise(), "", "1", "2", "1.item.1", "1.item", "..", "1.it'em.1")
	return key + a.pick("=", "=", "=", "==", "") + value
}

func (a attacker) target() string {
	var path strings.Builder
	switch a.IntN(10) {
	case 0:
		path.WriteString(a.pick("*", "http://elsewhere", "//", "", "?", "#", "/things", "things/1", a.noise()))
	case 1, 2, 3:
		// Nearly valid.
		path.WriteString("/things" + a.pick("", "", "/", "/1", "/1/detail", "/changes", "/"+a.segment(), "/1/"+a.segment()))
	default:
		for range a.IntN(6) {
			path.WriteString("/" + a.segment())
		}
	}
	if a.IntN(2) == 0 {
		path.WriteString(a.pick("?", "?", "?", "??", "#", "?&&&=&", "%3f", ";"))
		for range a.IntN(4) {
			path.WriteString(a.query() + a.pick("&", "&", ";", "&&", ""))
		}
	}
	return path.String()
}

func (a attacker) header() string {
	switch a.IntN(6) {
	case 0:
		return a.noise()
	case 1:
		return a.pick("Host: h", "Host:", "Host: h\r\nHost: i", "Host: h:x", "Host: [::1", "Host: %zz", "Host: a@b", "Host: "+a.noise())
	case 2:
		return a.pick("If-None-Match: *", "If-None-Match: "+a.noise(), "If-None-Match: W/\"", `If-None-Match: "`+quotes,
			"If-None-Match: \"x\"\r\nIf-None-Match: *", "If-None-Match: \"8000010000000104\"")
	case 3:
		return a.pick("Content-Length: 5", "Content-Length: 9000", "Content-Length: -1", "Content-Length: 99999999999999999999",
			"Content-Length: 5\r\nContent-Length: 6", "Transfer-Encoding: chunked",
			"Transfer-Encoding: chunked\r\nContent-Length: 5", "Transfer-Encoding: x", "Transfer-Encoding: chunked, identity",
			"Expect: 100-continue", "Trailer: Content-Length")
	case 4:
		return a.pick("X-Request-ID: "+a.noise(), "X-Request-ID: a\r\n\tb", "X-Request-ID: ok-1", "X-Request-ID: "+letters,
			"Origin: null", "Origin: https://"+a.noise(),
			"Access-Control-Request-Headers: "+a.noise(), "Authorization: Bearer "+a.noise(), "X-Forwarded-For: "+a.noise(),
			"X-HTTP-Method-Override: DELETE", "X-Original-URL: /admin")
	default:
		return a.pick("Connection: close", "Connection: upgrade\r\nUpgrade: h2c", "Range: bytes=0-1", "Range: bytes="+nines+"-",
			"Accept-Encoding: gzip", "Accept: "+a.noise(), "Cookie: "+a.noise(),
			"X:"+filler[:a.IntN(len(filler))], ": empty", " folded: x", "A b: c", "A\x00b: c", "\r", a.noise()+": "+a.noise(),
			"Set-Cookie: x", "Content-Type: "+a.noise(), "Date: "+a.noise())
	}
}

// request returns a request, rarely a valid one. Most are well-formed HTTP, because the server reads little of the others.
func (a attacker) request() string {
	method := a.pick("GET", "GET", "GET", "GET", "GET", "GET", "HEAD", "POST", "OPTIONS",
		a.pick("DELETE", "PRI", "get", "CONNECT", "TRACE", letters))
	space, target, version, headers := " ", spell(a.target()), " HTTP/1.1", "Host: h\r\n"
	wild := a.IntN(3) == 0
	if wild {
		method = a.pick(method, method, "G\x00T", "", a.noise())
		space, target = a.pick(" ", " ", " ", "  ", "\t", ""), a.pick(target, a.target())
		version = a.pick(" HTTP/1.1", " HTTP/1.1", " HTTP/1.1", " HTTP/1.0", " HTTP/2.0", " HTTP/9", "", " x")
		headers = a.pick(headers, headers, headers, "")
	}
	for range a.IntN(3) {
		line := a.header()
		if !wild && strings.HasPrefix(line, "Host:") {
			continue
		}
		headers += line + "\r\n"
	}
	return method + space + target + version + "\r\n" + headers + "\r\n" +
		a.pick("", "", "hello", "5\r\nhello\r\n0\r\n\r\n", "GET / HTTP/1.1\r\n\r\n")
}

// spell encodes characters that are invalid in a request line, and adds a leading slash.
func spell(target string) string {
	var out strings.Builder
	if !strings.HasPrefix(target, "/") {
		_ = out.WriteByte('/')
	}
	for _, b := range []byte(target) {
		if b <= ' ' || b >= 0x7f || strings.IndexByte("\"<>\\^`{|}", b) >= 0 {
			_, _ = fmt.Fprintf(&out, "%%%02X", b)
		} else {
			_ = out.WriteByte(b)
		}
	}
	return out.String()
}

// tape is a connection whose client sends a fixed input.
type tape struct {
	strings.Reader
	heard bytes.Buffer
}

func (t *tape) Write(p []byte) (int, error)      { return t.heard.Write(p) }
func (t *tape) Close() error                     { return nil }
func (t *tape) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (t *tape) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (t *tape) SetDeadline(time.Time) error      { return nil }
func (t *tape) SetReadDeadline(time.Time) error  { return nil }
func (t *tape) SetWriteDeadline(time.Time) error { return nil }

// inside are words that no response may contain, in lower case.
var inside = []string{
	"select ", "insert ", "sql", "pgx", "pgconn", "postgres", "catalog.", "panic", "goroutine", "runtime", "fasthttp", "fiber",
	"store.", "server.", ".go", "errors.", "0x", "nil", "/root", "/tmp", "/src",
	"concurrency", "buffer", "cannot", "unsupported", "eof",
}

// allowed are the headers that responses may have, in addition to those of every HTTP response.
var allowed = []string{
	"Access-Control-Allow-Headers", "Access-Control-Allow-Methods", "Access-Control-Allow-Origin", "Access-Control-Expose-Headers",
	"Access-Control-Max-Age", "Allow", "Cache-Control",
	"Connection", "Content-Length", "Content-Type", "Date", "Etag", "Retry-After", "Server-Timing", "Vary", "X-Accel-Expires",
	"X-Content-Type-Options", "X-Data-Version", "X-Request-Id", "X-Total-Count",
}

var formOfRequestID = regexp.MustCompile(`^[A-Za-z0-9._-]{1,128}$`)

// checker checks responses. The zero value is ready.
type checker struct {
	reader bufio.Reader
	known  map[string]bool // bodies of valid problems; there are few
}

// answer returns the status of the first response to a request, 0 if there is none, and describes its fault.
func (j *checker) answer(request string, heard []byte) (status int, wrong string) {
	j.reader.Reset(bytes.NewReader(heard))
	method, _, _ := strings.Cut(request, " ")
	for {
		answer, err := http.ReadResponse(&j.reader, &http.Request{Method: method})
		if err != nil {
			if len(heard) == 0 {
				return 0, ""
			}
			return 0, "is no HTTP: " + err.Error()
		}
		if answer.StatusCode == http.StatusContinue {
			if _, err := j.reader.Peek(1); errors.Is(err, io.EOF) {
				return answer.StatusCode, ""
			}
			continue
		}
		return answer.StatusCode, j.complete(method, answer)
	}
}

func (j *checker) complete(method string, answer *http.Response) (wrong string) {
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return "is not whole: " + err.Error()
	}
	for name, values := range answer.Header {
		if !slices.Contains(allowed, name) || len(values) != 1 {
			return "has the header " + name
		}
	}
	if id := answer.Header.Get("X-Request-ID"); id != "" && !formOfRequestID.MatchString(id) {
		return "repeats the request id " + id
	}
	switch status := answer.StatusCode; {
	case status == http.StatusOK || status == http.StatusNoContent || status == http.StatusNotModified:
		return ""
	case status < 400:
		return "is an unexpected status"
	case status >= 500:
		return "is a server error"
	case answer.Header.Get("Content-Type") != "application/problem+json" || answer.Header.Get("Cache-Control") != "no-store":
		return "is no problem or may be cached"
	case method == "HEAD" || j.known[string(body)]:
		return ""
	default:
		var p struct{ Status int }
		if err := json.Unmarshal(body, &p); err != nil || p.Status != status {
			return "does not describe itself"
		}
	}
	// Names from the request may be repeated.
	own := quotedNames.ReplaceAll(body, nil)
	for _, word := range inside {
		if bytes.Contains(bytes.ToLower(own), []byte(word)) {
			return "gives away " + word
		}
	}
	if j.known == nil {
		j.known = map[string]bool{}
	}
	j.known[string(body)] = true
	return ""
}

// quotedNames matches the names of parameters in the text of a problem, each in escaped quotes.
var quotedNames = regexp.MustCompile(`\\"(?:[^"\\]|\\u[0-9a-f]{4}|\\\\(?:\\")?)*\\"`)

// attack passes requests to the server without a network, and returns the number of responses by status.
func (s *site) attack(seed uint64, requests int) map[int]int {
	s.t.Helper()
	a, statuses := newAttacker(seed), map[int]int{}
	var conn tape
	var j checker
	for range requests {
		request := a.request()
		conn.Reset(request)
		conn.heard.Reset()
		_ = s.app.Server().ServeConn(&conn) // the error describes the client's mistake
		status, wrong := j.answer(request, conn.heard.Bytes())
		if wrong != "" {
			s.t.Errorf("%d %s: %.600q, the response to %.300q", status, wrong, conn.heard.Bytes(), request)
		}
		statuses[status]++
	}
	return statuses
}

func checkVariety(t *testing.T, statuses map[int]int, requests int) {
	t.Helper()
	t.Log(statuses)
	for _, status := range []int{200, 204, 304, 400, 404, 405, 413, 431} {
		if statuses[status] == 0 {
			t.Errorf("no response has the status %d: the requests are too similar", status)
		}
	}
	if statuses[200] < requests/50 || statuses[0] > requests/4 {
		t.Errorf("too few requests are valid: %v", statuses)
	}
}

func TestHostileRequests(t *testing.T) {
	t.Parallel()
	requests := 100_000
	if raced {
		requests /= 10
	}
	const attackers = 4
	f := newFake(t)
	log := new(logged)
	s := listen(t, f, Options{Logger: slog.New(slog.NewTextHandler(log, nil)), Registerer: prometheus.NewRegistry()})
	f.publish("things", things(1, 3)...)
	var wait sync.WaitGroup
	var mutex sync.Mutex
	statuses := map[int]int{}
	for seed := range uint64(attackers) {
		wait.Go(func() {
			mine := s.attack(seed, requests/attackers)
			mutex.Lock()
			defer mutex.Unlock()
			for status, count := range mine {
				statuses[status] += count
			}
		})
	}
	wait.Wait()
	checkVariety(t, statuses, requests)
	if log.String() != "" {
		t.Errorf("the log is not empty: %.1000s", log.String())
	}
	if r := s.send("GET", "/things/1"); r.status != http.StatusOK {
		t.Errorf("a valid request after them: status %d", r.status)
	}
}

func TestHostileRequestsWithStore(t *testing.T) {
	const requests = 3000
	s, _ := realSite(t, store.Options{})
	s.publish("things", things(1, 3)...)
	checkVariety(t, s.attack(1000, requests), requests)
}

// TestHostileRequestsOverTCP adds the effects of a real connection: responses before the server has read everything.
func TestHostileRequestsOverTCP(t *testing.T) {
	const requests = 1000
	s, _ := fakeSite(t)
	s.publish("things", things(1, 3)...)
	a := newAttacker(2000)
	for range requests {
		request := a.request()
		r, answered := s.sendRaw(request)
		if answered && (r.status >= 500 || r.status >= 400 && r.header.Get("Cache-Control") != "no-store") {
			t.Errorf("%d %v for %.300q", r.status, r.header, request)
		}
	}
	if r := s.send("GET", "/things/1"); r.status != http.StatusOK {
		t.Errorf("a valid request after them: status %d", r.status)
	}
	publishtest.Eventually(t, "no connection stays", func() bool {
		s.client.CloseIdleConnections()
		return s.connections.Load() == 0
	})
}
