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
	text   []byte // of all text cells
}

// Cell is one value of a row. Which part holds it follows from the column's type.
type Cell struct {
	Int    int64 // as in source.Value; of text, where it begins in the tree's text
	length int32 // of text
	Null   bool
	Plain  bool // as in source.Value
}

// level holds the rows of one source in the tree.
type level struct {
	rendered []int  // the columns that are kept: those that some document shows
	cells    []Cell // len(rendered) for each row
	keys     []int64
	next     []int32   // of each row, the following one with the same parent
	first    [][]int32 // by child source, as in children: of each row, its first child row
	last     [][]int32 // likewise, its last
}

func newTree(sources []shape.Source) Tree {
	tree := Tree{levels: make([]level, len(sources))}
	for i := range sources {
		l := &tree.levels[i]
		l.rendered = sources[i].Rendered
		l.first = make([][]int32, len(sources[i].Children))
		l.last = make([][]int32, len(sources[i].Children))
	}
	return tree
}

// Key returns the root row's key.
func (t *Tree) Key() int64 { return t.levels[0].keys[0] }

// RowKey returns the key of a row.
func (t *Tree) RowKey(source int, row int32) int64 { return t.levels[source].keys[row] }

// Cell returns a column of a row: the one that stands at a place in the source's Rendered. It is valid as long as the tree.
func (t *Tree) Cell(source int, row int32, place int) *Cell {
	l := &t.levels[source]
	return &l.cells[int(row)*len(l.rendered)+place]
}

// Text returns the bytes of a text cell, which are the tree's.
func (t *Tree) Text(c *Cell) []byte { return t.text[c.Int : c.Int+int64(c.length)] }

// First returns the first child of a row in the child source that stands at slot in the source's Children, or None.
func (t *Tree) First(source int, row int32, slot int) int32 { return t.levels[source].first[slot][row] }

// Next returns the row behind a row with the same parent, or None.
func (t *Tree) Next(source int, row int32) int32 { return t.levels[source].next[row] }

func (t *Tree) reset() {
	t.text = t.text[:0]
	for i := range t.levels {
		l := &t.levels[i]
		l.cells, l.keys, l.next = l.cells[:0], l.keys[:0], l.next[:0]
		for slot := range l.first {
			l.first[slot], l.last[slot] = l.first[slot][:0], l.last[slot][:0]
		}
	}
}

// add copies a row into the tree and returns its index. It has no parent yet.
func (t *Tree) add(of int, row *source.Row) int32 {
	l := &t.levels[of]
	for _, column := range l.rendered {
		value := &row.Values[column]
		cell := Cell{Int: value.Int, Null: value.Null, Plain: value.Plain}
		if value.Text != nil {
			cell.Int, cell.length = int64(len(t.text)), int32(len(value.Text))
			t.text = append(t.text, value.Text...)
		}
		l.cells = append(l.cells, cell)
	}
	l.keys = append(l.keys, row.Key)
	l.next = append(l.next, None)
	for slot := range l.first {
		l.first[slot] = append(l.first[slot], None)
		l.last[slot] = append(l.last[slot], None)
	}
	return int32(len(l.keys) - 1)
}

// attach puts a child row behind the other children of its parent.
func (t *Tree) attach(parent int, parentRow int32, slot int, child int, childRow int32) {
	p := &t.levels[parent]
	if before := p.last[slot][parentRow]; before == None {
		p.first[slot][parentRow] = childRow
	} else {
		t.levels[child].next[before] = childRow
	}
	p.last[slot][parentRow] = childRow
}
