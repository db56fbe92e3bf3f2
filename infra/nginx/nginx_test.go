package nginx

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/md5"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"systemscale/infra/port/porttest"
	"systemscale/infra/process"
	"systemscale/infra/program"
)

func TestExpand(t *testing.T) {
	values := map[string]string{"PORT": "8080", "NAME": "x"}
	for _, test := range []struct {
		name, template, want, wantError string
	}{
		{"replaces every use", "listen ${PORT}; # ${PORT}\nname ${NAME};", "listen 8080; # 8080\nname x;", ""},
		{"leaves NGINX's own variables", "$uri ${uri} $PORT ${PORT}${NAME}", "$uri ${uri} $PORT 8080x", ""},
		{"unknown name", "${PORT} ${NAME} ${OTHER}", "", "no value for ${OTHER}"},
		{"unused value", "${PORT}", "", "the template does not use ${NAME}"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := Expand(test.template, values)
			if got != test.want || fmt.Sprint(err) != test.wantError && (err != nil || test.wantError != "") {
				t.Errorf("Expand(%q) = %q, %v, want %q, %q", test.template, got, err, test.want, test.wantError)
			}
		})
	}
}

// upstream is an API instance that the test plays, on a unix socket.
type upstream struct {
	server *http.Server
	socket string

	mutex    sync.Mutex
	requests []string // "METHOD URI", and the values of Accept-Encoding, If-None-Match and Cookie
	answer   http.HandlerFunc
}

// patience is how long a test waits for an event that must happen. It is no limit on its duration.
const patience = time.Minute

// fresh and brief are how long copies may be kept: longer than any test lasts, and a second or two.
const (
	fresh = "public, max-age=7, s-maxage=600, stale-while-revalidate=600"
	brief = "public, max-age=7, s-maxage=1, stale-while-revalidate=600"
)

// body is long enough to be worth compressing, and differs from path to path.
func body(uri string) string {
	return fmt.Sprintf(`{"uri":%q,"fill":%q}`, uri, strings.Repeat("all work and no play ", 100))
}

// answerDocument answers like the API: a strong ETag, 304, and 404 as a problem that is kept.
func answerDocument(response http.ResponseWriter, request *http.Request) {
	answerWith(fresh, response, request)
}

func answerWith(cacheControl string, response http.ResponseWriter, request *http.Request) {
	header := response.Header()
	header.Set("ETag", `"tag"`)
	header.Set("Cache-Control", cacheControl)
	header.Set("Vary", "Origin")
	header.Set("X-Data-Version", "7")
	switch {
	case request.Method == http.MethodPost:
		header.Set("Content-Type", "application/problem+json")
		response.WriteHeader(http.StatusMethodNotAllowed)
		_, _ = io.WriteString(response, `{"title":"from the API"}`)
	case strings.HasPrefix(request.URL.Path, "/missing"):
		answerMissing(response, request)
	case strings.Contains(request.Header.Get("If-None-Match"), `"tag"`):
		response.WriteHeader(http.StatusNotModified)
	default:
		header.Set("Content-Type", "application/json")
		text := body(request.URL.RequestURI())
		header.Set("Content-Length", strconv.Itoa(len(text)))
		_, _ = io.WriteString(response, text)
	}
}

// answerMissing answers like the API for a document that it does not have. The order of the headers decides, and net/http sorts them.
func answerMissing(response http.ResponseWriter, _ *http.Request) {
	const text = `{"status":404}`
	answerRaw(response, "HTTP/1.1 404 Not Found\r\nContent-Type: application/problem+json\r\nX-Data-Version: 7\r\nX-Accel-Expires: 10\r\n"+
		"Cache-Control: no-store\r\nContent-Length: "+strconv.Itoa(len(text))+"\r\nConnection: close\r\n\r\n"+text)
}

// answerRaw writes an answer byte for byte and closes the connection.
func answerRaw(response http.ResponseWriter, text string) {
	connection, _, err := response.(http.Hijacker).Hijack()
	if err != nil {
		return // the client has gone
	}
	_, _ = io.WriteString(connection, text)
	_ = connection.Close()
}

func (u *upstream) ServeHTTP(response http.ResponseWriter, request *http.Request) {
	u.mutex.Lock()
	u.requests = append(u.requests, strings.Join(strings.Fields(fmt.Sprintln(request.Method, request.RequestURI,
		request.Header.Get("Accept-Encoding"), request.Header.Get("If-None-Match"), request.Header.Get("Cookie"))), " "))
	answer := u.answer
	u.mutex.Unlock()
	answer(response, request)
}

