package shape

import (
	"slices"

	"github.com/goccy/go-yaml/ast"

	"systemscale/sql"
)

func (r *reader) endpoints(n ast.Node, sources []Source) []Endpoint {
	var endpoints []Endpoint
	for _, e := range r.mapping(n, "documents") {
		endpoint := r.endpoint(e, sources)
		for _, other := range endpoints {
			switch {
			case endpoint.List && other.List:
				r.fail(e.at, "documents %s and %s both have list: true; a collection has at most one list", other.Name, endpoint.Name)
			case !endpoint.List && !other.List && endpoint.Path == other.Path:
				r.fail(e.at, "documents %s and %s have the same path %q", other.Name, endpoint.Name, endpoint.Path)
			}
		}
		endpoints = append(endpoints, endpoint)
	}
	if len(endpoints) == 0 {
		r.fail(position(n), "documents is empty: declare at least one document")
	}
	for i := range sources {
		slices.Sort(sources[i].Rendered)
		sources[i].Rendered = slices.Compact(sources[i].Rendered)
	}
	return endpoints
}

func (r *reader) endpoint(e entry, sources []Source) Endpoint {
	r.checkName(e.at, "a document", e.key)
	endpoint := Endpoint{Name: e.key}
	hasPath := false
	for _, setting := range r.mapping(e.value, "document "+e.key, endpointKeywords...) {
		switch setting.key {
		case "list":
			endpoint.List = r.boolean(setting.value, "list")
		case "path":
			endpoint.Path, hasPath = r.text(setting.value, "path"), true
			if endpoint.Path != "" && !pathForm.MatchString(endpoint.Path) {
				r.fail(position(setting.value), `path %q must be "" or one segment of lower-case letters, digits, - and _`, endpoint.Path)
			}
			if endpoint.Path == sql.ChangesPath {
				r.fail(position(setting.value), "path %q is reserved for the change feed; choose another path, such as history",
					endpoint.Path)
			}
		case "body":
			endpoint.Body = r.body(setting.value, sources, 0)
		}
	}
	switch {
	case endpoint.Body == nil:
		r.fail(e.at, "document %s has no body: declare its fields, such as body: {id: id}", e.key)
	case endpoint.List == hasPath:
		r.fail(e.at, `document %s needs one address: list: true, or a path such as path: %s, or path: "" for the item itself`, e.key, e.key)
	}
	return endpoint
}
