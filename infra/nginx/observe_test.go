package nginx

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/goccy/go-json"
)

// answerTimed answers like the API, with the headers of this one request.
func answerTimed(response http.ResponseWriter, request *http.Request) {
	response.Header().Set("X-Request-ID", request.Header.Get("X-Request-ID"))
	response.Header().Set("Server-Timing", "db;dur=1.5")
	answerDocument(response, request)
}

func TestRequestID(t *testing.T) {
	rig := start(t)
	var sent atomic.Value // the last id that the API received
	rig.setAnswer(func(response http.ResponseWriter, request *http.Request) {
		sent.Store(request.Header.Get("X-Request-ID"))
		answerTimed(response, request)
	})
	made := regexp.MustCompile(`^\d+\.\d{3}-\d+-\d+$`)
	for _, encoding := range []string{"", "gzip"} {
		for i, test := range []struct {
			id   string
			kept bool
		}{{"4f1c-A.b_9", true}, {strings.Repeat("x", 128), true}, {"", false}, {"two words", false}, {`a"b`, false}, {strings.Repeat("x", 129), false}} {
			path := fmt.Sprintf("/products/%d", i)
			for range 4 { // the last ones are hits: the cached response has another id
				got := rig.get(path, "X-Request-ID", test.id, "Accept-Encoding", encoding)
				ids := got.header.Values("X-Request-ID")
				if len(ids) != 1 || test.kept && ids[0] != test.id || !test.kept && !made.MatchString(ids[0]) {
					t.Errorf("%q, encoding %q: X-Request-ID %q", test.id, encoding, ids)
				} else if got.cache() == "MISS" && sent.Load() != ids[0] {
					t.Errorf("%q, encoding %q: the API got %q, the client %q", test.id, encoding, sent.Load(), ids)
				}
			}
			if first, second := rig.fill(path, "Accept-Encoding", encoding), rig.get(path, "Accept-Encoding", encoding); first.header.Get("X-Request-ID") == second.header.Get("X-Request-ID") {
				t.Errorf("two hits have one X-Request-ID, %q", first.header.Get("X-Request-ID"))
			}
		}
	}
	if got := rig.get("/../..", "X-Request-ID", "mine"); got.status != http.StatusBadRequest {
		t.Errorf("%d, want NGINX's 400", got.status)
	}
	if got := rig.send(http.MethodTrace, "/", nil, "X-Request-ID", "mine"); got.header.Get("X-Request-ID") != "mine" {
		t.Errorf("NGINX's own answer: X-Request-ID %q", got.header.Get("X-Request-ID"))
	}
}

func TestServerTiming(t *testing.T) {
	rig := start(t)
	rig.setAnswer(answerTimed)
	want := func(got answer, want string) {
		t.Helper()
		if timing := strings.Join(got.header.Values("Server-Timing"), " and "); timing != want {
			t.Errorf("%d %s: Server-Timing %q, want %q", got.status, got.cache(), timing, want)
		}
	}
	for _, encoding := range []string{"", "gzip"} {
		want(rig.get("/products/1", "Accept-Encoding", encoding), "cache;desc=MISS, db;dur=1.5")
		want(rig.fill("/products/1", "Accept-Encoding", encoding), "cache;desc=HIT")
	}
	rig.setAnswer(answerDocument) // without the header
	want(rig.get("/products/2"), "cache;desc=MISS")
	rig.setAnswer(func(response http.ResponseWriter, request *http.Request) {
		response.Header().Set("Server-Timing", "db;dur=1.5")
		answerWith(brief, response, request)
	})
	rig.fill("/products/3")
	want(rig.await("STALE", "/products/3", func(got answer) bool { return got.cache() == "STALE" }), "cache;desc=STALE")
}