func (u *upstream) setAnswer(answer http.HandlerFunc) {
	u.mutex.Lock()
	defer u.mutex.Unlock()
	u.answer = answer
}

// seen returns the requests since the last call.
func (u *upstream) seen() []string {
	u.mutex.Lock()
	defer u.mutex.Unlock()
	seen := u.requests
	u.requests = nil
	return seen
}

func (u *upstream) stop() { _ = u.server.Close() }

func startUpstream(t *testing.T, socket string) *upstream {
	t.Helper()
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(socket, 0o666); err != nil { // NGINX may run as another user
		t.Fatal(err)
	}
	started := &upstream{socket: socket, answer: answerDocument}
	started.server = &http.Server{Handler: started}
	go func() { _ = started.server.Serve(listener) }()
	t.Cleanup(started.stop)
	return started
}

// rig is NGINX with the real template in front of two upstreams.
type rig struct {
	t         *testing.T
	url       string
	gateway   Gateway
	running   *process.Running
	upstreams []*upstream
}

// start starts NGINX with the test's changes to the gateway, if any.
func start(t *testing.T, changes ...func(*Gateway)) *rig {
	t.Helper()
	installation, err := program.FindNGINX()
	if err != nil {
		t.Fatalf("%v: ./scripts/task test installs it", err)
	}
	account, err := process.Unprivileged(Accounts...)
	if err != nil {
		t.Fatal(err)
	}
	// Not t.TempDir(): its name is too long for a socket's path, and only its owner may enter it.
	directory, err := os.MkdirTemp("", "gateway-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(directory) })
	if err := os.Chmod(directory, 0o755); err != nil {
		t.Fatal(err)
	}
	rig := &rig{t: t}
	var addresses []string
	for i := range 2 {
		started := startUpstream(t, filepath.Join(directory, fmt.Sprintf("api-%d.sock", i)))
		rig.upstreams = append(rig.upstreams, started)
		addresses = append(addresses, "unix:"+started.socket)
	}
	rig.gateway = Gateway{
		NGINX: installation, Template: Template, Prefix: directory, Listen: freeAddress(t), Upstreams: addresses,
		Refresh: freeAddress(t), Refreshers: []string{"127.0.0.1"}, Unlimited: []string{"127.0.0.1"},
		Sockets: filepath.Join(directory, "run"), CacheSize: 10 * megabyte, Log: filepath.Join(directory, "log"), Account: account,
	}
	for _, change := range changes {
		change(&rig.gateway)
	}
	if changed, err := rig.gateway.Configure(t.Context()); err != nil || !changed {
		t.Fatalf("Configure() = %v, %v, want a new configuration", changed, err)
	}
	if rig.running, err = rig.gateway.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := Stop(context.Background(), rig.running.Identity); err != nil {
			t.Error(err)
		}
		// In every test, messages of these levels mean a faulty configuration.
		log, _ := os.ReadFile(rig.gateway.Log)
		for _, level := range []string{"[alert]", "[emerg]"} {
			if strings.Contains(string(log), level) {
				t.Errorf("NGINX logged:\n%s", log)
			}
		}
	})
	rig.url = "http://" + rig.gateway.Listen
	for _, upstream := range rig.upstreams {
		upstream.seen() // the readiness checks
	}
	return rig
}

func freeAddress(t *testing.T) string {
	t.Helper()
	return porttest.Address(t)
}

type answer struct {
	status int
	header http.Header
	body   string // as it came, not decompressed
}

func (a answer) cache() string { return a.header.Get("X-Cache") }

// get sends a GET to NGINX; header is name, value, name, value, ...
func (r *rig) get(path string, header ...string) answer {
	r.t.Helper()
	return r.send(http.MethodGet, path, nil, header...)
}

func (r *rig) send(method, path string, sent io.Reader, header ...string) answer {
	r.t.Helper()
	return r.sendTo(r.url, &http.Transport{}, method, path, sent, header...)
}

// sendTo sends a request to any server; the transport is not used again.
func (r *rig) sendTo(server string, transport *http.Transport, method, path string, sent io.Reader, header ...string) answer {
	r.t.Helper()
	request, err := http.NewRequestWithContext(r.t.Context(), method, server+path, sent)
	if err != nil {
		r.t.Fatal(err)
	}
	if sent := request.URL.RequestURI(); sent != path {
		r.t.Fatalf("net/http would send %q for %q: use bare", sent, path)
	}
	for i := 0; i+1 < len(header); i += 2 {
		setHeader(r.t, request, header[i], header[i+1])
	}
	transport.DisableCompression = true
	defer transport.CloseIdleConnections()
	got, err := read((&http.Client{Transport: transport, Timeout: 30 * time.Second}).Do(request))
	if err != nil {
		r.t.Fatalf("%s %s: %v", method, path, err)
	}
	return got
}

