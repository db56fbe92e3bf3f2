package main

import (
	"context"
	"io"
)

// bufferSize is the number of bytes that are collected before they are written.
const bufferSize = 1 << 20

// writer writes the rows of one file. It keeps the first error and drops everything after it.
type writer struct {
	random  stream
	rows    int64 // good rows begun
	added   int64 // rows of addRow
	parents int64 // styles of the products before this one; for the files whose parent is a style

	afterRow func() // called after each good row, for example to add another row; may be nil

	ctx    context.Context
	out    io.Writer
	buffer []byte
	bytes  int64
	err    error
}

func newWriter(ctx context.Context, out io.Writer) *writer {
	return &writer{ctx: ctx, out: out, buffer: make([]byte, 0, bufferSize+bufferSize/8)}
}

// beginRow counts a good row and returns the buffer to append it to. The caller passes the result to endRow and does not retain it. The
// last row is always in the buffer.
func (w *writer) beginRow() []byte {
	if len(w.buffer) >= bufferSize {
		w.flush()
	}
	w.rows++
	return append(w.buffer, '\n')
}

func (w *writer) endRow(buffer []byte) {
	w.buffer = buffer
	if w.afterRow != nil {
		w.afterRow()
	}
}

// addRow adds a row that does not count as a good one, and returns the number of its line.
func (w *writer) addRow(text string) int64 {
	w.added++
	w.buffer = append(append(w.buffer, '\n'), text...)
	return w.line()
}

// line returns the number of the line of the last row; the header is line 1.
func (w *writer) line() int64 { return 1 + w.rows + w.added }

func (w *writer) flush() {
	if w.err == nil {
		w.err = w.ctx.Err()
	}
	if w.err == nil {
		var written int
		written, w.err = w.out.Write(w.buffer)
		w.bytes += int64(written)
	}
	w.buffer = w.buffer[:0]
}