func TestOptionsArePassedToTheAPI(t *testing.T) {
	rig := start(t)
	rig.setAnswer(func(response http.ResponseWriter, _ *http.Request) {
		response.Header().Set("Access-Control-Allow-Methods", "GET, HEAD, OPTIONS")
		response.Header().Set("Access-Control-Allow-Origin", "*")
		response.Header().Set("Cache-Control", fresh) // even so
		response.WriteHeader(http.StatusNoContent)
	})
	for range 4 {
		got := rig.send(http.MethodOptions, "/api/products/1", nil, "Origin", "https://a.example", "Access-Control-Request-Method", "GET", "Accept-Encoding", "gzip")
		if got.status != http.StatusNoContent || got.cache() != "" || got.header.Get("Access-Control-Allow-Methods") != "GET, HEAD, OPTIONS" ||
			got.header.Get("Access-Control-Allow-Origin") != "*" {
			t.Errorf("%d, X-Cache %q, %v", got.status, got.cache(), got.header)
		}
	}
	if seen := rig.seen(); len(seen) != 4 || seen[0] != "OPTIONS /products/1" {
		t.Errorf("the upstreams saw %q", seen)
	}
}

// line is a line of the access log.
type line struct {
	Time         time.Time `json:"time"`
	RequestID    string    `json:"request_id"`
	Remote       string    `json:"remote"`
	Method       string    `json:"method"`
	URI          string    `json:"uri"`
	URICut       bool      `json:"uri_cut"`
	Status       int       `json:"status"`
	Bytes        int       `json:"bytes"`
	Cache        string    `json:"cache"`
	Upstream     string    `json:"upstream"`
	Tries        string    `json:"upstream_status"`
	UpstreamTime string    `json:"upstream_time"`
	RequestTime  float64   `json:"request_time"`
}

// parseLine is stricter than encoding/json, which replaces invalid UTF-8.
func parseLine(t *testing.T, raw []byte) line {
	t.Helper()
	var read line
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&read); err != nil || decoder.InputOffset() != int64(len(raw)) || !utf8.Valid(raw) || len(raw) > 3000 {
		t.Fatalf("a line of %d bytes, %v: %q", len(raw), err, raw)
	}
	return read
}