// read reads the answer to a request to its end.
func read(response *http.Response, err error) (answer, error) {
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	return answer{response.StatusCode, response.Header, string(text)}, err
}

// setHeader sets a header so that it is sent. net/http ignores the header map for these.
func setHeader(t *testing.T, request *http.Request, name, value string) {
	t.Helper()
	switch http.CanonicalHeaderKey(name) {
	case "Host":
		request.Host = value
	case "Content-Length", "Transfer-Encoding", "Trailer":
		t.Fatalf("net/http would not send %s: use bare", name)
	default:
		request.Header.Set(name, value)
	}
}

// raw sends bytes and returns the whole response.
func (r *rig) raw(sent string) string {
	r.t.Helper()
	connection, err := net.Dial("tcp", r.gateway.Listen)
	if err != nil {
		r.t.Fatal(err)
	}
	defer func() { _ = connection.Close() }()
	_, _ = io.WriteString(connection, sent)
	text, _ := io.ReadAll(connection)
	return string(text)
}

// rawOnce sends bytes that may be no request and waits until NGINX has closed the connection. After less than a header it closes its half.
func (r *rig) rawOnce(sent string) {
	r.t.Helper()
	connection, err := net.Dial("tcp", r.gateway.Listen)
	if err != nil {
		r.t.Fatal(err)
	}
	defer func() { _ = connection.Close() }()
	_, _ = io.WriteString(connection, sent)
	if !strings.HasSuffix(sent, "\r\n\r\n") {
		_ = connection.(*net.TCPConn).CloseWrite()
	}
	_ = connection.SetReadDeadline(time.Now().Add(patience))
	_, _ = io.Copy(io.Discard, connection)
}

// log returns the log of NGINX.
func (r *rig) log() string {
	r.t.Helper()
	text, err := os.ReadFile(r.gateway.Log)
	if err != nil {
		r.t.Fatal(err)
	}
	return string(text)
}

// fill requests the path until the response is a hit, and discards the upstreams' record of these requests.
func (r *rig) fill(path string, header ...string) answer {
	r.t.Helper()
	got := r.await("HIT", path, func(got answer) bool { return got.cache() == "HIT" }, header...)
	r.seen()
	return got
}

// entries returns the number of cached responses without the epoch of the lists.
func (r *rig) entries() int {
	r.t.Helper()
	found, err := filepath.Glob(filepath.Join(r.gateway.cache(), "?", "??", strings.Repeat("[0-9a-f]", 32)))
	if err != nil {
		r.t.Fatal(err)
	}
	epoch := fmt.Sprintf("%x", md5.Sum([]byte("lists")))
	return len(slices.DeleteFunc(found, func(path string) bool { return filepath.Base(path) == epoch }))
}

// seen returns the requests of both upstreams since the last call.
func (r *rig) seen() []string {
	var all []string
	for _, upstream := range r.upstreams {
		all = append(all, upstream.seen()...)
	}
	return all
}

func (r *rig) wantSeen(want ...string) {
	r.t.Helper()
	if got := r.seen(); fmt.Sprint(got) != fmt.Sprint(want) {
		r.t.Errorf("the upstreams saw %q, want %q", got, want)
	}
}

func (r *rig) wantCache(got answer, want string) {
	r.t.Helper()
	if got.status != http.StatusOK || got.cache() != want {
		r.t.Errorf("status %d and X-Cache %q, want 200 and %q", got.status, got.cache(), want)
	}
}

// setAnswer sets the handler of both upstreams.
func (r *rig) setAnswer(answer http.HandlerFunc) {
	for _, upstream := range r.upstreams {
		upstream.setAnswer(answer)
	}
}

