package server

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"systemscale/api/internal/publishtest"
	"systemscale/api/internal/store"
	"systemscale/sql"
	"systemscale/sql/testdb"
)

// tables returns the tables of a collection whose ids are texts of a number of parts.
func textTables(parts int, ids ...string) []publishtest.Table {
	slices.Sort(ids)
	tables := []publishtest.Table{
		{Endpoint: sql.Endpoint{Name: "item", IDParts: parts}},
		{Endpoint: sql.Endpoint{Name: "styles", Path: "styles", IDParts: parts}},
		{Endpoint: sql.Endpoint{Name: "page", List: true, IDParts: parts}},
	}
	for i := range tables {
		for _, id := range ids {
			tables[i].Rows = append(tables[i].Rows, publishtest.NewTextRow(tables[i].Name, 1, id))
		}
	}
	return tables
}

// served is a document in a response.
type served struct{ ID, Document string }

func (s *site) document(t *testing.T, path string) (served, response) {
	t.Helper()
	r, answered := s.sendRaw("GET " + path + " HTTP/1.1\r\nHost: h\r\n\r\n")
	if !answered {
		t.Fatalf("%s: no response", path)
	}
	var got served
	if r.status == http.StatusOK {
		if err := json.Unmarshal([]byte(r.body), &got); err != nil {
			t.Errorf("%s: %q: %v", path, r.body, err)
		}
	}
	return got, r
}

// forEachStore runs a test with a store in memory, and with a database.
func forEachStore(t *testing.T, test func(t *testing.T, s *site)) {
	t.Run("memory", func(t *testing.T) {
		s, _ := fakeSite(t)
		test(t, s)
	})
	t.Run("database", func(t *testing.T) {
		s, _ := realSite(t, store.Options{})
		test(t, s)
	})
}

