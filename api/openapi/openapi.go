// Package openapi contains the OpenAPI description of the API.
//
// openapi.yaml is written by hand and describes the built-in catalog, field by field. Describe adds the collections that are published.
package openapi

import (
	"bytes"
	_ "embed"
	"fmt"
	"strings"
	"text/template"
)

// YAML is the description of the built-in catalog, an OpenAPI 3.1 document. It must not be modified.
//
//go:embed openapi.yaml
var YAML []byte

//go:embed collection.yaml.tmpl
var collectionText string

var collectionTemplate = template.Must(template.New("collection").Parse(collectionText))

// Collection is a published collection. Its names consist of lower-case letters, digits and underscores.
type Collection struct {
	Name      string
	IDParts   int // see sql.Endpoint
	Endpoints []Endpoint
}

// IDPath returns the template of the path of an id, such as {id} or {part1}/{part2}.
func (c Collection) IDPath() string {
	if c.IDParts < 2 {
		return "{id}"
	}
	var segments []string
	for i := range c.IDParts {
		segments = append(segments, fmt.Sprintf("{part%d}", i+1))
	}
	return strings.Join(segments, "/")
}

// Parameters returns the names of the parameters in IDPath.
func (c Collection) Parameters() []string {
	return strings.FieldsFunc(c.IDPath(), func(r rune) bool { return strings.ContainsRune("{}/", r) })
}

// Endpoint is a kind of document: one for each item, or the elements of a page.
type Endpoint struct {
	Path   string // the rest of the address after the id; "" for the item itself
	List   bool   // served in pages; Path is ignored
	Schema string // JSON Schema of the document, as JSON text; "" if unknown
}

// Describe returns the description with the addresses of collections added, except those that YAML describes. The schemas of their
// documents are those of the shape files.
func Describe(collections ...Collection) []byte {
	var others []Collection
	for _, collection := range collections {
		if !bytes.Contains(YAML, []byte("\n  /"+collection.Name+"/changes:\n")) {
			others = append(others, collection)
		}
	}
	if len(others) == 0 {
		return YAML
	}
	paths, components, found := bytes.Cut(YAML, []byte("\n\ncomponents:\n"))
	if !found {
		panic("BUG: the description has no components")
	}
	var description bytes.Buffer
	description.Write(paths)
	if err := collectionTemplate.Execute(&description, others); err != nil {
		panic("BUG: " + err.Error())
	}
	description.WriteString("\n\ncomponents:\n")
	description.Write(components)
	return description.Bytes()
}
