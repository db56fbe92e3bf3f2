package web

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"io/fs"
	"os"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"

	"systemscale/api/openapi"
)

// built is an example of Vite's output.
var built = fstest.MapFS{
	"index.html":             {Data: []byte("<p>the storefront</p>")},
	"docs/index.html":        {Data: []byte("<p>the documentation</p>")},
	"assets/index-Ab12.js":   {Data: []byte(strings.Repeat("let a = 1;", 100))},
	"assets/index-Cd34.css":  {Data: []byte("p {}")},
	"assets/serif-Ef.woff2":  {Data: []byte("\x17\x9c\xe4")},
	"docs/assets/docs-Gh.js": {Data: []byte("let b;")},
	"docs/licenses.md":       {Data: []byte("# Licenses")},
	"assets/odd":             {Data: []byte("?")},
}

func open(t *testing.T, built fs.FS) *Site {
	t.Helper()
	s, err := newSite(built)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestLookup(t *testing.T) {
	s := open(t, built)
	for _, c := range []struct{ address, body, contentType, cacheControl string }{
		{"/", "<p>the storefront</p>", "text/html; charset=utf-8", "no-cache"},
		{"/item/1", "<p>the storefront</p>", "text/html; charset=utf-8", "no-cache"},
		{"/item/9223372036854775807", "<p>the storefront</p>", "text/html; charset=utf-8", "no-cache"},
		{"/docs", "<p>the documentation</p>", "text/html; charset=utf-8", "no-cache"},
		{"/docs/licenses.md", "# Licenses", "text/markdown; charset=utf-8", "no-cache"},
		{"/openapi.yaml", string(openapi.YAML), "application/yaml", "no-cache"},
		{"/assets/index-Ab12.js", strings.Repeat("let a = 1;", 100), "text/javascript; charset=utf-8", "public, max-age=31536000, immutable"},
		{"/assets/index-Cd34.css", "p {}", "text/css; charset=utf-8", "public, max-age=31536000, immutable"},
		{"/assets/serif-Ef.woff2", "\x17\x9c\xe4", "font/woff2", "public, max-age=31536000, immutable"},
		{"/docs/assets/docs-Gh.js", "let b;", "text/javascript; charset=utf-8", "public, max-age=31536000, immutable"},
		{"/assets/odd", "?", "application/octet-stream", "public, max-age=31536000, immutable"},
	} {
		file := s.Lookup([]byte(c.address))
		if file == nil {
			t.Errorf("%s: nothing", c.address)
			continue
		}
		if string(file.Body) != c.body || file.ContentType != c.contentType || file.CacheControl != c.cacheControl {
			t.Errorf("%s: got %.40q, %q, %q", c.address, file.Body, file.ContentType, file.CacheControl)
		}
		if !regexp.MustCompile(`^W/"[0-9a-f]{16}"$`).MatchString(file.ETag) {
			t.Errorf("%s: ETag %q", c.address, file.ETag)
		}
	}
	for _, address := range []string{
		"", "item/1", "/item", "/item/", "/item/1/styles", "/item/none", "/item/0", "/item/01", "/item/-1", "/item/1.5", "/item/9223372036854775808", "/item/10000000000000000000", "/item/1x", "/index.html", "/docs/", "/docs/index.html", "/assets", "/assets/", "/assets/../index.html", "//", "/./",
		"/..", "/../web.go", "/web.go", "/assets/%2e%2e/index.html", "/.gitkeep", "/products", "/assets/index-Ab12.js/", "/ASSETS/index-Ab12.js", "\x00",
	} {
		if s.Lookup([]byte(address)) != nil {
			t.Errorf("%q: something", address)
		}
	}
}

// TestPagesForbidFraming checks the header: a meta element cannot forbid framing.
func TestPagesForbidFraming(t *testing.T) {
	for name, s := range map[string]*Site{"built": open(t, built), "stand-in": open(t, fstest.MapFS{})} {
		for _, address := range []string{"/", "/item/1", "/docs"} {
			if policy := s.Lookup([]byte(address)).Policy; !strings.Contains(policy, "frame-ancestors 'none'") || !strings.HasPrefix(policy, "default-src '") {
				t.Errorf("%s, %s: the policy is %q", name, address, policy)
			}
		}
		if policy := s.Lookup([]byte("/openapi.yaml")).Policy; policy != "" {
			t.Errorf("%s: the description has the policy %q", name, policy)
		}
	}
}

func TestNotFound(t *testing.T) {
	s := open(t, built)
	if page := s.NotFound(); page != s.Lookup([]byte("/")) {
		t.Error("the page for an unknown address is not the storefront")
	}
	if page := open(t, fstest.MapFS{}).NotFound(); page != nil {
		t.Errorf("the page for an unknown address is the stand-in: %s", page.Body)
	}
}

func TestETagDependsOnBody(t *testing.T) {
	s := open(t, built)
	page, docs := s.Lookup([]byte("/")), s.Lookup([]byte("/docs"))
	if page.ETag == docs.ETag {
		t.Errorf("two bodies, one ETag: %s", page.ETag)
	}
	if again := open(t, built).Lookup([]byte("/")); again.ETag != page.ETag {
		t.Errorf("one body, two ETags: %s, %s", page.ETag, again.ETag)
	}
}

func TestDescription(t *testing.T) {
	before := open(t, built).Lookup([]byte("/openapi.yaml"))
	after := Description(openapi.Collection{Name: "reviews", Endpoints: []openapi.Endpoint{{List: true}}})
	if !bytes.Contains(after.Body, []byte("/reviews:")) || after.ETag == before.ETag || after.ContentType != before.ContentType {
		t.Errorf("got %s, %s", after.ETag, after.ContentType)
	}
}

func TestGzip(t *testing.T) {
	s := open(t, built)
	file := s.Lookup([]byte("/assets/index-Ab12.js"))
	reader, err := gzip.NewReader(bytes.NewReader(file.Gzip()))
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(reader)
	if err != nil || !bytes.Equal(body, file.Body) {
		t.Errorf("got %.40q, %v", body, err)
	}
	if compressed := s.Lookup([]byte("/assets/serif-Ef.woff2")).Gzip(); compressed != nil {
		t.Errorf("a font was blown up to %d bytes", len(compressed))
	}
}

func TestStandIn(t *testing.T) {
	for name, built := range map[string]fs.FS{
		"no directory":    os.DirFS(t.TempDir() + "/none"),
		"empty directory": fstest.MapFS{},
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, built)
			for _, address := range []string{"/", "/docs", "/item/1"} {
				if file := s.Lookup([]byte(address)); file == nil || !bytes.Contains(file.Body, []byte("npm run build")) {
					t.Errorf("%s does not contain the remedy", address)
				}
			}
			if s.Lookup([]byte("/openapi.yaml")) == nil {
				t.Error("no description")
			}
		})
	}
}

