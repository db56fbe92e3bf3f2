package nginx

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const aliases = `
# the addresses of the original service
/reviews?product_id={id}       /reviews/{id}
/reviews/meta?product_id={id}  /reviews/{id}/meta
/qa/questions?product_id={id} /reviews/{id}/questions
`

func TestParseAliases(t *testing.T) {
	got, err := ParseAliases("aliases", aliases)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]Alias{
		{"/reviews", "product_id", "/reviews/{id}"},
		{"/reviews/meta", "product_id", "/reviews/{id}/meta"},
		{"/qa/questions", "product_id", "/reviews/{id}/questions"},
	}, got); diff != "" {
		t.Error(diff)
	}
	for text, want := range map[string]string{
		"/a?b={id}":                            "aliases:1: 1 words",
		"/a?b={id} /c/{id} x":                  "aliases:1: 3 words",
		"\n/a?b=1 /c/{id}":                     "aliases:2: address",
		"a?b={id} /c/{id}":                     "address",
		"/a/?b={id} /c/{id}":                   "address",
		"/a?b={id}&c={id} /c/{id}":             "address",
		"/../a?b={id} /c/{id}":                 "address",
		"/a;?b={id} /c/{id}":                   "address",
		"/a?b={id} /c":                         "target",
		"/a?b={id} /{id}":                      "target",
		"/a?b={id} /-/{id}/x":                  "target",
		"/a?b={id} /c/{id}/{id}":               "target",
		"/a?b={id} /c/{id};":                   "target",
		"/a?b={id} /docs/{id}":                 "reserved",
		"/a?b={id} /c/{id}\n/a?b={id} /d/{id}": "aliases:2: address \"/a?b={id}\" has an alias already, for /c/{id}",
	} {
		if got, err := ParseAliases("aliases", text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, %v, want an error with %q", text, got, err, want)
		}
	}
}

func TestAliases(t *testing.T) {
	parsed, err := ParseAliases("aliases", aliases)
	if err != nil {
		t.Fatal(err)
	}
	rig := start(t, func(g *Gateway) { g.Aliases = parsed })
	for address, want := range map[string]string{
		"/reviews?product_id=1":                              "/reviews/1",
		"/reviews/?product_id=2&sort=newest&count=5&page=1":  "/reviews/2",
		"/api/reviews?count=2&product_id=-3":                 "/reviews/-3",
		"/api/fec2/hr-rfe/reviews/meta?product_id=1":         "/reviews/1/meta",
		"/reviews/meta/?product_id=clay-pot_2.~":             "/reviews/clay-pot_2.~/meta",
		"/qa/questions?product_id=40435&count=100":           "/reviews/40435/questions",
		"/api/fec2/hr-lax/qa/questions/?product_id=1&page=1": "/reviews/1/questions",
		// These are no aliases. The API gets them as they are.
		"/reviews?page=2":                       "/reviews?page=2&",
		"/reviews?product_id=1&product_id=2":    "/reviews?product_id=1&product_id=2",
		"/reviews?product_id=":                  "/reviews?product_id=",
		"/reviews?product_id=..":                "/reviews?product_id=..",
		"/reviews?product_id=1%2F2":             "/reviews?product_id=1%2F2",
		"/reviews?product_id=1;x":               "/reviews?product_id=1;x",
		"/reviews?xproduct_id=1":                "/reviews?xproduct_id=1",
		"/reviews/1?product_id=2":               "/reviews/1?product_id=2",
		"/products?product_id=2":                "/products?product_id=2",
		"/reviews%3Fproduct_id=1&x":             "/reviews%3Fproduct_id=1&x",
		"/reviews?x%0A/reviews/meta&product=1":  "/reviews?x%0A/reviews/meta&product=1",
		"/reviews/meta%0A/reviews?product_id=1": "/reviews/meta%0A/reviews?product_id=1",
	} {
		rig.get(address)
		if got := strings.Join(rig.seen(), ", "); got != "GET "+want {
			t.Errorf("%s: the upstreams saw %q, want %q", address, got, "GET "+want)
		}
	}
	// The alias and the document share one entry of the cache.
	rig.fill("/reviews/7/meta")
	got := rig.get("/reviews/meta?product_id=7&sort=x")
	rig.wantCache(got, "HIT")
	if got.body != body("/reviews/7/meta") {
		t.Errorf("the alias gets %.60q", got.body)
	}
	if got := rig.send(http.MethodHead, "/reviews/meta?product_id=7", nil); got.cache() != "HIT" {
		t.Errorf("HEAD: X-Cache %q", got.cache())
	}
	rig.wantSeen()
	for range 3 {
		rig.get("/reviews?product_id=8")
	}
	rig.fill("/reviews/8")
}
