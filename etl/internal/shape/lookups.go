package shape

import (
	"reflect"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// lookupNames returns the names after the keyword lookup in a part of a shape file.
func lookupNames(n ast.Node) (names []string) {
	switch n := n.(type) {
	case ast.MapNode:
		for each := n.MapRange(); each.Next(); {
			if _, scalar := each.Value().(ast.ScalarNode); scalar && scalarText(each.Key()) == keywordLookup {
				names = append(names, scalarText(each.Value()))
			}
			names = append(names, lookupNames(each.Value())...)
		}
	case *ast.SequenceNode:
		for _, element := range n.Values {
			names = append(names, lookupNames(element)...)
		}
	}
	return names
}

// isLookup reports whether the declaration of a column is a look-up.
func isLookup(n ast.Node) bool {
	m, ok := n.(ast.MapNode)
	if !ok {
		return false
	}
	for each := m.MapRange(); each.Next(); {
		if scalarText(each.Key()) == keywordLookup {
			return true
		}
	}
	return false
}

// lookupColumn parses a column with values of another source.
func (r *reader) lookupColumn(e entry, source string, column int) {
	l := &columnLookup{at: e.at, source: source, column: column}
	for _, setting := range r.mapping(e.value, "the look-up "+e.key, columnLookupKeywords...) {
		switch setting.key {
		case keywordLookup:
			l.target = setting.value
		case "by":
			l.by = setting.value
		case "show":
			l.show = setting.value
		case "required":
			l.required = r.boolean(setting.value, "required")
		}
	}
	if l.by == nil || l.show == nil {
		r.fail(e.at, "column %s of %s is looked up, and needs a by and a show: its own columns with the key, and the column to show, "+
			"such as {lookup: genres, by: genre_id, show: name}", e.key, source)
	}
	r.lookups.columns = append(r.lookups.columns, l)
}

// resolveColumns gives all looked-up columns the types of the columns that they show. It is called before the sources are in their order.
func (r *reader) resolveColumns(sources []Source) {
	for _, l := range r.lookups.columns {
		r.resolve(l, sources)
	}
}

func (r *reader) resolve(l *columnLookup, sources []Source) {
	at := r.sourceNamed(l.target, sources)
	of, target := &sources[slices.IndexFunc(sources, func(s Source) bool { return s.Name == l.source })], &sources[at]
	column := &of.Columns[l.column]
	switch l.state {
	case resolved:
		return
	case resolving:
		r.fail(l.at, "column %s of %s shows itself: its look-ups form a cycle", column.Name, of.Name)
	}
	l.state = resolving
	l.byColumns, l.shows = r.byColumns(l.by, of), r.column(l.show, *target)
	for _, other := range r.lookups.columns {
		if other.source == of.Name && slices.Contains(l.byColumns, other.column) || other.source == target.Name && other.column == l.shows {
			r.resolve(other, sources)
		}
	}
	shown := &target.Columns[l.shows]
	column.Type, column.Format = shown.Type, shown.Format
	column.Nullable = !l.required || shown.Nullable || of.nullable(l.byColumns)
	l.state = resolved
	r.lookups.resolved = append(r.lookups.resolved, l)
}

// sourceNamed returns the index of the source that n names.
func (r *reader) sourceNamed(n ast.Node, sources []Source) int {
	name := r.text(n, keywordLookup)
	at := slices.IndexFunc(sources, func(s Source) bool { return s.Name == name })
	if at < 0 {
		names := make([]string, len(sources))
		for i := range sources {
			names[i] = sources[i].Name
		}
		r.fail(position(n), "there is no source %q to look up; there are %s", name, strings.Join(names, ", "))
	}
	return at
}

// byColumns parses the columns of a source that hold the key of another one.
func (r *reader) byColumns(n ast.Node, source *Source) Indices {
	return r.columnList(n, source, "by", "by: [season, team_id]", func(n ast.Node, s *Source) int { return r.column(n, *s) })
}

// target returns the index of the source that n names, whose keys the columns by of the source in have.
func (r *reader) target(n, byNode ast.Node, sources []Source, in int, by Indices) int {
	at := r.sourceNamed(n, sources)
	target := &sources[at]
	if target.Parent >= 0 {
		r.fail(position(n), "source %s has a parent, and only rows of a source without one can be looked up; "+
			"declare the file as a second source without parent", target.Name)
	}
	if sources[in].Merge {
		r.fail(position(byNode), "source %s merges rows, and its rows cannot look up others: remove rows: merge, or the look-up",
			sources[in].Name)
	}
	if target.Merge && at > 0 {
		r.fail(position(n), "source %s merges rows, so it cannot be looked up: only the root source may do both", target.Name)
	}
	if len(by) != len(target.Key) {
		of := &sources[in]
		r.fail(position(byNode), "by has %d of the columns of %s (%s), and the key of %s has %d (%s): "+
			"name one column of %[2]s for each column of the key, in its order",
			len(by), of.Name, of.Names(by), target.Name, len(target.Key), target.Names(target.Key))
	}
	nodes := columnNodes(byNode)
	for i := range by {
		key, column := target.Columns[target.Key[i]], sources[in].Columns[by[i]]
		if key.Type != column.Type {
			r.fail(position(nodes[i]), "column %s of %s is %s and %s of %s is %s: the types of a key and of the column that has it must be the same",
				column.Name, sources[in].Name, column.Type, key.Name, target.Name, key.Type)
		}
	}
	return at
}

// columnLookups adds the look-ups of columns to the sources, which are in their order.
func (r *reader) columnLookups(sources []Source) {
	for _, l := range r.lookups.resolved {
		in := slices.IndexFunc(sources, func(s Source) bool { return s.Name == l.source })
		target := r.target(l.target, l.by, sources, in, l.byColumns)
		d := &draft{Table: Table{Source: target, Column: l.shows}, at: l.at, columns: []rowColumn{{target, l.shows}}}
		for _, column := range slices.Concat(l.byColumns, Indices{l.column}) {
			r.lookups.rendered = append(r.lookups.rendered, rowColumn{in, column})
		}
		sources[in].Lookups = append(sources[in].Lookups,
			Lookup{Table: r.table(d, sources), By: l.byColumns, Column: l.column, Required: l.required})
	}
}

// table returns the index of a table, which it adds unless there is one like it.
func (r *reader) table(d *draft, sources []Source) int {
	l := &r.lookups
	for i, other := range l.tables {
		if other.Source == d.Source && other.Column == d.Column && reflect.DeepEqual(other.Body, d.Body) {
			return i
		}
	}
	l.rendered = append(l.rendered, d.columns...)
	for _, column := range sources[d.Source].Key {
		l.rendered = append(l.rendered, rowColumn{d.Source, column})
	}
	l.tables = append(l.tables, d)
	return len(l.tables) - 1
}

// lookup parses a fragment that a body looks up.
func (r *reader) lookup(n ast.Node, sources []Source, in int) Node {
	var use Lookup
	var target, by, as ast.Node
	use.Column = -1
	for _, e := range r.mapping(n, keywordLookup, lookupKeywords...) {
		switch e.key {
		case keywordLookup:
			target = e.value
		case "by":
			by, use.By = e.value, r.byColumns(e.value, &sources[in])
			sources[in].Rendered = append(sources[in].Rendered, use.By...)
		case "as":
			as = e.value
		case "empty":
			if use.Empty = r.literal(e.value); use.Empty == "null" {
				use.Empty = ""
			}
		case "required":
			use.Required = r.boolean(e.value, "required")
		}
	}
	if by == nil || as == nil {
		r.fail(position(n), "a look-up needs a by and an as: the columns with the key, and a body for the row that has this key, "+
			"such as {lookup: category, by: category_id, as: name}")
	}
	d := &draft{Table: Table{Source: r.target(target, by, sources, in, use.By), Column: -1}, at: position(n)}
	r.fragment(d, as, sources)
	use.Table = r.table(d, sources)
	of := &sources[in]
	at := slices.IndexFunc(of.Lookups, func(other Lookup) bool { return reflect.DeepEqual(other, use) })
	if at < 0 {
		at = len(of.Lookups)
		of.Lookups = append(of.Lookups, use)
	}
	if outer := r.lookups.current; outer != nil {
		outer.uses = append(outer.uses, rowLookup{in, at})
	}
	return LookedUp{Lookup: at}
}

// fragment parses the body of a table and records the columns that it uses.
func (r *reader) fragment(d *draft, as ast.Node, sources []Source) {
	outer := r.lookups.current
	r.lookups.current = d
	others := make([][]int, len(sources))
	for i := range sources {
		others[i], sources[i].Rendered = sources[i].Rendered, nil
	}
	d.Body = r.parseBody(as, sources, d.Source)
	for i := range sources {
		for _, column := range sources[i].Rendered {
			d.columns = append(d.columns, rowColumn{i, column})
		}
		sources[i].Rendered = others[i]
	}
	r.lookups.current = outer
}

// readsRowsOf records that the body being parsed uses the rows of a child source.
func (r *reader) readsRowsOf(source int) {
	if d := r.lookups.current; d != nil {
		d.sources = append(d.sources, source)
	}
}

// finishLookups completes the tables of a shape.
func (r *reader) finishLookups(s *Shape) {
	for _, c := range r.lookups.rendered {
		of := &s.Sources[c.source]
		of.Rendered = append(of.Rendered, c.column)
		slices.Sort(of.Rendered)
		of.Rendered = slices.Compact(of.Rendered)
	}
	for _, d := range r.lookups.tables {
		d.Needs, d.Reads = d.needs(s.Sources)
		s.Tables = append(s.Tables, d.Table)
	}
	states := make([]resolution, len(s.Tables))
	for i := range s.Tables {
		r.orderTable(s, i, states)
	}
}

// orderTable checks that a table can be filled after those that it needs.
func (r *reader) orderTable(s *Shape, i int, states []resolution) {
	switch states[i] {
	case resolved:
		return
	case resolving:
		r.fail(r.lookups.tables[i].at, "this look-up needs itself: which rows of %s are used depends on it. "+
			"Remove required or the filter from the look-ups of its rows", s.Sources[s.Tables[i].Source].Name)
	}
	states[i] = resolving
	for _, need := range s.Tables[i].Needs {
		r.orderTable(s, need, states)
	}
	states[i] = resolved
}

// needs returns the tables that must be complete before d is filled, and the sources that are read to fill it.
func (d *draft) needs(sources []Source) (tables, reads []int) {
	var addLookup func(source, lookup int)
	addColumn := func(c rowColumn) {
		if at := sources[c.source].lookupOf(c.column); at >= 0 {
			addLookup(c.source, at)
		}
	}
	addLookup = func(source, lookup int) {
		l := &sources[source].Lookups[lookup]
		if !slices.Contains(tables, l.Table) {
			tables = append(tables, l.Table)
		}
		for _, column := range l.By {
			addColumn(rowColumn{source, column})
		}
	}
	for _, c := range d.columns {
		addColumn(c)
	}
	for _, u := range d.uses {
		addLookup(u.source, u.lookup)
	}
	for _, source := range append([]int{d.Source}, d.sources...) {
		for ; source >= 0; source = sources[source].Parent {
			reads = append(reads, source)
		}
	}
	slices.Sort(reads)
	reads = slices.Compact(reads)
	// The rows that are used must be the same in each reading.
	for _, source := range reads {
		for i, l := range sources[source].Lookups {
			filtered := slices.ContainsFunc(sources[source].Filters, func(f Filter) bool { return f.Column == l.Column })
			if l.Required || filtered {
				addLookup(source, i)
			}
		}
	}
	return tables, reads
}
