package systemtest

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/goccy/go-json"
)

const testdata = "../../etl/testdata"

func TestSystem(t *testing.T) {
	v1, err := filepath.Abs(filepath.Join(testdata, "v1"))
	if err != nil {
		t.Fatal(err)
	}
	s, report := start(t, v1)

	t.Run("the row counts add up", func(t *testing.T) {
		for _, want := range []string{
			"product.csv    350   350         0         0         0",
			"photos.csv     287   287         0         0        11",
			"Every row is accounted for: read = used + filtered + rejected",
		} {
			if !strings.Contains(report, want) {
				t.Errorf("up does not print %q:\n%s", want, report)
			}
		}
	})
	t.Run("responses of the original service", func(t *testing.T) { testRealAnswers(t, s) })
	t.Run("HTTP semantics", func(t *testing.T) { testHTTP(t, s) })
	t.Run("the gateway and an instance return equal responses", func(t *testing.T) { testAlike(t, s) })
	t.Run("up again changes nothing", func(t *testing.T) {
		before := processes(t, s)
		s.up("--csv", v1)
		if after := processes(t, s); after != before {
			t.Errorf("processes %s, before %s", after, before)
		}
	})
	t.Run("another catalog, with a repaired row, and a rollback", func(t *testing.T) { testAnotherCatalog(t, s) })
	t.Run("another collection", func(t *testing.T) { testAnotherShape(t, s) })
	t.Run("the golden cases", func(t *testing.T) { testCases(t, s) })
	t.Run("the document cache", func(t *testing.T) { testDocumentCache(t, s) })
	t.Run("kill -9 during a load", func(t *testing.T) { testKilledLoads(t, s) })
	t.Run("stale copies without an instance", func(t *testing.T) { testStale(t, s) })
}

func testRealAnswers(t *testing.T, s *stack) {
	for file, path := range map[string]string{
		"products-1.json": "/products/1", "products-1-styles.json": "/products/1/styles", "products-1-related.json": "/products/1/related",
		"products-2.json": "/products/2", "products-2-styles.json": "/products/2/styles", "products-2-related.json": "/products/2/related",
	} {
		want, err := os.ReadFile(filepath.Join(testdata, "v1", "expected", file))
		if err != nil {
			t.Fatal(err)
		}
		for _, prefix := range []string{"", "/api", "/api/fec2/hr-rfp"} {
			if got := s.get(prefix + path); got.status != http.StatusOK || !sameJSON(t, got.body, string(want)) {
				t.Errorf("GET %s: %d %.200s", prefix+path, got.status, got.body)
			}
		}
	}
	// A CSV reader that lets quoted fields span lines loses the photos of these styles.
	photos := map[int]int{}
	for product := 1; product <= 30; product++ {
		var answer struct {
			Results []struct {
				StyleID int `json:"style_id"`
				Photos  []struct {
					URL *string `json:"url"`
				} `json:"photos"`
			} `json:"results"`
		}
		if err := json.Unmarshal([]byte(s.get(fmt.Sprintf("/products/%d/styles", product)).body), &answer); err != nil {
			t.Fatal(err)
		}
		for _, style := range answer.Results {
			for _, photo := range style.Photos {
				if photo.URL != nil {
					photos[style.StyleID]++
				}
			}
		}
	}
	for style := 13; style <= 36; style++ {
		if photos[style] == 0 {
			t.Errorf("style %d has no photos", style)
		}
	}
	list := s.get("/products?page=2&count=3")
	var page []struct {
		ID           int     `json:"id"`
		DefaultPrice string  `json:"default_price"`
		Features     *string `json:"features"`
	}
	err := json.Unmarshal([]byte(list.body), &page)
	if err != nil || len(page) != 3 || page[0].ID != 4 || page[2].ID != 6 || !strings.HasSuffix(page[0].DefaultPrice, ".00") {
		t.Errorf("page 2 of 3 products each: %v, %s", err, list.body)
	}
	if got := s.get("/products?page=1000000&count=100"); got.status != http.StatusOK || got.body != "[]" {
		t.Errorf("past the end: %d %s, want []", got.status, got.body)
	}
}

