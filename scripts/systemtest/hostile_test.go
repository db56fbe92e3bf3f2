package systemtest

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/goccy/go-json"
)

// wellBehaved starts clients of NGINX and of both instances that must get correct responses, whatever other clients do.
func wellBehaved(t *testing.T, s *stack, c *catalog) *load {
	l, hot := newLoad(t), hotPaths()
	for client, address := range append(s.instanceURLs(t), s.gateway(t), s.gateway(t)) {
		l.client(address, 10*time.Millisecond, func(w *wire, n int) error { return c.check(w, hot[n%len(hot)], encodings[client%2]...) })
	}
	return l
}

// testSlowClients opens hundreds of connections to an instance and to the gateway: some send a request byte by byte and never end it,
// some do not read the responses. Other clients must be served, and each server must close these connections.
func testSlowClients(t *testing.T, s *stack, c *catalog) {
	const each = 200
	const limit = 30 * time.Second // for a server to close a connection; its own limits are at most 10 s
	l := wellBehaved(t, s, c)
	var held sync.WaitGroup
	for _, address := range []string{s.instanceURLs(t)[0], s.gateway(t)} {
		for name, begin := range map[string]string{
			"a line":            "GET /products/1",
			"a header":          "GET /products/1 HTTP/1.1\r\nHost: h\r\nX-Slow: ",
			"a body":            "POST /products/1 HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\n",
			"chunks":            "GET /products/1 HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1;",
			"a GET with a body": "GET /products/1 HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\n",
		} {
			for range each {
				held.Go(func() {
					if err := dribble(address, begin, limit); err != nil {
						t.Errorf("%s: %s that never ends: %v", address, name, err)
					}
				})
			}
		}
		for range 10 {
			held.Go(func() {
				if err := neglect(address, c.editions[c.newest], limit); err != nil {
					t.Errorf("%s: unread responses: %v", address, err)
				}
			})
		}
	}
	held.Wait()
	l.stop()
	t.Logf("%d requests of other clients", l.requests.Load())
}

// dribble sends the beginning of a request, and then a byte a second until the server closes the connection. A response must be a
// problem, or a document if the request is a GET, of which servers ignore the body.
func dribble(address, begin string, limit time.Duration) error {
	conn, err := net.DialTimeout("tcp", address, patience)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	if _, err := io.WriteString(conn, begin); err != nil {
		return err
	}
	received := make(chan []byte, 1)
	go func() {
		_ = conn.SetReadDeadline(time.Now().Add(limit))
		text, err := io.ReadAll(conn)
		if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
			text = nil
			err = fmt.Errorf("not closed after %s", limit)
		} else {
			err = nil // closed or reset
		}
		if err != nil {
			text = []byte(err.Error())
		}
		received <- text
	}()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			_, _ = io.WriteString(conn, "x")
		case text := <-received:
			if len(text) == 0 {
				return nil
			}
			response, err := http.ReadResponse(bufio.NewReader(strings.NewReader(string(text))), nil)
			if err != nil {
				return fmt.Errorf("%.300q", text)
			}
			body, _ := io.ReadAll(response.Body)
			got := answer{response.StatusCode, response.Header, string(body)}
			if got.status == http.StatusOK && strings.HasPrefix(begin, "GET") {
				return nil // NGINX does not wait for the body of a GET
			}
			// On a timeout in a chunked body, an instance responds and closes its connection. If the next chunk arrives then, that
			// response is lost, and the gateway returns its own.
			lost := got.status == http.StatusServiceUnavailable && got.header.Get("Retry-After") != "" && strings.Contains(begin, "chunked")
			if (got.status >= 500 && !lost) || !isProblem(got, got.status) {
				return fmt.Errorf("got %d %v %.300q", got.status, got.header, got.body)
			}
			return nil
		}
	}
}

