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

// bystanders ask NGINX and both instances for what they ought to get, whatever others do.
func bystanders(t *testing.T, s *stack, c *catalog) *load {
	l, hot := newLoad(t), hotPaths()
	for client, address := range append(s.instanceURLs(t), s.gateway(t), s.gateway(t)) {
		l.client(address, 10*time.Millisecond, func(w *wire, n int) error { return c.check(w, hot[n%len(hot)], encodings[client%2]...) })
	}
	return l
}

// testSlowClients holds hundreds of requests open at an instance and at the gateway: some that never end, byte by byte, and some whose answers nobody
// reads. Others are served meanwhile, and each server closes them.
func testSlowClients(t *testing.T, s *stack, c *catalog) {
	const each = 200
	const letsGo = 30 * time.Second // within which a server must; all have limits of 10 s at most
	l := bystanders(t, s, c)
	var held sync.WaitGroup
	for _, address := range []string{s.instanceURLs(t)[0], s.gateway(t)} {
		for name, begin := range map[string]string{
			"a line":   "GET /products/1",
			"a header": "GET /products/1 HTTP/1.1\r\nHost: h\r\nX-Slow: ",
			"a body":   "POST /products/1 HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\n",
			"chunks":   "GET /products/1 HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1;",
			"a read's": "GET /products/1 HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\n",
		} {
			for range each {
				held.Go(func() {
					if err := dribble(address, begin, letsGo); err != nil {
						t.Errorf("%s: %s that never ends: %v", address, name, err)
					}
				})
			}
		}
		for range 10 {
			held.Go(func() {
				if err := neglect(address, c.editions[c.newest], letsGo); err != nil {
					t.Errorf("%s: answers that nobody reads: %v", address, err)
				}
			})
		}
	}
	held.Wait()
	l.stop()
	t.Logf("%d requests of others meanwhile", l.requests.Load())
}

// dribble begins a request and goes on with it a byte at a time until the server hangs up. An answer before that must be a problem, or the
// answer to a read whose body is ignored.
func dribble(address, begin string, limit time.Duration) error {
	conn, err := net.DialTimeout("tcp", address, patience)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	if _, err := io.WriteString(conn, begin); err != nil {
		return err
	}
	said := make(chan []byte, 1)
	go func() {
		_ = conn.SetReadDeadline(time.Now().Add(limit))
		text, err := io.ReadAll(conn)
		if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
			text = nil
			err = fmt.Errorf("still waited for after %s", limit)
		} else {
			err = nil // closed or reset
		}
		if err != nil {
			text = []byte(err.Error())
		}
		said <- text
	}()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			_, _ = io.WriteString(conn, "x")
		case text := <-said:
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
				return nil // NGINX does not wait for what it ignores
			}
			// An instance that gives up on a body in chunks closes its connection. If the next chunk is on its way to it then, its answer is
			// lost, and the gateway has its own.
			lost := got.status == http.StatusServiceUnavailable && got.header.Get("Retry-After") != "" && strings.Contains(begin, "chunked")
			if (got.status >= 500 && !lost) || !isProblem(got, got.status) {
				return fmt.Errorf("answered %d %v %.300q", got.status, got.header, got.body)
			}
			return nil
		}
	}
}

// neglect asks for the largest document many times, reads nothing until the server must have given up, and then finds that it has.
func neglect(address string, e *edition, limit time.Duration) error {
	conn, err := net.DialTimeout("tcp", address, patience)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	const times = 200 // more than all buffers on the way hold
	path := fmt.Sprintf("/products/%d/styles", largeProduct)
	if _, err := io.WriteString(conn, strings.Repeat("GET "+path+" HTTP/1.1\r\nHost: h\r\n\r\n", times)); err != nil {
		return err
	}
	// The server's limit on a write. What tells that it has given up is the end of the connection, which only shows behind what
	// has been sent before.
	time.Sleep(limit / 2)
	_ = conn.SetReadDeadline(time.Now().Add(limit / 2))
	read, err := io.Copy(io.Discard, conn)
	if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
		return fmt.Errorf("still there after %s", limit)
	}
	if whole := int64(times * len(e.documents[path].body)); read >= whole {
		return fmt.Errorf("all %d bytes were kept for it", read)
	}
	return nil
}

