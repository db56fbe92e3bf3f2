package shape

import (
	"slices"
	"strings"

	"github.com/goccy/go-json"
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

// body parses the body n, or a part of one, for a row of the source with the index in.
func (r *reader) body(n ast.Node, sources []Source, in int) Node {
	if _, ok := n.(ast.MapNode); !ok {
		if n.Type() == ast.SequenceType {
			r.fail(position(n), "a body cannot contain a fixed array: write {each: child source, as: ...}")
		}
		return r.value(n, sources, in, false)
	}
	entries := r.mapping(n, "a body")
	has := func(word string) bool {
		return slices.ContainsFunc(entries, func(e entry) bool { return e.key == word })
	}
	switch {
	case has(keywordEach):
		return r.each(n, sources, in)
	case has(keywordText) && len(entries) == 1:
		return r.value(entries[0].value, sources, in, true)
	case has(keywordObject) && len(entries) == 1:
		return r.object(r.mapping(entries[0].value, "object"), sources, in)
	case has(keywordText), has(keywordObject):
		r.fail(entries[0].at, "text and object are keywords of a body: write an object with a field of that name as {object: {...}}")
	case len(entries) == 0:
		r.fail(position(n), "an object in a body needs at least one field")
	}
	return r.object(entries, sources, in)
}

func (r *reader) value(n ast.Node, sources []Source, in int, text bool) Node {
	column := r.column(n, sources[in])
	sources[in].Rendered = append(sources[in].Rendered, column)
	return Value{Column: column, Text: text}
}

func (r *reader) object(entries []entry, sources []Source, in int) Node {
	var object Object
	for _, e := range entries {
		object.Fields = append(object.Fields, Member{Name: e.key, Body: r.body(e.value, sources, in)})
	}
	return object
}

func (r *reader) each(n ast.Node, sources []Source, in int) Node {
	each := Each{Source: -1, Keyed: -1}
	entries := r.mapping(n, "each", eachKeywords...)
	for _, e := range entries {
		if e.key == keywordEach {
			each.Source = r.child(e.value, sources, in)
		}
	}
	source := sources[each.Source]
	for _, e := range entries {
		switch e.key {
		case "as":
			each.As = r.body(e.value, sources, each.Source)
		case "keyed":
			each.Keyed = r.column(e.value, source)
			sources[each.Source].Rendered = append(source.Rendered, each.Keyed)
			if each.Keyed != source.Key {
				r.fail(position(e.value), "%s can only be keyed by %s: other columns may contain duplicates",
					source.Name, source.Columns[source.Key].Name)
			}
		case "empty":
			each.Empty = r.literal(e.value)
		}
	}
	if each.As == nil {
		r.fail(position(n), "each %s has no as: declare the element for one row, such as as: {id: id}", source.Name)
	}
	if each.Empty == "" {
		each.Empty = "[]"
		if each.Keyed >= 0 {
			each.Empty = "{}"
		}
	}
	return each
}

func (r *reader) child(n ast.Node, sources []Source, in int) int {
	name := r.text(n, keywordEach)
	var children []string
	for _, child := range sources[in].Children {
		if sources[child].Name == name {
			return child
		}
		children = append(children, sources[child].Name)
	}
	if len(children) == 0 {
		r.fail(position(n), "%s has no child source %q; it has no children", sources[in].Name, name)
	}
	r.fail(position(n), "%s has no child source %q; it has %s", sources[in].Name, name, strings.Join(children, ", "))
	return -1
}

// literal returns the JSON of a YAML value. Fields keep their order.
func (r *reader) literal(n ast.Node) string {
	switch value := n.(type) {
	case ast.MapNode:
		var members []string
		for _, e := range r.mapping(n, "empty") {
			members = append(members, r.quote(e.key)+":"+r.literal(e.value))
		}
		return "{" + strings.Join(members, ",") + "}"
	case *ast.SequenceNode:
		var elements []string
		for _, element := range value.Values {
			elements = append(elements, r.literal(element))
		}
		return "[" + strings.Join(elements, ",") + "]"
	case *ast.NullNode:
		return "null"
	case *ast.BoolNode, *ast.IntegerNode, *ast.FloatNode:
		if text := scalarText(n); json.Valid([]byte(text)) {
			return text
		}
	case *ast.StringNode:
		return r.quote(value.Value)
	}
	r.fail(position(n), "not a JSON value: put quotes around a string")
	return ""
}

func (r *reader) quote(text string) string {
	quoted, err := json.MarshalWithOption(text, json.DisableHTMLEscape())
	if err != nil {
		r.fail(nil, "%q cannot be encoded as JSON: %s", text, err)
	}
	return string(quoted)
}
