package document

import (
	"bytes"
	"slices"
	"strconv"

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
	decimals  int  // or -1
	quotes    bool // around the value
	group     int  // index in the scratch of what this aggregate shares with others of the same values; -1 for none
}

func newAggregate(sources []shape.Source, a *shape.Aggregate, of int, shared *sharing) *aggregate {
	last := &sources[a.Last()]
	f := &aggregate{
		operation: a.Operation, path: a.Path, last: a.Last(), where: newFilters(last, a.Where), decimals: a.Decimals,
		quotes: a.Text, group: -1,
	}
	key := groupKey{of: of, last: f.last}
	for _, child := range a.Path {
		f.slots = append(f.slots, slices.Index(sources[of].Children, child))
		of = child
	}
	if a.Column >= 0 {
		column := &last.Columns[a.Column]
		f.place, f.kind = slices.Index(last.Rendered, a.Column), column.Type
		f.fixed = f.kind == shape.Int || f.kind == shape.Money
		f.quotes = f.quotes || f.kind == shape.Money || a.Operation != shape.Average && a.Operation != shape.Sum && !f.kind.IsNumber()
	}
	if a.Operation == shape.Counts {
		f.quotes = a.Text
	}
	if f.fixed && len(f.where) == 0 && f.operation != shape.Counts {
		key.place = f.place
		shared.join(f, key)
	}
	return f
}

// needsScratch reports whether write uses the scratch.
func (f *aggregate) needsScratch() bool { return f.operation == shape.Counts || f.group >= 0 }

// sharing groups the aggregates of one Renderer.
type sharing struct {
	groups int
	first  map[groupKey]*aggregate // the first of each key
}

// groupKey identifies the values of an aggregate: a source, a source below it, and a column.
type groupKey struct{ of, last, place int }

// join makes an aggregate share its scan of the rows with others of the same values.
func (s *sharing) join(f *aggregate, key groupKey) {
	other := s.first[key]
	if other == nil {
		if s.first == nil {
			s.first = map[groupKey]*aggregate{}
		}
		s.first[key] = f
		return
	}
	if other.group < 0 {
		other.group = s.groups
		s.groups++
	}
	f.group = other.group
}

func (f *aggregate) write(w *writer, at place) {
	if f.group >= 0 {
		f.finish(w, at, f.findOnce(w, at), 0)
		return
	}
	found := nothing
	from := 0
	if w.scratch != nil {
		from = len(w.scratch.places)
	}
	f.find(w, at, &found)
	f.finish(w, at, &found, from)
}

// findOnce finds the values of the group, unless another aggregate has.
func (f *aggregate) findOnce(w *writer, at place) *result {
	for len(w.scratch.groups) <= f.group {
		w.scratch.groups = append(w.scratch.groups, group{})
	}
	g := &w.scratch.groups[f.group]
	if g.document != w.scratch.document || g.row != at.row {
		g.document, g.row, g.found = w.scratch.document, at.row, nothing
		f.find(w, at, &g.found)
	}
	return &g.found
}

// find adds the rows below the current one.
func (f *aggregate) find(w *writer, at place, found *result) {
	if at.of == 0 && at.tree.Size(0) == 1 {
		f.add(w, found, at.tree, join.Range{End: int32(at.tree.Size(f.last))}) // all rows of the source
		return
	}
	f.descend(w, found, at.tree, at.of, at.row, 0)
}

// finish writes what an aggregate has found.
func (f *aggregate) finish(w *writer, at place, found *result, from int) {
	sum := found.total
	if f.kind == shape.Money {
		sum.scale = 2
	}
	switch f.operation {
	case shape.Count:
		f.number(w, &total{low: found.count}, 1, 0)
	case shape.Sum:
		f.number(w, &sum, 1, f.decimals)
	case shape.Average:
		if found.count == 0 {
			w.text(&nullText)
			return
		}
		f.number(w, &sum, found.count, f.decimals)
	case shape.Counts:
		f.counts(w, at.tree.Rows(f.last), from)
	default:
		f.extreme(w, found, at.tree.Rows(f.last))
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
		f.addSpan(found, rows, places)
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
		case f.fixed:
			value := longFixed(text)
			found.total.addFixed(value)
			found.least, found.most = min(found.least, value), max(found.most, value)
		case f.operation == shape.Min || f.operation == shape.Max:
			f.compare(found, rows, row, text)
		default:
			found.total.add(text)
		}
	}
}

