package systemtest

import (
	"context"
	"encoding/binary"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/goccy/go-json"
	"github.com/jackc/pgx/v5"
	"github.com/minio/highwayhash"
)

// In an edition, hot products differ from those of every other edition, steady ones never do, and the others do in one edition of ten. One
// product in fifty is missing from every other edition. The styles of largeProduct are 200 KB.
const (
	hotProducts  = 10
	largeProduct = 7
)

func steady(id int) bool { return id > hotProducts && id%10 == 5 }

// edition is one version of the files of a catalog, with the expected bodies.
type edition struct {
	csv       string
	documents map[string]document // by path, such as /products/7/styles
	pages     map[string]string   // by path, such as /products?page=2&count=50
	summaries []string            // elements of the pages
}

type document struct{ etag, body string }

// paths returns the paths of the products with ids from first to last.
func paths(first, last int) (all []string) {
	for id := first; id <= last; id++ {
		for _, document := range []string{"", "/styles", "/related"} {
			all = append(all, "/products/"+strconv.Itoa(id)+document)
		}
	}
	return all
}

// newEdition writes the CSVs of an edition and determines the expected bodies with etl render and with Postgres, which determines the order
// of keys.
func (s *stack) newEdition(t *testing.T, number, products int) *edition {
	t.Helper()
	e := &edition{csv: t.TempDir(), documents: map[string]document{}, pages: map[string]string{}}
	writeEdition(t, e.csv, number, products)
	rendered := t.TempDir()
	s.etl("render", "--csv", e.csv, "--out", rendered)
	conn, err := pgx.Connect(t.Context(), s.env["DATABASE_URL"])
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.Background()) }()
	var key []byte
	if err := conn.QueryRow(t.Context(), "select key from catalog.etag_key").Scan(&key); err != nil {
		t.Fatal(err)
	}
	for name, path := range map[string]string{"summary": "", "product": "", "styles": "/styles", "related": "/related"} {
		file := filepath.Join(rendered, name+".copy")
		etags := keyedETags(t, file, key)
		for _, row := range printed(t, conn, file) {
			if name == "summary" {
				e.summaries = append(e.summaries, row.body)
				continue
			}
			e.documents[fmt.Sprintf("/products/%d%s", row.id, path)] = document{fmt.Sprintf(`"%016x"`, etags[row.id]), row.body}
		}
	}
	for page, count := range map[int]int{1: 5, 2: 50, 3: 100} {
		first := min((page-1)*count, len(e.summaries))
		path := fmt.Sprintf("/products?page=%d&count=%d", page, count)
		e.pages[path] = "[" + strings.Join(e.summaries[first:min(first+count, len(e.summaries))], ",") + "]"
	}
	return e
}

// keyedETags returns the etags of the documents in a file of etl render, with the key of a database, by id. Each row in the file has three
// fields, each with its length: id, unkeyed etag, and the document after the version of jsonb.
func keyedETags(t *testing.T, file string, key []byte) map[int64]uint64 {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	const header, row, end = 19, 2 + 4 + 8 + 4 + 8 + 4, 2
	etags := map[int64]uint64{}
	for data = data[header:]; len(data) > end; {
		length := int(binary.BigEndian.Uint32(data[row-4:]))
		etags[int64(binary.BigEndian.Uint64(data[6:]))] = highwayhash.Sum64(data[row+1:row+length], key)
		data = data[row+length:]
	}
	return etags
}

type printedRow struct {
	id, etag int64
	body     string
}

