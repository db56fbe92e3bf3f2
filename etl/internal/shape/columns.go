package shape

import (
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"

	"systemscale/etl/internal/nearest"
)

// column returns the index of the column that n names.
func (r *reader) column(n ast.Node, source Source) int {
	name := r.text(n, "a column")
	at := slices.IndexFunc(source.Columns, func(c Column) bool { return c.Name == name })
	if at < 0 {
		r.noColumn(position(n), source, name)
	}
	return at
}

// fileColumn returns the index of the column that n names, which is in the file.
func (r *reader) fileColumn(n ast.Node, source Source) int {
	at := r.column(n, source)
	if source.Columns[at].LookedUp {
		r.fail(position(n), "column %s of %s is looked up: name a column of the file", source.Columns[at].Name, source.Name)
	}
	return at
}

// columnList parses one column or a list of several, each with parse. what needs them, as in example.
func (r *reader) columnList(n ast.Node, source *Source, what, example string, parse func(ast.Node, *Source) int) (columns Indices) {
	for _, node := range columnNodes(n) {
		column := parse(node, source)
		if slices.Contains(columns, column) {
			r.fail(position(node), "column %s is twice in this key", source.Columns[column].Name)
		}
		columns = append(columns, column)
	}
	if len(columns) == 0 {
		r.fail(position(n), "%s needs at least one column, such as %s", what, example)
	}
	return columns
}

// columnNodes returns the nodes of one column or of a list.
func columnNodes(n ast.Node) []ast.Node {
	if list, ok := n.(*ast.SequenceNode); ok {
		return list.Values
	}
	return []ast.Node{n}
}

// use returns the index of a column that a body uses.
func (r *reader) use(n ast.Node, sources []Source, in int) int {
	column := r.column(n, sources[in])
	sources[in].Rendered = append(sources[in].Rendered, column)
	return column
}

// noColumn fails because a source has no column of a name.
func (r *reader) noColumn(at *token.Position, source Source, name string) {
	r.fail(at, "%s has no column %q; it has %s", source.Name, name, columnNames(source, name))
}

// columnNames lists the columns of a source, and suggests one for a name that is none.
func columnNames(source Source, missing string) string {
	names := make([]string, len(source.Columns))
	for i, c := range source.Columns {
		names[i] = c.Name
	}
	list := strings.Join(names, ", ")
	if question := nearest.Question(missing, names); question != "" {
		list += ": " + question
	}
	return list
}
