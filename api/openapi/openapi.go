// Package openapi describes the API, for whoever serves the description and for whoever checks the API against it.
//
// openapi.yaml is written by hand and describes the built-in catalog, field by field. Which other collections there are, and
// under which names, is known only when they are published.
package openapi

import (
	"bytes"
	_ "embed"
	"text/template"
)

// YAML is the description, an OpenAPI 3.1 document. It must not be changed.
//
//go:embed openapi.yaml
var YAML []byte

//go:embed collection.yaml.tmpl
var collectionText string

var collectionTemplate = template.Must(template.New("collection").Parse(collectionText))

// Collection is what a shape file publishes. Its names are words such as a shape file allows: lower-case letters, digits and
// underscores.
type Collection struct {
	Name      string
	Endpoints []Endpoint
}

// Endpoint is a kind of document: one for each item, or the elements of a page.
type Endpoint struct {
	Path   string // what follows the id; "" is the item itself
	List   bool   // served in pages, and Path means nothing
	Schema string // JSON Schema of the document, as JSON text; "" where it is not known
}

// Describe returns the description with the addresses of these collections, but for those that it has already, which
// are described better. What their documents look like is what their shape files said.
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
