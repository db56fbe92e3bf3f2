package server

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"systemscale/api/internal/store"
)

func TestAddressNormalization(t *testing.T) {
	s, _ := fakeSite(t)
	s.publish("things", things(1, 3)...)
	for _, path := range []string{
		"/things/1/detail", "/things/1/detail/", "//things/1/detail", "/things//1///detail//", "/things/%31/detail",
		"/%74hings/1/det%61il", "/things%2F1%2fdetail",
		"/./things/1/detail", "/things/2/../1/detail", "/nothing/%2e%2E/things/1/detail/.", "/things/1/x/..//detail",
		"/api/things/1/detail", "/api/things/1/detail/", "//api//things/1/detail", "/%61pi/things/1/detail",
		"/api/fec2/hr-rfp/things/1/detail", "/api/fec2/api/things/1/detail/",
		"/api/fec2/%20/things/1/detail", "/things/../api/things/1/detail",
	} {
		r := s.send("GET", path)
		if r.status != http.StatusOK {
			t.Errorf("%s: %d %s", path, r.status, r.body)
			continue
		}
		checkDocument(t, "detail", 1, r)
		if head := s.send("HEAD", path); head.status != http.StatusOK || head.header.Get("ETag") != r.header.Get("ETag") {
			t.Errorf("HEAD %s: %d", path, head.status)
		}
	}
}

func TestCanonicalPathIsNotCopied(t *testing.T) {
	path := []byte("/products/1/styles")
	if allocations := testing.AllocsPerRun(100, func() {
		if address, prefixed, err := canonical(path); &address[0] != &path[0] || prefixed || err != nil {
			t.Errorf("got %q, %v, %v", address, prefixed, err)
		}
	}); allocations != 0 {
		t.Errorf("%v allocations", allocations)
	}
}

func FuzzCanonical(f *testing.F) {
	for _, path := range []string{"/", "/a/b", "/a/../b", "/%2e%2e", "/%2F%2e./x", "/api/fec2/x/y", "//", "/a/", "/%", "/.git", "/..."} {
		f.Add([]byte(path))
	}
	f.Fuzz(func(t *testing.T, path []byte) {
		if len(path) == 0 || path[0] != '/' {
			return
		}
		if isCanonical(path) {
			if respelt, err := respell(path); err != nil || string(respelt) != string(path) {
				t.Errorf("%q is canonical, and becomes %q: %v", path, respelt, err)
			}
			return
		}
		respelt, err := respell(path)
		if err != nil {
			return
		}
		segments := strings.Split(string(respelt), "/")[1:]
		isRelative := func(s string) bool { return s == "" || s == "." || s == ".." }
		if respelt[0] != '/' || string(respelt) != "/" && slices.ContainsFunc(segments, isRelative) {
			t.Errorf("%q becomes %q", path, respelt)
		}
	})
}

func TestUnknownParameters(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		s.publish("things", things(1, 3)...)
		const page, none, changes = "page and count.", "no parameters.", "since, after and count."
		for _, c := range []struct{ target, detail string }{
			{"/things?category=Shoes", `This address does not take "category"; it takes ` + page},
			{"/things?category=Shoes&page=1&utm_source=x&sort", `This address does not take "category" and "sort"; it takes ` + page},
			{"/things?PAGE=2", `This address does not take "PAGE"; it takes ` + page},
			{"/things?page[]=2", `This address does not take "page[]"; it takes ` + page},
			{"/things?since=1", `This address does not take "since"; it takes ` + page},
			{"/things?page=1;count=2&x", `This address does not take "x"; it takes ` + page},
			{"/things?=x", `This address does not take ""; it takes ` + page},
			{"/things?a+b=1&c%20d=2", `This address does not take "a b" and "c d"; it takes ` + page},
			{"/things?x=1&x=2&x&X", `This address does not take "x" and "X"; it takes ` + page},
			{"/things?a&b&c&d&e&f&g", `This address does not take "a", "b", "c", "d", "e" and others; it takes ` + page},
			{"/things?%3Cscript%3E=1", `This address does not take "<script>"; it takes ` + page},
			{"/things?%00%0a%1b[31m%22%ff%E2%80%AE=1", `This address does not take "\x00\n\x1b[31m\"\xff\u202e"; it takes ` + page},
			{
				"/things?" + strings.Repeat("x", 2000) + "=1",
				`This address does not take "` + strings.Repeat("x", 40) + `..."; it takes ` + page,
			},
			{
				"/things?" + strings.Repeat("%E2%98%83", 20) + "=1",
				`This address does not take "` + strings.Repeat(`\u2603`, 13) + `..."; it takes ` + page,
			},
			{"/things?utm=1&Utm_source=2&fbclid2=3", `This address does not take "utm", "Utm_source" and "fbclid2"; it takes ` + page},
			{"/api/things?category=Shoes&page=undefined", `This address does not take "category"; it takes ` + page},
			{"/things/1?page=1", `This address does not take "page"; it takes ` + none},
			{"/things/9999?page=1", `This address does not take "page"; it takes ` + none},
			{"/things/1/detail?x", `This address does not take "x"; it takes ` + none},
			{"/api/fec2/a/things/1/detail?count=all", `This address does not take "count"; it takes ` + none},
			{"/things/changes?since=1&page=2", `This address does not take "page"; it takes ` + changes},
			{"/things?page=1&page=2", `"page" may be given only once.`},
			{"/things?page=1&%70age=1", `"page" may be given only once.`},
			{"/things?count=1&page=1&count=1&page", `"count" and "page" may be given only once.`},
			{"/things/changes?since=1&since=1", `"since" may be given only once.`},
			{"/things?page=1;count=2", "page must be a positive integer without leading zeros."},
			{"/things?page=1+1", "page must be a positive integer without leading zeros."},
			{"/things?page=%zz", "page must be a positive integer without leading zeros."},
		} {
			// net/http rejects some of these.
			r, answered := s.sendRaw("GET " + c.target + " HTTP/1.1\r\nHost: h\r\n\r\n")
			if !answered {
				t.Errorf("%s: no response", c.target)
				continue
			}
			checkProblem(t, r, http.StatusBadRequest)
			if got := detail(t, r); got != c.detail {
				t.Errorf("%s:\ngot  %s\nwant %s", c.target, got, c.detail)
			}
			for _, b := range []byte(r.body) {
				if b < ' ' || b > '~' {
					t.Errorf("%s: the response contains the byte %#x: %q", c.target, b, r.body)
					break
				}
			}
		}
		// Unknown addresses are a 404 with any query.
		for _, target := range []string{"/nothing?x=1", "/things/1/nothing?x=1"} {
			checkProblem(t, s.send("GET", target), http.StatusNotFound)
		}
	})
}

