package shape

import (
	"strings"

	"github.com/goccy/go-yaml/ast"
)

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
			switch {
			case len(source.Key) == 0:
				r.fail(position(e.value), "%s cannot be keyed, because it has no key: declare the column that identifies a row, such as key: id",
					source.Name)
			case len(source.Key) > 1 || each.Keyed != source.Key[0]:
				r.fail(position(e.value), "%s can only be keyed by %s: other columns may contain duplicates",
					source.Name, source.Names(source.Key))
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
