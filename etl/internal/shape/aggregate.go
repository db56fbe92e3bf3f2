package shape

import (
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
