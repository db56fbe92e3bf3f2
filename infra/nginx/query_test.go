package nginx

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"
)

func TestCacheKeysOfListsAndChanges(t *testing.T) {
	rig := start(t)
	for _, test := range []struct{ path, upstream string }{
		{"/products", "/products"},
		{"/products/?utm_source=1&utm_campaign=a%20b&gclid&fbclid=", ""},
		{"/products?&&&", ""},
		{"/products?page=2", "/products?page=2&"},
		{"/products?page=3", "/products?page=3&"},
		{"/products?count=7", "/products?count=7"},
		{"/products?page=2&count=7&msclkid=1", "/products?page=2&count=7"},
		{"/api/products?count=7&_ga=2&page=2&", ""},
		{"/products?utm_page=9&&page=2&utm_id=page=4&count=7", ""},
		{"/reviews?page=2", "/reviews?page=2&"},
		// Counts above the maximum become the maximum.
		{"/products?count=1000", "/products?count=1000"},
		{"/products?count=1011", ""},
		{"/products?count=99999", ""},
		// Words, under the prefixes that allow them.
		{"/api/products?count=all", ""},
		{"/api/fec2/hr-rfp/products?count=MAX&page=undefined", ""},
		{"/api/products?count=*", ""},
		{"/api/products?page=undefined", "/products?"},
		{"/api/products?page=&count=NaN", ""},
		{"/api/products?page&count=7", "/products?count=7"},
		{"/products/changes", "/products/changes"},
		{"/products/changes?since=3", "/products/changes?since=3&"},
		{"/products/changes?count=5&since=3&after=3.styles.9&utm_source=1", "/products/changes?since=3&after=3.styles.9&count=5"},
		{"/api/fec2/x/products/changes/?after=3.styles.9&since=3&count=5", ""},
		{"/shop/changes?after=3.item.Blue-shirt_2.x~&since=3", "/shop/changes?since=3&after=3.item.Blue-shirt_2.x~&"},
		{"/shop/changes?since=3&after=3.item.Blue-shirt_2.x~&", ""},
		{"/products/1?yclid=3", "/products/1"},
		{"/products/1/changes", "/products/1/changes"},
		// The storefront's pages read their own arguments.
		{"/?page=2", "/"},
		{"/?page=3&x=%zz", ""},
		{"/item/1?style=3", "/item/1"},
		{"/item/1?style=3&style=4", ""},
		{"/docs?x", "/docs"},
		{"/openapi.yaml?x", "/openapi.yaml"},
		{"/assets/a.js?v=1", "/assets/a.js"},
	} {
		got := rig.get(test.path)
		if test.upstream == "" || strings.HasSuffix(test.upstream, "?") {
			rig.wantCache(got, "HIT")
			rig.wantSeen()
			continue
		}
		if got.status != http.StatusOK || got.cache() != "MISS" && got.cache() != "HIT" {
			t.Errorf("%s: %d, X-Cache %q", test.path, got.status, got.cache())
		}
		if seen := rig.seen(); got.cache() == "MISS" && (len(seen) != 1 || seen[0] != "GET "+test.upstream) {
			t.Errorf("%s: the upstreams saw %q, want %s", test.path, seen, test.upstream)
		}
		rig.fill(test.path)
	}
}

// TestTrackingParametersMatchTheAPI compares the list in the template with the API's.
func TestTrackingParametersMatchTheAPI(t *testing.T) {
	source, err := os.ReadFile("../../api/internal/server/query.go")
	if err != nil {
		t.Fatal(err)
	}
	list := regexp.MustCompile(`(?s)var tracking = \[\]string\{(.*?)\}`).FindSubmatch(source)
	if list == nil {
		t.Fatal("the API names its list differently")
	}
	names := []string{"utm_source", "utm_", "utm_A1"}
	for _, quoted := range regexp.MustCompile(`"([^"]+)"`).FindAllSubmatch(list[1], -1) {
		names = append(names, string(quoted[1]))
	}
	if len(names) < 10 {
		t.Fatalf("the API ignores %q", names)
	}
	rig := start(t)
	rig.fill("/products/1")
	for _, name := range names {
		for _, argument := range []string{name, name + "=", name + "=x%26y=1+2", "&" + name + "=1&" + name + "=2&"} {
			rig.wantCache(rig.get("/products/1?"+argument), "HIT")
		}
	}
	rig.wantSeen()
}

