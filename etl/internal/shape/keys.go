package shape

import (
	"slices"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// IsKey reports whether a column is part of the key or of the parent's key.
func (s *Source) IsKey(column int) bool {
	return slices.Contains(s.Key, column) || slices.Contains(s.ParentKey, column)
}

// ByReference reports whether the source is joined on columns of its parent that are not its key.
func (s *Source) ByReference() bool { return len(s.ParentColumns) > 0 }

// keyColumns parses the columns of a key: one name or a list.
func (r *reader) keyColumns(n ast.Node, source *Source) Indices {
	return r.columnList(n, source, "a key", "key: [order_id, line]", r.keyColumn)
}

func (r *reader) keyColumn(n ast.Node, source *Source) int {
	at := r.fileColumn(n, *source)
	if c := &source.Columns[at]; c.Type != Int && c.Type != Text {
		r.fail(position(n), "column %s of %s is a key, so its type must be int or text", c.Name, source.Name)
	}
	return at
}

// link is the declaration of a source's parent, which may be declared later.
type link struct {
	parent   string
	parentAt *token.Position
	at       *token.Position
	root     bool // declared

	onAt          *token.Position
	parentColumns []parentColumn
}

// parentColumn is a column of the parent that a child is joined on.
type parentColumn struct {
	name ast.Node
	at   *token.Position
}

// on parses the columns that name the parent: those of its key, or a mapping to other columns of it, which are resolved later.
func (r *reader) on(n ast.Node, source *Source) (columns Indices, parents []parentColumn) {
	if _, ok := n.(ast.MapNode); !ok {
		return r.keyColumns(n, source), nil
	}
	for _, e := range r.mapping(n, "on") {
		at := slices.IndexFunc(source.Columns, func(c Column) bool { return c.Name == e.key })
		if at < 0 {
			r.noColumn(e.at, *source, e.key)
		}
		if c := &source.Columns[at]; c.Type != Int && c.Type != Text {
			r.fail(e.at, "column %s of %s is a key, so its type must be int or text", c.Name, source.Name)
		}
		columns = append(columns, at)
		parents = append(parents, parentColumn{e.value, position(e.value)})
	}
	if len(columns) == 0 {
		r.fail(position(n), "on needs at least one column, such as on: {product_code: code}")
	}
	return columns, parents
}

// connect joins a source with its parent.
func (r *reader) connect(source, parent *Source, l link) {
	if len(l.parentColumns) > 0 {
		for _, c := range l.parentColumns {
			source.ParentColumns = append(source.ParentColumns, r.keyColumn(c.name, parent))
		}
		source.keyOrder(parent)
	}
	columns := source.ParentColumns
	if len(columns) == 0 {
		columns = parent.Key
		switch {
		case len(columns) == 0:
			r.fail(l.parentAt, "source %s has no key, so it cannot be the parent of %s: "+
				"name the column of %[1]s that identifies a row, such as key: id", parent.Name, source.Name)
		case len(columns) != len(source.ParentKey):
			r.fail(l.onAt, "on of %s has %d columns, and the key of %s has %d: name the columns that hold %s, in this order",
				source.Name, len(source.ParentKey), parent.Name, len(columns), parent.Names(columns))
		}
	}
	for i, column := range columns {
		own, other := &source.Columns[source.ParentKey[i]], &parent.Columns[column]
		if own.Type != other.Type {
			r.fail(l.onAt, "column %s of %s and column %s of %s have different types, and one holds the values of the other: "+
				"declare both as text", own.Name, source.Name, other.Name, parent.Name)
		}
	}
}

// keyOrder makes a mapping to the columns of the parent's key what it is: a join on the key, in its order.
func (s *Source) keyOrder(parent *Source) {
	if len(s.ParentColumns) != len(parent.Key) {
		return
	}
	ordered := make(Indices, len(parent.Key))
	for i, column := range parent.Key {
		at := slices.Index(s.ParentColumns, column)
		if at < 0 {
			return
		}
		ordered[i] = s.ParentKey[at]
	}
	s.ParentKey, s.ParentColumns = ordered, nil
}

// setKeyForms determines the forms of all keys of the sources of a tree, the first of which is the root, and the columns other than its
// key on which a source's children are joined.
func setKeyForms(sources []Source) {
	ints := true
	for i := range sources {
		s := &sources[i]
		s.Reference = -1
		if len(s.ParentColumns) > 0 {
			parent := &sources[s.Parent]
			s.Reference = slices.IndexFunc(parent.References, func(other Indices) bool { return slices.Equal(other, s.ParentColumns) })
			if s.Reference < 0 {
				s.Reference = len(parent.References)
				parent.References = append(parent.References, s.ParentColumns)
			}
			ints = false
		}
		ints = ints && len(s.Key) < 2 && len(s.ParentKey) < 2 && !s.hasText(s.Key) && !s.hasText(s.ParentKey)
	}
	if ints {
		return
	}
	for i := range sources {
		s := &sources[i]
		s.KeyForm = EncodedKeys
		if s.Parent < 0 && (len(s.Key) > 1 || s.hasText(s.Key)) {
			s.KeyForm = IDKeys
		}
		if s.Parent >= 0 {
			s.ParentForm = EncodedKeys
			if s.Reference < 0 {
				s.ParentForm = sources[s.Parent].KeyForm
			}
		}
	}
}

func (s *Source) hasText(columns Indices) bool {
	return slices.ContainsFunc(columns, func(column int) bool { return s.Columns[column].Type == Text })
}
