package shape

import (
	"errors"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"systemscale/etl/internal/charset"
	"systemscale/sql"
)

// Parse parses a shape file. Messages use name. The error is an *Error.
func Parse(name string, text []byte) (shape *Shape, err error) {
	r := &reader{file: name}
	defer func() {
		if thrown := recover(); thrown != nil {
			mistake, ok := thrown.(*Error)
			if !ok {
				panic(thrown)
			}
			shape, err = nil, mistake
		}
	}()

	top := r.parse(text)
	shape = &Shape{Name: name, Dialect: Dialect{Delimiter: ','}}
	var sources, documents ast.Node
	openEnd := false
	for _, e := range r.mapping(top, "a shape file", shapeKeywords...) {
		switch e.key {
		case "collection":
			shape.Collection = r.text(e.value, "the collection's name")
			r.checkName(position(e.value), "a collection", shape.Collection)
			if use := sql.ReservedFor(shape.Collection); use != "" {
				r.fail(position(e.value), "%s cannot name a collection: /%[1]s is reserved for %s; choose another name, such as %[1]s_list",
					shape.Collection, use)
			}
		case "dialect":
			openEnd = r.dialect(e.value, &shape.Dialect)
		case "sources":
			sources = e.value
		case "documents":
			documents = e.value
		}
	}
	switch {
	case shape.Collection == "":
		r.fail(nil, "collection is missing: the first segment of the URLs, such as collection: products")
	case sources == nil:
		r.fail(nil, "sources is missing: declare the CSV files")
	case documents == nil:
		r.fail(nil, "documents is missing: declare the API's responses")
	}
	r.format = &shape.Dialect
	r.lookups.names = append(lookupNames(sources), lookupNames(documents)...)
	shape.Sources = r.sources(sources, openEnd)
	shape.Endpoints = r.endpoints(documents, shape.Sources)
	r.finishLookups(shape)
	return shape, nil
}

func (r *reader) parse(text []byte) ast.Node {
	r.bound(text)
	file, err := parser.ParseBytes(text, 0)
	if err != nil {
		if syntax, ok := errors.AsType[*yaml.SyntaxError](err); ok {
			r.fail(syntax.Token.Position, "%s", syntax.Message)
		}
		r.fail(nil, "%s", err)
	}
	if len(file.Docs) != 1 || file.Docs[0].Body == nil {
		r.fail(nil, "a shape file is one YAML document with a collection, its sources and its documents; this one contains %d",
			len(file.Docs))
	}
	return file.Docs[0].Body
}

// dialect parses the dialect. It returns the default of the sources' final_newline.
func (r *reader) dialect(n ast.Node, dialect *Dialect) (openEnd bool) {
	for _, e := range r.mapping(n, "dialect", dialectKeywords...) {
		switch e.key {
		case "delimiter":
			text := r.text(e.value, "delimiter")
			if len(text) != 1 || strings.ContainsAny(text, "\"\r\n") {
				r.fail(position(e.value), "delimiter must be one byte, but not a quote or a line end: %q", text)
			}
			dialect.Delimiter = text[0]
		case "null":
			dialect.Nulls = r.nullWords(e.value)
			if len(dialect.Nulls) == 1 && dialect.Nulls[0] != "" {
				dialect.Null, dialect.Nulls = dialect.Nulls[0], nil
			}
		case "encoding":
			dialect.Encoding = r.encoding(e.value)
		case "trim_spaces":
			dialect.TrimSpaces = r.boolean(e.value, "trim_spaces")
		case "close_quotes":
			dialect.CloseQuotes = r.boolean(e.value, "close_quotes")
		case "final_newline":
			openEnd = r.finalNewline(e.value)
		}
	}
	return openEnd
}

// encoding parses the name of an encoding. UTF-8 is "".
func (r *reader) encoding(n ast.Node) string {
	name := r.text(n, "encoding")
	switch {
	case name == charset.UTF8:
		return ""
	case !slices.Contains(charset.Names(), name):
		r.fail(position(n), "%q is no encoding; the encodings are %s", name, strings.Join(charset.Names(), ", "))
	}
	return name
}
