package shape

import (
	"fmt"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// oneToOne checks that a source has at most one row per row of its parent exactly if it is joined on its own key.
func (r *reader) oneToOne(e entry, source *Source, parent string) {
	onKey := len(source.Key) > 0 && slices.Equal(slices.Sorted(slices.Values(source.Key)), slices.Sorted(slices.Values(source.ParentKey)))
	switch {
	case source.OneToOne && parent == "":
		r.fail(e.at, "source %s has one_to_one and no parent: remove it", e.key)
	case source.OneToOne && !onKey:
		r.fail(e.at, "source %s has one_to_one and another key than its on: set key to the column of on, so that a second row is a "+
			"duplicate. To use the first of several rows, remove one_to_one and write {one: %[1]s, as: ...}", e.key)
	case parent != "" && onKey && !source.OneToOne:
		r.fail(e.at, "source %s is joined on its own key %s, so each row of %s gets at most the one row of %[1]s with the same key. "+
			"If that is meant, add one_to_one: true. If rows of %[3]s refer to %[1]s by another column, %[1]s is a look-up: "+
			"remove its parent and on, and write {lookup: %[1]s, by: that column, as: ...}",
			e.key, source.Names(source.Key), parent)
	}
}

// isUnique reports whether no two rows of one parent have the same value in a column: it is the key, perhaps beside the columns that hold
// the parent's key.
func (s *Source) isUnique(column int) bool {
	rest := slices.DeleteFunc(slices.Clone(s.Key), func(i int) bool { return slices.Contains(s.ParentKey, i) })
	return len(rest) == 1 && rest[0] == column || len(s.Key) == 1 && s.Key[0] == column
}

func (r *reader) each(entries []entry, sources []Source, in int) Node {
	each := Each{Source: r.childOf(entries, keywordEach, sources, in), Keyed: -1}
	source := &sources[each.Source]
	if source.OneToOne {
		r.fail(entries[0].at, "%s has at most one row per %s (one_to_one): write {one: %[1]s, as: ...} instead of each",
			source.Name, sources[in].Name)
	}
	for _, e := range entries {
		switch e.key {
		case "as":
			each.As = r.parseBody(e.value, sources, each.Source)
		case "keyed":
			each.Keyed = r.use(e.value, sources, each.Source)
			switch {
			case len(source.Key) == 0:
				r.fail(position(e.value), "%s cannot be keyed, because it has no key: declare the column that identifies a row, such as key: id",
					source.Name)
			case !source.isUnique(each.Keyed):
				remedy := ""
				if name := source.Columns[each.Keyed].Name; !slices.Contains(source.ParentKey, each.Keyed) {
					remedy = fmt.Sprintf(". If %s is unique among the rows of one parent, make it a part of the key, such as key: [%s, %[1]s]",
						name, source.Names(source.ParentKey))
				}
				r.fail(position(e.value), "%s can only be keyed by %s: other columns may contain duplicates%s",
					source.Name, source.Names(source.Key), remedy)
			}
		case "empty":
			each.Empty = r.literal(e.value)
		case "limit":
			each.Limit = r.number(e.value, "limit", 1, 1_000_000)
		default:
			r.selection(e, sources, each.Source, &each.Selection)
		}
	}
	if each.As == nil {
		r.fail(entries[0].at, "each %s has no as: declare the element for one row, such as as: {id: id}", source.Name)
	}
	if each.Keyed >= 0 && len(each.Order) > 0 && each.Limit == 0 {
		r.fail(entries[0].at, "PostgreSQL sorts the fields of an object: order has no effect beside keyed without a limit")
	}
	if each.Empty == "" {
		each.Empty = "[]"
		if each.Keyed >= 0 {
			each.Empty = "{}"
		}
	}
	return each
}

func (r *reader) one(entries []entry, sources []Source, in int) Node {
	one := One{Source: r.childOf(entries, keywordOne, sources, in), Empty: "null"}
	source := &sources[one.Source]
	for _, e := range entries {
		switch e.key {
		case "as":
			one.As = r.parseBody(e.value, sources, one.Source)
		case "empty":
			one.Empty = r.literal(e.value)
		default:
			if e.key == "order" && source.OneToOne {
				r.fail(e.at, "%s has at most one row per %s (one_to_one), so order has no effect: remove it", source.Name, sources[in].Name)
			}
			r.selection(e, sources, one.Source, &one.Selection)
		}
	}
	if one.As == nil {
		r.fail(entries[0].at, "one %s has no as: declare the value for the row, such as as: {id: id}", source.Name)
	}
	return one
}

// selection parses a setting that selects or sorts the rows of a source.
func (r *reader) selection(e entry, sources []Source, of int, selection *Selection) {
	switch e.key {
	case "order":
		selection.Order = r.order(e.value, sources, of)
	case "where":
		selection.Where = r.where(e.value, sources, of)
	}
}

// where parses the tests that a row must pass, by column.
func (r *reader) where(n ast.Node, sources []Source, of int) []Where {
	var where []Where
	for _, e := range r.mapping(n, "where") {
		at := slices.IndexFunc(sources[of].Columns, func(c Column) bool { return c.Name == e.key })
		if at < 0 {
			r.noColumn(e.at, sources[of], e.key)
		}
		where = append(where, Where{Column: at, Test: r.test(e.value, "where", &sources[of].Columns[at])})
		sources[of].Rendered = append(sources[of].Rendered, at)
	}
	if len(where) == 0 {
		r.fail(position(n), "where needs at least one column and its test, such as where: {stars: {at_least: 4}}")
	}
	return where
}

// order parses one column or a list, each with an optional desc.
func (r *reader) order(n ast.Node, sources []Source, of int) []Sort {
	nodes := []ast.Node{n}
	if list, ok := n.(*ast.SequenceNode); ok {
		nodes = list.Values
	}
	if len(nodes) == 0 {
		r.fail(position(n), "order needs at least one column, such as order: [rating desc, id]")
	}
	var order []Sort
	for _, node := range nodes {
		s := r.sort(node, sources[of])
		if slices.ContainsFunc(order, func(other Sort) bool { return other.Column == s.Column }) {
			r.fail(position(node), "order has column %s twice", sources[of].Columns[s.Column].Name)
		}
		if column := &sources[of].Columns[s.Column]; column.Type == JSON {
			r.fail(position(node), "column %s of %s is JSON, which has no order", column.Name, sources[of].Name)
		}
		sources[of].Rendered = append(sources[of].Rendered, s.Column)
		order = append(order, s)
	}
	return order
}

func (r *reader) sort(n ast.Node, source Source) Sort {
	text := r.text(n, "a column of order")
	for i := range source.Columns {
		switch source.Columns[i].Name {
		case text:
			return Sort{Column: i}
		case strings.TrimSuffix(text, " desc"):
			return Sort{Column: i, Descending: true}
		}
	}
	name := strings.TrimSuffix(text, " desc")
	r.fail(position(n), "%s has no column %q; it has %s. Descending order is written %s desc",
		source.Name, name, columnNames(source, name), source.Columns[0].Name)
	return Sort{}
}

// childOf returns the child source that the setting with the keyword names.
func (r *reader) childOf(entries []entry, keyword string, sources []Source, in int) int {
	at := slices.IndexFunc(entries, func(e entry) bool { return e.key == keyword })
	return r.child(entries[at].value, sources, in)
}

func (r *reader) child(n ast.Node, sources []Source, in int) int {
	name := r.text(n, "a child source")
	for _, child := range sources[in].Children {
		if sources[child].Name == name {
			r.readsRowsOf(child)
			return child
		}
	}
	if len(sources[in].Children) == 0 {
		r.fail(position(n), "%s has no child source %q; it has no children", sources[in].Name, name)
	}
	r.fail(position(n), "%s has no child source %q; it has %s", sources[in].Name, name, childNames(sources, in))
	return -1
}

func childNames(sources []Source, in int) string {
	var names []string
	for _, child := range sources[in].Children {
		names = append(names, sources[child].Name)
	}
	return strings.Join(names, ", ")
}
