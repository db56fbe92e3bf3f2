package systemtest

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// testAlike sends the same requests to NGINX and to an instance. The responses must be equal.
func testAlike(t *testing.T, s *stack) {
	const html = "Accept: text/html,application/xhtml+xml,*/*;q=0.8"
	gateway, instance := &wire{address: s.gateway(t)}, &wire{address: s.instanceURLs(t)[0]}
	servers := []string{"the gateway", "the instance"}
	defer gateway.close()
	defer instance.close()
	product, list, styles := s.get("/products/1").body, s.get("/products").body, s.get("/products/1/styles").body
	thousand := s.get("/products?count=1000").body
	for _, test := range []struct {
		target string
		status int
		body   string // not compared if empty
	}{
		{"/products/1", 200, product},
		{"/products/1/", 200, product},
		{"//products//1", 200, product},
		{"/%70roducts/%31", 200, product},
		{"/products%2F1", 200, product},
		{"/./products/2/../1", 200, product},
		{"/api/products/1", 200, product},
		{"/api/fec2/hr-rfp/products/1/", 200, product},
		{"//api/fec2//x/products/1", 200, product},
		{"/products/1?utm_source=a&fbclid=b", 200, product},
		{"/products/1?", 200, product},
		{"/products/1?&&", 200, product},
		{"/products/1?%75tm_source=a", 200, product},
		{"/api/fec2/api/products/1/styles", 200, styles},
		{"/products/1/%73tyles/?gclid", 200, styles},
		{"/products", 200, list},
		{"/products/", 200, list},
		{"/products?page=1&count=5", 200, list},
		{"/products?count=5&%70age=1", 200, list},
		{"/products?page=%31", 200, list},
		{"/api/products?page=undefined", 200, list},
		{"/api/products?page=&count=NaN", 200, list},
		{"/api/products?count", 200, list},
		{"/api/products?page=%75ndefined", 200, list},
		{"/products?count=1000", 200, thousand},
		{"/products?count=5000", 200, thousand},
		{"/products?count=99999999999999999999999", 200, thousand},
		{"/api/products?count=all", 200, thousand},
		{"/api/fec2/x/products?count=MAX", 200, thousand},
		{"/api/products?count=*", 200, thousand},
		{"/api/products?count=%2a", 200, thousand},
		{"/products?page=99999999999999999999", 200, "[]"},
		{"/products?category=Shoes", 400, ""},
		{"/products?PAGE=2", 400, ""},
		{"/products?page=1&page=2", 400, ""},
		{"/products?page=1&%70age=2", 400, ""},
		{"/products?page=1;count=2", 400, ""},
		{"/products?page=+1", 400, ""},
		{"/products?page=", 400, ""},
		{"/products?page", 400, ""},
		{"/products?count=all", 400, ""},
		{"/products?=1", 400, ""},
		{"/products?page=undefined", 400, ""},
		{"/products?%00=1", 400, ""},
		{"/products?%zz=1", 400, ""},
		{"/products?\"<>=1", 400, ""},
		{"/api/products?category=Shoes&page=undefined", 400, ""},
		{"/api/products?count=0", 400, ""},
		{"/api/products?count=1e3", 400, ""},
		{"/products/1?page=1", 400, ""},
		{"/products/1/styles?count=1", 400, ""},
		{"/products/1/related?since=1", 400, ""},
		{"/products/changes?page=1&since=1", 400, ""},
		{"/products/changes", 400, ""},
		{"/api/products/changes?since=undefined", 400, ""},
		{"/products/x", 400, ""},
		{"/products/%2531", 400, ""},
		{"/products/1%3fpage=2", 400, ""},
		{"/products/%", 400, ""},
		{"/products/%00", 400, ""},
		{"/..", 400, ""},
		{"/products/../../1", 400, ""},
		{"/api/../..", 400, ""},
		{"/products/999999", 404, ""},
		{"/products/999999/xyz", 404, ""},
		{"/Products/1", 404, ""},
		{"/nonsense", 404, ""},
		{"/api", 404, ""},
		{"/api/", 404, ""},
		{"/api/api/products/1", 404, ""},
		{"/api/fec2/x", 404, ""},
		{"/fec2/x/products/1", 404, ""},
		{"/item/abc", 404, ""},
		{"/item/1/styles", 404, ""},
		{"/-/problem", 404, ""},
		{"/-/problem/", 404, ""},
		{"/api/-/problem", 404, ""},
		{"/nothing?x=1", 404, ""},
		{"/", 200, ""},
		{"/?page=2", 200, ""},
		{"/item/1?style=3", 200, ""},
		{"/api/item/1/", 200, ""},
		{"/docs/", 200, ""},
		{"/docs?x=1", 200, ""},
	} {
		for _, headers := range [][]string{nil, {html}, {gzipped}} {
			var answers [2]answer
			var forms [2]string
			for i, w := range []*wire{gateway, instance} {
				got, err := w.get(test.target, headers...)
				if err != nil {
					t.Fatalf("%s %q: %v", test.target, headers, err)
				}
				answers[i] = got
				forms[i] = fmt.Sprint(got.status, " ", got.header.Get("Content-Type"), " ", got.header.Get("X-Total-Count"), " ",
					got.header.Get("Content-Security-Policy"))
				if got.status != test.status || test.body != "" && got.body != test.body {
					t.Errorf("%s, %s %q: %d %.200s, want %d", servers[i], test.target, headers, got.status, got.body, test.status)
				}
			}
			// NGINX itself rejects malformed requests and internal paths, with other texts.
			refused := strings.Contains(answers[1].body, "not valid HTTP") || strings.Contains(test.target, "/-/")
			for i, got := range answers {
				page := strings.HasPrefix(got.header.Get("Content-Type"), "text/html")
				if got.status >= 400 && page != (len(headers) > 0 && headers[0] == html) && (i == 1 || !refused) {
					t.Errorf("%s, %s %q: %v %.200s", servers[i], test.target, headers, got.header, got.body)
				}
			}
			if answers[1].body != answers[0].body && !refused || test.status == 200 && forms[0] != forms[1] {
				t.Errorf("%s %q: the gateway returns %s %.200s\nthe instance %s %.200s", test.target, headers, forms[0], answers[0].body,
					forms[1], answers[1].body)
			}
		}
	}
	for _, w := range []*wire{gateway, instance} {
		for name, rest := range map[string]string{
			"a body":  "Content-Length: 2\r\n\r\n{}",
			"a chunk": "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
			"8 KB":    "Content-Length: 8192\r\n\r\n" + strings.Repeat("x", 8192),
			"8 KB chunks": "Transfer-Encoding: chunked\r\n\r\n" +
				strings.Repeat("1000\r\n"+strings.Repeat("x", 4096)+"\r\n", 2) + "0\r\n\r\n",
		} {
			for range 3 { // on one connection
				got, err := w.send(http.MethodGet, "GET /api/products/1 HTTP/1.1\r\nHost: h\r\n"+rest)
				if err != nil || got.body != product {
					t.Errorf("%s, with %s: %v, %d %.200s", w.address, name, err, got.status, got.body)
				}
			}
		}
		got, err := w.send(http.MethodOptions, "OPTIONS /products/1 HTTP/1.1\r\nHost: h\r\nOrigin: https://a.example\r\n"+
			"Access-Control-Request-Method: GET\r\nAccess-Control-Request-Headers: authorization,baggage,sentry-trace,traceparent\r\n\r\n")
		if err != nil || got.status != http.StatusNoContent || got.header.Get("Access-Control-Allow-Headers") != "*, Authorization" ||
			got.header.Get("Access-Control-Max-Age") != "600" {
			t.Errorf("%s, a preflight: %v, %d %v", w.address, err, got.status, got.header)
		}
	}
	// NGINX passes an endless body to the API, which stops waiting for it.
	const endless = "GET /products/1 HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1;"
	if err := dribble(gateway.address, endless, 3*patience); err != nil {
		t.Error(err)
	}
}