// printed returns the documents of a file as Postgres prints them, in order of id.
func printed(t *testing.T, conn *pgx.Conn, path string) []printedRow {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	ctx := t.Context()
	if _, err = conn.Exec(ctx, "create temporary table rendered (id bigint, etag bigint, body jsonb)"); err != nil {
		t.Fatal(err)
	}
	if _, err = conn.PgConn().CopyFrom(ctx, file, "copy rendered from stdin (format binary)"); err != nil {
		t.Fatal(err)
	}
	rows, err := conn.Query(ctx, "select id, etag, body::text from rendered order by id")
	if err != nil {
		t.Fatal(err)
	}
	all, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (r printedRow, err error) {
		err = row.Scan(&r.id, &r.etag, &r.body)
		return r, err
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err = conn.Exec(ctx, "drop table rendered"); err != nil {
		t.Fatal(err)
	}
	return all
}

func writeEdition(t *testing.T, directory string, number, products int) {
	t.Helper()
	files := map[string]*strings.Builder{}
	line := func(file, format string, values ...any) {
		if files[file] == nil {
			files[file] = &strings.Builder{}
		}
		fmt.Fprintf(files[file], format+"\n", values...)
	}
	line("product.csv", "id,name,slogan,description,category,default_price")
	line("features.csv", "id,product_id,feature,value")
	line("styles.csv", "id,productId,name,sale_price,original_price,default_style")
	line("photos.csv", "id,styleId,url,thumbnail_url")
	line("skus.csv", "id,styleId,size,quantity")
	line("related.csv", "id,current_product_id,related_product_id")
	photo := 0
	for id := 1; id <= products; id++ {
		changes := id <= hotProducts || !steady(id) && id%10 == number%10
		if id%50 == 49 && number%2 == 1 {
			continue
		}
		price, photos := 1000+id, 2 // photos of each style
		if changes {
			price = 10 + number
		}
		if id == largeProduct {
			photos = 1000
		}
		line("product.csv", `%d,"Jäckchen %d","%s","%s","Jackets",%d`, id, id, "☃ für alle", strings.Repeat("warm ", id%40), price)
		line("features.csv", `%d,%d,"Fabric","Canvas %d"`, id, id, price)
		line("related.csv", "%d,%d,%d", id, id, 1+(id+price)%products)
		for style := 2*id - 1; style <= 2*id; style++ {
			line("styles.csv", `%d,%d,"Style %d",null,%d,%d`, style, id, style, price, style%2)
			line("skus.csv", `%d,%d,"XS",%d`, style, style, price%100)
			for range photos {
				photo++
				line("photos.csv", `%d,%d,"https://example.com/%d.jpg","https://example.com/%d-small.jpg"`, photo, style, photo, photo)
			}
		}
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(directory, name), []byte(text.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// history holds the edition of every run, and so all correct responses.
type history struct {
	mutex    sync.RWMutex
	editions map[int64]*edition  // by run
	since    map[int64]time.Time // time after the end of the run
	newest   int64               // the last run that began
}

// begin adds the edition of a run that is about to start.
func (h *history) begin(run int64, e *edition) {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	if h.editions == nil {
		h.editions, h.since = map[int64]*edition{}, map[int64]time.Time{}
	}
	h.editions[run], h.newest = e, run
}

// end records that a run has ended.
func (h *history) end(run int64) {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	h.since[run] = time.Now()
}

// publishedAt returns a time at which a run had published, or the zero time.
func (h *history) publishedAt(run int64) time.Time {
	h.mutex.RLock()
	defer h.mutex.RUnlock()
	return h.since[run]
}

// explain returns the data version of a response, or an error if the response is not the whole body of a published version with its ETag.
// The version of a page must be that of its body. A document may be newer than its version, because lookups read a delta before the
// instance learns of it, but never older.
func (h *history) explain(path string, got answer) (version int64, err error) {
	h.mutex.RLock()
	defer h.mutex.RUnlock()
	wrong := func(what string) error {
		return fmt.Errorf("GET %s: %s: %d %v %.150q (the newest run is %d)", path, what, got.status, got.header, got.body, h.newest)
	}
	version, err = strconv.ParseInt(got.header.Get("X-Data-Version"), 10, 64)
	if err != nil || h.editions[version] == nil {
		return 0, wrong("no published version")
	}
	etag := got.header.Get("ETag")
	if page, list := h.editions[version].pages[path]; list {
		if got.status != http.StatusOK || got.body != page || !strings.HasPrefix(etag, fmt.Sprintf(`"v%d-`, version)) {
			return 0, wrong("not the page of that version")
		}
		return version, nil
	}
	for run := version; run <= h.newest; run++ {
		e := h.editions[run]
		if e == nil {
			continue
		}
		want, exists := e.documents[path]
		switch {
		case exists && got.status == http.StatusOK && got.body == want.body && etag == want.etag:
			return version, nil
		case !exists && isProblem(got, http.StatusNotFound):
			return version, nil
		}
	}
	return 0, wrong("no document of that version or of a later one")
}

// isProblem reports whether a response is problem+json with the status in its body and is not cacheable.
func isProblem(got answer, status int) bool {
	var problem struct {
		Type, Title string
		Status      int
	}
	err := json.Unmarshal([]byte(got.body), &problem)
	return err == nil && got.status == status && problem.Status == status && problem.Type != "" && problem.Title != "" &&
		got.header.Get("Content-Type") == "application/problem+json" && got.header.Get("Cache-Control") == "no-store"
}