var hostileTexts = []string{
	"a", "A", "styles", "item", "page", "changes/a", "1", "-1", "007", "AC/DC", "a/b/c", "styles/a", "100%", "%", "%25", "%2F", "%zz", "a+b", "a b",
	"a;b", ";", "a?b", "?", "#", "a&b=c", "ä", "a\u0308", "日本", "\U0001F600", "'", `"`, `\`, "<b>", "..a", "a..", "...", "\x01", "\n", "\r\nX: y", "\x7f",
	"~", "a:b", "@", "*", strings.Repeat("x", sql.MaxIDLength), strings.Repeat("ü", sql.MaxIDLength/2),
}

// TestTextIDs requests every document by the address that the change feed and the ETL name, and by others.
func TestTextIDs(t *testing.T) {
	forEachStore(t, func(t *testing.T, s *site) {
		s.publish("things", textTables(1, slices.Clone(hostileTexts)...)...)
		for _, id := range hostileTexts {
			if err := sql.CheckID(id, 1, "styles"); err != nil {
				t.Fatalf("%q: %v", id, err)
			}
			for _, path := range []string{
				string(sql.TextID(id).AppendPath(nil)), url.PathEscape(id), strings.ToLower(url.PathEscape(id)), "/" + url.PathEscape(id) + "/",
			} {
				if strings.EqualFold(path, url.PathEscape(id)) && strings.ToLower(id) != id && path != url.PathEscape(id) {
					continue // another id
				}
				for prefix, want := range map[string]string{"/things/": "item", "/api/things/": "item", "/api/fec2/x/things/": "item"} {
					if got, r := s.document(t, prefix+path); got != (served{id, want}) {
						t.Errorf("%s%s: %d %+v, want %q", prefix, path, r.status, got, id)
					}
				}
				if got, r := s.document(t, "/things/"+path+"/styles"); got != (served{id, "styles"}) {
					t.Errorf("/things/%s/styles: %d %+v, want %q", path, r.status, got, id)
				}
			}
		}
	})
}

func TestCompositeIDs(t *testing.T) {
	forEachStore(t, func(t *testing.T, s *site) {
		var ids []string
		for i, part := range hostileTexts {
			if len(part) < 200 {
				ids = append(ids, sql.JoinID("1901", part), sql.JoinID(part, hostileTexts[len(hostileTexts)-1-i][:1]))
			}
		}
		ids = append(ids, "changes/styles", "styles/styles", "styles/changes")
		slices.Sort(ids)
		ids = slices.Compact(slices.DeleteFunc(ids, func(id string) bool { return sql.CheckID(id, 2, "styles") != nil }))
		s.publish("teams", textTables(2, ids...)...)
		for _, id := range ids {
			path := "/teams/" + string(sql.TextID(id).AppendPath(nil))
			if got, r := s.document(t, path); got != (served{id, "item"}) {
				t.Errorf("%s: %d %+v, want %q", path, r.status, got, id)
			}
			if got, r := s.document(t, path+"/styles"); got != (served{id, "styles"}) {
				t.Errorf("%s/styles: %d %+v, want %q", path, r.status, got, id)
			}
		}
		for _, path := range []string{"/teams/1901", "/teams/1901/", "/teams//1901", "/teams/1901/a/b", "/teams/1901/a/styles/x", "/teams/1901/b/item"} {
			_, r := s.document(t, path)
			checkProblem(t, r, http.StatusNotFound)
		}
	})
}

func TestRefusedTextIDs(t *testing.T) {
	forEachStore(t, func(t *testing.T, s *site) {
		s.publish("things", textTables(1, "a", "b", "B", "ä")...)
		for path, status := range map[string]int{
			"/things/c": 404, "/things/c/styles": 404, "/things/b%20": 404, "/things/%20b": 404, "/things/a%CC%88": 404, "/things/a/b": 404,
			"/things/%C3%84": 404, "/things/1": 404, "/things/a/detail": 404, "/things/a/Styles": 404, "/things/b?utm_source=x": 200,
			"/things/" + strings.Repeat("x", sql.MaxIDLength):          404,
			"/things/" + strings.Repeat("x", sql.MaxIDLength+1):        404,
			"/things/" + strings.Repeat("x", 4000):                     404,
			"/things/" + strings.Repeat("%C3%BC", sql.MaxIDLength/2+1): 404,
			"/things/%FF": 404, "/things/%C0%AF": 404, "/things/%ED%A0%80": 404, "/things/a%FF/styles": 404,
			"/things/%00": 400, "/things/a%00": 400, "/things/%": 400, "/things/%zz": 400, "/things/a%2": 400, "/things/../..": 400,
			"/things/a?x=1": 400, "/things/c?x=1": 400, "/things/%FF?x=1": 400, "/things/%2525": 404,
			"/things/.": 200, "/things/%2E": 200, "/things/a/..": 200, "/things/b/../a": 200, "/things//a": 200, "/things/a//styles": 200,
			"/things/a%2Fstyles": 200, "/things%2Fa": 200, "/things/a%2f": 200, "/things/changes": 400, "/things/%63hanges": 400,
		} {
			r, _ := s.sendRaw("GET " + path + " HTTP/1.1\r\nHost: h\r\n\r\n")
			if problem := r.header.Get("Content-Type") == "application/problem+json"; r.status != status || problem != (status >= 400) {
				t.Errorf("%.60s: %d %.100q, want %d", path, r.status, r.body, status)
			}
		}
	})
}

func TestPagesAndTagsOfTexts(t *testing.T) {
	s, _ := realSite(t, store.Options{})
	var ids []string
	for c := byte('!'); c <= '~'; c++ {
		if c != '.' && c != '/' {
			ids = append(ids, string(c), "x"+string(c), string(c)+"ä")
		}
	}
	slices.Sort(ids)
	s.publish("things", textTables(1, slices.Clone(ids)...)...)
	for _, query := range []struct{ page, count int }{{1, 5}, {2, 100}, {3, 99}, {4, 7}, {1, 1000}} {
		r := s.send("GET", "/things?page="+strconv.Itoa(query.page)+"&count="+strconv.Itoa(query.count))
		var got []served
		if err := json.Unmarshal([]byte(r.body), &got); err != nil {
			t.Fatalf("%+v: %d %q", query, r.status, r.body)
		}
		begin := min((query.page-1)*query.count, len(ids))
		want := ids[begin:min(begin+query.count, len(ids))]
		if len(got) != len(want) {
			t.Fatalf("%+v: %d elements, want %d", query, len(got), len(want))
		}
		for i := range want {
			if got[i].ID != want[i] {
				t.Fatalf("%+v: element %d is %q, want %q", query, i, got[i].ID, want[i])
			}
		}
	}
	tag := quoted(publishtest.NewTextRow("item", 1, "~"))
	if r := s.send("GET", "/things/~", "If-None-Match", tag); r.status != http.StatusNotModified {
		t.Errorf("with its etag: %d, want 304", r.status)
	}
	if r := s.send("GET", "/things/%7D", "If-None-Match", tag); r.status != http.StatusOK {
		t.Errorf("with the etag of another: %d, want 200", r.status)
	}
}

// TestChangesOfTexts follows the links of the change feed from page to page. Each change has the id as a string, and its address.
func TestChangesOfTexts(t *testing.T) {
	for parts, ids := range map[int][]string{1: slices.Clone(hostileTexts), 2: {"1901/a", "1901/a%2Fb%25", "a b/ü", "\U0001F600/?", "x/styles"}} {
		s, database := realSite(t, store.Options{})
		first := s.publish("things", textTables(parts, ids...)...)
		conn := testdb.Connect(t, database.ETL)
		exec := func(statement string, arguments ...any) {
			t.Helper()
			if _, err := conn.Exec(t.Context(), statement, arguments...); err != nil {
				t.Fatalf("%s: %v", statement, err)
			}
		}
		exec("update catalog.run set state = 'published', generation = id, finished_at = now()")
		exec("insert into catalog.run (collection, mode, holder, state, generation, finished_at) "+
			"values ('things', 'delta', 'test', 'published', $1, now())", first)
		for _, id := range ids {
			for _, document := range []string{"item", "page", "styles"} {
				exec("insert into catalog.text_change (collection, generation, run_id, document, id, kind) values ('things', $1, $2, $3, $4, 'changed')",
					first, first+1, document, id)
			}
		}
		exec("update catalog.version set run_id = $1, published_at = now()", first+1)
		publishtest.Eventually(t, "the new version is served", func() bool {
			r := s.send("GET", "/things")
			return r.header.Get("X-Data-Version") == strconv.FormatInt(first+1, 10)
		})
		type change struct{ Document, ID, Kind, Path string }
		var got, want []change
		for address := "/things/changes?since=" + strconv.FormatInt(first, 10) + "&count=7"; address != ""; {
			r, _ := s.sendRaw("GET " + address + " HTTP/1.1\r\nHost: h\r\n\r\n")
			var page struct {
				Changes []change
				Next    string
			}
			if err := json.Unmarshal([]byte(r.body), &page); err != nil || r.status != http.StatusOK || len(page.Changes) == 0 {
				t.Fatalf("%s: %d %.300q (%v)", address, r.status, r.body, err)
			}
			got, address = append(got, page.Changes...), page.Next
		}
		slices.Sort(ids)
		for _, document := range []string{"item", "page", "styles"} {
			for _, id := range ids {
				path := "/things/" + string(sql.TextID(id).AppendPath(nil))
				switch document {
				case "page":
					path = ""
				case "styles":
					path += "/styles"
				}
				want = append(want, change{document, id, "changed", path})
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%d parts: %s", parts, diff)
		}
		for _, after := range []string{"2.item", "2.item.", "2.item.%00", "2.item.%FF", "2.item.a/../b", "2..a", "x.item.a"} {
			if r, _ := s.sendRaw("GET /things/changes?since=1&after=" + after + " HTTP/1.1\r\nHost: h\r\n\r\n"); r.status != http.StatusBadRequest {
				t.Errorf("after=%s: %d, want 400", after, r.status)
			}
		}
	}
}
