package join

import (
	"systemscale/etl/internal/shape"
	"systemscale/etl/internal/source"
)

// None stands for no row.
const None int32 = -1

// Tree is one row of the root source with all its descendants. Sources are named by their index in the shape,
// rows by their index within the source and the tree; the root row is row 0 of source 0. Children of a row are a
// list in file order: First, then Next until None.
//
// A Tree is valid until the joiner's next call to Next, and may be read by several goroutines until then.
type Tree struct {
	levels []level
}

// level holds the rows of one source in the tree.
type level struct {
	rows  *source.Rows // the tree's, and perhaps one that belongs to a later tree
	size  int          // of the tree's rows
	next  []int32      // of each row, the following one with the same parent
	first [][]int32    // by child source, as in Children: of each row, its first child row
	last  [][]int32    // likewise, its last
}

func newTree(sources []shape.Source, readers []*source.Reader) Tree {
	tree := Tree{levels: make([]level, len(sources))}
	for i := range sources {
		l := &tree.levels[i]
		l.rows = readers[i].Rows()
		l.first = make([][]int32, len(sources[i].Children))
		l.last = make([][]int32, len(sources[i].Children))
	}
	return tree
}

// Key returns the root row's key.
func (t *Tree) Key() int64 { return t.levels[0].rows.Keys()[0] }

// Rows returns the rows of a source, of which the tree's are the first ones.
func (t *Tree) Rows(source int) *source.Rows { return t.levels[source].rows }

// First returns the first child of a row in the child source that stands at slot in the source's Children, or None.
func (t *Tree) First(source int, row int32, slot int) int32 { return t.levels[source].first[slot][row] }

// Next returns the row behind a row with the same parent, or None.
func (t *Tree) Next(source int, row int32) int32 { return t.levels[source].next[row] }

func (l *level) reset() {
	l.size = 0
	l.next = l.next[:0]
	for slot := range l.first {
		l.first[slot], l.last[slot] = l.first[slot][:0], l.last[slot][:0]
	}
}

// add takes the last of rows into the tree, without a parent.
func (l *level) add() {
	l.size++
	l.next = append(l.next, None)
	for slot := range l.first {
		l.first[slot] = append(l.first[slot], None)
		l.last[slot] = append(l.last[slot], None)
	}
}

// attach puts the child's last row behind the other children of its parent.
func (l *level) attach(parentRow int32, slot int, child *level) {
	row := int32(child.size - 1)
	last := &l.last[slot][parentRow]
	if *last == None {
		l.first[slot][parentRow] = row
	} else {
		child.next[*last] = row
	}
	*last = row
}