// neglect requests the largest document many times and reads nothing until after the server's write timeout. The server must have closed
// the connection.
func neglect(address string, e *edition, limit time.Duration) error {
	conn, err := net.DialTimeout("tcp", address, patience)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	const times = 200 // more than all buffers can hold
	path := fmt.Sprintf("/products/%d/styles", largeProduct)
	if _, err := io.WriteString(conn, strings.Repeat("GET "+path+" HTTP/1.1\r\nHost: h\r\n\r\n", times)); err != nil {
		return err
	}
	// Longer than the server's write timeout. The end of the connection only shows after the bytes that were sent before.
	time.Sleep(limit / 2)
	_ = conn.SetReadDeadline(time.Now().Add(limit / 2))
	read, err := io.Copy(io.Discard, conn)
	if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
		return fmt.Errorf("not closed after %s", limit)
	}
	if whole := int64(times * len(e.documents[path].body)); read >= whole {
		return fmt.Errorf("the server sent all %d bytes", read)
	}
	return nil
}

// testOversized sends requests over the servers' limits.
func testOversized(t *testing.T, s *stack) {
	long := func(n int) string { return strings.Repeat("x", n) }
	many := strings.Repeat("X-Many: "+long(1000)+"\r\n", 60)
	for _, test := range []struct {
		name, raw    string
		nginx, alone int
	}{
		{"a long header", "GET /products/1 HTTP/1.1\r\nHost: h\r\nX-Long: " + long(20_000) + "\r\n\r\n", 431, 431},
		{"many headers", "GET /products/1 HTTP/1.1\r\nHost: h\r\n" + many + "\r\n", 431, 431},
		{"a long path", "GET /products/" + long(20_000) + " HTTP/1.1\r\nHost: h\r\n\r\n", 414, 431},
		{"a long query", "GET /products?page=1&" + long(20_000) + " HTTP/1.1\r\nHost: h\r\n\r\n", 414, 431},
		{"a large body", "GET /products HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n" + long(100_000), 413, 413},
	} {
		for address, status := range map[string]int{s.gateway(t): test.nginx, s.instanceURLs(t)[0]: test.alone} {
			w := &wire{address: address}
			method, _, _ := strings.Cut(test.raw, " ")
			got, err := w.send(method, test.raw)
			if err != nil || !isProblem(got, status) {
				t.Errorf("%s: %s: %v, %d %v %.200q, want %d and problem+json", address, test.name, err, got.status, got.header, got.body,
					status)
			}
			w.close()
		}
	}
}

// metric returns the sum of a metric over its labels, from the admin port of an instance.
func metric(t *testing.T, address, name string) float64 {
	t.Helper()
	got, err := request(t.Context(), http.MethodGet, address+"/metrics")
	if err != nil || got.status != http.StatusOK {
		t.Fatalf("GET %s/metrics: %v, %d", address, err, got.status)
	}
	sum, found := 0.0, false
	for line := range strings.Lines(got.body) {
		series, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		if bare, _, _ := strings.Cut(series, "{"); bare != name {
			continue
		}
		number, err := strconv.ParseFloat(value, 64)
		if err != nil {
			t.Fatalf("%s/metrics contains %q", address, line)
		}
		sum, found = sum+number, true
	}
	if !found {
		t.Fatalf("%s/metrics does not contain %s", address, name)
	}
	return sum
}

// testGoneClients disconnects in the middle of thousands of responses. The servers must not leak goroutines or descriptors.
func testGoneClients(t *testing.T, s *stack, c *catalog) {
	const clients, times = 8, 500 // of each server
	// NGINX's maximum number of idle connections to the instances per worker.
	const kept = 64
	type measured struct{ admin, name string }
	before := map[measured]float64{}
	for _, admin := range strings.Split(s.env["ADMIN_URLS"], ",") {
		for _, name := range []string{"go_goroutines", "process_open_fds"} {
			before[measured{admin, name}] = metric(t, admin, name)
		}
	}
	l := wellBehaved(t, s, c)
	path := fmt.Sprintf("/products/%d/styles", largeProduct)
	var gone sync.WaitGroup
	for _, address := range append(s.instanceURLs(t), s.gateway(t)) {
		for client := range clients {
			gone.Go(func() {
				random := rand.New(rand.NewPCG(6, uint64(client)))
				for range times {
					if err := leave(address, path, random.IntN(100_000)); err != nil {
						t.Errorf("%s: %v", address, err)
						return
					}
				}
			})
		}
	}
	gone.Wait()
	l.stop()
	for what, number := range before {
		var now float64
		eventually(t, fmt.Sprintf("%s of %s returns to about %.0f", what.name, what.admin, number), func() bool {
			now = metric(t, what.admin, what.name)
			return now < number+kept*4
		})
		t.Logf("%s %s: %.0f before, %.0f after", what.admin, what.name, number, now)
	}
}

