package document

import (
	"encoding/binary"

	"systemscale/etl/internal/csvscan"
	"systemscale/etl/internal/join"
	"systemscale/etl/internal/source"
)

// writer appends to buffer[:end]. Most pieces are short, and a call of memmove costs more than storing three words. So the writer
// always stores 24 bytes of a short piece; the next piece overwrites the excess. reserve guarantees the room.
type writer struct {
	buffer []byte // extends to its capacity
	end    int

	scratch *scratch // nil if no step needs it
}

// short is the length, in bytes, up to which a piece is stored as three words.
const short = 24

// Compilation fails unless the slack after a cell's text is large enough to load three words from it.
const _ = uint(csvscan.Slack - short)

// place is the row that a form is written for.
type place struct {
	tree  *join.Tree
	rows  *source.Rows
	cells []source.Cell // of the row
	of    int           // index of the source
	row   int32
}

// text is a constant piece.
type text struct {
	words [3]uint64 // the first bytes
	all   string
}

func newText(all string) text {
	var first [short]byte
	copy(first[:], all)
	t := text{all: all}
	for i := range t.words {
		t.words[i] = binary.LittleEndian.Uint64(first[8*i:])
	}
	return t
}

var nullText = newText("null")

func (w *writer) text(t *text) {
	at := w.reserve(len(t.all))
	if len(t.all) <= short {
		to := w.buffer[at : at+short]
		binary.LittleEndian.PutUint64(to, t.words[0])
		binary.LittleEndian.PutUint64(to[8:], t.words[1])
		binary.LittleEndian.PutUint64(to[16:], t.words[2])
	} else {
		copy(w.buffer[at:], t.all)
	}
	w.end = at + len(t.all)
}

// bytes writes a cell's text, whose capacity must include csvscan.Slack.
func (w *writer) bytes(text []byte) {
	at := w.reserve(len(text))
	if len(text) <= short {
		from, to := text[:short], w.buffer[at:at+short]
		binary.LittleEndian.PutUint64(to, binary.LittleEndian.Uint64(from))
		binary.LittleEndian.PutUint64(to[8:], binary.LittleEndian.Uint64(from[8:]))
		binary.LittleEndian.PutUint64(to[16:], binary.LittleEndian.Uint64(from[16:]))
	} else {
		copy(w.buffer[at:], text)
	}
	w.end = at + len(text)
}

// inside writes a cell's text, which is not null, without the quotes around it.
func (w *writer) inside(rows *source.Rows, cell *source.Cell) {
	if cell.Plain {
		w.bytes(rows.Text(cell))
		return
	}
	w.buffer = appendEscaped(w.buffer[:w.end], rows.Text(cell))
	w.adopt()
}

func (w *writer) byte(c byte) {
	at := w.reserve(1)
	w.buffer[at] = c
	w.end = at + 1
}

// close ends an array or an object whose elements, each after a comma, begin at from.
func (w *writer) close(from int, opening, closing byte) {
	if w.end == from {
		w.byte(opening)
	}
	w.buffer[from] = opening
	w.byte(closing)
}

// reserve makes room for size bytes and the excess of a short piece, and returns end.
func (w *writer) reserve(size int) int {
	if w.end+size+short > len(w.buffer) {
		w.grow(size)
	}
	return w.end
}

func (w *writer) grow(size int) {
	grown := make([]byte, 2*len(w.buffer)+size+short)
	copy(grown, w.buffer[:w.end])
	w.buffer = grown
}

// adopt accepts the buffer after an append.
func (w *writer) adopt() {
	w.end = len(w.buffer)
	w.buffer = w.buffer[:cap(w.buffer)]
}
