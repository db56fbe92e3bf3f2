package source

import "systemscale/etl/internal/csvscan"

// Cell is one value of a row in its canonical text: an int without superfluous zeros, money with two decimals, a flag as
// true or false, a text as it is. The text is where Rows finds it.
type Cell struct {
	at     int64 // position in the scanner's buffer; or ^index in spare, when negative
	length int32 // in bytes
	Null   bool
	Plain  bool // it holds nothing that a JSON string must escape, a quote least of all
}

// Short reports whether the cell's text stands in JSON as it is and has at most so many bytes.
func (c *Cell) Short(most int32) bool { return c.length <= most && c.Plain }

// Rows holds the rows that were read and not yet released: those of one item, then the candidate, which Next read last
// and nobody has placed yet. Rows are counted from the first that is not released. They are read-only for all but the Reader,
// and what the methods return is valid until the Reader's next call to Next or Release.
type Rows struct {
	width      int // cells of a row
	first      int
	end        int // behind the candidate
	ahead      int // behind the rows that are decoded and that Next will come to
	keys       []int64
	parentKeys []int64
	start      []int64 // position of the record
	cells      []Cell

	held   []byte // the scanner's buffer
	origin int64
	spare  []byte // statics, then texts that do not stand in the file as they are here
}

// null is the cell of a value that is not there.
var null = Cell{at: ^int64(0), Null: true}

// The texts of flags stand at the beginning of spare.
const (
	statics   = "falsetrue"
	falseSize = 5
	trueSize  = 4
)

// So many rows may stand released, and so many bytes in spare, before what is not released is moved to the front.
const releasedRows, releasedSpare = 512, 64 << 10

// manyRows is how many rows are no longer doubled when there must be room for more.
const manyRows = 1 << 14

// Len returns the number of rows, the candidate included.
func (r *Rows) Len() int { return r.end - r.first }

// Keys returns the keys of the rows.
func (r *Rows) Keys() []int64 { return r.keys[r.first:r.end] }

// LastKey returns the key of the last row.
func (r *Rows) LastKey() int64 { return r.keys[r.end-1] }

// LastParentKey returns the key of the last row's parent; of the root it means nothing.
func (r *Rows) LastParentKey() int64 { return r.parentKeys[r.end-1] }

// Row returns the cells of a row: one for each of the source's Rendered columns.
func (r *Rows) Row(row int32) []Cell {
	from := (r.first + int(row)) * r.width
	return r.cells[from : from+r.width]
}

// Text returns a cell's text, which is empty for null. csvscan.Slack bytes can be read behind it, up to the slice's capacity.
func (r *Rows) Text(c *Cell) []byte {
	if c.at >= 0 {
		at := int(c.at - r.origin)
		return r.held[at : at+int(c.length)]
	}
	at := int(^c.at)
	return r.spare[at : at+int(c.length)]
}

// grow makes room for so many more rows.
func (r *Rows) grow(rows int) {
	if more := r.ahead + rows - len(r.keys); more > 0 {
		// Twice as many while they are few. Of many, old and new are in memory at once.
		if len(r.keys) < manyRows {
			more += len(r.keys)
		} else {
			more += len(r.keys) / 4
		}
		r.keys = append(r.keys, make([]int64, more)...)
		r.parentKeys = append(r.parentKeys, make([]int64, more)...)
		r.start = append(r.start, make([]int64, more)...)
		r.cells = append(r.cells, make([]Cell, more*r.width)...)
	}
}

// release forgets the rows before a row.
func (r *Rows) release(row int) {
	r.first = row
	if r.first >= releasedRows || len(r.spare) >= releasedSpare {
		r.move(r.first, 0)
		r.first = 0
		r.moveSpare()
	}
}

// remove takes the candidate away.
func (r *Rows) remove() {
	r.move(r.end, r.end-1)
}

// move moves the rows from one row on to the place of an earlier one.
func (r *Rows) move(from, to int) {
	copy(r.keys[to:], r.keys[from:r.ahead])
	copy(r.parentKeys[to:], r.parentKeys[from:r.ahead])
	copy(r.start[to:], r.start[from:r.ahead])
	copy(r.cells[to*r.width:], r.cells[from*r.width:r.ahead*r.width])
	r.end -= from - to
	r.ahead -= from - to
}

// moveSpare moves what the rows still need of spare to its front.
func (r *Rows) moveSpare() {
	from := len(r.spare)
	cells := r.cells[:r.ahead*r.width]
	for i := range cells {
		if at := int(^cells[i].at); cells[i].at < 0 && at >= len(statics) {
			from = min(from, at)
		}
	}
	n := copy(r.spare[len(statics):], r.spare[from:])
	r.spare = r.spare[:len(statics)+n]
	for i := range cells {
		if cells[i].at < 0 && int(^cells[i].at) >= len(statics) {
			cells[i].at += int64(from - len(statics))
		}
	}
}

// keepTexts makes a new spare of all texts of the rows, so that these need nothing of the file any longer, and of what rows ahead have
// there. What is left in spare of rows that are gone goes with the old one.
func (r *Rows) keepTexts() {
	old := *r
	size := len(statics)
	for i, c := range r.cells[:r.ahead*r.width] {
		if i >= r.first*r.width && (i < r.end*r.width || c.at < 0) {
			size += int(c.length)
		}
	}
	r.spare = append(make([]byte, 0, max(size, releasedSpare)+csvscan.Slack), statics...)
	for i := r.first * r.width; i < r.ahead*r.width; i++ {
		c := &r.cells[i]
		if i >= r.end*r.width && c.at >= 0 || c.at < 0 && int(^c.at) < len(statics) {
			continue
		}
		text := old.Text(c)
		c.at = ^int64(len(r.spare))
		r.spare = append(r.spare, text...)
	}
}

// reserve makes room for size more bytes in spare, and the slack behind them.
func (r *Rows) reserve(size int) {
	if cap(r.spare)-len(r.spare) < size+csvscan.Slack {
		grown := make([]byte, len(r.spare), 2*cap(r.spare)+size+csvscan.Slack)
		copy(grown, r.spare)
		r.spare = grown
	}
}
