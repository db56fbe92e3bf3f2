package document

import (
	"bytes"
	"slices"
	"strconv"

	"systemscale/etl/internal/condition"
	"systemscale/etl/internal/join"
	"systemscale/etl/internal/shape"
	"systemscale/etl/internal/source"
)

// aggregate is a value that is computed from the rows below the current one.
type aggregate struct {
	operation shape.Operation
	slots     []int // of each step down: index in the Children of the source above
	path      []int // index of each source
	last      int   // the last of path
	place     int   // index of the column in the last source's Rendered
	kind      shape.Type
	fixed     bool // every value has the same number of decimals and fits into 64 bits
	where     []filter
	decimals  int // or -1
	quotes    bool
}

// filter is a test of a column.
type filter struct {
	place int
	test  *condition.Condition
}

func newFilters(of *shape.Source, where []shape.Where) (filters []filter) {
	for _, w := range where {
		filters = append(filters, filter{slices.Index(of.Rendered, w.Column), condition.New(w.Test, of.Columns[w.Column].Type)})
	}
	return filters
}

// admit reports whether a row passes all tests.
func admit(filters []filter, rows *source.Rows, cells []source.Cell) bool {
	for i := range filters {
		cell := &cells[filters[i].place]
		if !filters[i].test.Holds(rows.Text(cell), cell.Null) {
			return false
		}
	}
	return true
}

func (c *compiler) aggregate(a *shape.Aggregate, of int) *aggregate {
	last := &c.sources[a.Last()]
	f := &aggregate{operation: a.Operation, path: a.Path, last: a.Last(), where: newFilters(last, a.Where), decimals: a.Decimals, quotes: a.Text}
	for _, child := range a.Path {
		f.slots = append(f.slots, slices.Index(c.sources[of].Children, child))
		of = child
	}
	if a.Column >= 0 {
		column := &last.Columns[a.Column]
		f.place, f.kind = slices.Index(last.Rendered, a.Column), column.Type
		f.fixed = f.kind == shape.Int || f.kind == shape.Money
		f.quotes = f.quotes || f.kind == shape.Money || a.Operation != shape.Average && a.Operation != shape.Sum && !f.kind.IsNumber()
	}
	if a.Operation == shape.Counts {
		*c.scratch = true
	}
	return f
}

// result is what an aggregate has found so far.
type result struct {
	count uint64 // of the values; of Count, of the rows
	total total
	row   int32 // of the least or largest value
	value int64 // it, if the values are fixed
}

func (f *aggregate) write(w *writer, at place) {
	var found result
	from := 0
	if w.scratch != nil {
		from = len(w.scratch.places)
	}
	if at.of == 0 && at.tree.Size(0) == 1 {
		f.add(w, &found, at.tree, join.Range{End: int32(at.tree.Size(f.last))}) // all rows of the source
	} else {
		f.descend(w, &found, at.tree, at.of, at.row, 0)
	}
	switch f.operation {
	case shape.Count:
		found.total.low = found.count
		f.number(w, &found.total, 1, 0)
	case shape.Sum:
		f.sum(w, &found)
	case shape.Average:
		if f.kind == shape.Money {
			found.total.scale = 2
		}
		if found.count == 0 {
			w.text(&nullText)
			return
		}
		f.number(w, &found.total, found.count, f.decimals)
	case shape.Counts:
		f.counts(w, at.tree.Rows(f.last), from)
	default:
		f.extreme(w, &found, at.tree.Rows(f.last))
	}
}

// descend adds the rows below a row.
func (f *aggregate) descend(w *writer, found *result, tree *join.Tree, of int, row int32, depth int) {
	children := tree.Children(of, row, f.slots[depth])
	if depth == len(f.slots)-1 {
		f.add(w, found, tree, children)
		return
	}
	child := f.path[depth]
	for place := children.Begin; place < children.End; place++ {
		f.descend(w, found, tree, child, tree.At(child, place), depth+1)
	}
}

// add adds the rows at the places of a range.
func (f *aggregate) add(w *writer, found *result, tree *join.Tree, places join.Range) {
	if f.operation == shape.Count && len(f.where) == 0 {
		found.count += uint64(places.End - places.Begin)
		return
	}
	rows := tree.Rows(f.last)
	if f.fixed && len(f.where) == 0 && f.operation != shape.Counts && tree.InPlace(f.last) {
		if f.operation == shape.Sum || f.operation == shape.Average {
			f.addSpan(found, rows, places)
		} else {
			f.compareSpan(found, rows, places)
		}
		return
	}
	for place := places.Begin; place < places.End; place++ {
		row := tree.At(f.last, place)
		cells := rows.Row(row)
		if len(f.where) > 0 && !admit(f.where, rows, cells) {
			continue
		}
		if f.operation == shape.Count {
			found.count++
			continue
		}
		cell := &cells[f.place]
		if cell.Null {
			continue
		}
		found.count++
		switch text := rows.Text(cell); {
		case f.operation == shape.Counts:
			w.scratch.places = append(w.scratch.places, row)
		case f.operation == shape.Min || f.operation == shape.Max:
			f.compare(found, rows, row, text)
		case f.fixed:
			found.total.addFixed(longFixed(text))
		default:
			found.total.add(text)
		}
	}
}

