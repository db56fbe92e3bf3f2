package shape_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"systemscale/etl/internal/shape"
)

// A use is a keyword in its list.
type use struct{ list, keyword string }

// uses are the keywords that examples have.
type uses map[use]bool

func (u uses) add(list string, n ast.Node) {
	for key := range entries(n) {
		u[use{list, key}] = true
	}
}

func (u uses) shape(n ast.Node) {
	u.add("", n)
	for key, value := range entries(n) {
		for _, part := range entries(value) {
			switch key {
			case "sources":
				u.source(part)
			case "documents":
				u.add("document", part)
				for key, value := range entries(part) {
					if key == "body" {
						u.body(value)
					}
				}
			}
		}
		if key == "dialect" {
			u.dialect(value)
		}
	}
}

func (u uses) dialect(n ast.Node) {
	u.add("dialect", n)
	u.numbers(n)
}

func (u uses) numbers(n ast.Node) {
	for key, value := range entries(n) {
		if key == "numbers" {
			u.add("numbers", value)
		}
	}
}

func (u uses) source(n ast.Node) {
	u.add("source", n)
	for key, value := range entries(n) {
		if key == "dialect" {
			u.dialect(value)
		}
		for _, part := range entries(value) {
			switch key {
			case "columns":
				u.column(part)
			case "repairs":
				u.add("repair", part)
			case "filters":
				u.add("filter", part)
				for _, test := range entries(part) {
					u.add("test", test)
				}
			}
		}
	}
}

func (u uses) column(n ast.Node) {
	list, kind := "column_settings", n.String()
	for key, value := range entries(n) {
		switch key {
		case "lookup":
			list = "column_lookup"
		case "type":
			kind = value.String()
		}
	}
	u[use{"type", strings.TrimSuffix(kind, "?")}] = true
	u.add(list, n)
	u.numbers(n)
}

// body adds the keywords of a body. A mapping has the form of a keyword if all its entries are settings of that.
func (u uses) body(n ast.Node) {
	if list, ok := n.(*ast.SequenceNode); ok {
		for _, element := range list.Values {
			u.body(element)
		}
		return
	}
	form := formOf(n)
	if form != "" {
		u.add(form, n)
		u[use{"keyword", form}] = true
	}
	for key, value := range entries(n) {
		switch {
		case form != "" && key == "where":
			for _, test := range entries(value) {
				u.add("test", test)
			}
		case form == "join" && key == "join":
			for _, part := range value.(*ast.SequenceNode).Values {
				u.add("part", part)
			}
		case form != "constant":
			u.body(value)
		}
	}
}

func formOf(n ast.Node) string {
	lists := shape.Keywords()
	for keyword, value := range entries(n) {
		settings, alone := lists[keyword], slices.Contains(lists["keyword"], keyword)
		_, mapping := value.(ast.MapNode)
		fits := alone || slices.Contains(settings, keyword) && !mapping
		for key := range entries(n) {
			fits = fits && (key == keyword || slices.Contains(settings, key))
		}
		if fits {
			return keyword
		}
	}
	return ""
}

func parse(t *testing.T, text string) ast.Node {
	t.Helper()
	file, err := parser.ParseBytes([]byte(text), 0)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return file.Docs[0].Body
}

// entries returns the entries of a mapping, and nothing for another node.
func entries(n ast.Node) func(yield func(string, ast.Node) bool) {
	return func(yield func(string, ast.Node) bool) {
		m, ok := n.(ast.MapNode)
		if !ok {
			return
		}
		for each := m.MapRange(); each.Next(); {
			if !yield(each.Key().GetToken().Value, each.Value()) {
				return
			}
		}
	}
}
