package document

import (
	"encoding/binary"

	"systemscale/etl/internal/csvscan"
)

// writer writes behind buffer[:end]. Most pieces are short, and for those a call of memmove costs more than writing three words,
// of which what is too much is written over by the next piece: behind end there is always room for that.
type writer struct {
	buffer []byte // to its capacity
	end    int
}

// short is the length up to which a piece is written as three words.
const short = 24

// The texts of cells can be read that far, so they are copied as whole words too.
const _ = uint(csvscan.Slack - short)

// text is a constant piece.
type text struct {
	words [3]uint64 // of its first bytes
	all   string
}

func newText(all string) text {
	var first [short]byte
	copy(first[:], all)
	return text{words: [3]uint64{binary.LittleEndian.Uint64(first[:]), binary.LittleEndian.Uint64(first[8:]), binary.LittleEndian.Uint64(first[16:])}, all: all}
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

// bytes writes a cell's text, behind which more can be read.
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

func (w *writer) byte(c byte) {
	at := w.reserve(1)
	w.buffer[at] = c
	w.end = at + 1
}

// reserve makes room for size bytes and the words that may be written over them, and returns end.
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

// adopt takes over a buffer that was appended to.
func (w *writer) adopt() {
	w.end = len(w.buffer)
	w.buffer = w.buffer[:cap(w.buffer)]
}
