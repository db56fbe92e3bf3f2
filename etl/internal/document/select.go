package document

import (
	"cmp"
	"slices"

	"systemscale/etl/internal/condition"
	"systemscale/etl/internal/join"
	"systemscale/etl/internal/shape"
	"systemscale/etl/internal/source"
)

// selection selects rows of a child source.
type selection struct {
	child int // index of the source
	slot  int // index in the current source's Children
	where []filter
	order []sorting
}

func newSelection(sources []shape.Source, child, of int, declared *shape.Selection) selection {
	s := selection{child: child, slot: slices.Index(sources[of].Children, child)}
	s.where = newFilters(&sources[child], declared.Where)
	for _, by := range declared.Order {
		s.order = append(s.order, newSorting(&sources[child], by))
	}
	return s
}

// needsScratch reports whether the selected rows are sorted.
func (s *selection) needsScratch() bool { return len(s.order) > 0 }

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
