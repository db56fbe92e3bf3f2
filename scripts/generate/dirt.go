package main

// What a reader of the files is expected to do with the rows of a kind of dirt.
const (
	fateRepaired = "repaired"
	fateFiltered = "filtered"
	fateKept     = "kept"
	fateRejected = "rejected"
)

// dirt is one kind of unusual rows in one file: the rows to spoil, and the rows that have it. The exported fields are part of
// generated.json.
type dirt struct {
	Kind string `json:"kind"`
	Fate string `json:"fate"` // repaired, filtered, kept or rejected
	Rows int64  `json:"rows"`

	// Reason is the ETL's name of the reason for which it rejects the rows. It is absent for the other fates.
	Reason string `json:"reason,omitempty"`

	// Lines are the line numbers of the spoiled rows in the file, ascending; the header is line 1. They are absent for rows that the
	// generator does not spoil but only counts.
	Lines []int64 `json:"lines,omitempty"`

	slots
}

// slots selects rows at random places all over a file.
type slots struct {
	positions stream
	width     int64 // rows of a slot; one row of each slot is selected
	slotStart int64 // first row of the slot that contains next
	next      int64 // the next row to select; 0 for none
	left      int64 // rows still to select, including next
}

// plan distributes count rows over the first span rows of the file, one in each of count slots of equal width. With firstRow, the first
// row of the file is one of them, so that the smallest file has one.
func (d *dirt) plan(c catalog, purpose purpose, count, span int64, firstRow bool) {
	if !c.dirt {
		return
	}
	d.spread(c.seed, purpose, 0, count, span)
	if firstRow {
		d.next = 1
	}
}

// after moves the planned rows down by a number of rows, so that the first rows of the file are not spoiled.
func (d *dirt) after(rows int64) {
	if d.left > 0 {
		d.slotStart += rows
		d.next += rows
	}
}

// spread selects one row in each of count slots of equal width in the first span rows of the file.
func (s *slots) spread(seed uint64, purpose purpose, number, count, span int64) {
	s.positions.restart(seed, purpose, number)
	s.left, s.width, s.slotStart = count, max(1, span/count), 1
	s.next = 1 + s.positions.below(s.width)
}

// take reports whether the given row, counted from 1, is selected. It must be called once for each row, in ascending order.
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

// spoils reports whether the row that the writer has begun is to be spoiled, and if so records it. It must be called once for each row.
func (d *dirt) spoils(w *writer) bool {
	if !d.take(w.rows) {
		return false
	}
	d.Rows++
	d.Lines = append(d.Lines, w.line())
	return true
}

// count counts a row if it is unusual without having been spoiled.
func (d *dirt) count(unusual bool) {
	if unusual {
		d.Rows++
	}
}
