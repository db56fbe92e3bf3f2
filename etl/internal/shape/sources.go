package shape

import (
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

func (r *reader) sources(n ast.Node, dialect fileForm) []Source {
	var sources []Source
	var links []link
	entries := r.mapping(n, "sources")
	// Columns first: the other settings, and those of other sources, refer to them. final_newline overrides that of the dialect.
	for _, e := range entries {
		source := Source{Name: e.key, Parent: -1, OpenEnd: dialect.openEnd}
		for _, setting := range r.mapping(e.value, "source "+e.key, sourceKeywords...) {
			switch setting.key {
			case "columns":
				source.Columns = r.columns(setting.value, e.key)
			case "dialect":
				own := r.dialect(setting.value, dialect)
				source.Dialect, source.OpenEnd = &own.Dialect, own.openEnd
			}
		}
		if len(source.Columns) == 0 {
			r.fail(e.at, "source %s has no columns: declare the columns to read, such as columns: {id: int, name: text}", e.key)
		}
		sources = append(sources, source)
	}
	r.resolveColumns(sources)
	for i, e := range entries {
		r.format = &dialect.Dialect
		if own := sources[i].Dialect; own != nil {
			r.format = own
		}
		links = append(links, r.source(e, &sources[i]))
	}
	tree := r.tree(sources, links)
	for i, e := range entries {
		r.oneToOne(e, &sources[i], links[i].parent)
	}
	return tree
}

// source parses the settings of a source whose columns are known.
func (r *reader) source(e entry, source *Source) link {
	parent := link{at: e.at}
	for _, setting := range r.mapping(e.value, "source "+e.key, sourceKeywords...) {
		switch setting.key {
		case "file":
			source.File, source.FileAt = r.text(setting.value, "file"), place(setting.value)
			if source.File == "rejects.ndjson" {
				r.fail(position(setting.value), "file %q has the name of the log of rejected rows", source.File)
			}
			if strings.ContainsAny(source.File, `/\`) {
				r.fail(position(setting.value), "file %q must be a plain name: --csv sets the directory", source.File)
			}
			if _, err := path.Match(source.File, ""); err != nil {
				r.fail(position(setting.value), "file %q is no pattern: a [ needs a ] after it", source.File)
			}
		case "key":
			source.Key = r.keyColumns(setting.value, source)
		case "on":
			parent.onAt = position(setting.value)
			source.ParentKey, parent.parentColumns = r.on(setting.value, source)
		case "one_to_one":
			source.OneToOne = r.boolean(setting.value, "one_to_one")
		case "parent":
			parent.parent = r.text(setting.value, "parent")
			parent.parentAt = position(setting.value)
		case "root":
			parent.root = r.boolean(setting.value, "root")
		case "repairs":
			source.Repairs = r.repairs(setting.value, *source)
		case "filters":
			source.Filters = r.filters(setting.value, *source)
		case "rows":
			if word := r.text(setting.value, "rows"); word != "merge" {
				r.fail(position(setting.value), "rows must be merge, not %q; without it, rows with the same key are duplicates", word)
			}
			source.Merge = true
		case "final_newline":
			source.OpenEnd = r.finalNewline(setting.value)
		}
	}
	switch {
	case source.File == "":
		r.fail(e.at, "source %s has no file: name its CSV, such as file: %s.csv", e.key, e.key)
	case parent.parent == "" && len(source.Key) == 0:
		r.fail(e.at, "source %s has no key: name the column that identifies a row, such as key: id", e.key)
	case source.Merge && len(source.Key) == 0:
		r.fail(e.at, "source %s merges rows and has no key: name the column that the rows of one item share, such as key: id", e.key)
	case parent.parent != "" && len(source.ParentKey) == 0:
		r.fail(e.at, "source %s has a parent and no on: name its column that holds the key of %s", e.key, parent.parent)
	case parent.parent != "" && parent.root:
		r.fail(e.at, "source %s has root: true and a parent: the root source has none", e.key)
	case parent.parent == "" && len(source.ParentKey) > 0:
		r.fail(e.at, "source %s has on and no parent: name the source whose key it holds", e.key)
	}
	return parent
}

func (r *reader) columns(n ast.Node, source string) []Column {
	var columns []Column
	for _, e := range r.mapping(n, "columns of "+source) {
		column := Column{Name: e.key, At: Position{e.at.Line, e.at.Column}}
		if isLookup(e.value) {
			column.LookedUp = true
			r.lookupColumn(e, source, len(columns))
		} else if _, long := e.value.(ast.MapNode); long {
			r.settings(e, source, &column)
		} else {
			r.columnType(e.value, source, &column)
		}
		columns = append(columns, column)
	}
	return columns
}

// settings parses the long form of a column, a mapping.
func (r *reader) settings(e entry, source string, column *Column) {
	typed := false
	var numbers, format ast.Node
	for _, setting := range r.mapping(e.value, "column "+e.key, columnKeywords...) {
		switch setting.key {
		case "type":
			r.columnType(setting.value, source, column)
			typed = true
		case "null":
			column.Nulls = r.nullWords(setting.value)
		case "numbers":
			column.Numbers, numbers = r.numbers(setting.value), setting.value
		case "format":
			column.Format, format = r.text(setting.value, "format"), setting.value
		}
	}
	if !typed {
		r.fail(e.at, "column %s of %s has no type: declare it, such as type: text?", e.key, source)
	}
	if numbers != nil {
		r.checkNumbers(numbers, column)
	}
	if format != nil {
		r.checkFormat(format, column)
	}
}

func (r *reader) columnType(n ast.Node, source string, column *Column) {
	text := r.text(n, "the type of "+column.Name)
	name, nullable := strings.CutSuffix(text, "?")
	kind, ok := typeNamed(name)
	if !ok {
		r.fail(position(n), "column %s of %s has an unknown type %q; the types are %s, with a ? if the column is nullable",
			column.Name, source, text, typeList())
	}
	column.Type, column.Nullable = kind, nullable
}

func (r *reader) repairs(n ast.Node, source Source) []Repair {
	var repairs []Repair
	for _, e := range r.mapping(n, "repairs of "+source.Name) {
		repair := Repair{Name: e.key, Column: -1}
		for _, setting := range r.mapping(e.value, "repair "+e.key, repairKeywords...) {
			switch setting.key {
			case "column":
				repair.Column = r.fileColumn(setting.value, source)
			case "prefix":
				repair.Prefix = r.text(setting.value, "prefix")
			case "with":
				repair.With = r.text(setting.value, "with")
			}
		}
		if repair.Column < 0 || repair.Prefix == "" {
			r.fail(e.at, `repair %s needs a column, a prefix and its replacement, such as {column: url, prefix: "htp:", with: "http:"}`,
				e.key)
		}
		repairs = append(repairs, repair)
	}
	return repairs
}

func (r *reader) filters(n ast.Node, source Source) []Filter {
	var filters []Filter
	for _, e := range r.mapping(n, "filters of "+source.Name) {
		filters = append(filters, r.filter(e, source))
	}
	return filters
}

func (r *reader) filter(e entry, source Source) Filter {
	filter := Filter{Name: e.key, Column: -1}
	var test *entry
	for _, setting := range r.mapping(e.value, "filter "+e.key, filterKeywords...) {
		switch {
		case setting.key == "column":
			filter.Column = r.column(setting.value, source)
		case test != nil:
			r.fail(setting.at, "filter %s has both keep and drop: write two filters", e.key)
		default:
			test = &setting
		}
	}
	if filter.Column < 0 || test == nil {
		r.fail(e.at, `filter %s needs a column and the values to drop or to keep, such as {column: product_id, drop: "0"}`, e.key)
	}
	filter.Keep = test.key == "keep"
	column := &source.Columns[filter.Column]
	if _, scalar := test.value.(ast.ScalarNode); scalar && !filter.Keep && test.value.Type() != ast.NullType {
		text := scalarText(test.value)
		if column.Type == Text || column.Nullable && slices.Contains(r.format.NullWords(column), text) {
			filter.Drop = text
			return filter
		}
		if column.Type == Int {
			r.operand(test.value, "filter "+e.key, column, Is)
			filter.Drop = text
			return filter
		}
	}
	filter.Test = r.test(test.value, "filter "+e.key, column)
	return filter
}

// root returns the index of the root source, whose rows are the items.
func (r *reader) root(sources []Source, links []link) int {
	var without, declared, apart, parents []int
	for i, l := range links {
		if l.parent != "" {
			continue
		}
		without = append(without, i)
		if l.root {
			declared = append(declared, i)
		}
		if !slices.Contains(r.lookups.names, sources[i].Name) {
			apart = append(apart, i)
		}
		if slices.ContainsFunc(links, func(child link) bool { return child.parent == sources[i].Name }) {
			parents = append(parents, i)
		}
	}
	if len(without) == 0 {
		r.fail(links[0].at, "every source has a parent; the root source, whose rows are the items, must have none")
	}
	root := -1
	switch {
	case len(declared) > 1:
		r.fail(links[declared[1]].at, "sources %s and %s both have root: true; one source is the root",
			sources[declared[0]].Name, sources[declared[1]].Name)
	case len(declared) == 1:
		root = declared[0]
	case len(without) == 1:
		root = without[0]
	case len(apart) == 1:
		root = apart[0]
	case len(apart) == 0 && len(parents) == 1:
		root = parents[0]
	case len(apart) > 1:
		r.fail(links[apart[1]].at, "sources %s and %s both have no parent, and no lookup names them; exactly one source, the root, has none: "+
			"name the parent of one, look it up in a body or a column, or remove it", sources[apart[0]].Name, sources[apart[1]].Name)
	default:
		r.fail(links[without[1]].at, "sources %s and %s both have no parent: declare root: true in the one whose rows are the items",
			sources[without[0]].Name, sources[without[1]].Name)
	}
	for _, i := range apart {
		if i != root {
			r.fail(links[i].at, "source %s has no parent, and no lookup names it: name its parent, look it up in a body or a column, or remove it", sources[i].Name)
		}
	}
	return root
}

// tree sorts the sources so that parents come first, and connects parents and children.
func (r *reader) tree(sources []Source, links []link) []Source {
	if len(sources) == 0 {
		r.fail(nil, "sources is empty: name at least the CSV whose rows are the collection's items")
	}
	named := func(name string) int {
		return slices.IndexFunc(sources, func(s Source) bool { return s.Name == name })
	}
	root := r.root(sources, links)
	joined := 1
	for i, l := range links {
		if l.parent == "" {
			continue
		}
		joined++
		at := named(l.parent)
		if at < 0 {
			r.fail(l.parentAt, "source %s has an unknown parent %q", sources[i].Name, l.parent)
		}
		if links[at].parent == "" && at != root {
			r.fail(l.parentAt, "source %s cannot have the parent %s, which is looked up: only the root source, %s, and those below it "+
				"have children; if the rows of another source are the items, declare root: true there", sources[i].Name, l.parent, sources[root].Name)
		}
	}
	ordered := make([]Source, 0, len(sources))
	newIndex := map[string]int{}
	for len(ordered) < joined {
		before := len(ordered)
		for i, source := range sources {
			parent, parentKnown := newIndex[links[i].parent]
			if _, done := newIndex[source.Name]; done || (i != root && !parentKnown) {
				continue
			}
			if i != root {
				source.Parent = parent
				r.connect(&source, &ordered[parent], links[i])
				ordered[parent].Children = append(ordered[parent].Children, len(ordered))
			}
			newIndex[source.Name] = len(ordered)
			ordered = append(ordered, source)
		}
		if len(ordered) == before {
			at := slices.IndexFunc(sources, func(s Source) bool {
				_, done := newIndex[s.Name]
				return !done && links[named(s.Name)].parent != ""
			})
			r.fail(links[at].at, "source %s is its own ancestor: its parents form a cycle", sources[at].Name)
		}
	}
	setKeyForms(ordered)
	for i, source := range sources {
		if links[i].parent == "" && i != root {
			ordered = append(ordered, source)
		}
	}
	r.columnLookups(ordered)
	return ordered
}

// IsPattern reports whether the file of a source is a pattern that several files may match.
func IsPattern(file string) bool { return strings.ContainsAny(file, "*?[") }

// StandardInput is the file of a source that is read from the standard input.
const StandardInput = "-"

// FileName returns a file's path as messages name it. A copy of the standard input, plain or compressed, is the standard input.
func FileName(path string) string {
	switch filepath.Base(path) {
	case StandardInput, StandardInput + ".gz", StandardInput + ".zst":
		return "standard input"
	}
	return path
}