// TestUnusualQueriesBypassTheCache: the API gets the query unchanged, and neither a key nor a copy is kept.
func TestUnusualQueriesBypassTheCache(t *testing.T) {
	rig := start(t)
	rig.fill("/products")
	rig.fill("/products?page=2")
	entries := rig.entries()
	for path, upstream := range map[string]string{
		"/products?category=Shoes":                "/products?category=Shoes",
		"/products/?x=1&page=2":                   "/products?x=1&page=2",
		"/products?page=2&page=2":                 "/products?page=2&page=2",
		"/products?count=7&page=2&count":          "/products?count=7&page=2&count",
		"/products?PAGE=2":                        "/products?PAGE=2",
		"/products?%70age=2":                      "/products?%70age=2",
		"/products?page=%32":                      "/products?page=%32",
		"/products?page=2;count=3":                "/products?page=2;count=3",
		"/products?page=+2":                       "/products?page=+2",
		"/products?page=":                         "/products?page=",
		"/products?page":                          "/products?page",
		"/products?page=0":                        "/products?page=0",
		"/products?page=02":                       "/products?page=02",
		"/products?page=-1":                       "/products?page=-1",
		"/products?page=9999999999999999999":      "/products?page=9999999999999999999",
		"/products?count=all":                     "/products?count=all",
		"/products?count=*":                       "/products?count=*",
		"/products?page=undefined":                "/products?page=undefined",
		"/products?since=3":                       "/products?since=3",
		"/products?=x":                            "/products?=x",
		"/products?utm=1":                         "/products?utm=1",
		"/products?UTM_SOURCE=1":                  "/products?UTM_SOURCE=1",
		"/products?fbclid2=1":                     "/products?fbclid2=1",
		"/products?%75tm_source=1":                "/products?%75tm_source=1",
		"/products?mypage=2":                      "/products?mypage=2",
		"/api/products?page=undefined&x":          "/api/products?page=undefined&x",
		"/api/fec2/a/products?count=1.5":          "/api/products?count=1.5",
		"/api/products?count=%61ll":               "/api/products?count=%61ll",
		"/api/products?page=undefined&page=2":     "/api/products?page=undefined&page=2",
		"/api/products?page&page=2":               "/api/products?page&page=2",
		"/products/1?page=2":                      "/products/1?page=2",
		"/products/1/styles?count=2":              "/products/1/styles?count=2",
		"/api/products/1/?count=2":                "/api/products/1?count=2",
		"/products/changes?page=2":                "/products/changes?page=2",
		"/products/changes?since=":                "/products/changes?since=",
		"/products/changes?since=1&since=1":       "/products/changes?since=1&since=1",
		"/products/changes?since=1&after=x":       "/products/changes?since=1&after=x",
		"/api/products/changes?since=1&count=all": "/api/products/changes?since=1&count=all",
		"/nothing/at/all?x=1":                     "/nothing/at/all?x=1",
	} {
		for range 3 {
			got := rig.get(path)
			if got.status != http.StatusOK || got.cache() != "" {
				t.Errorf("%s: %d, X-Cache %q, want an answer past the cache", path, got.status, got.cache())
			}
			rig.wantSeen("GET " + upstream)
		}
		if got := rig.get(path, "Accept-Encoding", "gzip"); got.header.Get("Content-Encoding") != "gzip" {
			t.Errorf("%s: not compressed", path)
		}
		rig.seen()
	}
	rig.wantCache(rig.get("/products"), "HIT")
	rig.wantCache(rig.get("/products?page=2"), "HIT")
	if got := rig.entries(); got != entries {
		t.Errorf("the cache holds %d entries, %d before", got, entries)
	}
}