// testOversized sends more than the servers accept.
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
				t.Errorf("%s: %s: %v, %d %v %.200q, want %d and problem+json", address, test.name, err, got.status, got.header, got.body, status)
			}
			w.close()
		}
	}
}

// metric reads a number that an instance publishes on its admin port.
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
			t.Fatalf("%s/metrics says %q", address, line)
		}
		sum, found = sum+number, true
	}
	if !found {
		t.Fatalf("%s/metrics says nothing of %s", address, name)
	}
	return sum
}

// testGoneClients goes away in the middle of thousands of answers. Nothing of that stays behind.
func testGoneClients(t *testing.T, s *stack, c *catalog) {
	const clients, times = 8, 500 // of each server
	// NGINX keeps this many connections to the instances, at most, for each of its workers: as many as there are cores.
	const kept = 64
	type measured struct{ admin, name string }
	before := map[measured]float64{}
	for _, admin := range strings.Split(s.env["ADMIN_URLS"], ",") {
		for _, name := range []string{"go_goroutines", "process_open_fds"} {
			before[measured{admin, name}] = metric(t, admin, name)
		}
	}
	l := bystanders(t, s, c)
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

// leave asks for a document and goes away without a word once some of the answer has been read.
func leave(address, path string, read int) error {
	conn, err := net.DialTimeout("tcp", address, patience)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	if err := conn.(*net.TCPConn).SetLinger(0); err != nil { // a reset, not a farewell
		return err
	}
	_ = conn.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(conn, "GET "+path+" HTTP/1.1\r\nHost: h\r\n\r\n"); err != nil {
		return err
	}
	_, err = io.CopyN(io.Discard, conn, int64(read))
	return err
}

// testMissStorm has many clients ask NGINX at once for a document that is not in its cache while the database is slow to find it.
func testMissStorm(t *testing.T, s *stack, c *catalog) {
	// NGINX tries another instance after a second, so a machine on which the requests take longer to arrive proves nothing, and tries again.
	const clients, attempts, limit = 500, 10, 900 * time.Millisecond
	for attempt := range attempts {
		path := fmt.Sprintf("/products/%d/styles", c.products-1-attempt) // the walk through cold addresses does not come so far
		if took := s.missStorm(t, c, path, clients, limit); took < limit {
			return
		}
	}
	t.Errorf("%d requests never arrived within %s, so this has tested nothing", clients, limit)
}

// missStorm has the clients ask for a path while the database is slow to find it: until all of them wait, or for the limit. It returns how long
// that took.
func (s *stack) missStorm(t *testing.T, c *catalog, path string, clients int, limit time.Duration) (took time.Duration) {
	t.Helper()
	sum := func(name string) (sum float64) {
		for _, admin := range strings.Split(s.env["ADMIN_URLS"], ",") {
			sum += metric(t, admin, name)
		}
		return sum
	}
	lookups := func() float64 { return sum("systemscale_lookup_batch_size_sum") } // what was sent to the database
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
	t.Logf("%d requests at once for one document cost %.0f lookups", clients, made)
	if most := float64(len(s.instanceURLs(t))); made > most && took < limit {
		t.Errorf("%d requests at once for one document cost %.0f lookups, want one for each instance", clients, made)
	}
	return took
}

// inside is what no answer may tell, in lower case.
var inside = []string{
	"/tmp/", "/var/", "/usr/", "/home/", "/work/", ".go", "goroutine", "panic", "runtime error", "pgx", "pgconn", "sqlstate", "postgres", "select ",
	"catalog", "fasthttp", "fiber", "nginx/", "unix:", "compressor", ".sock", "127.0.0.1", "0xc0",
}

// tells returns what a text tells of the inside, or "".
func tells(text string) string {
	text = strings.ToLower(text)
	for _, word := range inside {
		if strings.Contains(text, word) {
			return word
		}
	}
	return ""
}

// expectedHeaders are the headers that an answer may have.
var expectedHeaders = []string{
	"Access-Control-Allow-Headers", "Access-Control-Allow-Methods", "Access-Control-Allow-Origin", "Access-Control-Expose-Headers", "Access-Control-Max-Age", "Allow",
	"Cache-Control", "Connection", "Content-Encoding", "Content-Length", "Content-Type", "Date", "Etag", "Keep-Alive", "Retry-After", "Server",
	"Server-Timing", "Transfer-Encoding", "Vary", "X-Cache", "X-Content-Type-Options", "X-Data-Version", "X-Request-Id", "X-Total-Count", "Content-Security-Policy",
}

// judge says what is wrong with the answer to a hostile request. Whatever is found must be a document, whatever is refused one of a few
// fixed texts.
type judge struct {
	known     map[string]bool // bodies of documents
	summaries map[string]bool // elements of pages

	mutex    sync.Mutex
	statuses map[int]int
	problems map[string]int // by body
}

func newJudge(e *edition) *judge {
	j := &judge{known: map[string]bool{}, summaries: map[string]bool{}, statuses: map[int]int{}, problems: map[string]int{}}
	for _, d := range e.documents {
		j.known[d.body] = true
	}
	for _, summary := range e.summaries {
		j.summaries[summary] = true
	}
	return j
}

// judge returns what is wrong with an answer to a request with a method, or "".
func (j *judge) judge(method string, got answer) string {
	for name, values := range got.header {
		if !slices.Contains(expectedHeaders, name) {
			return "has a header " + name
		}
		if told := tells(strings.Join(values, "\n")); told != "" {
			return fmt.Sprintf("tells %q in a header", told)
		}
	}
	if server := got.header.Get("Server"); server != "" && server != "nginx" {
		return "is from " + server
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
			return "is no document"
		}
		j.known[got.body] = true
	case got.status >= 400 && got.status < 500 && method == http.MethodHead:
	case got.status >= 400 && got.status < 500:
		// What the client itself named may be repeated to it.
		text := namesInProblems.ReplaceAllString(got.body, "names")
		if j.problems[text]++; j.problems[text] > 1 {
			break
		}
		if !isProblem(got, got.status) && !isPageOfProblem(got) {
			return "is no problem+json that is not stored, and no page"
		}
		if told := tells(text); told != "" && !j.known[got.body] {
			return fmt.Sprintf("tells %q", told)
		}
	default:
		return "is not to be expected"
	}
	return ""
}

