package server

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"systemscale/api/internal/publishtest"
)

// TestBodiesAreIgnored sends reads with bodies, each followed by another request: the rest of a body must not be read as a request.
func TestBodiesAreIgnored(t *testing.T) {
	s, _ := fakeSite(t)
	s.publish("things", things(1, 3)...)
	chunked := func(body string) string {
		return fmt.Sprintf("Transfer-Encoding: chunked\r\n\r\n%x;note=1\r\n%s\r\n0\r\nX-Trailer: 1\r\n\r\n", len(body), body)
	}
	length := func(body string) string { return fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(body), body) }
	large := strings.Repeat("x", 8192)
	for _, method := range []string{"GET", "HEAD"} {
		for name, c := range map[string]struct {
			rest   string
			status int
		}{
			"nothing":        {"Content-Length: 0\r\n\r\n", 200},
			"an object":      {"Content-Type: application/json\r\n" + length("{}"), 200},
			"a request":      {length("DELETE /things/1 HTTP/1.1\r\nHost: h\r\n\r\n"), 200},
			"a form":         {"Content-Type: multipart/form-data; boundary=x\r\n" + length("no form"), 200},
			"8 KB":           {length(large), 200},
			"more":           {length(large + "x"), 413},
			"chunks":         {chunked("{}"), 200},
			"no chunk":       {"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 200},
			"8 KB of chunks": {chunked(large), 200},
			"more chunks":    {chunked(large + "x"), 413},
			"a broken chunk": {"Transfer-Encoding: chunked\r\n\r\nzz\r\n\r\n", 400},
			"expects 100":    {"Expect: 100-continue\r\n" + length("{}"), 200},
		} {
			t.Run(method+" with "+name, func(t *testing.T) {
				conn, err := net.Dial("tcp", s.address)
				if err != nil {
					t.Fatal(err)
				}
				defer func() { _ = conn.Close() }()
				_ = conn.SetDeadline(time.Now().Add(publishtest.Patience))
				_, _ = io.WriteString(conn, method+" /things/1 HTTP/1.1\r\nHost: h\r\n"+c.rest+"GET /things/2 HTTP/1.1\r\nHost: h\r\n\r\n")
				reader := bufio.NewReader(conn)
				read := func(method string) response {
					t.Helper()
					for {
						answer, err := http.ReadResponse(reader, &http.Request{Method: method})
						if err != nil {
							t.Fatal(err)
						}
						if answer.StatusCode == http.StatusContinue {
							continue
						}
						body, _ := io.ReadAll(answer.Body)
						_ = answer.Body.Close()
						return response{answer.StatusCode, answer.Header, string(body), answer.ContentLength}
					}
				}
				first := read(method)
				if c.status != http.StatusOK {
					if first.status != c.status || first.header.Get("Content-Type") != "application/problem+json" {
						t.Errorf("got %d %v, want %d", first.status, first.header, c.status)
					}
					// The next request cannot be distinguished from the body.
					if rest, err := io.ReadAll(reader); strings.Contains(string(rest), "HTTP/1.1") {
						t.Errorf("and the connection stays open: %q, %v", rest, err)
					}
					return
				}
				if method == "GET" {
					checkDocument(t, "item", 1, first)
				} else if first.status != http.StatusOK || first.body != "" {
					t.Errorf("got %d %q", first.status, first.body)
				}
				checkDocument(t, "item", 2, read("GET"))
			})
		}
	}
}

// TestSlowBodies sends endless bodies: a byte must not extend the timeout.
func TestSlowBodies(t *testing.T) {
	t.Parallel()
	s, _ := fakeSite(t)
	s.publish("things", things(1, 1)...)
	for name, begin := range map[string]string{
		"a length":    "Content-Length: 8000\r\n\r\n",
		"chunks":      "Transfer-Encoding: chunked\r\n\r\n",
		"a chunk":     "Transfer-Encoding: chunked\r\n\r\n1000\r\n",
		"a note":      "Transfer-Encoding: chunked\r\n\r\n1;",
		"its trailer": "Transfer-Encoding: chunked\r\n\r\n0\r\nX: ",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn, err := net.Dial("tcp", s.address)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = conn.Close() }()
			_, _ = io.WriteString(conn, "GET /things/1 HTTP/1.1\r\nHost: h\r\n"+begin)
			ended := make(chan string, 1)
			go func() {
				text, _ := io.ReadAll(conn)
				ended <- string(text)
			}()
			tick := time.NewTicker(100 * time.Millisecond)
			defer tick.Stop()
			limit := time.After(4 * readTimeout)
			for {
				select {
				case text := <-ended:
					// A chunk size with too many digits is a 400.
					if !strings.HasPrefix(text, "HTTP/1.1 408 ") && name != "chunks" || strings.Contains(text, "HTTP/1.1 200 ") {
						t.Errorf("the response is %q, want a 408", text)
					}
					return
				case <-tick.C:
					_, _ = io.WriteString(conn, "0") // fails once the server has closed
				case <-limit:
					t.Fatalf("a request that never ends is still waited for after %s", 4*readTimeout)
				}
			}
		})
	}
}