// leave requests a document and resets the connection after some bytes of the response.
func leave(address, path string, read int) error {
	conn, err := net.DialTimeout("tcp", address, patience)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	if err := conn.(*net.TCPConn).SetLinger(0); err != nil { // RST instead of FIN
		return err
	}
	_ = conn.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(conn, "GET "+path+" HTTP/1.1\r\nHost: h\r\n\r\n"); err != nil {
		return err
	}
	_, err = io.CopyN(io.Discard, conn, int64(read))
	return err
}

// testMissStorm sends many concurrent requests for an uncached document while its lookup is slow.
func testMissStorm(t *testing.T, s *stack, c *catalog) {
	// NGINX tries another instance after a second. If the requests take longer to arrive, the attempt is void and is repeated.
	const clients, attempts, limit = 500, 10, 900 * time.Millisecond
	for attempt := range attempts {
		path := fmt.Sprintf("/products/%d/styles", c.products-1-attempt) // nextCold does not reach these
		if took := s.missStorm(t, c, path, clients, limit); took < limit {
			return
		}
	}
	t.Errorf("in no attempt did %d requests arrive within %s", clients, limit)
}

// missStorm sends concurrent requests for a path and blocks its lookup until all of them wait, at most for the limit. It returns the
// duration.
func (s *stack) missStorm(t *testing.T, c *catalog, path string, clients int, limit time.Duration) (took time.Duration) {
	t.Helper()
	sum := func(name string) (sum float64) {
		for _, admin := range strings.Split(s.env["ADMIN_URLS"], ",") {
			sum += metric(t, admin, name)
		}
		return sum
	}
	lookups := func() float64 { return sum("systemscale_lookup_batch_size_sum") } // lookups in the database
	unlock := s.lock(t, "products", "styles")
	before := lookups()
	var wait, sent sync.WaitGroup
	sent.Add(clients)
	for client := range clients {
		wait.Go(func() {
			w := &wire{address: s.gateway(t)}
			defer w.close()
			conn, err := net.DialTimeout("tcp", w.address, patience)
			if err != nil {
				t.Error(err)
				sent.Done()
				return
			}
			w.conn, w.reader = conn, bufio.NewReader(conn)
			sent.Done()
			sent.Wait()
			if err := c.check(w, path, encodings[client%2]...); err != nil {
				t.Error(err)
			}
		})
	}
	sent.Wait()
	for began := time.Now(); took < limit && sum("systemscale_lookups_in_flight") < float64(clients); took = time.Since(began) {
		time.Sleep(10 * time.Millisecond)
	}
	unlock()
	wait.Wait()
	made := lookups() - before
	t.Logf("%d concurrent requests for one document caused %.0f lookups", clients, made)
	if most := float64(len(s.instanceURLs(t))); made > most && took < limit {
		t.Errorf("%d concurrent requests for one document caused %.0f lookups, want one per instance", clients, made)
	}
	return took
}

// internals are words that no response may contain, in lower case.
var internals = []string{
	"/tmp/", "/var/", "/usr/", "/home/", "/work/", ".go", "goroutine", "panic", "runtime error", "pgx", "pgconn", "sqlstate", "postgres",
	"select ", "catalog", "fasthttp", "fiber", "nginx/", "unix:", "compressor", ".sock", "127.0.0.1", "0xc0",
}