func TestTrackingParameters(t *testing.T) {
	s, _ := fakeSite(t)
	s.publish("things", things(1, 3)...)
	for _, name := range append([]string{"utm_source", "utm_", "utm_id", "%75tm_medium"}, tracking...) {
		for _, target := range []string{"/things", "/things/1", "/things/1/detail", "/things/changes?since=1", "/api/things/1"} {
			separator := "?"
			if strings.Contains(target, "?") {
				separator = "&"
			}
			plain := s.send("GET", target)
			for _, argument := range []string{name, name + "=", name + "=a%20b&" + name + "=c"} {
				if r := s.send("GET", target+separator+argument); r.status != http.StatusOK || r.body != plain.body {
					t.Errorf("%s%s%s: %d %s", target, separator, argument, r.status, r.body)
				}
			}
		}
	}
}

func TestWordsUnderPrefixes(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		s.publish("things", things(1, 1200)...)
		for _, c := range []struct{ query, like string }{
			{"page=undefined", ""},
			{"page=", ""},
			{"page", ""},
			{"page=NaN&count=null", ""},
			{"count=", ""},
			{"count=undefined", ""},
			{"page=all", ""},
			{"page=max&count=2", "count=2"},
			{"count=all", "count=1000"},
			{"count=max", "count=1000"},
			{"count=*", "count=1000"},
			{"count=ALL&page=2", "page=2&count=1000"},
			{"count=%2A", "count=1000"},
			{"count=5000", "count=1000"},
			{"count=[object%20Object]", ""},
			{"count=-", ""},
			{"page=Infinity", ""},
			{"count=200&page=undefined", "count=200"},
		} {
			want := s.send("GET", "/things?"+c.like)
			if want.status != http.StatusOK || want.header.Get("X-Total-Count") != "1200" {
				t.Fatalf("/things?%s: %d, X-Total-Count %q", c.like, want.status, want.header.Get("X-Total-Count"))
			}
			for _, prefix := range []string{"/api", "/api/fec2/hr-rfp", "//api//fec2/x/"} {
				if r := s.send("GET", prefix+"/things?"+c.query); r.status != http.StatusOK || r.body != want.body {
					t.Errorf("%s/things?%s: %d %.100s, want as ?%s", prefix, c.query, r.status, r.body, c.like)
				}
			}
			if bare := s.send("GET", "/things?"+c.query); c.query != "count=5000" && bare.status != http.StatusBadRequest {
				t.Errorf("/things?%s: %d, want 400", c.query, bare.status)
			}
		}
		// A value with digits must be a positive number.
		for _, query := range []string{
			"page=0", "page=-1", "page=1.5", "page=01", "count=0", "count=-5", "count=1e3", "count=5x", "count=+5",
			"page=1&page=undefined", "count=0x10",
		} {
			checkProblem(t, s.send("GET", "/api/things?"+query), http.StatusBadRequest)
		}
		for _, query := range []string{"", "since=undefined", "since=&count=all", "since=1&after=undefined"} {
			checkProblem(t, s.send("GET", "/api/things/changes?"+query), http.StatusBadRequest)
		}
		if r := s.send("GET", "/api/things/changes?since=1&count=all"); r.status != http.StatusOK && r.status != http.StatusGone {
			t.Errorf("changes under a prefix, count=all: %d %s", r.status, r.body)
		}
	})
}

// TestUnknownTotal covers versions published before runs recorded the total.
func TestUnknownTotal(t *testing.T) {
	f := newFake(t)
	s := listen(t, withoutTotal{f}, Options{Logger: quiet()})
	f.publish("things", things(1, 3)...)
	r := s.send("GET", "/things")
	if r.status != http.StatusOK {
		t.Fatalf("status %d", r.status)
	}
	checkHeaders(t, r, "X-Total-Count", "")
}

type withoutTotal struct{ *fake }

func (u withoutTotal) List(endpoint *store.Endpoint, skip, limit int64, dst []byte) (store.Result, error) {
	result, err := u.fake.List(endpoint, skip, limit, dst)
	result.Total = -1
	return result, err
}
