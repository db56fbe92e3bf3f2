package rung

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"systemscale/infra/process"
	"systemscale/scripts/measure"
	"systemscale/scripts/measure/load"
	"systemscale/sql"
	"systemscale/sql/testdb"
)

const products = 1000

// TestAnswers starts every rung over a catalog with rows of every kind that the ETL repairs, filters or rejects, and compares its answers
// with the published documents.
func TestAnswers(t *testing.T) {
	data := prepare(t)
	reference := readPublished(t, data)
	for _, one := range All() {
		t.Run(one.Name, func(t *testing.T) {
			running, err := one.Start(t.Context(), data)
			if err != nil {
				t.Fatal(err)
			}
			for round := range rounds(one) {
				compare(t, one, running.Address, reference, round)
			}
			if one.Letter == "i" {
				checkTier(t, running)
			}
			pids := running.Processes
			for role, ids := range pids {
				for _, pid := range ids {
					if _, err := process.Of(pid); err != nil {
						t.Errorf("process %d of %s does not run: %v", pid, role, err)
					}
				}
			}
			if err := running.Stop(); err != nil {
				t.Error(err)
			}
			for role, ids := range pids {
				for _, pid := range ids {
					if _, err := process.Of(pid); err == nil {
						t.Errorf("process %d of %s still runs after Stop", pid, role)
					}
				}
			}
		})
	}
}

var tierHits = regexp.MustCompile(`(?m)^systemscale_document_cache_reads_total\{[^}]*outcome="hit"[^}]*\} [1-9]`)

// checkTier reports an error unless an instance that clients reach directly has found documents in its document cache. Behind the gateway,
// the cache of the gateway answers the second round.
func checkTier(t *testing.T, running *Running) {
	t.Helper()
	if len(running.admins) > 1 {
		return
	}
	for _, admin := range running.admins {
		_, text, err := load.Get(t.Context(), admin, "/metrics", "", http.StatusOK)
		if err != nil {
			t.Error(err)
		} else if !tierHits.Match(text) {
			t.Error("the instance has found no document in its document cache")
		}
	}
}

// rounds returns how often a rung is asked: the second answers come from its cache.
func rounds(r Rung) int {
	if r.Cached {
		return 2
	}
	return 1
}

// compare compares a rung's answers with the reference.
func compare(t *testing.T, r Rung, address string, reference published, round int) {
	t.Helper()
	for _, request := range requests() {
		want, status := reference.body(t, request), http.StatusOK
		if want == nil {
			status = http.StatusNotFound
		}
		body, err := answerOf(t.Context(), r, address, request, status)
		if err != nil {
			t.Errorf("round %d: %v", round, err)
		} else if want != nil {
			if difference := cmp.Diff(value(t, want), value(t, body)); difference != "" {
				t.Errorf("round %d: %s differs from the published document (-published +%s):\n%s", round, request.Path(), r.Name, difference)
			}
		}
		if t.Failed() {
			return
		}
	}
}

// answerOf returns the document in a rung's answer.
func answerOf(ctx context.Context, r Rung, address string, request Request, status int) ([]byte, error) {
	path := request.Path()
	if r.Path != nil {
		path = r.Path(request)
	}
	_, body, err := load.Get(ctx, address, path, "", status)
	if err == nil && r.Body != nil && status == http.StatusOK {
		body, err = r.Body(body)
	}
	return body, err
}

// requests returns requests for every endpoint: existing products, missing ones, and pages at the beginning, at the end and past it.
func requests() []Request {
	var all []Request
	ids := []int64{-1, 0, products + 1, 1 << 40}
	for id := int64(1); id <= products; id += 13 {
		ids = append(ids, id)
	}
	for _, id := range append(ids, products) {
		for _, endpoint := range []Endpoint{Product, Styles, Related} {
			all = append(all, Request{Endpoint: endpoint, ID: id})
		}
	}
	for _, page := range []int{1, 2, 7, products / 5, products/5 + 1, 1 << 40} {
		for _, count := range []int{5, 20, 100} {
			all = append(all, Request{Endpoint: List, Page: page, Count: count})
		}
	}
	return all
}

// prepare publishes a generated catalog with the ETL, and normalises it.
func prepare(t *testing.T) Data {
	t.Helper()
	database := testdb.New(t)
	data := Data{DatabaseURL: database.ETL, CSV: filepath.Join(t.TempDir(), "csv"), Products: products, Directory: t.TempDir()}
	run := func(program string, args ...string) {
		t.Helper()
		path, err := build(t.Context(), data, program)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := measure.Run(t.Context(), path, args...); err != nil {
			t.Fatal(err)
		}
	}
	run("systemscale/scripts/generate", "--products", strconv.Itoa(products), "--out", data.CSV, "--dirt", "--malformed")
	run("systemscale/etl", "run", "--csv", data.CSV, "--database", data.DatabaseURL, "--accept", "rejects", "--rejects", t.TempDir())
	if err := Normalize(t.Context(), data); err != nil {
		t.Fatal(err)
	}
	return data
}

// published reads the published documents.
type published struct {
	conn       *pgx.Conn
	generation int64
}

func readPublished(t *testing.T, data Data) published {
	t.Helper()
	p := published{conn: testdb.Connect(t, data.DatabaseURL)}
	if err := p.conn.QueryRow(t.Context(), query("generation"), "products").Scan(&p.generation); err != nil {
		t.Fatal(err)
	}
	return p
}

// body returns the document that answers a request, or nil if there is none.
func (p published) body(t *testing.T, request Request) []byte {
	t.Helper()
	if request.Endpoint == List {
		return p.page(t, request)
	}
	var body []byte
	err := p.conn.QueryRow(t.Context(), "select body from catalog."+p.table(string(request.Endpoint))+" where id = $1", request.ID).Scan(&body)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// page returns a page of the list. The ids are 1 to products.
func (p published) page(t *testing.T, request Request) []byte {
	t.Helper()
	var body []byte
	first := (request.Page-1)*request.Count + 1
	err := p.conn.QueryRow(t.Context(), "select coalesce(jsonb_agg(body order by id), '[]') from catalog."+p.table("summary")+" where id between $1 and $2",
		first, first+request.Count-1).Scan(&body)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

func (p published) table(document string) string {
	return pgx.Identifier{sql.DocumentTable("products", document, p.generation)}.Sanitize()
}

// value decodes JSON, with numbers as they are written.
func value(t *testing.T, text []byte) any {
	t.Helper()
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var decoded any
	if err := decoder.Decode(&decoded); err != nil {
		t.Fatalf("%.200s: %v", text, err)
	}
	return decoded
}

func TestNames(t *testing.T) {
	seen := map[string]bool{}
	for _, one := range All() {
		if one.Name == "" || one.Title == "" || one.Start == nil || len(one.Letter) != 1 || seen[one.Name] {
			t.Errorf("%+v is incomplete, or another rung has the same name", one)
		}
		seen[one.Name] = true
	}
}

func TestPath(t *testing.T) {
	for want, request := range map[string]Request{
		"/products?page=2&count=5": {Endpoint: List, Page: 2, Count: 5},
		"/products/7":              {Endpoint: Product, ID: 7},
		"/products/7/styles":       {Endpoint: Styles, ID: 7},
		"/products/7/related":      {Endpoint: Related, ID: 7},
	} {
		if got := request.Path(); got != want {
			t.Errorf("%+v: %s, want %s", request, got, want)
		}
	}
	if got := fmt.Sprint(Endpoints()); got != "[list product styles related]" {
		t.Error(got)
	}
}
