// Package web contains the storefront and the documentation of the API:
//
//	/, /item/{id}           the storefront, one HTML page that routes by address
//	/docs                   the documentation; /docs/licenses.md lists the licenses of bundled packages
//	/openapi.yaml           the description of the API
//	/assets/, /docs/assets/ files of these pages, with a hash in the name
//
// Vite builds the pages (npm ci && npm run build in this directory) into dist, which the Go build embeds. The Go build does not need Node:
// without built pages, a stand-in page explains how to build them.
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

// all: because the file that keeps dist in git begins with a dot.
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

// policies are the Content-Security-Policies of the pages, by address. They are sent as headers: a meta element cannot forbid framing.
var policies = map[string]string{
	// Photos may be on any host.
	"/": "default-src 'self'; img-src * data:; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
	// Swagger UI writes style attributes.
	"/docs": "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; " +
		"object-src 'none'; base-uri 'none'; frame-ancestors 'none'",
}

const standInPolicy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// File is a file at an address. It must not be modified.
type File struct {
	Body         []byte
	ContentType  string
	CacheControl string
	// Policy is the Content-Security-Policy of a page; "" for other files.
	Policy string
	// ETag is weak: it identifies Body and its compressed form.
	ETag string

	compressed func() []byte
}

// Gzip returns the compressed body, or nil if compression would save nothing. The first call compresses.
func (f *File) Gzip() []byte { return f.compressed() }

// Description returns the file /openapi.yaml for these published collections.
func Description(collections ...openapi.Collection) *File {
	return newFile("openapi.yaml", openapi.Describe(collections...))
}

// Site holds all files by address. Its methods are safe for concurrent use.
type Site struct {
	files map[string]*File
	item  *File // the page of every product address
	built bool  // the pages were built by Vite; false for the stand-in
}

// Open returns the embedded site.
func Open() (*Site, error) {
	built, err := fs.Sub(dist, "dist/site")
	if err != nil {
		return nil, err
	}
	return newSite(built)
}

// newSite returns the site of the built pages, or of the stand-in.
func newSite(built fs.FS) (*Site, error) {
	s := &Site{files: map[string]*File{"/openapi.yaml": Description()}}
	err := fs.WalkDir(built, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			if name == "." { // the pages were not built
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

// addressOf returns the address of a file. The address of a directory's index.html is that of the directory.
func addressOf(name string) string {
	if directory, isIndex := strings.CutSuffix(name, "index.html"); isIndex {
		return "/" + strings.TrimSuffix(directory, "/")
	}
	return "/" + name
}

// Lookup returns the file at an address, or nil. The address begins with a slash and is compared without decoding. Lookup does not
// allocate.
func (s *Site) Lookup(address []byte) *File {
	if file := s.files[string(address)]; file != nil {
		return file
	}
	if id, isItem := bytes.CutPrefix(address, []byte("/item/")); isItem && isID(id) {
		return s.item
	}
	return nil
}

// NotFound returns the page for an unknown address: the storefront, which shows an error there. It is nil if the pages were not built.
func (s *Site) NotFound() *File {
	if !s.built {
		return nil
	}
	return s.item
}

// isID reports whether text can be an item's id: a positive 64-bit integer without leading zeros.
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

// types are the content types of the files. They override those of the machine, which vary.
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

// compress returns nil if it saves less than a twentieth, as for a font.
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
		panic("BUG: " + err.Error()) // writes to a buffer do not fail
	}
	if compressed.Len() > len(body)-len(body)/20 {
		return nil
	}
	return compressed.Bytes()
}