// TestLongQueries measures the template's patterns on a query of the maximum length.
func TestLongQueries(t *testing.T) {
	rig := start(t)
	rig.fill("/products")
	const most = 8000
	for name, query := range map[string]string{
		"empty pairs":      strings.Repeat("&", most),
		"nearly empty":     strings.Repeat("&", most) + "x",
		"tracking":         strings.Repeat("utm_a=b&", most/8),
		"long tracking":    "utm_a=" + strings.Repeat("b", most),
		"nearly tracking":  strings.Repeat("utm_a=b&", most/8) + "x",
		"nearly a page":    "&page=1" + strings.Repeat("&page", 1) + strings.Repeat("&utm_x", most/6) + "&count=",
		"many pages":       strings.Repeat("&page=", most/6),
		"many of all":      strings.Repeat("&page&count&since&after", most/24),
		"no pages at all":  strings.Repeat("&pag", most/4),
		"digits":           "page=" + strings.Repeat("9", most),
		"an odd character": strings.Repeat("gclid&", most/6) + "%",
	} {
		for _, prefix := range []string{"/products", "/products/changes", "/products/1", "/api/products"} {
			began := time.Now()
			got := rig.get(prefix + "?" + query)
			if got.status != http.StatusOK {
				t.Errorf("%s, %s: %d %s", prefix, name, got.status, got.body)
			}
			// Expect some tens of microseconds; a pattern that backtracks takes hours.
			if took := time.Since(began); took > 15*time.Second {
				t.Errorf("%s, %s: %s", prefix, name, took)
			}
		}
	}
}

func TestBrowserRequestsBypassTheCache(t *testing.T) {
	rig := start(t)
	const browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
	seen := make(chan string, 100)
	rig.setAnswer(func(response http.ResponseWriter, request *http.Request) {
		seen <- request.Header.Get("Accept")
		answerDocument(response, request)
	})
	rig.fill("/missing/1")
	rig.fill("/products/1")
	rig.fill("/item/1")
	for len(seen) > 0 {
		if accept := <-seen; accept != "" {
			t.Errorf("the API got Accept: %s", accept)
		}
	}
	for _, path := range []string{"/missing/1", "/products/1", "/products?page=2", "/nonsense", "/api/products/1/"} {
		for _, encoding := range []string{"", "gzip"} {
			got := rig.get(path, "Accept", browser, "Accept-Encoding", encoding)
			if got.cache() != "" {
				t.Errorf("%s: X-Cache %q", path, got.cache())
			}
			if accept := <-seen; accept != "text/html" {
				t.Errorf("%s: the API got Accept: %q", path, accept)
			}
		}
	}
	// The storefront's pages are the same for all clients.
	rig.wantCache(rig.get("/item/1?style=2", "Accept", browser), "HIT")
	for _, accept := range []string{"", "*/*", "application/json", "text/html;q=0", "text/html, application/json"} {
		if got := rig.get("/missing/1", "Accept", accept); got.cache() != "HIT" || got.body != `{"status":404}` {
			t.Errorf("Accept: %s: %q %s", accept, got.cache(), got.body)
		}
	}
}