func testHTTP(t *testing.T, s *stack) {
	gateway := s.env["GATEWAY_URL"]
	path := "/products/3/styles"
	first := s.get(path)
	if first.header.Get("X-Cache") != "MISS" && first.header.Get("X-Cache") != "HIT" {
		t.Errorf("X-Cache is %q", first.header.Get("X-Cache"))
	}
	// NGINX caches a document on its second request.
	eventually(t, "a response from the cache", func() bool { return s.get(path).header.Get("X-Cache") == "HIT" })
	if first.header.Get("X-Data-Version") == "" || first.header.Get("Cache-Control") == "" ||
		first.header.Get("Content-Type") != "application/json; charset=utf-8" {
		t.Errorf("headers are %v", first.header)
	}
	etag := first.header.Get("ETag")
	if got := s.get(path, "If-None-Match", etag); got.status != http.StatusNotModified || got.body != "" {
		t.Errorf("with the ETag %s: %d %q, want 304", etag, got.status, got.body)
	}
	if got := s.get(path, "If-None-Match", `"0000000000000000"`); got.status != http.StatusOK || got.body != first.body {
		t.Errorf("with another ETag: %d", got.status)
	}
	if got := s.do(http.MethodHead, gateway+path); got.status != http.StatusOK || got.body != "" || got.header.Get("ETag") != etag {
		t.Errorf("HEAD: %d %q %v", got.status, got.body, got.header)
	}
	if got := s.get(path, "Accept-Encoding", "gzip"); got.header.Get("Content-Encoding") != "gzip" || len(got.body) >= len(first.body)/2 ||
		got.header.Get("Vary") != "Accept-Encoding" {
		t.Errorf("with gzip: %d of %d bytes, %v", len(got.body), len(first.body), got.header)
	}
	for url, status := range map[string]int{
		"/products/351": 404, "/products/999999999999": 404, "/products/1/reviews": 404, "/nothing": 404,
		"/products/0": 404, "/products/-1": 404, "/products/-0": 400, "/products/abc": 400, "/products/1.5/styles": 400, "/products/99999999999999999999": 400,
		"/products?page=0": 400, "/products?count=0": 400, "/products?category=Shoes": 400, "/products/1?page=1": 400,
		"/products?page=1&page=1": 400, "/products?count=all": 400, "/products?page=x": 400, "/products?count=-1": 400,
	} {
		got := s.get(url)
		if !isProblem(got, status) {
			t.Errorf("GET %s: %d %v %s, want %d and problem+json", url, got.status, got.header, got.body, status)
		}
	}
	if got := s.do(http.MethodDelete, gateway+"/products/1"); got.status != http.StatusMethodNotAllowed || got.header.Get("Allow") == "" {
		t.Errorf("DELETE: %d %v, want 405 with Allow", got.status, got.header)
	}
	for _, admin := range strings.Split(s.env["ADMIN_URLS"], ",") {
		for _, path := range []string{"/live", "/ready"} {
			if got := s.do(http.MethodGet, admin+path); got.status != http.StatusOK {
				t.Errorf("GET %s%s: %d %s", admin, path, got.status, got.body)
			}
		}
	}
}

func testAnotherCatalog(t *testing.T, s *stack) {
	v2, err := filepath.Abs(filepath.Join(testdata, "v2"))
	if err != nil {
		t.Fatal(err)
	}
	report := s.etl("run", "--csv", v2, "--accept", "removed", "--accept", "changed", "--accept", "fewer-rows")
	if !strings.Contains(report, "product.csv: 1 repaired: stray label") || !strings.Contains(report, "291") {
		t.Errorf("the repaired row is not reported, or the removed products are not:\n%s", report)
	}
	eventually(t, "the new version through the gateway", func() bool { return s.get("/products/300").status == http.StatusNotFound })
	eventually(t, "the price after a stray label", func() bool { return strings.Contains(s.get("/products/11").body, `"49.00"`) })

	s.etl("rollback", "--no-hold")
	eventually(t, "the previous version through the gateway", func() bool { return s.get("/products/300").status == http.StatusOK })
	eventually(t, "the previous product", func() bool { return strings.Contains(s.get("/products/12").body, "Belle Shirt") })
}

