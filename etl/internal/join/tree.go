package join

import (
	"cmp"
	"slices"

	"systemscale/etl/internal/shape"
	"systemscale/etl/internal/source"
	"systemscale/sql"
)

// Tree is one row of the root source with all its descendants. Sources are named by their index in the shape,
// rows by their index within the source and the tree; the root row is row 0 of source 0. The children of a row are a
// Range, in file order.
//
// A Tree is valid until the joiner's next call to Next, and may be read by several goroutines until then.
type Tree struct {
	levels []level
	root   *source.Reader
	number int64
}

// Range is the half-open range of the places of the rows of one source with the same parent.
type Range struct{ Begin, End int32 }

// level holds the rows of one source in the tree.
type level struct {
	rows      *source.Rows // the tree's, and perhaps one that belongs to a later tree
	size      int          // of the tree's rows
	children  [][]Range    // by child source, as in Children: of each row
	order     []int32      // the rows by place; empty when each row's place is its index
	runs      []run
	scattered bool // some parent has more than one run
}

// run is a range of consecutive rows with the same parent.
type run struct {
	parent int32
	Range
}

func newTree(sources []shape.Source, readers []*source.Reader) Tree {
	tree := Tree{levels: make([]level, len(sources)), root: readers[0]}
	for i := range sources {
		l := &tree.levels[i]
		l.rows = readers[i].Rows()
		l.children = make([][]Range, len(sources[i].Children))
	}
	return tree
}

// ID returns the id of the item, which the root row's key is. It stays valid.
func (t *Tree) ID() sql.ID { return t.root.ID() }

// Number returns the number of the tree, from 1.
func (t *Tree) Number() int64 { return t.number }

// Rows returns the rows of a source, of which the tree's are the first ones.
func (t *Tree) Rows(source int) *source.Rows { return t.levels[source].rows }

// Size returns the number of rows of a source in the tree.
func (t *Tree) Size(source int) int { return t.levels[source].size }

// Children returns the children of a row in the child source at slot in the source's Children.
func (t *Tree) Children(source int, row int32, slot int) Range {
	return t.levels[source].children[slot][row]
}

// InPlace reports whether the row at each place of a source is the one with that index.
func (t *Tree) InPlace(source int) bool { return len(t.levels[source].order) == 0 }

// At returns the row of a source at a place.
func (t *Tree) At(source int, place int32) int32 {
	if l := &t.levels[source]; len(l.order) > 0 {
		return l.order[place]
	}
	return place
}

func (l *level) reset() {
	l.size = 0
	l.order, l.runs, l.scattered = l.order[:0], l.runs[:0], false
	for slot := range l.children {
		l.children[slot] = l.children[slot][:0]
	}
}

// add adds the next of rows to the tree, without a parent.
func (l *level) add() {
	l.size++
	for slot := range l.children {
		l.children[slot] = append(l.children[slot], Range{})
	}
}

// attach makes the rows from index from on children of a row of the parent's level.
func (l *level) attach(from int, parent *level, parentRow int32, slot int) {
	added := Range{int32(from), int32(l.size)}
	l.runs = append(l.runs, run{parentRow, added})
	switch children := &parent.children[slot][parentRow]; {
	case children.End == 0:
		*children = added
	case children.End == added.Begin:
		children.End = added.End
	default:
		l.scattered = true
	}
}

// gather gives the children of each row of the parent's level consecutive places.
func (l *level) gather(parent *level, slot int) {
	slices.SortStableFunc(l.runs, func(a, b run) int { return cmp.Compare(a.parent, b.parent) })
	clear(parent.children[slot])
	for _, r := range l.runs {
		children := &parent.children[slot][r.parent]
		if children.End == 0 {
			children.Begin = int32(len(l.order))
		}
		for row := r.Begin; row < r.End; row++ {
			l.order = append(l.order, row)
		}
		children.End = int32(len(l.order))
	}
}
