package main

// What a reader of the files is expected to do with a kind of dirt.
const (
	fateRepaired = "repaired"
	fateFiltered = "filtered"
	fateKept     = "kept"
)

// dirt is one kind of peculiar row in one file: where such rows are to appear, and which did. The exported
// fields are part of generated.json.
type dirt struct {
	Kind string `json:"kind"`
	Fate string `json:"fate"` // repaired, filtered or kept
	Rows int64  `json:"rows"`

	// Lines are the spoiled rows' line numbers in the file, ascending; the header is line 1. They are
	// absent for peculiarities that arise by themselves, which are only counted.
	Lines []int64 `json:"lines,omitempty"`

	positions stream
	width     int64 // rows to a slot; one row in each slot is spoiled
	slotStart int64 // first row of the slot that holds next
	next      int64 // the next row to spoil; 0 for none
	left      int64 // rows still to spoil, next included
}

// plan spreads count rows over the first span rows of the file, one in each of count slots of equal
// width. With firstRow the first row of the file is one of them, so that the smallest file has one.
func (d *dirt) plan(c catalog, purpose purpose, count, span int64, firstRow bool) {
	if !c.dirt {
		return
	}
	d.positions.restart(c.seed, purpose, 0)
	d.left, d.width, d.slotStart = count, max(1, span/count), 1
	d.next = 1 + d.positions.below(d.width)
	if firstRow {
		d.next = 1
	}
}

// spoils reports whether the given row, counted from 1, is to be spoiled, and if so takes note of it.
// Rows must be asked for in ascending order, each once.
func (d *dirt) spoils(row int64) bool {
	if row != d.next {
		return false
	}
	d.Rows++
	d.Lines = append(d.Lines, row+1)
	d.left--
	d.slotStart += d.width
	d.next = d.slotStart + d.positions.below(d.width)
	if d.left == 0 {
		d.next = 0
	}
	return true
}

// count takes note of a row that is peculiar by itself.
func (d *dirt) count(peculiar bool) {
	if peculiar {
		d.Rows++
	}
}