// namesInProblems are those of parameters: in JSON, and in a page.
var namesInProblems = regexp.MustCompile(`(?s)(\\"|&#34;).*(\\"|&#34;)`)

// isPageOfProblem reports whether an answer is what a person sees of an error.
func isPageOfProblem(got answer) bool {
	return got.header.Get("Content-Type") == "text/html; charset=utf-8" && strings.Contains(got.body, "</html>") && got.header.Get("Cache-Control") == "no-store" &&
		strings.Contains(got.header.Get("Content-Security-Policy"), "frame-ancestors 'none'")
}

func (j *judge) isPage(body string) bool {
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

// testHostile sends NGINX requests that nobody should send.
func testHostile(t *testing.T, s *instances, c *catalog) {
	const clients, each = 8, 12_500
	j := newJudge(c.editions[c.newest])
	people := &wire{address: s.gateway(t)}
	for _, page := range []string{"/", "/docs", "/openapi.yaml"} {
		got, err := people.get(page)
		if err != nil || got.status != http.StatusOK {
			t.Fatalf("GET %s: %d, %v", page, got.status, err)
		}
		j.known[got.body] = true
	}
	people.close()
	hot := hotPaths()
	unanswered := make([]int, clients)
	var wait sync.WaitGroup
	for client := range clients {
		wait.Go(func() {
			h := hostile{rand.New(rand.NewPCG(7, uint64(client)))}
			w := &wire{address: s.gateway(t)}
			defer w.close()
			failed := 0
			for n := range each {
				if n%100 == 0 { // is the cache what it was?
					if err := c.check(w, hot[n/100%len(hot)], encodings[client%2]...); err != nil {
						t.Error(err)
						return
					}
				}
				method, raw, alone := h.request()
				if alone {
					w.close() // what was asked before has nothing to do with it
				}
				got, err := w.send(method, raw)
				if alone {
					w.close()
				}
				if err != nil {
					unanswered[client]++
					if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
						t.Errorf("no answer within %s to %.300q", patience, raw)
						return
					}
					continue
				}
				if wrong := j.judge(method, got); wrong != "" {
					t.Errorf("the answer to %.300q %s: %d %v %.300q", raw, wrong, got.status, got.header, got.body)
					if failed++; failed == mostErrors {
						return
					}
				}
			}
		})
	}
	wait.Wait()
	sum := 0
	for _, n := range unanswered {
		sum += n
	}
	t.Logf("answers by status: %v; %d hung up on", j.statuses, sum)
	if sum > clients*each/20 {
		t.Errorf("%d of %d requests got no answer: too many to tell anything", sum, clients*each)
	}
	for _, status := range []int{200, 204, 304, 400, 404, 405} {
		if j.statuses[status] == 0 {
			t.Errorf("no answer was a %d: the requests are too much alike to test anything", status)
		}
	}
	const texts = 2 * 40 // for programs and for people
	if len(j.problems) > texts {
		t.Errorf("refused with %d different texts, want a few fixed ones: %.3000s", len(j.problems), fmt.Sprint(j.problems))
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
			t.Errorf("%s has %.500s", log, bad)
		}
	}
}