// leak returns the first of internals in a text, or "".
func leak(text string) string {
	text = strings.ToLower(text)
	for _, word := range internals {
		if strings.Contains(text, word) {
			return word
		}
	}
	return ""
}

// expectedHeaders are the headers that a response may have.
var expectedHeaders = []string{
	"Access-Control-Allow-Headers", "Access-Control-Allow-Methods", "Access-Control-Allow-Origin", "Access-Control-Expose-Headers",
	"Access-Control-Max-Age", "Allow", "Cache-Control", "Connection", "Content-Encoding", "Content-Length", "Content-Type", "Date", "Etag",
	"Keep-Alive", "Retry-After", "Server", "Server-Timing", "Transfer-Encoding", "Vary", "X-Cache", "X-Content-Type-Options", "X-Data-Version", "X-Request-Id", "X-Total-Count", "Content-Security-Policy",
}

// checker checks responses to hostile requests. A 200 must have the body of a document, an error one of a few fixed texts.
type checker struct {
	known     map[string]bool // bodies of documents
	summaries map[string]bool // elements of pages

	mutex    sync.Mutex
	statuses map[int]int
	problems map[string]int // by body
}

func newChecker(e *edition) *checker {
	j := &checker{known: map[string]bool{}, summaries: map[string]bool{}, statuses: map[int]int{}, problems: map[string]int{}}
	for _, d := range e.documents {
		j.known[d.body] = true
	}
	for _, summary := range e.summaries {
		j.summaries[summary] = true
	}
	return j
}

// check returns a description of the mistake in the response to a request with a method, or "".
func (j *checker) check(method string, got answer) string {
	for name, values := range got.header {
		if !slices.Contains(expectedHeaders, name) {
			return "has a header " + name
		}
		if leaked := leak(strings.Join(values, "\n")); leaked != "" {
			return fmt.Sprintf("leaks %q in a header", leaked)
		}
	}
	if server := got.header.Get("Server"); server != "" && server != "nginx" {
		return "has the Server header " + server
	}
	j.mutex.Lock()
	defer j.mutex.Unlock()
	j.statuses[got.status]++
	switch {
	case got.status == http.StatusNoContent || got.status == http.StatusNotModified:
		if got.body != "" {
			return "has a body"
		}
	case got.status == http.StatusOK && method == http.MethodHead:
	case got.status == http.StatusOK:
		if !j.known[got.body] && !j.isPage(got.body) {
			return "is not a document"
		}
		j.known[got.body] = true
	case got.status >= 400 && got.status < 500 && method == http.MethodHead:
	case got.status >= 400 && got.status < 500:
		// A problem may repeat names from the request.
		text := namesInProblems.ReplaceAllString(got.body, "names")
		if j.problems[text]++; j.problems[text] > 1 {
			break
		}
		if !isProblem(got, got.status) && !isPageOfProblem(got) {
			return "is neither an uncacheable problem+json nor a page"
		}
		if leaked := leak(text); leaked != "" && !j.known[got.body] {
			return fmt.Sprintf("leaks %q", leaked)
		}
	default:
		return "has an unexpected status"
	}
	return ""
}

// namesInProblems matches names of parameters in JSON and in a page.
var namesInProblems = regexp.MustCompile(`(?s)(\\"|&#34;).*(\\"|&#34;)`)

// isPageOfProblem reports whether a response is an error page for browsers.
func isPageOfProblem(got answer) bool {
	return got.header.Get("Content-Type") == "text/html; charset=utf-8" && strings.Contains(got.body, "</html>") &&
		got.header.Get("Cache-Control") == "no-store" &&
		strings.Contains(got.header.Get("Content-Security-Policy"), "frame-ancestors 'none'")
}

// isPage reports whether a body is a page of a list.
func (j *checker) isPage(body string) bool {
	var elements []json.RawMessage
	if json.Unmarshal([]byte(body), &elements) != nil {
		return false
	}
	for _, element := range elements {
		if !j.summaries[string(element)] {
			return false
		}
	}
	return true
}

