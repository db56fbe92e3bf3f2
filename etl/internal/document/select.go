package document

import (
	"cmp"
	"math"
	"slices"

	"systemscale/etl/internal/join"
	"systemscale/etl/internal/shape"
	"systemscale/etl/internal/source"
)

// scratch is memory for selecting and aggregating rows.
type scratch struct {
	document uint64  // number of the document
	groups   []group // what aggregates share
	places   []int32 // of the rows that are selected, also by the steps around the current one
}

// selection selects rows of a child source.
type selection struct {
	child int // index of the source
	slot  int // index in the current source's Children
	where []filter
	order []sorting
}

func (c *compiler) selection(child, of int, declared *shape.Selection) selection {
	s := selection{child: child, slot: slices.Index(c.sources[of].Children, child)}
	s.where = newFilters(&c.sources[child], declared.Where)
	for _, by := range declared.Order {
		s.order = append(s.order, newSorting(&c.sources[child], by))
		c.shared.scratch = true
	}
	return s
}

// chosen is an array or an object with elements for some rows of a child source, or for all in another order.
type chosen struct {
	selection
	limit       int32
	as          []step // an element, beginning with a comma
	empty       text
	open, close byte
}

// isWhole reports whether no row is left out.
func (f *chosen) isWhole() bool { return f.limit == math.MaxInt32 && len(f.where) == 0 }

func (f *chosen) write(w *writer, at place) {
	begin := w.end
	if len(f.order) == 0 {
		f.inFileOrder(w, at)
	} else {
		f.inOrder(w, at)
	}
	if w.end == begin {
		w.text(&f.empty)
		return
	}
	w.close(begin, f.open, f.close)
}

func (f *chosen) inFileOrder(w *writer, at place) {
	children := at.tree.Children(at.of, at.row, f.slot)
	rows := at.tree.Rows(f.child)
	left := f.limit
	for place := children.Begin; place < children.End && left > 0; place++ {
		row := at.tree.At(f.child, place)
		if len(f.where) > 0 && !admit(f.where, rows, rows.Row(row)) {
			continue
		}
		w.steps(f.as, at.tree, rows, f.child, row)
		left--
	}
}

func (f *chosen) inOrder(w *writer, at place) {
	children := at.tree.Children(at.of, at.row, f.slot)
	rows := at.tree.Rows(f.child)
	// The steps of an element may select rows, too, and move the slice.
	from := len(w.scratch.places)
	for place := children.Begin; place < children.End; place++ {
		if len(f.where) == 0 || admit(f.where, rows, rows.Row(at.tree.At(f.child, place))) {
			w.scratch.places = append(w.scratch.places, place)
		}
	}
	f.sort(w.scratch.places[from:], at.tree, rows)
	to := min(len(w.scratch.places), from+int(f.limit))
	for i := from; i < to; i++ {
		w.steps(f.as, at.tree, rows, f.child, at.tree.At(f.child, w.scratch.places[i]))
	}
	w.scratch.places = w.scratch.places[:from]
}

// single is the body of the first row of a child source.
type single struct {
	selection
	as        []step
	empty     text
	atMostOne bool // by the shape
}

// isWhole reports whether no row is left out.
func (f *single) isWhole() bool { return f.atMostOne && len(f.where) == 0 }

func (f *single) write(w *writer, at place) {
	children := at.tree.Children(at.of, at.row, f.slot)
	rows := at.tree.Rows(f.child)
	first := int32(-1)
	for place := children.Begin; place < children.End; place++ {
		row := at.tree.At(f.child, place)
		if len(f.where) > 0 && !admit(f.where, rows, rows.Row(row)) {
			continue
		}
		if first < 0 || f.compare(rows, row, first) < 0 {
			first = row
		}
		if len(f.order) == 0 {
			break
		}
	}
	if first < 0 {
		w.text(&f.empty)
		return
	}
	w.steps(f.as, at.tree, rows, f.child, first)
}

// sort sorts places by the order of their rows. Rows that are equal keep the order of the file.
func (s *selection) sort(places []int32, tree *join.Tree, rows *source.Rows) {
	slices.SortFunc(places, func(a, b int32) int {
		if order := s.compare(rows, tree.At(s.child, a), tree.At(s.child, b)); order != 0 {
			return order
		}
		return cmp.Compare(a, b)
	})
}

// compare compares two rows.
func (s *selection) compare(rows *source.Rows, a, b int32) int {
	for i := range s.order {
		by := &s.order[i]
		if order := by.compare(rows, &rows.Row(a)[by.place], &rows.Row(b)[by.place]); order != 0 {
			return order
		}
	}
	return 0
}

// sorting compares the values of a column.
type sorting struct {
	place      int // index in the source's Rendered
	kind       shape.Type
	descending bool
}

func newSorting(of *shape.Source, by shape.Sort) sorting {
	return sorting{slices.Index(of.Rendered, by.Column), of.Columns[by.Column].Type, by.Descending}
}

func (s *sorting) compare(rows *source.Rows, a, b *source.Cell) int {
	order := 0
	switch {
	case a.Null && b.Null:
		return 0
	case a.Null:
		order = 1
	case b.Null:
		order = -1
	default:
		order = compareTexts(s.kind, rows.Text(a), rows.Text(b))
	}
	if s.descending {
		return -order
	}
	return order
}
