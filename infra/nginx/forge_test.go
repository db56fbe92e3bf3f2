package nginx

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// internalNames are host names with which a client might try to reach an internal server.
func internalNames(gateway Gateway) []string {
	return []string{"copies", "COPIES", "copies.", "copies:80", "cached", "compressor", "api", "unavailable", "localhost", "127.0.0.1", gateway.Refresh}
}

// bare sends one request byte for byte and returns the answer.
func (r *rig) bare(request string) answer {
	r.t.Helper()
	connection, err := net.Dial("tcp", r.gateway.Listen)
	if err != nil {
		r.t.Fatal(err)
	}
	defer func() { _ = connection.Close() }()
	_ = connection.SetDeadline(time.Now().Add(30 * time.Second))
	if _, err := io.WriteString(connection, request); err != nil {
		r.t.Fatal(err)
	}
	method, _, _ := strings.Cut(request, " ")
	response, err := http.ReadResponse(bufio.NewReader(connection), &http.Request{Method: method})
	if err != nil {
		r.t.Fatalf("%q: %v", request, err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		r.t.Fatalf("%q: %v", request, err)
	}
	return answer{response.StatusCode, response.Header, string(text)}
}

// addressed returns requests for a path that name a host in each way that HTTP/1.1 has.
func addressed(path, host string, header ...string) []string {
	lines := "Connection: close\r\n" + strings.Join(append(header, ""), "\r\n") + "\r\n"
	return []string{
		"GET " + path + " HTTP/1.1\r\nHost: " + host + "\r\n" + lines,
		"GET http://" + host + path + " HTTP/1.1\r\nHost: shop\r\n" + lines,
	}
}

// TestHostSelectsNoServer: requests with any host reach the API, under one name.
func TestHostSelectsNoServer(t *testing.T) {
	rig := start(t)
	var mutex sync.Mutex
	hosts := map[string]int{}
	rig.setAnswer(func(response http.ResponseWriter, request *http.Request) {
		mutex.Lock()
		hosts[request.Host]++
		mutex.Unlock()
		answerDocument(response, request)
	})
	sent := 0
	for _, host := range internalNames(rig.gateway) {
		for _, encoding := range []string{"identity", "gzip"} {
			for way := range addressed("", "") {
				path := fmt.Sprintf("/products/%d", sent)
				rig.wantCache(rig.bare(addressed(path, host, "Accept-Encoding: "+encoding)[way]), "MISS")
				rig.wantSeen("GET " + path)
				sent++
			}
		}
	}
	mutex.Lock()
	defer mutex.Unlock()
	if len(hosts) != 1 || hosts["api"] != sent {
		t.Errorf("the API saw the hosts %v, want api alone, %d times", hosts, sent)
	}
}

// TestHostDoesNotPreventRevalidation: requests with any host have an expired copy refreshed.
func TestHostDoesNotPreventRevalidation(t *testing.T) {
	rig := start(t)
	rig.setAnswer(func(response http.ResponseWriter, request *http.Request) { answerWith(brief, response, request) })
	type copied struct{ path, host, encoding string }
	var old []copied
	for i, host := range internalNames(rig.gateway) {
		for _, encoding := range []string{"identity", "gzip"} {
			path := fmt.Sprintf("/products/%d", i)
			rig.fill(path, "Accept-Encoding", encoding)
			old = append(old, copied{path, host, encoding})
		}
	}
	rig.setAnswer(answerChanged)
	for deadline := time.Now().Add(patience); len(old) > 0; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("still old after a minute: %v", old)
		}
		old = slices.DeleteFunc(old, func(c copied) bool {
			return rig.bare(addressed(c.path, c.host, "Accept-Encoding: "+c.encoding)[0]).header.Get("X-Data-Version") == "8"
		})
	}
}

// TestUpstreamXAccelHeadersAreIgnored covers both encodings, which take different ways through the template.
func TestUpstreamXAccelHeadersAreIgnored(t *testing.T) {
	rig := start(t)
	for i, encoding := range []string{"identity", "gzip"} {
		for j, header := range []string{"X-Accel-Redirect: /-/problem", "X-Accel-Redirect: @patient", "X-Accel-Limit-Rate: 1", "X-Accel-Charset: koi8-r", "X-Accel-Buffering: no"} {
			text := body(header)
			rig.setAnswer(func(response http.ResponseWriter, _ *http.Request) {
				answerRaw(response, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nCache-Control: "+fresh+"\r\n"+header+
					fmt.Sprintf("\r\nContent-Length: %d\r\nConnection: close\r\n\r\n", len(text))+text)
			})
			path := fmt.Sprintf("/products/%d", 10*i+j)
			got := rig.fill(path, "Accept-Encoding", encoding)
			if encoding == "gzip" {
				got.body = decompress(t, got.body)
			}
			name, _, _ := strings.Cut(header, ":")
			if got.body != text || got.header.Get("Content-Type") != "application/json" || got.header.Get(name) != "" {
				t.Errorf("%s, %s: %.60q %v", header, encoding, got.body, got.header)
			}
		}
	}
}

// TestInternalHeadersFromClientsAreIgnored: a client's X-Copy, the header with which the gateway reports a cached copy to the compressor,
// does not shorten the attempts to fetch an uncached document.
func TestInternalHeadersFromClientsAreIgnored(t *testing.T) {
	rig := start(t)
	rig.setAnswer(func(response http.ResponseWriter, _ *http.Request) {
		http.Error(response, "overloaded", http.StatusServiceUnavailable)
	})
	for range 3 { // the first one takes one of two instances out of use
		rig.get("/products/0")
	}
	rig.setAnswer(answerDocument)
	for _, encoding := range []string{"identity", "gzip"} {
		rig.wantCache(rig.get("/products/1", "Accept-Encoding", encoding, "X-Copy", "EXPIRED"), "MISS")
	}
}

// TestRequestWithoutHost sends requests like those of old HTTP/1.0 probes.
func TestRequestWithoutHost(t *testing.T) {
	rig := start(t)
	for _, request := range []string{"GET /products/1 HTTP/1.0\r\n\r\n", "GET /products HTTP/1.0\r\nReferer: a\r\n\r\n"} {
		if got := rig.bare(request); got.status != http.StatusOK {
			t.Errorf("%q: %d %s", request, got.status, got.body)
		}
	}
	if got := rig.bare("GET /products/1 HTTP/1.0\r\nReferer: \xff\r\n\r\n"); got.status != http.StatusBadRequest {
		t.Errorf("no Host, and a Referer that may not be logged: %d", got.status)
	}
}