// testHostile sends malformed and malicious requests to NGINX.
func testHostile(t *testing.T, s *instances, c *catalog) {
	const clients, each = 8, 12_500
	j := newChecker(c.editions[c.newest])
	browser := &wire{address: s.gateway(t)}
	for _, page := range []string{"/", "/docs", "/openapi.yaml"} {
		got, err := browser.get(page)
		if err != nil || got.status != http.StatusOK {
			t.Fatalf("GET %s: %d, %v", page, got.status, err)
		}
		j.known[got.body] = true
	}
	browser.close()
	hot := hotPaths()
	dropped := make([]int, clients)
	var wait sync.WaitGroup
	for client := range clients {
		wait.Go(func() {
			h := hostile{rand.New(rand.NewPCG(7, uint64(client)))}
			w := &wire{address: s.gateway(t)}
			defer w.close()
			failed := 0
			for n := range each {
				if n%100 == 0 { // the cache must be unchanged
					if err := c.check(w, hot[n/100%len(hot)], encodings[client%2]...); err != nil {
						t.Error(err)
						return
					}
				}
				method, raw, alone := h.request()
				if alone {
					w.close() // on a new connection
				}
				got, err := w.send(method, raw)
				if alone {
					w.close()
				}
				if err != nil {
					dropped[client]++
					if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
						t.Errorf("no response within %s to %.300q", patience, raw)
						return
					}
					continue
				}
				if wrong := j.check(method, got); wrong != "" {
					t.Errorf("the response to %.300q %s: %d %v %.300q", raw, wrong, got.status, got.header, got.body)
					if failed++; failed == mostErrors {
						return
					}
				}
			}
		})
	}
	wait.Wait()
	sum := 0
	for _, n := range dropped {
		sum += n
	}
	t.Logf("responses by status: %v; %d connections closed without one", j.statuses, sum)
	if sum > clients*each/20 {
		t.Errorf("%d of %d requests got no response: too many for a test", sum, clients*each)
	}
	for _, status := range []int{200, 204, 304, 400, 404, 405} {
		if j.statuses[status] == 0 {
			t.Errorf("no response was a %d: the requests are not diverse enough", status)
		}
	}
	const texts = 2 * 40 // as JSON and as a page
	if len(j.problems) > texts {
		t.Errorf("%d different error texts, want a few fixed ones: %.3000s", len(j.problems), fmt.Sprint(j.problems))
	}

	w := &wire{address: s.gateway(t)}
	defer w.close()
	for _, path := range append(hot, "/products?page=1&count=5", "/products?page=2&count=50") {
		for _, encoding := range encodings {
			for _, prefix := range []string{"", "/api", "/api/fec2/hr-rfp"} {
				got, err := w.get(prefix+path, encoding...)
				if err == nil {
					_, err = c.explain(path, got)
				}
				if err != nil {
					t.Errorf("afterwards: %v", err)
				}
			}
		}
	}
	for i, running := range s.running {
		select {
		case <-running.exited:
			t.Errorf("instance %d has ended: %v", i+1, running.err)
		default:
		}
	}
	for _, log := range []string{"nginx.log", "test-api-1.log", "test-api-2.log"} {
		text, err := os.ReadFile(filepath.Join(s.state, "log", log))
		if err != nil {
			t.Fatal(err)
		}
		if bad := regexp.MustCompile(`(?m)^.*(\[(alert|emerg)\]|request failed|panic).*$`).Find(text); bad != nil {
			t.Errorf("%s contains %.500s", log, bad)
		}
	}
}

// hostile generates requests.
type hostile struct{ *rand.Rand }

func (h hostile) pick(from ...string) string { return from[h.IntN(len(from))] }

// noise returns fewer than most random bytes without line breaks.
func (h hostile) noise(most int) string {
	raw := make([]byte, h.IntN(most))
	for i := range raw {
		raw[i] = byte(h.IntN(256))
		if raw[i] == '\r' || raw[i] == '\n' {
			raw[i] = '\t'
		}
	}
	return string(raw)
}

