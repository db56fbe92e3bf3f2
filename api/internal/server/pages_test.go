package server

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"systemscale/api/internal/catalogtest"
	"systemscale/api/web"
	"systemscale/sql"
)

func TestPagesForPeople(t *testing.T) {
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

	// Before anything is published, there is something to see.
	page, text := see("/")
	if page.StatusCode != http.StatusOK || !strings.HasPrefix(page.Header.Get("Content-Type"), "text/html") || !strings.Contains(text, "<html") ||
		page.Header.Get("Cache-Control") != "no-cache" || page.Header.Get("Vary") != "Accept-Encoding" {
		t.Errorf("the page: %d %v", page.StatusCode, page.Header)
	}
	for _, held := range []string{page.Header.Get("ETag"), strings.TrimPrefix(page.Header.Get("ETag"), "W/"), `"x", ` + page.Header.Get("ETag"), "*"} {
		if again, body := see("/", "If-None-Match", held); again.StatusCode != http.StatusNotModified || body != "" || again.Header.Get("ETag") != page.Header.Get("ETag") {
			t.Errorf("the page, while %s is held: %d", held, again.StatusCode)
		}
	}
	if other, _ := see("/", "If-None-Match", `"x"`); other.StatusCode != http.StatusOK {
		t.Errorf("the page, while another is held: %d", other.StatusCode)
	}
	if none, _ := see("/nothing"); none.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("elsewhere, with nothing published: %d", none.StatusCode)
	}

	before, text := see("/openapi.yaml")
	if before.StatusCode != http.StatusOK || strings.Contains(text, "/item/changes") {
		t.Errorf("the description: %d", before.StatusCode)
	}
	from.publish("item", catalogtest.Table{Document: sql.Document{Name: "whole"}, Rows: []catalogtest.Row{catalogtest.NewRow("whole", 1, 1)}})
	after, text := see("/openapi.yaml")
	if after.StatusCode != http.StatusOK || !strings.Contains(text, "/item/changes") || after.Header.Get("ETag") == before.Header.Get("ETag") {
		t.Error("the description does not know of a collection that was published")
	}
	// Pages give way to collections.
	if document, text := see("/item/1"); document.Header.Get("Content-Type") != "application/json; charset=utf-8" || text != catalogtest.NewRow("whole", 1, 1).Body {
		t.Errorf("a document in a collection named as a page is: %v %.100s", document.Header, text)
	}
	if none, _ := see("/nothing"); none.StatusCode != http.StatusNotFound {
		t.Errorf("elsewhere: %d", none.StatusCode)
	}
}

// TestDescriptionIsMadeOnce has many ask for the description of a snapshot that is new to all of them.
func TestDescriptionIsMadeOnce(t *testing.T) {
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
				t.Fatal("one snapshot was described twice")
			}
		}
	}
}