// awaitLines waits until the log has that many wanted lines, and returns all lines.
func awaitLines(t *testing.T, path string, count int, wanted func(line) bool) []line {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		text, _ := os.ReadFile(path)
		var lines []line
		found := 0
		for _, raw := range bytes.Split(bytes.TrimSuffix(text, []byte("\n")), []byte("\n")) {
			if len(raw) == 0 {
				continue
			}
			read := parseLine(t, raw)
			lines = append(lines, read)
			if wanted(read) {
				found++
			}
		}
		if found >= count {
			return lines
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d of %d lines: %s", found, count, text)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func TestAccessLog(t *testing.T) {
	rig := start(t, func(gateway *Gateway) { gateway.AccessLog = filepath.Join(Work(gateway.Prefix), "access.json") })
	hostile := []string{`/products/"}\%22%0a?a="'`, "/products/%00", "/products/\x7f\xff"}
	const hits = 1000
	rig.get("/products/1", "X-Request-ID", "mine")
	rig.fill("/products/1")
	client := http.Client{Transport: &http.Transport{}} // one connection
	for range hits {
		response, err := client.Get(rig.url + "/products/1")
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
	}
	client.CloseIdleConnections()
	for _, path := range hostile {
		if got := rig.raw("GET " + path + " HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"); !strings.HasPrefix(got, "HTTP/1.1 ") {
			t.Errorf("%q: %.40q", path, got)
		}
	}
	rig.send(http.MethodTrace, "/last", nil)
	lines := awaitLines(t, rig.gateway.AccessLog, 2, func(line line) bool { return line.URI == "/last" || line.URI == hostile[0] })
	logged := 0
	for _, line := range lines {
		if line.Cache == "HIT" {
			logged++
		}
		if line.RequestID == "mine" && (line.Method != "GET" || line.URI != "/products/1" || line.Status != 200 || line.Bytes != len(body("/products/1")) ||
			line.Cache != "MISS" || line.Tries != "200" || line.URICut || line.Remote != "127.0.0.1" || !strings.HasPrefix(line.Upstream, "unix:") || line.UpstreamTime == "" ||
			time.Since(line.Time) > time.Minute) {
			t.Errorf("a miss: %+v", line)
		}
		if line.URI == "/last" && (line.Method != "TRACE" || line.Status != 405) {
			t.Errorf("refused: %+v", line)
		}
	}
	if logged > hits/20 { // a hundredth is expected
		t.Errorf("%d of %d hits were logged, want about %d", logged, hits, hits/100)
	}

	rotated := rig.gateway.AccessLog + ".1"
	if err := os.Rename(rig.gateway.AccessLog, rotated); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(rig.running.PID, syscall.SIGUSR1); err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(patience)
	for _, err := os.Stat(rig.gateway.AccessLog); err != nil; _, err = os.Stat(rig.gateway.AccessLog) {
		if time.Now().After(deadline) {
			t.Fatal("no new access log after SIGUSR1")
		}
		time.Sleep(time.Millisecond)
	}
	// A worker may write late.
	for i := 0; ; i++ {
		rig.send(http.MethodTrace, fmt.Sprintf("/after/%d", i), nil)
		if text, _ := os.ReadFile(rig.gateway.AccessLog); len(text) > 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("nothing in the new access log")
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// hostileRequests sends requests with invalid bytes in all places, each on a new connection. None is for /last.
func hostileRequests() []string {
	var requests []string
	request := func(line string, headers ...string) {
		requests = append(requests, line+"\r\nHost: a\r\nConnection: close\r\n"+strings.Join(append(headers, "\r\n"), "\r\n"))
	}
	pieces := []string{
		`"`, `\`, `\"`, `"},{"`, "'", "\x7f", "%00", "%80", "%u0000", "\xc0\xaf", "\xe0\x80\x80", "\xed\xa0\x80", "\xed\xbf\xbf", "\xf4\x90\x80\x80",
		"\xf8\x88\x80\x80\x80", "\xfe\xff", "\xff\xfe", "\xc3", "\xe2\x82", "\xf0\x9f\x98", "\xc3\x28", "ü", "\u2028", "\U0001f600", "\ufeff", "\x1b[31m", "\x9b31m", "\u202e",
		strings.Repeat("\xff", 3000), strings.Repeat(`"\`, 3000), strings.Repeat("x", 6000), strings.Repeat("x", 999) + "ü",
	}
	for b := range 256 {
		pieces = append(pieces, string([]byte{byte(b)}))
	}
	for _, piece := range pieces {
		request("GET /products/1" + piece + " HTTP/1.1")
		request("GET /" + piece + "products?page=" + piece + "&count=" + piece + " HTTP/1.1")
		if len(piece) > 1 {
			request("GET /api/fec2/" + piece + "/products/1 HTTP/1.1")
			request("GET http://" + piece + "/products/1 HTTP/1.1")
			request("G" + piece + "T /products/1 HTTP/1.1")
			request("GET /products/1 HTTP/1." + piece)
			request("GET /products/1 " + piece)
			request("GET /products/1 HTTP/1.1", "X-Request-ID: "+piece, "Referer: "+piece, "User-Agent: "+piece, "X-"+piece+": 1", "Cookie: "+piece)
			request("GET /products/1 HTTP/1.1", "Host: "+piece)
			request("GET /products/1 HTTP/1.1", "Accept-Encoding: gzip, "+piece, "If-None-Match: "+piece, "Accept: "+piece)
		}
	}
	request(strings.Repeat("A", 7000) + " / HTTP/1.1")
	request("GET /products/1") // HTTP/0.9
	request("GET / HTTP/0.9")
	request("GET / HTTP/2.0")
	return append(requests, "", "\r\n", "\x00", "GET", "GET /products", "\x16\x03\x01\x00\x05hello", strings.Repeat("\xff", 9000), "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
}

// TestLogsHoldNoRawBytes also removes the cache and the upstreams: NGINX's own log then contains the requests.
func TestLogsHoldNoRawBytes(t *testing.T) {
	rig := start(t, func(gateway *Gateway) { gateway.AccessLog = filepath.Join(Work(gateway.Prefix), "access.json") })
	requests := hostileRequests()
	send := func() {
		for _, sent := range requests {
			rig.rawOnce(sent)
		}
	}
	send()
	if err := os.Chmod(rig.gateway.cache(), 0o500); err != nil {
		t.Fatal(err)
	}
	send()
	for i := range 50 { // the second request stores the response, mostly in directories that are missing
		for range 2 {
			rig.rawOnce(fmt.Sprintf("GET /products/%d/styles HTTP/1.1\r\nHost: logged\r\nConnection: close\r\n\r\n", 1000+i))
		}
	}
	for _, upstream := range rig.upstreams {
		upstream.stop()
	}
	send()
	rig.send(http.MethodTrace, "/last", nil)
	log, err := os.ReadFile(rig.gateway.Log)
	if err != nil || !bytes.Contains(log, []byte(`host: "logged"`)) {
		t.Errorf("NGINX's own log does not mention the cache: nothing was proven (%v): %.1000q", err, log)
	}
	if raw := regexp.MustCompile(`(?m)^.*[^\x20-\x7e\n].*$`).Find(log); raw != nil {
		t.Errorf("a line of NGINX's own log has raw bytes: %q", raw)
	}
	lines := awaitLines(t, rig.gateway.AccessLog, 1, func(line line) bool { return line.URI == "/last" })
	cut, whole := 0, 0
	for _, line := range lines {
		if strings.HasPrefix(line.URI, "/products/1") {
			if line.URICut {
				cut++
			} else {
				whole++
			}
		}
	}
	if len(lines) < 2*len(requests) || cut < 100 || whole < 100 {
		t.Errorf("%d requests, three times: %d lines, %d of product 1 are cut and %d are whole", len(requests), len(lines), cut, whole)
	}
}

// TestClientsCannotFillTheLog sends requests that NGINX could log errors about, while the API works.
func TestClientsCannotFillTheLog(t *testing.T) {
	rig := start(t, func(gateway *Gateway) { borrowCertificate(t, gateway) })
	rig.fill("/products/1")
	long := strings.Repeat("x", 1900)
	requests := []string{
		"GET /" + long + " HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\nConnection: close\r\n\r\n",
		"GET /products/" + long + " HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\nConnection: close\r\n\r\n",
		"GET /api/products/" + long + " HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\nConnection: close\r\n\r\n",
		"GET /" + long + " HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\nfffffff\r\n\r\n\r\n",
		"GET /products/" + long + " HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\nzz\r\n\r\n",
		"POST /" + long + " HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\nConnection: close\r\n\r\n",
		"GET /" + strings.Repeat(long, 6) + " HTTP/1.1\r\nHost: a\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a\r\nX: " + strings.Repeat(long, 6) + "\r\n\r\n",
	}
	// NGINX would wait for the rest of a body: the client closes after the response.
	send := func(address, sent string) {
		t.Helper()
		connection, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = connection.Close() }()
		_, _ = io.WriteString(connection, sent)
		_ = connection.SetReadDeadline(time.Now().Add(patience))
		_, _ = connection.Read(make([]byte, 1))
	}
	for range 20 {
		for _, sent := range requests {
			send(rig.gateway.Listen, sent)
		}
		send(rig.gateway.TLS.Listen, "\x16\x03\x01\xff\xff"+long) // the beginning of a record of 64 KB, which is too long
	}
	rig.get("/products/1")
	if log, err := os.ReadFile(rig.gateway.Log); err != nil || len(log) > 0 {
		t.Errorf("NGINX's log has %d bytes (%v): %.2000q", len(log), err, log)
	}
}