// encoded percent-encodes random characters of a text, some of them twice.
func (h hostile) encoded(text string) string {
	var out strings.Builder
	for _, b := range []byte(text) {
		if b <= ' ' || h.IntN(2) == 0 { // always encode characters that end a line or a word
			fmt.Fprintf(&out, h.pick("%%%02x", "%%%02X", "%%25%02x"), b)
		} else {
			_ = out.WriteByte(b)
		}
	}
	return out.String()
}

func (h hostile) segment() string {
	switch h.IntN(8) {
	case 0:
		return h.encoded(h.pick("products", "1", "..", ".", "/", "styles", "\r\nX-Evil: 1\r\n", "\x00", "?", "#", "api", "-", "problem"))
	case 1:
		if h.IntN(4) > 0 {
			return url.QueryEscape(h.noise(20))
		}
		return strings.ReplaceAll(h.noise(20), " ", "_")
	case 2:
		return h.pick("9223372036854775807", "9223372036854775808", "18446744073709551616", "-1", "0", "00", "01", "+1", "1e3", "1.0",
			"0x1", "١", strings.Repeat("9", 300), strconv.FormatUint(h.Uint64(), 10))
	case 3:
		return h.pick("%", "%z", "%zz", "%0", "%00", "%ff", "%c0%af", "%e0%80%af", "%0d%0aX-Evil:%201", "%2e%2e", "..%2f..%2fetc%2fpasswd",
			"%252e%252e", "..;", "\\..\\..", "%5c..%5c", "%u0041", "ü", "☃", "\xff\xfe", "\xc0\xaf", strings.Repeat("a", 4000),
			"{id}", "*", "~", "'", "1'--", "1;drop", "$uri", "${LISTEN}", "..", ".", "")
	case 4:
		return h.pick("api", "fec2", "hr-rfp", "-", "problem", "metrics", "live", "ready", "status", "cached", "refresh", "changes", ".git",
			"etc", "passwd")
	default:
		return h.pick("products", "products", "products", "1", "2", "7", "30", "styles", "related")
	}
}

func (h hostile) target() string {
	var target strings.Builder
	target.WriteString(h.pick("", "", "", "", "", "", "", "", "", "http://elsewhere", "//elsewhere", "*", "products"))
	if h.IntN(2) == 0 {
		target.WriteString("/products")
	}
	for range h.IntN(5) {
		target.WriteString("/" + h.segment())
	}
	if h.IntN(2) == 0 {
		target.WriteString(h.pick("?", "??", "?page=", "?count=", "?page=1&count=5&page=2", "?page[]=1", "?PAGE=2", "?page=%31",
			"?page=+1", "?page="+h.segment(), "?count="+h.segment(), "?page="+strconv.Itoa(1+h.IntN(50))+"&count="+
				strconv.Itoa(1+h.IntN(100)), "?&&=&", "?"+strings.ReplaceAll(h.noise(30), " ", "+"), "#", "#?page=0", "?since="+h.segment()))
	}
	if target.Len() == 0 {
		return "/"
	}
	return target.String()
}

