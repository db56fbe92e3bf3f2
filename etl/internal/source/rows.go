package source

import (
	"encoding/binary"

	"systemscale/etl/internal/csvscan"
)

// Cell is one value of a row in canonical form: an int without leading zeros, money with two decimals, a flag as
// true or false, a text unchanged. Rows.Text returns the text of a cell.
type Cell struct {
	at     int64 // position in the scanner's buffer; if negative, ^index in Rows.spare
	length int32 // in bytes
	Null   bool
	Plain  bool // the text contains no character that a JSON string must escape
}

// Short reports whether the cell is Plain and its text has at most the given length, in bytes.
func (c *Cell) Short(most int32) bool { return c.length <= most && c.Plain }

// Rows holds the rows that have been read and not released: the rows of one item, then the candidate, which Next has read last.
// Rows are numbered from the first one that is not released. Only the Reader modifies them. The results of the methods are valid
// until the Reader's next call to Next or Release.
type Rows struct {
	width      int // cells per row
	first      int // the first row that is not released
	end        int // the row after the candidate
	ahead      int // the row after the last decoded one; Next has not returned the rows from end on
	keys       []int64
	parentKeys []int64
	texts      *textKeys // instead of keys and parentKeys, or nil
	start      []int64   // positions of the records
	cells      []Cell

	held   []byte // the scanner's buffer
	origin int64  // position of held[0]
	spare  []byte // statics, then texts that differ from the file
}

// null is the cell of a null value.
var null = Cell{at: ^int64(0), Null: true}

// Compact once this many rows or spare bytes have been released.
const releasedRows, releasedSpare = 512, 64 << 10

// manyRows is the number of rows from which on the capacity grows by a quarter instead of doubling.
const manyRows = 1 << 14

// Len returns the number of rows, including the candidate.
func (r *Rows) Len() int { return r.end - r.first }

// Keys returns the keys of the rows.
func (r *Rows) Keys() []int64 { return r.keys[r.first:r.end] }

// LastKey returns the key of the last row.
func (r *Rows) LastKey() int64 { return r.keys[r.end-1] }

// LastParentKey returns the parent's key of the last row. It is meaningless for the root source.
func (r *Rows) LastParentKey() int64 { return r.parentKeys[r.end-1] }

// Row returns the cells of a row, one for each of the source's Rendered columns.
func (r *Rows) Row(row int32) []Cell {
	from := (r.first + int(row)) * r.width
	return r.cells[from : from+r.width]
}

// Cell returns one of the cells that Row returns.
func (r *Rows) Cell(row int32, place int) *Cell { return &r.cells[(r.first+int(row))*r.width+place] }

// Span returns the cells of consecutive rows, and the number of cells of one row.
func (r *Rows) Span(from, to int32) (cells []Cell, width int) {
	return r.cells[(r.first+int(from))*r.width : (r.first+int(to))*r.width], r.width
}

// Word returns the first eight bytes of a cell's text and of what follows it, little-endian, and the text's length.
func (r *Rows) Word(c *Cell) (word uint64, length int) {
	text, at := r.held, int(c.at-r.origin)
	if c.at < 0 {
		text, at = r.spare[:cap(r.spare)], int(^c.at)
	}
	return binary.LittleEndian.Uint64(text[at : at+8]), int(c.length)
}

// Text returns a cell's text, which is empty for null. Its capacity has at least csvscan.Slack more bytes, which may be read.
func (r *Rows) Text(c *Cell) []byte {
	if c.at >= 0 {
		at := int(c.at - r.origin)
		return r.held[at : at+int(c.length)]
	}
	at := int(^c.at)
	return r.spare[at : at+int(c.length)]
}

// grow makes room for more rows.
func (r *Rows) grow(rows int) {
	if more := r.ahead + rows - len(r.keys); more > 0 {
		// Large arrays are not doubled, because the old and the new one are in memory at the same time.
		if len(r.keys) < manyRows {
			more += len(r.keys)
		} else {
			more += len(r.keys) / 4
		}
		r.keys = append(r.keys, make([]int64, more)...)
		r.parentKeys = append(r.parentKeys, make([]int64, more)...)
		if r.texts != nil {
			r.texts.all(func(keys *[]string) { *keys = append(*keys, make([]string, more)...) })
		}
		r.start = append(r.start, make([]int64, more)...)
		r.cells = append(r.cells, make([]Cell, more*r.width)...)
	}
}

// release removes the rows before a row.
func (r *Rows) release(row int) {
	r.first = row
	if r.first >= releasedRows || len(r.spare) >= releasedSpare {
		r.move(r.first, 0)
		r.first = 0
		r.moveSpare()
	}
}

// remove removes the candidate.
func (r *Rows) remove() {
	r.move(r.end, r.end-1)
}

// complete sets the cells of a row that are null to those of the candidate.
func (r *Rows) complete(row int32) {
	cells, candidate := r.Row(row), r.cells[(r.end-1)*r.width:r.end*r.width]
	for i := range cells {
		if cells[i].Null {
			cells[i] = candidate[i]
		}
	}
	if r.texts == nil {
		return
	}
	for _, values := range r.texts.references {
		if to := &values[r.first+int(row)]; *to == "" {
			*to = values[r.end-1]
		}
	}
}

// move moves the rows that begin at from to an earlier place.
func (r *Rows) move(from, to int) {
	copy(r.keys[to:], r.keys[from:r.ahead])
	copy(r.parentKeys[to:], r.parentKeys[from:r.ahead])
	if r.texts != nil {
		r.texts.all(func(keys *[]string) { copy((*keys)[to:], (*keys)[from:r.ahead]) })
	}
	copy(r.start[to:], r.start[from:r.ahead])
	copy(r.cells[to*r.width:], r.cells[from*r.width:r.ahead*r.width])
	r.end -= from - to
	r.ahead -= from - to
}

// moveSpare moves the texts in spare that are still in use to the front.
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

// keepTexts copies all texts of the rows, and the spare texts of the rows ahead, to a new spare. The rows then no longer refer to
// the scanner's buffer.
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

// reserve makes room in spare for size more bytes and the slack after them.
func (r *Rows) reserve(size int) {
	if cap(r.spare)-len(r.spare) < size+csvscan.Slack {
		grown := make([]byte, len(r.spare), 2*cap(r.spare)+size+csvscan.Slack)
		copy(grown, r.spare)
		r.spare = grown
	}
}

// Between two calls of the function given to Watch, this many rows or bytes of text are added.
const grownRows, grownBytes = 512, 256 << 10

// growth watches the memory of the rows that are not released.
type growth struct {
	held      int64        // the scanner keeps the input from this position on
	grown     func() error // given to Watch
	nextRows  int          // Next calls grown at this number of rows
	nextBytes int64        // or at this size of the text
	nextOver  int64        // passOver frees input at this size of the text
}
