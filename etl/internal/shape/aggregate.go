package shape

import (
	"fmt"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// Operation is what an Aggregate computes.
type Operation uint8

// The operations. All but Count ignore null.
const (
	Count Operation = iota // the number of rows
	Sum                    // 0 without a value
	Min                    // null without a value, as the next ones
	Max
	Average
	Counts // an object: how often each value occurs
)

var operations = map[string]Operation{
	keywordCount: Count, keywordSum: Sum, keywordMin: Min, keywordMax: Max, keywordAverage: Average, keywordCounts: Counts,
}

// AverageDecimals is the number of decimals of an average that declares none.
const AverageDecimals = 2

// maxDecimals is the largest number of decimals that a shape file can declare.
const maxDecimals = 15

// Aggregate is a value that is computed from the rows of a source below the enclosing row.
type Aggregate struct {
	Operation Operation
	Path      []int   // indices in Shape.Sources: a child of the enclosing source, and so on
	Column    int     // index in the Columns of the last source of Path; -1 for Count
	Where     []Where `json:",omitempty"`
	Decimals  int     // number of decimals, rounded half to even; -1 for those of the values
	Text      bool    // a cast: write the number, or each number of Counts, as a JSON string
}

func (Aggregate) node() {}

// Last returns the index of the source whose rows are aggregated.
func (a *Aggregate) Last() int { return a.Path[len(a.Path)-1] }

func (r *reader) aggregate(keyword string, entries []entry, sources []Source, in int) Node {
	a := Aggregate{Operation: operations[keyword], Column: -1, Decimals: -1}
	rows := "of" // the setting that names the source
	if a.Operation == Count {
		rows = keywordCount
	}
	for _, e := range entries {
		if e.key == rows {
			a.Path = r.path(e.value, r.text(e.value, "a child source"), sources, in)
			r.readsRowsOf(a.Last())
		}
	}
	if a.Path == nil {
		r.fail(entries[0].at, "%s needs the child source whose rows it is of, such as {%[1]s: column, of: %s}. An object with a field %[1]s "+
			"is written {object: {...}}", keyword, example(sources, in))
	}
	for _, e := range entries {
		switch e.key {
		case rows:
		case keyword:
			a.Column = r.use(e.value, sources, a.Last())
			r.checkOperation(e, &a, &sources[a.Last()].Columns[a.Column])
		case "where":
			a.Where = r.where(e.value, sources, a.Last())
		}
	}
	if a.Operation == Average {
		a.Decimals = AverageDecimals
	}
	for _, e := range entries {
		if e.key != "round" {
			continue
		}
		if kind := sources[a.Last()].Columns[a.Column].Type; !kind.IsNumber() || kind == Int && a.Operation != Average {
			r.fail(e.at, "round has no effect on the %s of a column of type %s: remove it", keyword, kind)
		}
		a.Decimals = r.number(e.value, "round", 0, maxDecimals)
	}
	return a
}

// example returns the name of a child source, for a message.
func example(sources []Source, in int) string {
	if children := sources[in].Children; len(children) > 0 {
		return sources[children[0]].Name
	}
	return "source"
}

// checkOperation rejects a column whose type an operation does not have.
func (r *reader) checkOperation(e entry, a *Aggregate, column *Column) {
	switch kind := column.Type; a.Operation {
	case Sum, Average:
		if !kind.IsNumber() {
			r.fail(position(e.value), "%s needs a column of numbers, and %s has the type %s", e.key, column.Name, kind)
		}
	case Min, Max:
		if !kind.hasOrder() || kind == Flag {
			r.fail(position(e.value), "%s needs a column with an order, and %s has the type %s", e.key, column.Name, kind)
		}
	case Counts:
		if kind != Int && kind != Text && kind != Flag {
			r.fail(position(e.value), "counts needs a column of type int, text or flag, and %s has the type %s", column.Name, kind)
		}
	}
}

// hasOrder reports whether one value can be less than another.
func (t Type) hasOrder() bool { return t != JSON }

// path returns the sources that a dotted name leads through, from a source on.
func (r *reader) path(n ast.Node, name string, sources []Source, in int) []int {
	for _, child := range sources[in].Children {
		if sources[child].Name == name {
			r.readsRowsOf(child)
			return []int{child}
		}
		if rest, ok := strings.CutPrefix(name, sources[child].Name+"."); ok {
			return append([]int{child}, r.path(n, rest, sources, child)...)
		}
	}
	first, _, _ := strings.Cut(name, ".")
	if len(sources[in].Children) == 0 {
		r.fail(position(n), "%s has no child source %q; it has no children", sources[in].Name, first)
	}
	r.fail(position(n), "%s has no child source %q; it has %s. A source below one of them is written with a point, such as %s.name",
		sources[in].Name, first, childNames(sources, in), example(sources, in))
	return nil
}

// where parses the tests that a row must pass, by column.
func (r *reader) where(n ast.Node, sources []Source, of int) []Where {
	var where []Where
	for _, e := range r.mapping(n, "where") {
		at := slices.IndexFunc(sources[of].Columns, func(c Column) bool { return c.Name == e.key })
		if at < 0 {
			r.fail(e.at, "%s has no column %q; it has %s", sources[of].Name, e.key, columnNames(sources[of]))
		}
		where = append(where, Where{Column: at, Test: r.test(e.value, "where", &sources[of].Columns[at])})
		sources[of].Rendered = append(sources[of].Rendered, at)
	}
	if len(where) == 0 {
		r.fail(position(n), "where needs at least one column and its test, such as where: {stars: {at_least: 4}}")
	}
	return where
}

// textForm parses a cast, of a column or of an aggregate that is a number.
func (r *reader) textForm(n ast.Node, sources []Source, in int) Node {
	if _, ok := n.(ast.MapNode); !ok {
		return r.value(n, sources, in, true)
	}
	a, ok := r.body(n, sources, in).(Aggregate)
	if !ok {
		r.fail(position(n), "text is a cast of a column or of an aggregate, such as {text: id} or {text: {average: stars, of: ratings}}")
	}
	a.Text = true
	return a
}

func (s *Shape) aggregateSchema(a *Aggregate) *Schema {
	switch a.Operation {
	case Count:
		return numberSchema(0, a.Text, false)
	case Counts:
		return &Schema{Type: []string{"object"}, Keyed: numberSchema(0, a.Text, false)}
	}
	column := s.Sources[a.Last()].Columns[a.Column]
	column.Nullable = a.Operation != Sum
	asText := a.Text || column.Type == Money
	switch {
	case column.Type == Int && a.Operation != Average:
		return numberSchema(0, asText, column.Nullable)
	case a.Decimals >= 0:
		return numberSchema(a.Decimals, asText, column.Nullable)
	}
	return column.schema(asText)
}

// numberSchema returns the schema of a number with some decimals, or of its text.
func numberSchema(decimals int, asText, nullable bool) *Schema {
	var schema Schema
	switch {
	case asText && decimals == 0:
		schema = Schema{Type: []string{"string"}, Pattern: "^-?[0-9]+$"}
	case asText:
		schema = Schema{Type: []string{"string"}, Pattern: fmt.Sprintf(`^-?[0-9]+\.[0-9]{%d}$`, decimals)}
	case decimals == 0:
		schema = Schema{Type: []string{"integer"}}
	default:
		schema = Schema{Type: []string{"number"}}
	}
	if nullable {
		schema.Type = append(schema.Type, "null")
	}
	return &schema
}