// header returns an unusual but valid header line or, rarely, an invalid one.
func (h hostile) header() string {
	if h.IntN(8) == 0 {
		return h.pick("Host: h\r\nHost: i", "Host:", "Host: "+h.noise(20), "Host: h:99999", "Host: [::1", "Host: ../..",
			"Cookie: "+h.noise(200),
			"Accept-Encoding: "+h.noise(30), "If-None-Match: "+h.noise(30),
			"X: "+strings.Repeat("y", h.IntN(20000)), "X\tY: z", ": empty", "no colon", " folded", h.noise(40),
			"Content-Length: 0", "Expect: nonsense", "X-Request-Id: "+h.noise(200))
	}
	return h.pick("Accept-Encoding: gzip",
		"Accept-Encoding: "+h.pick("gzip;q=0", "gzip;q=", "*", "gzip, gzip", "GZIP", "br, zstd, gzip;q=0.001", "identity;q=0"),
		"If-None-Match: *", "If-None-Match: *", "If-None-Match: W/\"", `If-None-Match: "`+strings.Repeat(`","`, 500), "If-Match: \"x\"",
		"If-Modified-Since: "+strconv.Itoa(h.IntN(100)), "If-Unmodified-Since: Mon, 01 Jan 1990 00:00:00 GMT",
		"Range: bytes=0-1", "Range: bytes=0-1,2-3,4-5", "Range: bytes=-"+strconv.FormatUint(h.Uint64(), 10), "Range: lines=1",
		"If-Range: \"x\"",
		"Connection: close", "Connection: keep-alive, X-Cache, ETag", "Connection: upgrade\r\nUpgrade: h2c", "Upgrade: websocket",
		"Keep-Alive: timeout=-1",
		"X-Forwarded-For: ' or 1=1", "X-Forwarded-Host: evil", "X-Original-URL: /live", "X-HTTP-Method-Override: DELETE",
		"X-Accel-Redirect: /-/problem",
		"X-Accel-Expires: 1000", "X-Request-Id: "+url.QueryEscape(h.noise(200)),
		"Cache-Control: no-cache", "Pragma: no-cache", "Cookie: "+url.QueryEscape(h.noise(200)), "Authorization: Basic x", "Accept: text/html",
		"Vary: *",
		"X: "+strings.Repeat("y", h.IntN(7000)), strings.Repeat("X", 200)+": long name", "TE: trailers", "Trailer: Content-Length")
}

// request returns a request and its method. alone reports that no other request may follow on the connection.
func (h hostile) request() (method, raw string, alone bool) {
	method = h.pick("GET", "GET", "GET", "GET", "GET", "GET", "GET", "GET", "GET", "GET", "GET", "GET", "GET", "GET", "GET",
		"HEAD", "HEAD", "HEAD", "OPTIONS", "POST", "PUT", "DELETE", "PATCH", "TRACE", "CONNECT", "PROPFIND", "PURGE", "get",
		"G\x00T", "GET\t", h.noise(8))
	version := "HTTP/1.1"
	if h.IntN(20) == 0 {
		version = h.pick("HTTP/1.0", "HTTP/1.9", "HTTP/11.1", "http/1.1", "HTTP/-1", "HTTP")
	}
	var out strings.Builder
	out.WriteString(method + " " + h.target() + " " + version + "\r\n")
	if h.IntN(50) > 0 {
		out.WriteString("Host: systemtest\r\n")
	}
	for range h.IntN(3) {
		out.WriteString(h.header() + "\r\n")
	}
	// An ambiguous end of the request. Not with other methods: NGINX rejects them before it reads the body, and answers an invalid body
	// with a page of its own.
	if h.IntN(20) == 0 && slices.Contains([]string{"GET", "HEAD", "OPTIONS"}, method) {
		alone = true
		out.WriteString(h.pick("Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
			"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /products/2 HTTP/1.1\r\nHost: h\r\n\r\n",
			"Content-Length: -1\r\n\r\n", "Content-Length: 99999999999999999999\r\n\r\n", "Content-Length: 99999999999\r\n\r\n",
			"Transfer-Encoding: chunked\r\n\r\nzz\r\n\r\n", "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
			"Transfer-Encoding: nonsense\r\n\r\n",
			"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n", "Content-Length: 5\r\n\r\nhello",
			"Content-Length: 38\r\n\r\nDELETE /products/1 HTTP/1.1\r\nHost: h\r\n\r\n",
			"\nX-Evil: 1\r\n\r\n", "X-Evil: 1\rX-More: 2\r\n\r\n", "\x00\r\n\r\n", "\r\nGET /products/2 HTTP/1.1\r\nHost: h\r\n\r\n"))
		return method, out.String(), alone
	}
	out.WriteString("\r\n")
	return method, out.String(), alone || version != "HTTP/1.1"
}