func testAnotherShape(t *testing.T, s *stack) {
	directory := t.TempDir()
	for name, text := range map[string]string{
		"books.yaml": `
collection: books
dialect: {delimiter: ";"}
sources:
  author: {file: author.csv, key: id, columns: {id: int, name: text}}
  book:   {file: book.csv, key: isbn, parent: author, on: author, columns: {isbn: int, author: int, title: text}}
  loan:   {file: loan.csv, key: id, parent: book, on: isbn, columns: {id: int, isbn: int, days: int}}
documents:
  author: {path: "", body: {name: name, books: {each: book, keyed: isbn, as: {title: title, loans: {each: loan, as: days}}}}}
  titles: {path: titles, body: {each: book, as: title}}
`,
		"author.csv": "id;name\n3;Ann\n5;Bo\n", "book.csv": "isbn;author;title\n20;3;\"b; or c\"\n10;3;a\n",
		"loan.csv": "id;isbn;days\n1;10;7\n2;10;14\n",
	} {
		if err := os.WriteFile(filepath.Join(directory, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	report := s.up("--csv", directory, "--shape", filepath.Join(directory, "books.yaml"))
	if want := "The collection books from " + directory + " is served at http://"; !strings.Contains(report, want) {
		t.Errorf("up does not print %q:\n%s", want, report)
	}
	eventually(t, "the new collection", func() bool { return s.get("/books/3").status == http.StatusOK })
	for path, want := range map[string]string{
		"/books/3":        `{"name":"Ann","books":{"20":{"title":"b; or c","loans":[]},"10":{"title":"a","loans":[7,14]}}}`,
		"/books/5":        `{"name":"Bo","books":{}}`,
		"/api/books/3":    `{"name":"Ann","books":{"20":{"title":"b; or c","loans":[]},"10":{"title":"a","loans":[7,14]}}}`,
		"/books/3/titles": `["b; or c","a"]`,
	} {
		// Each instance learns of the collection at another time.
		eventually(t, "GET "+path, func() bool { got := s.get(path); return got.status == http.StatusOK && sameJSON(t, got.body, want) })
	}
	if got := s.get("/books"); got.status != http.StatusNotFound {
		t.Errorf("a collection without a list document: %d, want 404", got.status)
	}
	if got := s.get("/products/1"); got.status != http.StatusOK {
		t.Errorf("the products beside the books: %d", got.status)
	}
	s.etl("drop", "books", "--yes")
	eventually(t, "the collection is dropped", func() bool { return s.get("/books/3").status == http.StatusNotFound })
	if got := s.get("/products/1"); got.status != http.StatusOK {
		t.Errorf("the products after the books are dropped: %d", got.status)
	}
}

// testKilledLoads kills loads of two catalogs in turn while clients send requests to the instances. Every response must be a document of
// one of the two, with its ETag.
func testKilledLoads(t *testing.T, s *stack) {
	catalogs := []string{s.generate(6_000, 1), s.generate(6_000, 2)}
	instances := strings.Split(s.env["API_URLS"], ",")
	paths := []string{"/products/1", "/products/7/styles", "/products/5999", "/products?page=60&count=100"}
	known := map[string]string{} // ETag by path and body; that of a page depends on the version
	var longest time.Duration
	for _, csv := range catalogs {
		began := time.Now()
		// Unlike in the test data, the last lines of generated files have no line break.
		s.etl("run", "--csv", csv, "--accept", "removed", "--accept", "changed", "--accept", "fewer-rows", "--accept", "truncated-file")
		longest = max(longest, time.Since(began))
		version := liveVersion(t, s)
		for _, instance := range instances {
			eventually(t, "the new version on each instance", func() bool {
				return s.do(http.MethodGet, instance+paths[0]).header.Get("X-Data-Version") == version
			})
		}
		for _, path := range paths {
			got := s.do(http.MethodGet, instances[0]+path)
			if got.status != http.StatusOK {
				t.Fatalf("GET %s: %d %s", path, got.status, got.body)
			}
			known[path+got.body] = got.header.Get("ETag")
		}
	}
	if len(known) != 2*len(paths) {
		t.Fatalf("%d different bodies of 2 catalogs for %d paths", len(known), len(paths))
	}

	ctx, stop := context.WithCancel(t.Context())
	var readers sync.WaitGroup
	var requests atomic.Int64
	for i, instance := range instances {
		readers.Go(func() {
			for n := i; ctx.Err() == nil; n++ {
				path := paths[n%len(paths)]
				got, err := request(ctx, http.MethodGet, instance+path)
				if ctx.Err() != nil {
					return
				}
				requests.Add(1)
				etag, ok := known[path+got.body]
				list := strings.Contains(path, "?")
				switch {
				case err != nil || got.status != http.StatusOK:
					t.Errorf("GET %s: %v, %d %.200s", path, err, got.status, got.body)
				case !ok:
					t.Errorf("GET %s: version %s returns %.200s, which is in neither catalog", path,
						got.header.Get("X-Data-Version"), got.body)
				case !list && etag != got.header.Get("ETag"),
					list && !strings.HasPrefix(got.header.Get("ETag"), `"v`+got.header.Get("X-Data-Version")+`-`):
					t.Errorf("GET %s: ETag %s does not belong to the body", path, got.header.Get("ETag"))
				default:
					continue
				}
				return
			}
		})
	}
	const kills = 10
	for i := range kills {
		command := s.etlCommand("run", "--csv", catalogs[i%2], "--accept", "changed", "--mode", []string{"delta", "generation"}[i/2%2])
		if err := command.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(longest * time.Duration(i+1) / kills) // the kills are spread over the duration of a load
		_ = command.Process.Kill()
		_ = command.Wait()
	}
	s.etl("run", "--csv", catalogs[0], "--accept", "changed")
	stop()
	readers.Wait()
	if requests.Load() < 100 {
		t.Errorf("only %d requests were made", requests.Load())
	}
	t.Logf("%d requests during %d killed loads", requests.Load(), kills)
}

func liveVersion(t *testing.T, s *stack) string {
	t.Helper()
	out, err := exec.Command(filepath.Join(s.env["POSTGRES_BIN"], "psql"), s.env["API_DATABASE_URL"], "-At", "-c",
		"select run_id from catalog.version where collection = 'products'").Output()
	if err != nil {
		t.Fatalf("psql: %v", err)
	}
	return strings.TrimSpace(string(out))
}

// testStale kills both instances. NGINX must serve cached documents, and a problem instead of one of its own pages for others.
func testStale(t *testing.T, s *stack) {
	version := liveVersion(t, s)
	var cached answer
	eventually(t, "the live version in the cache", func() bool {
		cached = s.get("/products/1")
		return cached.header.Get("X-Data-Version") == version && cached.header.Get("X-Cache") == "HIT"
	})
	for _, instance := range pids(t, s).Instances {
		if err := syscall.Kill(instance.Process.PID, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the instance ends", func() bool { return !alive(instance.Process.PID) })
	}
	eventually(t, "a stale response", func() bool {
		got := s.get("/products/1")
		if got.status != http.StatusOK || got.body != cached.body {
			t.Fatalf("GET /products/1 without any instance: %d %.200s", got.status, got.body)
		}
		return got.header.Get("X-Cache") == "STALE"
	})
	if got := s.get("/products/5432/related"); got.status < 500 || !isProblem(got, got.status) {
		t.Errorf("an uncached document: %d %v %s", got.status, got.header, got.body)
	}
	s.up()
	eventually(t, "the uncached document after up", func() bool { return s.get("/products/5432/related").status == http.StatusOK })
}
