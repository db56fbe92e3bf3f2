package main

// What a reader of the files is expected to do with a kind of dirt.
const (
	fateRepaired = "repaired"
	fateFiltered = "filtered"
	fateKept     = "kept"
	fateRejected = "rejected"
)

// dirt is one kind of peculiar row in one file: where such rows are to appear, and which did. The exported
// fields are part of generated.json.
type dirt struct {
	Kind string `json:"kind"`
	Fate string `json:"fate"` // repaired, filtered, kept or rejected
	Rows int64  `json:"rows"`

	// Reason is the word of the ETL for why it rejects the rows. It is absent for the other fates.
	Reason string `json:"reason,omitempty"`

	// Lines are the spoiled rows' line numbers in the file, ascending; the header is line 1. They are
	// absent for peculiarities that arise by themselves, which are only counted.
	Lines []int64 `json:"lines,omitempty"`

	slots
}

// slots picks rows at random places all over a file.
type slots struct {
	positions stream
	width     int64 // rows to a slot; one row in each slot is taken
	slotStart int64 // first row of the slot that holds next
	next      int64 // the next row to take; 0 for none
	left      int64 // rows still to take, next included
}

// plan spreads count rows over the first span rows of the file, one in each of count slots of equal
// width. With firstRow the first row of the file is one of them, so that the smallest file has one.
func (d *dirt) plan(c catalog, purpose purpose, count, span int64, firstRow bool) {
	if !c.dirt {
		return
	}
	d.spread(c.seed, purpose, 0, count, span)
	if firstRow {
		d.next = 1
	}
}

// after leaves the first rows of the file as they are, and spoils so many later.
func (d *dirt) after(rows int64) {
	if d.left > 0 {
		d.slotStart += rows
		d.next += rows
	}
}

// spread takes one row in each of count slots of equal width in the first span rows of the file.
func (s *slots) spread(seed uint64, purpose purpose, number, count, span int64) {
	s.positions.restart(seed, purpose, number)
	s.left, s.width, s.slotStart = count, max(1, span/count), 1
	s.next = 1 + s.positions.below(s.width)
}

// take reports whether the given row, counted from 1, is one of those to take.
// Rows must be asked for in ascending order, each once.
func (s *slots) take(row int64) bool {
	if row != s.next {
		return false
	}
	s.left--
	s.slotStart += s.width
	s.next = s.slotStart + s.positions.below(s.width)
	if s.left == 0 {
		s.next = 0
	}
	return true
}

// spoils reports whether the row that the writer has begun is to be spoiled, and if so takes note of it.
// It must be asked for every row, once.
func (d *dirt) spoils(w *writer) bool {
	if !d.take(w.rows) {
		return false
	}
	d.Rows++
	d.Lines = append(d.Lines, w.line())
	return true
}

// count takes note of a row that is peculiar by itself.
func (d *dirt) count(peculiar bool) {
	if peculiar {
		d.Rows++
	}
}