// hostile makes requests up.
type hostile struct{ *rand.Rand }

func (h hostile) pick(from ...string) string { return from[h.IntN(len(from))] }

// noise is random bytes without line breaks.
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

// encoded writes random characters of a text as %-sequences, some of them twice.
func (h hostile) encoded(text string) string {
	var out strings.Builder
	for _, b := range []byte(text) {
		if b <= ' ' || h.IntN(2) == 0 { // what would end a line or a word is always encoded
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
		return h.pick("9223372036854775807", "9223372036854775808", "18446744073709551616", "-1", "0", "00", "01", "+1", "1e3", "1.0", "0x1", "١", strings.Repeat("9", 300), strconv.FormatUint(h.Uint64(), 10))
	case 3:
		return h.pick("%", "%z", "%zz", "%0", "%00", "%ff", "%c0%af", "%e0%80%af", "%0d%0aX-Evil:%201", "%2e%2e", "..%2f..%2fetc%2fpasswd", "%252e%252e", "..;", "\\..\\..", "%5c..%5c", "%u0041", "ü", "☃", "\xff\xfe", "\xc0\xaf", strings.Repeat("a", 4000), "{id}", "*", "~", "'", "1'--", "1;drop", "$uri", "${LISTEN}", "..", ".", "")
	case 4:
		return h.pick("api", "fec2", "hr-rfp", "-", "problem", "metrics", "live", "ready", "status", "cached", "refresh", "changes", ".git", "etc", "passwd")
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
		target.WriteString(h.pick("?", "??", "?page=", "?count=", "?page=1&count=5&page=2", "?page[]=1", "?PAGE=2", "?page=%31", "?page=+1", "?page="+h.segment(), "?count="+h.segment(), "?page="+strconv.Itoa(1+h.IntN(50))+"&count="+strconv.Itoa(1+h.IntN(100)), "?&&=&", "?"+strings.ReplaceAll(h.noise(30), " ", "+"), "#", "#?page=0", "?since="+h.segment()))
	}
	if target.Len() == 0 {
		return "/"
	}
	return target.String()
}

// header is a line that a server may find odd but has to take, or, once in a while, one that it may refuse.
func (h hostile) header() string {
	if h.IntN(8) == 0 {
		return h.pick("Host: h\r\nHost: i", "Host:", "Host: "+h.noise(20), "Host: h:99999", "Host: [::1", "Host: ../..", "Cookie: "+h.noise(200), "Accept-Encoding: "+h.noise(30), "If-None-Match: "+h.noise(30),
			"X: "+strings.Repeat("y", h.IntN(20000)), "X\tY: z", ": empty", "no colon", " folded", h.noise(40), "Content-Length: 0", "Expect: nonsense", "X-Request-Id: "+h.noise(200))
	}
	return h.pick("Accept-Encoding: gzip", "Accept-Encoding: "+h.pick("gzip;q=0", "gzip;q=", "*", "gzip, gzip", "GZIP", "br, zstd, gzip;q=0.001", "identity;q=0"),
		"If-None-Match: *", "If-None-Match: *", "If-None-Match: W/\"", `If-None-Match: "`+strings.Repeat(`","`, 500), "If-Match: \"x\"", "If-Modified-Since: "+strconv.Itoa(h.IntN(100)), "If-Unmodified-Since: Mon, 01 Jan 1990 00:00:00 GMT",
		"Range: bytes=0-1", "Range: bytes=0-1,2-3,4-5", "Range: bytes=-"+strconv.FormatUint(h.Uint64(), 10), "Range: lines=1", "If-Range: \"x\"",
		"Connection: close", "Connection: keep-alive, X-Cache, ETag", "Connection: upgrade\r\nUpgrade: h2c", "Upgrade: websocket", "Keep-Alive: timeout=-1",
		"X-Forwarded-For: ' or 1=1", "X-Forwarded-Host: evil", "X-Original-URL: /live", "X-HTTP-Method-Override: DELETE", "X-Accel-Redirect: /-/problem", "X-Accel-Expires: 1000", "X-Request-Id: "+url.QueryEscape(h.noise(200)),
		"Cache-Control: no-cache", "Pragma: no-cache", "Cookie: "+url.QueryEscape(h.noise(200)), "Authorization: Basic x", "Accept: text/html", "Vary: *", "X: "+strings.Repeat("y", h.IntN(7000)), strings.Repeat("X", 200)+": long name", "TE: trailers", "Trailer: Content-Length")
}

// request returns a request with its method. One that cannot be followed by another on the same connection is alone.
func (h hostile) request() (method, raw string, alone bool) {
	method = h.pick("GET", "GET", "GET", "GET", "GET", "GET", "GET", "GET", "GET", "GET", "GET", "GET", "GET", "GET", "GET", "HEAD", "HEAD", "HEAD", "OPTIONS", "POST", "PUT", "DELETE", "PATCH", "TRACE", "CONNECT", "PROPFIND", "PURGE", "get", "G\x00T", "GET\t", h.noise(8))
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
	// Where one request ends and the next begins is open to question. Not so of other methods: NGINX refuses them before it looks at the
	// body, and when it then finds the body to be nonsense, answers with a page of its own.
	if h.IntN(20) == 0 && slices.Contains([]string{"GET", "HEAD", "OPTIONS"}, method) {
		alone = true
		out.WriteString(h.pick("Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello", "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /products/2 HTTP/1.1\r\nHost: h\r\n\r\n", "Content-Length: -1\r\n\r\n", "Content-Length: 99999999999999999999\r\n\r\n", "Content-Length: 99999999999\r\n\r\n",
			"Transfer-Encoding: chunked\r\n\r\nzz\r\n\r\n", "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", "Transfer-Encoding: nonsense\r\n\r\n", "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n", "Content-Length: 5\r\n\r\nhello", "Content-Length: 38\r\n\r\nDELETE /products/1 HTTP/1.1\r\nHost: h\r\n\r\n",
			"\nX-Evil: 1\r\n\r\n", "X-Evil: 1\rX-More: 2\r\n\r\n", "\x00\r\n\r\n", "\r\nGET /products/2 HTTP/1.1\r\nHost: h\r\n\r\n"))
		return method, out.String(), alone
	}
	out.WriteString("\r\n")
	return method, out.String(), alone || version != "HTTP/1.1"
}