// addSpan is add for the sum of fixed values of consecutive rows, without a test. Most values are short ints, whose sum fits into 64 bits.
func (f *aggregate) addSpan(found *result, rows *source.Rows, span join.Range) {
	cells, width := rows.Span(span.Begin, span.End)
	sum, count, isInt := uint64(0), uint64(0), f.kind == shape.Int
	for i := f.place; i < len(cells); i += width {
		cell := &cells[i]
		if cell.Null {
			continue
		}
		count++
		if word, length := rows.Word(cell); isInt && isShort(word, length) {
			sum += shortInt(word, length)
		} else {
			found.total.addFixed(longFixed(rows.Text(cell)))
		}
	}
	found.count += count
	found.total.addFixed(int64(sum))
}

// compareSpan is add for the least or the largest of fixed values of consecutive rows, without a test.
func (f *aggregate) compareSpan(found *result, rows *source.Rows, span join.Range) {
	cells, width := rows.Span(span.Begin, span.End)
	isInt, isMin := f.kind == shape.Int, f.operation == shape.Min
	for i := f.place; i < len(cells); i += width {
		cell := &cells[i]
		if cell.Null {
			continue
		}
		var value int64
		if word, length := rows.Word(cell); isInt && isShort(word, length) {
			value = int64(shortInt(word, length))
		} else {
			value = longFixed(rows.Text(cell))
		}
		if found.count == 0 || value < found.value == isMin && value != found.value {
			found.row, found.value = span.Begin+int32(i/width), value
		}
		found.count++
	}
}

// compare keeps the row if its value is less, or larger, than the one so far.
func (f *aggregate) compare(found *result, rows *source.Rows, row int32, text []byte) {
	var value int64
	order := 0
	switch {
	case f.fixed:
		value = longFixed(text)
		order = -1
		if value >= found.value {
			order = 1
		}
	case found.count > 1:
		best := rows.Text(&rows.Row(found.row)[f.place])
		if order = compareTexts(f.kind, text, best); order == 0 && bytes.Compare(text, best) < 0 {
			found.row = row // so that 1.0 and 1.00 give the same document in every order
		}
	}
	if found.count == 1 || order < 0 && f.operation == shape.Min || order > 0 && f.operation == shape.Max {
		found.row, found.value = row, value
	}
}

func (f *aggregate) sum(w *writer, found *result) {
	if f.kind == shape.Money {
		found.total.scale = 2
	}
	decimals := f.decimals
	if decimals < 0 {
		decimals = found.total.scale
	}
	f.number(w, &found.total, 1, decimals)
}

// number writes a total divided by count.
func (f *aggregate) number(w *writer, t *total, count uint64, decimals int) {
	if f.quotes {
		w.byte('"')
	}
	w.buffer = t.appendQuotient(w.buffer[:w.end], count, decimals)
	w.adopt()
	if f.quotes {
		w.byte('"')
	}
}

// extreme writes the least or the largest value.
func (f *aggregate) extreme(w *writer, found *result, rows *source.Rows) {
	if found.count == 0 {
		w.text(&nullText)
		return
	}
	cell := &rows.Row(found.row)[f.place]
	if f.decimals >= 0 {
		var rounded total
		rounded.add(rows.Text(cell))
		f.number(w, &rounded, 1, f.decimals)
		return
	}
	if f.quotes {
		w.byte('"')
	}
	w.inside(rows, cell)
	if f.quotes {
		w.byte('"')
	}
}

// counts writes how often each value of the rows in the scratch from an index on occurs.
func (f *aggregate) counts(w *writer, rows *source.Rows, from int) {
	found := w.scratch.places[from:]
	by := sorting{place: f.place, kind: f.kind}
	slices.SortFunc(found, func(a, b int32) int { return by.compare(rows, &rows.Row(a)[f.place], &rows.Row(b)[f.place]) })
	begin := w.end
	for i := 0; i < len(found); {
		cell := &rows.Row(found[i])[f.place]
		end := i + 1
		for end < len(found) && bytes.Equal(rows.Text(cell), rows.Text(&rows.Row(found[end])[f.place])) {
			end++
		}
		w.byte(',')
		w.byte('"')
		w.inside(rows, cell)
		w.byte('"')
		w.byte(':')
		w.buffer = strconv.AppendInt(w.buffer[:w.end], int64(end-i), 10)
		w.adopt()
		i = end
	}
	w.close(begin, '{', '}')
	w.scratch.places = w.scratch.places[:from]
}
