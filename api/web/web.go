// Package web holds the storefront and the documentation of the API, and says what each of their addresses shows:
//
//	/, /item/{id}           the storefront: one page, which finds out from its address what to show
//	/docs                   the documentation; /docs/licenses.md are those of what was built in
//	/openapi.yaml           what the documentation shows
//	/assets/, /docs/assets/ what these pages consist of; a file's name holds a hash of it
//
// The pages are built by Vite (npm ci && npm run build in this directory) into dist, which the Go build embeds. It needs no
// Node: where nothing was built, a stand-in says what to do.
package web

import (
	"bytes"
	"compress/gzip"
	"embed"
	"fmt"
	"io/fs"
	"mime"
	"path"
	"strings"
	"sync"

	"github.com/zeebo/xxh3"

	"systemscale/api/openapi"
)

// all: because git keeps dist by a file whose name begins with a dot.
//
//go:embed all:dist
var dist embed.FS

//go:embed standin.html
var standIn []byte

// Values of Cache-Control.
const (
	askFirst    = "no-cache"
	neverChange = "public, max-age=31536000, immutable"
)

// policies are the Content-Security-Policy of each page, by its address. They go out as a header: a meta element cannot forbid framing.
var policies = map[string]string{
	// Photos lie wherever the catalog's rows say.
	"/": "default-src 'self'; img-src * data:; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
	// Swagger UI writes style attributes.
	"/docs": "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; object-src 'none'; base-uri 'none'; frame-ancestors 'none'",
}

const standInPolicy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// File is what is at an address. Nothing of it may be changed.
type File struct {
	Body         []byte
	ContentType  string
	CacheControl string
	// Policy is the Content-Security-Policy of a page; "" for what is no page.
	Policy string
	// ETag is weak: Body and what Gzip returns have the same.
	ETag string

	compressed func() []byte
}

// Gzip returns the body in gzip, or nil if that would save nothing. It is compressed when it is first asked for.
func (f *File) Gzip() []byte { return f.compressed() }

// Description returns what is to be shown at /openapi.yaml while these collections are published.
func Description(collections ...openapi.Collection) *File {
	return newFile("openapi.yaml", openapi.Describe(collections...))
}

// Site is everything there is to show, by address. Its methods are safe for concurrent use.
type Site struct {
	files map[string]*File
	item  *File // what every product's address shows
	built bool  // the pages are Vite's, and not the stand-in
}

// Open returns the site that was built into the program.
func Open() (*Site, error) {
	built, err := fs.Sub(dist, "dist/site")
	if err != nil {
		return nil, err
	}
	return newSite(built)
}

// newSite takes what Vite has built, if it has.
func newSite(built fs.FS) (*Site, error) {
	s := &Site{files: map[string]*File{"/openapi.yaml": Description()}}
	err := fs.WalkDir(built, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			if name == "." { // nothing was built
				return fs.SkipAll
			}
			return err
		}
		if entry.IsDir() {
			return nil
		}
		body, err := fs.ReadFile(built, name)
		if err != nil {
			return err
		}
		s.files[addressOf(name)] = newFile(name, body)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the built pages: %w", err)
	}
	s.built = s.files["/"] != nil
	for address, policy := range policies {
		if s.files[address] == nil {
			s.files[address], policy = newFile("index.html", standIn), standInPolicy
		}
		s.files[address].Policy = policy
	}
	s.item = s.files["/"]
	return s, nil
}

// addressOf returns the address of a file. A directory's index.html is at the directory's.
func addressOf(name string) string {
	if directory, isIndex := strings.CutSuffix(name, "index.html"); isIndex {
		return "/" + strings.TrimSuffix(directory, "/")
	}
	return "/" + name
}

// Lookup returns what is at an address, which begins with a slash and is compared byte by byte, without decoding; or nil if there is
// nothing. It does not allocate.
func (s *Site) Lookup(address []byte) *File {
	if file := s.files[string(address)]; file != nil {
		return file
	}
	if id, isItem := bytes.CutPrefix(address, []byte("/item/")); isItem && isID(id) {
		return s.item
	}
	return nil
}

// NotFound returns what people see where there is nothing: the storefront, which finds out from its address that it has nothing to show.
// It is nil where the pages were not built.
func (s *Site) NotFound() *File {
	if !s.built {
		return nil
	}
	return s.item
}

// isID reports whether text can be an item's id: a positive number of 64 bits, digits only and no leading zero.
func isID(text []byte) bool {
	if len(text) == 0 || len(text) > len(largestID) || text[0] == '0' {
		return false
	}
	for _, digit := range text {
		if digit < '0' || digit > '9' {
			return false
		}
	}
	return len(text) < len(largestID) || string(text) <= largestID
}

const largestID = "9223372036854775807"

// types are those of what Vite writes and of the description. The machine's own table is not asked: it differs from one to the next.
var types = map[string]string{
	".css":   "text/css; charset=utf-8",
	".html":  "text/html; charset=utf-8",
	".js":    "text/javascript; charset=utf-8",
	".md":    "text/markdown; charset=utf-8",
	".svg":   "image/svg+xml",
	".woff2": "font/woff2",
	".yaml":  "application/yaml",
}

func newFile(name string, body []byte) *File {
	contentType := types[path.Ext(name)]
	if contentType == "" {
		contentType = mime.TypeByExtension(path.Ext(name))
	}
	if contentType == "" {
		contentType = "application/octet-stream"
	}
	cacheControl := askFirst
	if strings.Contains("/"+name, "/assets/") {
		cacheControl = neverChange
	}
	return &File{
		Body:         body,
		ContentType:  contentType,
		CacheControl: cacheControl,
		ETag:         fmt.Sprintf(`W/"%016x"`, xxh3.Hash(body)),
		compressed:   sync.OnceValue(func() []byte { return compress(body) }),
	}
}

// compress returns nil if less than a twentieth is saved, as of a font.
func compress(body []byte) []byte {
	var compressed bytes.Buffer
	writer, err := gzip.NewWriterLevel(&compressed, gzip.BestCompression)
	if err == nil {
		_, err = writer.Write(body)
	}
	if err == nil {
		err = writer.Close()
	}
	if err != nil {
		panic("BUG: " + err.Error()) // a buffer takes everything
	}
	if compressed.Len() > len(body)-len(body)/20 {
		return nil
	}
	return compressed.Bytes()
}
