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

// Rows holds the rows that were read and not yet released: those of one item, then the candidate, which Next read last
// and nobody has placed yet. Rows are counted from the first that is not released. They are read-only for all but the Reader,
// and what the methods return is valid until the Reader's next call to Next or Release.
type Rows struct {
	width int // cells of a row
	first int
	end   int // behind the last row
	keys  []int64
	ons   []int64
	cells []Cell

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

// released is how many rows may stand released before the others are moved to the front.
const releasedRows, releasedSpare = 512, 64 << 10

// Len returns the number of rows, the candidate included.
func (r *Rows) Len() int { return r.end - r.first }

// Keys returns the keys of the rows.
func (r *Rows) Keys() []int64 { return r.keys[r.first:r.end] }

// LastKey returns the key of the last row.
func (r *Rows) LastKey() int64 { return r.keys[r.end-1] }

// LastOn returns the key of the last row's parent; of the root it means nothing.
func (r *Rows) LastOn() int64 { return r.ons[r.end-1] }

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

// next makes room for one more row.
func (r *Rows) next() {
	if r.end == len(r.keys) {
		size := max(16, 2*r.end)
		r.keys = append(r.keys, make([]int64, size-r.end)...)
		r.ons = append(r.ons, make([]int64, size-r.end)...)
		r.cells = append(r.cells, make([]Cell, size*r.width-len(r.cells))...)
	}
}

// release forgets all rows but the last ones.
func (r *Rows) release(keep int) {
	r.first = r.end - keep
	if r.first < releasedRows && len(r.spare) < releasedSpare {
		return
	}
	copy(r.keys, r.keys[r.first:r.end])
	copy(r.ons, r.ons[r.first:r.end])
	copy(r.cells, r.cells[r.first*r.width:r.end*r.width])
	r.first, r.end = 0, keep
	r.moveSpare()
}

// moveSpare moves what the rows still need of spare to its front.
func (r *Rows) moveSpare() {
	from := len(r.spare)
	cells := r.cells[:r.end*r.width]
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

// reserve makes room for size more bytes in spare, and the slack behind them.
func (r *Rows) reserve(size int) {
	if cap(r.spare)-len(r.spare) < size+csvscan.Slack {
		grown := make([]byte, len(r.spare), 2*cap(r.spare)+size+csvscan.Slack)
		copy(grown, r.spare)
		r.spare = grown
	}
}
