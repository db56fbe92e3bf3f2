package shape

import (
	"slices"
	"strings"

	"github.com/goccy/go-json"
	"github.com/goccy/go-yaml/ast"

	"systemscale/sql"
)

// Words that mean something in a body. An object that has a field of such a name is written {object: {...}}.
const (
	wordEach   = "each"
	wordText   = "text"
	wordObject = "object"
)

func (r *reader) documents(n ast.Node, sources []Source) []Endpoint {
	var documents []Endpoint
	for _, e := range r.mapping(n, "documents") {
		document := r.document(e, sources)
		for _, other := range documents {
			switch {
			case document.List && other.List:
				r.fail(e.at, "documents %s and %s are both list: a collection has one", other.Name, document.Name)
			case !document.List && !other.List && document.Path == other.Path:
				r.fail(e.at, "documents %s and %s have the same path %q", other.Name, document.Name, document.Path)
			}
		}
		documents = append(documents, document)
	}
	if len(documents) == 0 {
		r.fail(position(n), "documents is empty: there would be nothing to serve")
	}
	for i := range sources {
		slices.Sort(sources[i].Rendered)
		sources[i].Rendered = slices.Compact(sources[i].Rendered)
	}
	return documents
}

func (r *reader) document(e entry, sources []Source) Endpoint {
	r.checkName(e.at, "a document", e.key)
	document := Endpoint{Name: e.key}
	pathSaid := false
	for _, setting := range r.mapping(e.value, "document "+e.key, "list", "path", "body") {
		switch setting.key {
		case "list":
			document.List = r.boolean(setting.value, "list")
		case "path":
			document.Path, pathSaid = r.text(setting.value, "path"), true
			if document.Path != "" && !pathForm.MatchString(document.Path) {
				r.fail(position(setting.value), `path %q must be "" or one segment of lower-case letters, digits, - and _`, document.Path)
			}
			if document.Path == sql.ChangesPath {
				r.fail(position(setting.value), "path %q is reserved for the change feed; take another path, such as history", document.Path)
			}
		case "body":
			document.Body = r.body(setting.value, sources, 0)
		}
	}
	switch {
	case document.Body == nil:
		r.fail(e.at, "document %s has no body: write the answer as it is to look", e.key)
	case document.List == pathSaid:
		r.fail(e.at, `document %s needs one address: list: true, or a path such as path: %s, or path: "" for the item itself`, e.key, e.key)
	}
	return document
}

// body reads the part n of a document, which stands in a row of the source at index in.
func (r *reader) body(n ast.Node, sources []Source, in int) Node {
	if _, ok := n.(ast.MapNode); !ok {
		if n.Type() == ast.SequenceType {
			r.fail(position(n), "an array in a body is written {each: child source, as: ...}")
		}
		return r.value(n, sources, in, false)
	}
	entries := r.mapping(n, "a body")
	has := func(word string) bool {
		return slices.ContainsFunc(entries, func(e entry) bool { return e.key == word })
	}
	switch {
	case has(wordEach):
		return r.each(n, sources, in)
	case has(wordText) && len(entries) == 1:
		return r.value(entries[0].value, sources, in, true)
	case has(wordObject) && len(entries) == 1:
		return r.object(r.mapping(entries[0].value, "object"), sources, in)
	case has(wordText), has(wordObject):
		r.fail(entries[0].at, "text and object are words of the shape file: an object with a field of that name is written {object: {...}}")
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
	entries := r.mapping(n, "each", wordEach, "as", "keyed", "empty")
	for _, e := range entries {
		if e.key == wordEach {
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
				r.fail(position(e.value), "%s can only be keyed by %s: any other column may say the same twice, and one of the two would be lost",
					source.Name, source.Columns[source.Key].Name)
			}
		case "empty":
			each.Empty = r.literal(e.value)
		}
	}
	if each.As == nil {
		r.fail(position(n), "each %s has no as: say what one row becomes, such as as: {id: id}", source.Name)
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
	name := r.text(n, wordEach)
	var children []string
	for _, child := range sources[in].Children {
		if sources[child].Name == name {
			return child
		}
		children = append(children, sources[child].Name)
	}
	if len(children) == 0 {
		r.fail(position(n), "%s has no child source %q; it has none at all", sources[in].Name, name)
	}
	r.fail(position(n), "%s has no child source %q; it has %s", sources[in].Name, name, strings.Join(children, ", "))
	return -1
}

// literal returns the JSON of a YAML value, with fields in the order in which they are written.
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
	r.fail(position(n), "this cannot be written as JSON: put quotes around it if it is a word")
	return ""
}

func (r *reader) quote(text string) string {
	quoted, err := json.MarshalWithOption(text, json.DisableHTMLEscape())
	if err != nil {
		r.fail(nil, "%q cannot be written as JSON: %s", text, err)
	}
	return string(quoted)
}