func TestErrorPagesForBrowsers(t *testing.T) {
	rig := start(t)
	for _, upstream := range rig.upstreams {
		upstream.stop()
	}
	check := func(got answer, status int) {
		t.Helper()
		if got.status != status || got.header.Get("Content-Type") != "text/html; charset=utf-8" || !strings.Contains(got.body, "<h1>"+http.StatusText(status)+"</h1>") ||
			got.header.Get("Cache-Control") != "no-store" || !strings.Contains(got.header.Get("Content-Security-Policy"), "frame-ancestors 'none'") ||
			!strings.Contains(strings.Join(got.header.Values("Vary"), ","), "Accept") {
			t.Errorf("%d %v %s, want a page about %d", got.status, got.header, got.body, status)
		}
	}
	for _, encoding := range []string{"", "gzip"} {
		check(rig.get("/products/1", "Accept", "text/html", "Accept-Encoding", encoding), http.StatusServiceUnavailable)
		check(rig.get("/item/1", "Accept", "text/html", "Accept-Encoding", encoding), http.StatusServiceUnavailable)
		wantProblem(t, rig.get("/products/1", "Accept-Encoding", encoding), http.StatusServiceUnavailable)
	}
	check(rig.send(http.MethodPost, "/products", nil, "Accept", "text/html"), http.StatusMethodNotAllowed)
	check(rig.get("/-/problem", "Accept", "text/html"), http.StatusNotFound)
}