// broken is a directory whose files cannot be read.
type broken struct{ fstest.MapFS }

var errBroken = errors.New("broken")

func (b broken) Open(name string) (fs.File, error) {
	if strings.HasSuffix(name, ".js") {
		return nil, errBroken
	}
	return b.MapFS.Open(name)
}

func (b broken) ReadFile(name string) ([]byte, error) {
	if strings.HasSuffix(name, ".js") {
		return nil, errBroken
	}
	return b.MapFS.ReadFile(name)
}

func TestUnreadableFiles(t *testing.T) {
	if _, err := newSite(broken{built}); !errors.Is(err, errBroken) {
		t.Errorf("got %v", err)
	}
}

// TestBuiltPagesAreComplete checks that the embedded pages, if they were built, contain every file that they refer to.
func TestBuiltPagesAreComplete(t *testing.T) {
	s, err := Open()
	if err != nil {
		t.Fatal(err)
	}
	for _, address := range []string{"/", "/docs"} {
		page := s.Lookup([]byte(address))
		for _, name := range regexp.MustCompile(`(?:src|href)="(/[^"]*)"`).FindAllSubmatch(page.Body, -1) {
			if bytes.HasPrefix(name[1], []byte("/products")) {
				continue
			}
			if s.Lookup(name[1]) == nil {
				t.Errorf("%s names %s, and nothing is there", address, name[1])
			}
		}
	}
}

func TestLookupDoesNotAllocate(t *testing.T) {
	s := open(t, built)
	for _, address := range [][]byte{[]byte("/"), []byte("/item/12"), []byte("/products/1")} {
		if allocations := testing.AllocsPerRun(100, func() { s.Lookup(address) }); allocations != 0 {
			t.Errorf("%s: %v allocations", address, allocations)
		}
	}
}