// addSpan is add for the fixed values of consecutive rows, without a test. Most values are short ints, whose sum fits into 64 bits.
func (f *aggregate) addSpan(found *result, rows *source.Rows, span join.Range) {
	cells, width := rows.Span(span.Begin, span.End)
	sum, count, least, most, isInt := int64(0), uint64(0), found.least, found.most, f.kind == shape.Int
	for i := f.place; i < len(cells); i += width {
		cell := &cells[i]
		if cell.Null {
			continue
		}
		count++
		var value int64
		if word, length := rows.Word(cell); isInt && isShort(word, length) {
			value = int64(shortInt(word, length))
			sum += value
		} else {
			value = longFixed(rows.Text(cell))
			found.total.addFixed(value)
		}
		least, most = min(least, value), max(most, value)
	}
	found.count += count
	found.least, found.most = least, most
	found.total.addFixed(sum)
}

// compare keeps the row if its value is less, or larger, than the one so far.
func (f *aggregate) compare(found *result, rows *source.Rows, row int32, text []byte) {
	if found.count == 1 {
		found.row = row
		return
	}
	best := rows.Text(&rows.Row(found.row)[f.place])
	order := compareTexts(f.kind, text, best)
	if order == 0 && bytes.Compare(text, best) < 0 || order < 0 && f.operation == shape.Min || order > 0 && f.operation == shape.Max {
		found.row = row // of equal values, the same in every order of the rows: 1.0 and not 1.00
	}
}

// number writes a total divided by count. Without decimals, it has those of the total.
func (f *aggregate) number(w *writer, t *total, count uint64, decimals int) {
	if decimals < 0 {
		decimals = t.scale
	}
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
	var value total
	switch {
	case found.count == 0:
		w.text(&nullText)
		return
	case f.fixed:
		value.addFixed(found.least)
		if f.operation == shape.Max {
			value = total{}
			value.addFixed(found.most)
		}
		if f.kind == shape.Money {
			value.scale = 2
		}
	case f.decimals < 0:
		f.cell(w, rows, &rows.Row(found.row)[f.place])
		return
	default:
		value.add(rows.Text(&rows.Row(found.row)[f.place]))
	}
	f.number(w, &value, 1, f.decimals)
}

// cell writes a value as it is.
func (f *aggregate) cell(w *writer, rows *source.Rows, cell *source.Cell) {
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
	tallies, few := appendTallies(w.scratch.tallies[:0], rows, f.place, found)
	text := func(row int32) []byte { return rows.Text(rows.Cell(row, f.place)) }
	if few {
		slices.SortFunc(tallies, func(a, b tally) int { return compareTexts(f.kind, text(a.row), text(b.row)) })
	} else {
		slices.SortFunc(found, func(a, b int32) int { return compareTexts(f.kind, text(a), text(b)) })
		tallies = appendSorted(tallies[:0], rows, f.place, found)
	}
	begin := w.end
	for i := range tallies {
		w.byte(',')
		w.byte('"')
		w.inside(rows, rows.Cell(tallies[i].row, f.place))
		w.byte('"')
		w.byte(':')
		if f.quotes {
			w.byte('"')
		}
		w.buffer = strconv.AppendInt(w.buffer[:w.end], int64(tallies[i].count), 10)
		w.adopt()
		if f.quotes {
			w.byte('"')
		}
	}
	w.close(begin, '{', '}')
	w.scratch.places, w.scratch.tallies = w.scratch.places[:from], tallies[:0]
}