// TestBodiesAreIgnored sends reads with bodies, each followed by another request.
func TestBodiesAreIgnored(t *testing.T) {
	rig := start(t)
	rig.fill("/products/1")
	rig.fill("/products/2")
	length := func(body string) string { return fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(body), body) }
	chunked := func(body string) string {
		return fmt.Sprintf("Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", len(body), body)
	}
	large := strings.Repeat("x", 8192)
	const evil = "GET /evil HTTP/1.1\r\nHost: h\r\n\r\n"
	for name, test := range map[string]struct {
		rest   string
		status string
		cached bool // false: the API gets the request
	}{
		"no body":                {"Content-Length: 00\r\n\r\n", "200", true},
		"an object":              {"Content-Type: application/json\r\n" + length("{}"), "200", true},
		"zeros":                  {"Content-Length: 0002\r\n\r\n{}", "200", true},
		"a request":              {length(evil), "200", true},
		"8 KB":                   {length(large), "200", true},
		"more":                   {length(large + "x"), "413", false},
		"chunks":                 {chunked("{}"), "200", false},
		"a chunk like a request": {chunked(evil), "200", false},
		"no chunk":               {"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "200", false},
		"8 KB of chunks":         {chunked(large), "200", false},
		"more chunks":            {chunked(large + "x"), "413", false},
		"both":                   {"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "400", false},
		"two lengths":            {"Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}", "400", false},
		"a bad length":           {"Content-Length: 2x\r\n\r\n{}", "400", false},
	} {
		for _, method := range []string{"GET", "HEAD"} {
			text := rig.raw(method + " /api/products/1/?utm_source=x HTTP/1.1\r\nHost: h\r\n" + test.rest + "GET /products/2 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
			seen := strings.Join(rig.seen(), ", ")
			if strings.Contains(seen, "evil") || strings.Count(text, "HTTP/1.1 ") > 2 {
				t.Errorf("%s with %s: the body was taken for a request: the upstreams saw %s\n%.3000s", method, name, seen, text)
			}
			if !strings.HasPrefix(text, "HTTP/1.1 "+test.status+" ") {
				t.Errorf("%s with %s: %.300q, want %s", method, name, text, test.status)
				continue
			}
			if test.status != "200" {
				if method == "GET" && !strings.Contains(text, "application/problem+json") {
					t.Errorf("%s with %s: %.3000s, want a problem", method, name, text)
				}
				continue
			}
			if want := map[bool]string{true: "", false: method + " /products/1"}[test.cached]; seen != want {
				t.Errorf("%s with %s: the upstreams saw %q, want %q", method, name, seen, want)
			}
			if test.cached && strings.Count(text, "X-Cache: HIT") != 2 {
				t.Errorf("%s with %s: the two answers are %.3000s", method, name, text)
			}
			if !strings.Contains(text, `{"uri":"/products/2"`) {
				t.Errorf("%s with %s: the request after it is not answered: %.3000s", method, name, text)
			}
			if method == "GET" && !strings.Contains(text, `{"uri":"/products/1"`) {
				t.Errorf("%s with %s: %.3000s", method, name, text)
			}
		}
	}
	// An uncached document is fetched and cached like any other.
	if got := rig.send(http.MethodGet, "/products/3", strings.NewReader("{}"), "Accept-Encoding", "gzip"); got.status != http.StatusOK || got.cache() != "MISS" || decompress(t, got.body) != body("/products/3") {
		t.Errorf("%d %s", got.status, got.cache())
	}
	log := rig.log()
	if strings.Contains(log, "[error]") || strings.Contains(log, "[crit]") {
		t.Errorf("NGINX logged:\n%.3000s", log)
	}
}

// TestSlowBodies: the response does not wait for the body, and an endless body does not keep its connection open.
func TestSlowBodies(t *testing.T) {
	rig := start(t, replace(t, "lingering_time 10s;", "lingering_time 1s;"))
	rig.fill("/products/1")
	for name, begin := range map[string]string{
		"length, hit":  "GET /products/1 HTTP/1.1\r\nHost: h\r\nContent-Length: 8000\r\n\r\n",
		"length, miss": "GET /products/2 HTTP/1.1\r\nHost: h\r\nContent-Length: 8000\r\n\r\n",
		"length, head": "HEAD /products/1 HTTP/1.1\r\nHost: h\r\nContent-Length: 8000\r\n\r\n",
		"too long":     "GET /products/1 HTTP/1.1\r\nHost: h\r\nContent-Length: 80000\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			connection, err := net.Dial("tcp", rig.gateway.Listen)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = connection.Close() }()
			if _, err := io.WriteString(connection, begin); err != nil {
				t.Fatal(err)
			}
			answered, ended := make(chan string, 1), make(chan struct{})
			go func() {
				defer close(ended)
				first := make([]byte, 100)
				n, _ := connection.Read(first)
				answered <- string(first[:n])
				_, _ = io.Copy(io.Discard, connection)
			}()
			deadline := time.After(20 * time.Second)
			select {
			case text := <-answered:
				if want := map[bool]string{true: "HTTP/1.1 413 ", false: "HTTP/1.1 200 "}[name == "too long"]; !strings.HasPrefix(text, want) {
					t.Errorf("the answer is %q, want %s", text, want)
				}
			case <-deadline:
				t.Fatal("the answer waits for the body")
			}
			tick := time.NewTicker(50 * time.Millisecond)
			defer tick.Stop()
			for {
				select {
				case <-ended:
					return
				case <-tick.C:
					_, _ = io.WriteString(connection, "x") // fails once the other side has closed
				case <-deadline:
					t.Fatal("a body that never ends keeps its connection")
				}
			}
		})
	}
}

// TestChunkedBodiesAreLimited: the API reads these bodies, so they must not use all of its connections.
func TestChunkedBodiesAreLimited(t *testing.T) {
	rig := start(t, replace(t, "limit_conn bodies 64;", "limit_conn bodies 2;"))
	rig.fill("/products/1")
	const begin = "GET /products/2 HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n"
	releases := []func(){rig.upstreams[0].hold(t), rig.upstreams[1].hold(t)}
	for range 2 {
		connection, err := net.Dial("tcp", rig.gateway.Listen)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = connection.Close() }()
		if _, err := io.WriteString(connection, begin); err != nil {
			t.Fatal(err)
		}
		rig.awaitAnySeen()
	}
	if text := rig.raw("GET /products/2 HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n0\r\n\r\n"); !strings.HasPrefix(text, "HTTP/1.1 429 ") {
		t.Errorf("a third: %.200q, want a 429", text)
	}
	rig.wantCache(rig.get("/products/1"), "HIT")
	if got := rig.send(http.MethodGet, "/products/1", strings.NewReader("{}")); got.status != http.StatusOK || got.cache() != "HIT" {
		t.Errorf("a body of a known length meanwhile: %d %s", got.status, got.cache())
	}
	for _, release := range releases {
		release()
	}
}
