package server

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"systemscale/api/internal/publishtest"
	"systemscale/api/internal/store"
	"systemscale/api/web"
	"systemscale/sql"
)

func TestSitePages(t *testing.T) {
	built, err := web.Open()
	if err != nil {
		t.Fatal(err)
	}
	from := newFake(t)
	s := listen(t, from, Options{Site: built})
	see := func(address string, header ...string) (*http.Response, string) {
		t.Helper()
		request, err := http.NewRequest(http.MethodGet, s.url+address, nil)
		if err != nil {
			t.Fatal(err)
		}
		if len(header) > 0 {
			request.Header.Set(header[0], header[1])
		}
		response, err := s.client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = response.Body.Close() }()
		body, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		return response, string(body)
	}

	// The pages are served before anything is published.
	page, text := see("/")
	if page.StatusCode != http.StatusOK || !strings.HasPrefix(page.Header.Get("Content-Type"), "text/html") ||
		!strings.Contains(text, "<html") || page.Header.Get("Cache-Control") != "no-cache" ||
		page.Header.Get("Vary") != "Accept-Encoding" ||
		!strings.Contains(page.Header.Get("Content-Security-Policy"), "frame-ancestors 'none'") {
		t.Errorf("the page: %d %v", page.StatusCode, page.Header)
	}
	for _, held := range []string{
		page.Header.Get("ETag"), strings.TrimPrefix(page.Header.Get("ETag"), "W/"), `"x", ` + page.Header.Get("ETag"), "*",
	} {
		if again, body := see("/", "If-None-Match", held); again.StatusCode != http.StatusNotModified || body != "" ||
			again.Header.Get("ETag") != page.Header.Get("ETag") {
			t.Errorf("the page with If-None-Match %s: %d", held, again.StatusCode)
		}
	}
	if other, _ := see("/", "If-None-Match", `"x"`); other.StatusCode != http.StatusOK {
		t.Errorf("the page with another If-None-Match: %d", other.StatusCode)
	}
	if none, _ := see("/nothing"); none.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("another address, with nothing published: %d", none.StatusCode)
	}

	before, text := see("/openapi.yaml")
	if before.StatusCode != http.StatusOK || strings.Contains(text, "/whole/changes") {
		t.Errorf("the description: %d", before.StatusCode)
	}
	from.publish("whole", publishtest.Table{
		Endpoint: sql.Endpoint{Name: "whole"}, Rows: []publishtest.Row{publishtest.NewRow("whole", 1, 1)},
	})
	after, text := see("/openapi.yaml")
	if after.StatusCode != http.StatusOK || !strings.Contains(text, "/whole/changes") ||
		after.Header.Get("ETag") == before.Header.Get("ETag") {
		t.Error("the description lacks a published collection")
	}
	if document, text := see("/whole/1"); document.Header.Get("Content-Type") != "application/json; charset=utf-8" ||
		text != publishtest.NewRow("whole", 1, 1).Body {
		t.Errorf("a document: %v %.100s", document.Header, text)
	}
	if none, _ := see("/nothing"); none.StatusCode != http.StatusNotFound {
		t.Errorf("another address: %d", none.StatusCode)
	}
}

// TestConcurrentRequestsShareDescription sends concurrent requests for the description of a new snapshot.
func TestConcurrentRequestsShareDescription(t *testing.T) {
	p := pages{}
	for range 20 {
		snapshot := newFake(t).Snapshot()
		files := make(chan *web.File)
		for range 16 {
			go func() { files <- p.description(snapshot) }()
		}
		first := <-files
		for range 15 {
			if another := <-files; another != first {
				t.Fatal("one snapshot has two descriptions")
			}
		}
	}
}

// browser is the Accept header of a browser for an address that the user has entered.
const browser = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"

func TestErrorPages(t *testing.T) {
	site, err := web.Open()
	if err != nil {
		t.Fatal(err)
	}
	for name, site := range map[string]*web.Site{"with pages": site, "without": nil} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			s := listen(t, f, Options{Site: site, Logger: quiet()})
			check := func(method, target string, status int) {
				t.Helper()
				r := s.send(method, target, "Accept", browser)
				if r.status != status || method != http.MethodHead && !strings.Contains(r.body, "</html>") {
					t.Errorf("%s %s: %d %.100q, want %d and a page", method, target, r.status, r.body, status)
				}
				checkHeaders(t, r, "Content-Type", "text/html; charset=utf-8", "Cache-Control", "no-store", "Vary", "Accept",
					"X-Accel-Expires", "", "ETag", "",
					"X-Content-Type-Options", "nosniff")
				if policy := r.header.Get("Content-Security-Policy"); !strings.Contains(policy, "frame-ancestors 'none'") {
					t.Errorf("%s %s: Content-Security-Policy %q", method, target, policy)
				}
			}
			check("GET", "/things/1", http.StatusServiceUnavailable)
			f.publish("things", things(1, 3)...)
			for _, target := range []string{
				"/nonsense", "/things/1/xyz", "/things/99999999/xyz", "/things/4", "/item/abc", "/item/0", "/api/nonsense",
				"/%6eonsense/", "/.git/config",
			} {
				check("GET", target, http.StatusNotFound)
				check("HEAD", target, http.StatusNotFound)
			}
			for _, target := range []string{
				"/things/x", "/things?page=0", "/things?%3Cscript%3Ealert(1)%3C/script%3E", "/things/1?x", "/things/%00",
			} {
				check("GET", target, http.StatusBadRequest)
			}
			check("POST", "/things", http.StatusMethodNotAllowed)
			r := s.send("GET", "/things?%3Cscript%3Ealert(1)%3C/script%3E", "Accept", browser)
			if strings.Contains(r.body, "<script") || !strings.Contains(r.body, "&lt;script&gt;alert(1)") {
				t.Errorf("the page repeats %q", r.body)
			}
			// Documents are the same for all clients.
			if r := s.send("GET", "/things/1", "Accept", browser); r.header.Get("Content-Type") != "application/json; charset=utf-8" ||
				r.status != http.StatusOK {
				t.Errorf("a document: %d %v", r.status, r.header)
			}
			f.fail = store.ErrUnavailable
			check("GET", "/things/1", http.StatusServiceUnavailable)
			check("GET", "/things", http.StatusServiceUnavailable)
		})
	}
}

func TestWantsPage(t *testing.T) {
	s, _ := fakeSite(t)
	s.publish("things", things(1, 3)...)
	for accept, page := range map[string]bool{
		browser: true, "text/html": true, "TEXT/HTML": true, "text/html;charset=utf-8": true, "text/html ; q=0.5": true,
		"*/*, text/html": true, "text/html;q=0.001": true, "a/b,text/html;level=1;q=0": true,
		"": false, "*/*": false, "text/*": false, "application/json": false, "application/json, text/plain, */*": false,
		"application/problem+json":          false,
		"text/html, application/json;q=0.9": false, "text/html;q=0": false, "text/html;q=0.000, */*": false, "text/htmlx": false,
		"xtext/html": false, "text/xhtml": false, "text/html;q=0 , a/b": false,
	} {
		for _, target := range []string{"/nothing", "/things/4"} {
			want := map[bool]string{true: "text/html; charset=utf-8", false: "application/problem+json"}[page]
			if r := s.send("GET", target, "Accept", accept); r.status != http.StatusNotFound || r.header.Get("Content-Type") != want ||
				(r.header.Get("X-Accel-Expires") != "") != (!page && target == "/things/4") {
				t.Errorf("Accept: %s: %s: %d %v, want %s", accept, target, r.status, r.header, want)
			}
		}
	}
}