// await repeats the request until done returns true.
func (r *rig) await(what, path string, done func(answer) bool, header ...string) answer {
	r.t.Helper()
	deadline := time.Now().Add(patience)
	for {
		got := r.get(path, header...)
		if done(got) {
			return got
		}
		if time.Now().After(deadline) {
			r.t.Fatalf("%s: no %s, last %d %q %q", path, what, got.status, got.cache(), got.body)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func decompress(t *testing.T, text string) string {
	t.Helper()
	reader, err := gzip.NewReader(strings.NewReader(text))
	if err != nil {
		t.Fatalf("not gzip: %v: %.40q", err, text)
	}
	plain, err := io.ReadAll(reader)
	if err != nil {
		t.Fatal(err)
	}
	return string(plain)
}

func TestSpellingsShareOneEntry(t *testing.T) {
	rig := start(t)
	rig.wantCache(rig.get("/products/1/styles"), "MISS")
	rig.wantSeen("GET /products/1/styles")
	rig.fill("/products/1/styles")
	for _, path := range []string{
		"/products/1/styles",
		"/products/1/styles/",
		"/products/1/styles?utm_source=letter&fbclid",
		"/api/products/1/styles",
		"/api/fec2/hr-rfe/products/1/styles",
		"/api/fec2/hr-lax/products/1/styles/?gclid=1&&",
		"//products/./1/x/../%73tyles",
	} {
		got := rig.get(path)
		rig.wantCache(got, "HIT")
		if got.body != body("/products/1/styles") {
			t.Errorf("%s: body %.60q", path, got.body)
		}
		if got.header.Get("Cache-Control") != fresh || got.header.Get("ETag") != `"tag"` {
			t.Errorf("%s: the API's Cache-Control and ETag became %q and %q", path, got.header.Get("Cache-Control"), got.header.Get("ETag"))
		}
		if got.header.Get("Server") != "nginx" {
			t.Errorf("%s: Server %q contains the version", path, got.header.Get("Server"))
		}
	}
	rig.wantSeen()
	// A line break is part of the path, and so is the slash before it. The API refuses the path.
	rig.get("/products/1/styles/%0A")
	rig.wantSeen("GET /products/1/styles/%0A")
	// Origin does not matter either, although the API's response has Vary: Origin.
	rig.wantCache(rig.get("/products/1/styles", "Origin", "https://a.example"), "HIT")
}

func TestEncodedPathSplitsNoRequest(t *testing.T) {
	rig := start(t)
	// NGINX decodes the path and encodes it again: the characters that split a request stay encoded.
	rig.get("/products/1%20HTTP%2f1.1%0d%0aHost:%20evil%0d%0a%0d%0a")
	got := rig.seen()
	if len(got) != 1 || strings.ContainsAny(got[0], "\r\n") || !strings.Contains(got[0], "%0D%0A") {
		t.Errorf("the upstream saw %q", got)
	}
	rig.get("/products/1%3fpage=2")
	rig.wantSeen("GET /products/1%3Fpage=2")
	rig.get("/api/products/1%3fpage=2%20/?x=%0d%0aHost:%20evil%20")
	rig.wantSeen("GET /api/products/1%3Fpage=2%20?x=%0d%0aHost:%20evil%20")
}

func TestOneEntryPerEncoding(t *testing.T) {
	rig := start(t)
	rig.wantCache(rig.get("/products/1"), "MISS")
	rig.wantSeen("GET /products/1")
	rig.fill("/products/1")
	rig.wantCache(rig.get("/products/1", "Accept-Encoding", "br, gzip"), "MISS")
	rig.wantSeen("GET /products/1") // without Accept-Encoding
	rig.fill("/products/1", "Accept-Encoding", "br, gzip")

	for _, test := range []struct {
		accept string
		gzip   bool
	}{
		{"", false},
		{"gzip", true},
		{"GZIP;q=0.5, *", true},
		{"deflate, gzip, br", true},
		{"gzip;q=0.01", true},
		{"gzip, deflate, br, zstd", true},
		{"x-gzipped", false},
		{"gzip;q=0", false},
		{"gzip; q=0.0, br", false},
		{"br", false},
		{"identity", false},
	} {
		got := rig.get("/products/1", "Accept-Encoding", test.accept)
		rig.wantCache(got, "HIT")
		if vary := got.header.Values("Vary"); !strings.Contains(fmt.Sprint(vary), "Accept-Encoding") || !strings.Contains(fmt.Sprint(vary), "Origin") {
			t.Errorf("Accept-Encoding %q: Vary %q", test.accept, vary)
		}
		if encoding := got.header.Get("Content-Encoding"); (encoding == "gzip") != test.gzip {
			t.Errorf("Accept-Encoding %q: Content-Encoding %q", test.accept, encoding)
		}
		text, tag := got.body, `"tag"`
		if test.gzip {
			text, tag = decompress(t, text), `W/"tag"`
		}
		if text != body("/products/1") || got.header.Get("ETag") != tag {
			t.Errorf("Accept-Encoding %q: ETag %s, body %.60q", test.accept, got.header.Get("ETag"), text)
		}
	}
	rig.wantSeen()
}

func TestConditionalRequests(t *testing.T) {
	rig := start(t)
	for _, encoding := range []string{"", "gzip"} {
		rig.fill("/products/1", "Accept-Encoding", encoding)
		for _, test := range []struct {
			match string
			want  int
		}{{`"tag"`, 304}, {`W/"tag"`, 304}, {`"a", "tag"`, 304}, {"*", 304}, {`"other"`, 200}} {
			got := rig.get("/products/1", "If-None-Match", test.match, "Accept-Encoding", encoding)
			if got.status != test.want || got.cache() != "HIT" {
				t.Errorf("If-None-Match %s, encoding %q: %d %s, want %d HIT", test.match, encoding, got.status, got.cache(), test.want)
			}
		}
	}
	rig.wantSeen()
	// Conditional requests must not keep the document out of the cache.
	if got := rig.fill("/products/2", "If-None-Match", `"tag"`); got.status != http.StatusNotModified {
		t.Errorf("requests with If-None-Match: %d, want 304", got.status)
	}
	rig.wantCache(rig.get("/products/2"), "HIT")
}

func TestHeadAndRange(t *testing.T) {
	rig := start(t)
	if got := rig.send(http.MethodHead, "/products/1", nil); got.status != http.StatusOK || got.body != "" {
		t.Errorf("HEAD: %d %q", got.status, got.body)
	}
	rig.wantSeen("GET /products/1")
	for range 2 {
		rig.send(http.MethodHead, "/products/1", nil)
	}
	rig.await("HIT", "/products/1", func(answer) bool { return rig.entries() == 1 })
	got := rig.get("/products/1", "Range", "bytes=0-9")
	rig.wantCache(got, "HIT")
	if got.body != body("/products/1") {
		t.Errorf("Range: %.40q, want the whole document", got.body)
	}
}

func TestErrorsAreNotCached(t *testing.T) {
	rig := start(t)
	rig.setAnswer(func(response http.ResponseWriter, _ *http.Request) {
		response.Header().Set("Content-Type", "application/problem+json")
		response.Header().Set("Cache-Control", "no-store")
		response.WriteHeader(http.StatusBadRequest)
	})
	for range 3 {
		if got := rig.get("/products/x"); got.status != http.StatusBadRequest || got.cache() != "MISS" {
			t.Errorf("%d %s, want the API's 400, not cached", got.status, got.cache())
		}
	}
	rig.wantSeen("GET /products/x", "GET /products/x", "GET /products/x")
	rig.setAnswer(answerDocument)
	for range 3 {
		got := rig.send(http.MethodPost, "/products/1", strings.NewReader("{}"))
		wantProblem(t, got, http.StatusMethodNotAllowed)
		if allow := got.header.Get("Allow"); allow != "GET, HEAD, OPTIONS" {
			t.Errorf("POST: Allow %q", allow)
		}
	}
}

// TestFreshnessFromUpstreamHeaders covers both headers, and a response without them.
func TestFreshnessFromUpstreamHeaders(t *testing.T) {
	rig := start(t)
	for _, encoding := range []string{"", "gzip"} {
		rig.setAnswer(answerDocument)
		rig.fill("/products/1", "Accept-Encoding", encoding)
		got := rig.fill("/missing", "Accept-Encoding", encoding)
		if got.status != http.StatusNotFound || got.body != `{"status":404}` || got.header.Get("Cache-Control") != "no-store" ||
			got.header.Get("X-Data-Version") != "7" || got.header.Get("X-Accel-Expires") != "" {
			t.Errorf("the API's 404 from the cache: %d %q %v", got.status, got.body, got.header)
		}
		for name, answer := range map[string]string{
			"/nothing":  "",
			"/no-store": "Cache-Control: no-store\r\n",
			"/browsers": "Cache-Control: public, max-age=60, s-maxage=0\r\n",
			"/cookie":   "Cache-Control: public, max-age=60\r\nSet-Cookie: a=b\r\n",
		} {
			rig.setAnswer(func(response http.ResponseWriter, _ *http.Request) {
				answerRaw(response, "HTTP/1.1 200 OK\r\n"+answer+"Content-Length: 2\r\nConnection: close\r\n\r\n{}")
			})
			for range 4 {
				rig.wantCache(rig.get(name, "Accept-Encoding", encoding), "MISS")
			}
		}
	}
	if got := rig.entries(); got != 4 {
		t.Errorf("the cache holds %d entries, want 4", got)
	}
}

// TestFirstRequestIsNotCached: long-tail traffic would write and delete a file for each request.
func TestFirstRequestIsNotCached(t *testing.T) {
	rig := start(t)
	for i := range 50 {
		rig.wantCache(rig.get(fmt.Sprintf("/products/%d", i)), "MISS")
	}
	rig.fill("/products/1000") // by now, writes of the others would be visible
	if got := rig.entries(); got != 1 {
		t.Errorf("the cache holds %d entries, want 1", got)
	}
}

// TestFullKeysZone: a new key replaces an old one.
func TestFullKeysZone(t *testing.T) {
	rig := start(t, func(gateway *Gateway) {
		small := strings.Replace(gateway.Template, "keys_zone=documents:128m", "keys_zone=documents:32k", 1)
		if small == gateway.Template {
			t.Fatal("the template names its keys_zone differently")
		}
		gateway.Template = small
	})
	for i := range 2000 { // a page of 4 KB holds 32
		if got := rig.get(fmt.Sprintf("/products/%d", i)); got.status != http.StatusOK {
			t.Fatalf("product %d: %d %s", i, got.status, got.body)
		}
	}
	rig.fill("/products/1")
}

// TestRemovedDocument covers a stale copy of a removed document. If the 404 were not cached, nothing would replace the copy, and every
// request would get it.
func TestRemovedDocument(t *testing.T) {
	rig := start(t)
	rig.setAnswer(func(response http.ResponseWriter, request *http.Request) { answerWith(brief, response, request) })
	rig.fill("/products/1")
	rig.setAnswer(answerMissing)
	rig.await("404", "/products/1", func(got answer) bool { return got.status == http.StatusNotFound })
	if got := rig.get("/products/1"); got.body != `{"status":404}` || got.cache() != "HIT" {
		t.Errorf("%s %q, want the API's 404 from the cache", got.cache(), got.body)
	}
}

func TestUnavailableIsRetried(t *testing.T) {
	rig := start(t)
	rig.upstreams[0].setAnswer(func(response http.ResponseWriter, _ *http.Request) {
		http.Error(response, "overloaded", http.StatusServiceUnavailable)
	})
	for i := range 6 {
		for _, encoding := range []string{"", "gzip"} {
			if got := rig.get(fmt.Sprintf("/products/%d", i), "Accept-Encoding", encoding); got.status != http.StatusOK {
				t.Errorf("product %d, encoding %q: %d %q", i, encoding, got.status, got.body)
			}
		}
	}
	if len(rig.upstreams[0].seen()) == 0 {
		t.Error("the upstream that answers 503 got no request: nothing was proven")
	}
	// With both unavailable, the client gets the API's response, and it is not cached.
	for _, upstream := range rig.upstreams {
		upstream.setAnswer(func(response http.ResponseWriter, _ *http.Request) {
			response.Header().Set("Retry-After", "7")
			http.Error(response, "overloaded", http.StatusServiceUnavailable)
		})
	}
	got := rig.await("503", "/products/100", func(got answer) bool { return got.status == http.StatusServiceUnavailable })
	if got.header.Get("Retry-After") != "7" {
		t.Errorf("Retry-After %q, want the API's", got.header.Get("Retry-After"))
	}
	rig.upstreams[0].setAnswer(answerDocument)
	rig.await("recovery", "/products/100", func(got answer) bool { return got.status == http.StatusOK })
}

func TestDeadInstance(t *testing.T) {
	rig := start(t)
	rig.upstreams[0].stop()
	for i := range 20 {
		if got := rig.get(fmt.Sprintf("/products/%d", i)); got.status != http.StatusOK {
			t.Errorf("product %d: %d %q", i, got.status, got.body)
		}
	}
}

func TestBothInstancesAreUsed(t *testing.T) {
	rig := start(t)
	for i := range 20 {
		rig.get(fmt.Sprintf("/products/%d", i))
	}
	for i, upstream := range rig.upstreams {
		if got := len(upstream.seen()); got < 5 {
			t.Errorf("upstream %d saw %d of 20 requests", i, got)
		}
	}
}

func TestExpiredEntriesAreServedAndRevalidated(t *testing.T) {
	rig := start(t)
	answerBriefly := func(response http.ResponseWriter, request *http.Request) { answerWith(brief, response, request) }
	rig.setAnswer(answerBriefly)
	for _, encoding := range []string{"", "gzip"} {
		rig.fill("/products/1", "Accept-Encoding", encoding)
		rig.await("STALE", "/products/1", func(got answer) bool { return got.cache() == "STALE" }, "Accept-Encoding", encoding)
		// The update in the background sends the ETag, gets a 304, and the entry is fresh again.
		rig.await("HIT", "/products/1", func(got answer) bool { return got.cache() == "HIT" }, "Accept-Encoding", encoding)
		if seen := fmt.Sprintf("%q", rig.seen()); !strings.Contains(seen, `\"tag\"`) {
			t.Errorf("encoding %q: the upstreams saw %s, want one with If-None-Match", encoding, seen)
		}
	}
	// A changed document replaces the entry.
	rig.fill("/products/2")
	rig.setAnswer(func(response http.ResponseWriter, _ *http.Request) {
		response.Header().Set("Cache-Control", fresh)
		_, _ = io.WriteString(response, "changed")
	})
	rig.await("changed document", "/products/2", func(got answer) bool { return got.body == "changed" })
	// If it may not be served stale, a request for an old entry waits for the new one.
	rig.setAnswer(func(response http.ResponseWriter, request *http.Request) {
		answerWith("public, s-maxage=1", response, request)
	})
	rig.fill("/products/3")
	rig.await("EXPIRED or REVALIDATED", "/products/3", func(got answer) bool {
		if got.cache() == "STALE" || got.cache() == "UPDATING" {
			t.Errorf("X-Cache %s of an entry that may not be stale", got.cache())
		}
		return got.cache() == "EXPIRED" || got.cache() == "REVALIDATED"
	})
}

func TestStaleWhileUpstreamsAreDown(t *testing.T) {
	rig := start(t)
	rig.setAnswer(func(response http.ResponseWriter, request *http.Request) {
		answerWith("public, s-maxage=1", response, request)
	})
	for _, encoding := range []string{"", "gzip"} {
		rig.fill("/products/1", "Accept-Encoding", encoding)
	}
	for _, upstream := range rig.upstreams {
		upstream.stop()
	}
	for _, encoding := range []string{"", "gzip"} {
		got := rig.await("STALE", "/products/1", func(got answer) bool { return got.cache() == "STALE" }, "Accept-Encoding", encoding)
		text := got.body
		if encoding == "gzip" {
			text = decompress(t, text)
		}
		if got.status != http.StatusOK || text != body("/products/1") {
			t.Errorf("encoding %q: %d %.60q", encoding, got.status, text)
		}
	}
	for _, encoding := range []string{"", "gzip"} {
		got := rig.get("/products/2", "Accept-Encoding", encoding)
		wantProblem(t, got, http.StatusServiceUnavailable)
		if got.header.Get("Retry-After") != "1" {
			t.Errorf("Retry-After %q", got.header.Get("Retry-After"))
		}
	}
}

func wantProblem(t *testing.T, got answer, status int) {
	t.Helper()
	want := fmt.Sprintf(`{"type":"about:blank","title":%q,"status":%d}`, http.StatusText(status), status)
	if status == http.StatusRequestEntityTooLarge {
		want = `{"type":"about:blank","title":"Content Too Large","status":413}`
	}
	if status == http.StatusRequestURITooLong {
		want = `{"type":"about:blank","title":"URI Too Long","status":414}`
	}
	if got.status != status || got.body != want {
		t.Errorf("%d %q, want %d %q", got.status, got.body, status, want)
	}
	if kind := got.header.Get("Content-Type"); kind != "application/problem+json" {
		t.Errorf("%d: Content-Type %q", got.status, kind)
	}
	if control := got.header.Get("Cache-Control"); control != "no-store" {
		t.Errorf("%d: Cache-Control %q", got.status, control)
	}
}

func TestNGINXErrorsAreProblems(t *testing.T) {
	rig := start(t)
	wantProblem(t, rig.send(http.MethodGet, "/products", bytes.NewReader(make([]byte, 9000))), http.StatusRequestEntityTooLarge)
	wantProblem(t, rig.send(http.MethodOptions, "/products", strings.NewReader("{}")), http.StatusRequestEntityTooLarge)
	wantProblem(t, rig.get("/"+strings.Repeat("x", 9000)), http.StatusRequestURITooLong)
	wantProblem(t, rig.get("/products", "Cookie", strings.Repeat("x", 9000)), http.StatusRequestHeaderFieldsTooLarge)
	wantProblem(t, rig.get("/-/problem"), http.StatusNotFound)
	wantProblem(t, rig.send(http.MethodTrace, "/products", nil), http.StatusMethodNotAllowed)
	wantProblem(t, rig.get("/../../etc/passwd"), http.StatusBadRequest)

	text := rig.raw("GET /products HTTP/1.1\r\n\r\n") // no Host
	if !strings.Contains(text, "400 Bad Request") || !strings.HasSuffix(text, `{"type":"about:blank","title":"Bad Request","status":400}`) {
		t.Errorf("no Host: %q", text)
	}
	rig.wantSeen()
	// The API does not get big headers.
	rig.wantCache(rig.get("/products", "Cookie", strings.Repeat("x", 7000)), "MISS")
	rig.wantSeen("GET /products")
}

// TestInternalLocationsAreInternal requests them in the ways that lead through a rewrite.
func TestInternalLocationsAreInternal(t *testing.T) {
	rig := start(t)
	for _, name := range []string{"problem", "lists"} {
		for _, path := range []string{"/-/%s", "/-/%s/", "/api/-/%s", "/api/-/%s/", "/api/fec2/x/-/%s", "//-//%s//", "/-/%s?x=1", "/-/%s/?x=1", "/%%2d/%s", "/api/-/%s?page=", "/x/../-/%s/"} {
			path = fmt.Sprintf(path, name)
			got := rig.get(path)
			// NGINX refuses it, or passes it to the API, which refuses it.
			if seen := rig.seen(); got.status == http.StatusNotFound && len(seen) == 0 || got.status == http.StatusOK && strings.Contains(got.body, `{"uri":`) {
				continue
			}
			t.Errorf("%s: %d %v %s", path, got.status, got.header, got.body)
		}
	}
}

func TestReloadAndForget(t *testing.T) {
	rig := start(t)
	rig.fill("/products/1", "Accept-Encoding", "gzip") // as the client below
	for range 20 {                                     // both workers
		rig.get("/products/1", "Accept-Encoding", "gzip")
	}
	if err := rig.gateway.Forget(t.Context()); err != nil {
		t.Fatal(err)
	}
	// One connection is one worker, which may keep the file open for another second.
	client := http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	for deadline, cache := time.Now().Add(20*time.Second), ""; cache != "MISS"; {
		response, err := client.Get(rig.url + "/products/1")
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, response.Body)
		_ = response.Body.Close()
		if cache = response.Header.Get("X-Cache"); time.Now().After(deadline) {
			t.Fatalf("X-Cache %s after Forget", cache)
		}
	}
	rig.fill("/products/1")

	if changed, err := rig.gateway.Configure(t.Context()); err != nil || changed {
		t.Errorf("Configure() again = %v, %v, want false", changed, err)
	}
	rig.gateway.Listen = porttest.Address(t)
	if changed, err := rig.gateway.Configure(t.Context()); err != nil || !changed {
		t.Fatalf("Configure() with another port = %v, %v, want true", changed, err)
	}
	if err := Reload(rig.running.Identity); err != nil {
		t.Fatal(err)
	}
	if err := rig.gateway.AwaitReady(t.Context()); err != nil {
		t.Error(err)
	}
	broken := rig.gateway
	broken.Template += "\nnonsense;"
	if _, err := broken.Configure(t.Context()); err == nil || !strings.Contains(err.Error(), "nonsense") {
		t.Errorf("Configure() with a broken template: %v", err)
	}
	if err := rig.gateway.Ready(t.Context()); err != nil {
		t.Errorf("after a refused configuration: %v", err)
	}
}

func TestStartAfterAKill(t *testing.T) {
	rig := start(t)
	killed := rig.running.Identity
	if err := process.Stop(t.Context(), killed, syscall.SIGKILL, 10*time.Second); err != nil {
		t.Fatal(err)
	}
	// The old workers still serve the address, so a response alone does not prove that the new NGINX has started.
	if got := rig.get("/products/1"); got.status != http.StatusOK {
		t.Fatalf("status %d: the workers ended with their master, which proves nothing below", got.status)
	}
	if _, err := rig.gateway.Start(t.Context()); err == nil || !strings.Contains(err.Error(), "Address already in use") {
		t.Fatalf("Start() beside a dead NGINX's workers = %v", err)
	}
	if err := Stop(t.Context(), killed); err != nil {
		t.Fatal(err)
	}
	var err error
	if rig.running, err = rig.gateway.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	rig.wantCache(rig.get("/products/2"), "MISS")
}
