package shape

import (
	"errors"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"

	"systemscale/sql"
)

// Parse parses a shape file. Messages use name. The error is an *Error.
func Parse(name string, text []byte) (shape *Shape, err error) {
	r := &reader{file: name}
	r.parseBody = r.body
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
	shape = &Shape{Name: name}
	dialect := fileForm{Dialect: Dialect{Delimiter: ","}}
	var sources, documents ast.Node
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
			dialect = r.dialect(e.value, dialect)
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
	shape.Dialect = dialect.Dialect
	r.lookups.names = append(lookupNames(sources), lookupNames(documents)...)
	shape.Sources = r.sources(sources, dialect)
	for _, s := range shape.Sources {
		if s.File == StandardInput && len(shape.Sources) > 1 {
			r.fail(&token.Position{Line: s.FileAt.Line, Column: s.FileAt.Column},
				"file - is the standard input, which holds one file: a shape that reads it has one source")
		}
	}
	shape.Endpoints = r.endpoints(documents, shape.Sources)
	if root := &shape.Sources[0]; root.KeyForm == IDKeys {
		for i := range shape.Endpoints {
			if e := &shape.Endpoints[i]; !e.List && e.Path != "" {
				root.IDPaths = append(root.IDPaths, e.Path)
			}
		}
	}
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
