package document

import (
	"encoding/binary"
	"math"

	"systemscale/etl/internal/join"
	"systemscale/etl/internal/source"
)

type operation uint8

const (
	writeNothing operation = iota
	writeBare              // a number, a flag or null
	writeInside            // a JSON string that is never null; its quotes are part of the literals before and after it
	writeQuoted            // a JSON string or null
	writeEach
	writeForm // what form describes
)

// step appends a literal, and then a column of the current row or one element per child row.
type step struct {
	literal   text
	operation operation
	place     int // index of the column in the source's Rendered

	// for writeEach only
	child       int    // index of the child source
	slot        int    // index in the current source's Children
	as          []step // an element, beginning with a comma; open replaces the first comma
	empty       text
	open, close byte

	form any // for writeForm only: see writer.form
}

// steps executes steps for one row of the source with the index of.
func (w *writer) steps(steps []step, tree *join.Tree, rows *source.Rows, of int, row int32) {
	cells := rows.Row(row)
	for i := w.shortSteps(steps, rows, cells); i < len(steps); i += 1 + w.shortSteps(steps[i+1:], rows, cells) {
		s := &steps[i]
		w.text(&s.literal)
		switch s.operation {
		case writeNothing:
			continue
		case writeEach:
			w.each(s, tree, of, row)
			continue
		case writeForm:
			w.form(s.form, place{tree, rows, cells, of, row})
			continue
		}
		cell := &cells[s.place]
		switch text := rows.Text(cell); {
		case cell.Null:
			w.text(&nullText)
		case s.operation == writeBare || s.operation == writeInside && cell.Plain:
			w.bytes(text)
		case s.operation == writeInside:
			w.buffer = appendEscaped(w.buffer[:w.end], text)
			w.adopt()
		case cell.Plain:
			w.byte('"')
			w.bytes(text)
			w.byte('"')
		default:
			w.buffer = appendString(w.buffer[:w.end], text)
			w.adopt()
		}
	}
}

// shortSteps executes steps while the literals and texts are short and need no escaping, as most are. It returns their number. It
// calls no function, so that its variables stay in registers.
func (w *writer) shortSteps(steps []step, rows *source.Rows, cells []source.Cell) int {
	buffer, end := w.buffer, w.end
	i := 0
	for ; i < len(steps); i++ {
		s := &steps[i]
		if len(s.literal.all) > short || s.operation > writeInside || end+3*short > len(buffer) {
			break
		}
		to := buffer[end : end+short]
		binary.LittleEndian.PutUint64(to, s.literal.words[0])
		binary.LittleEndian.PutUint64(to[8:], s.literal.words[1])
		binary.LittleEndian.PutUint64(to[16:], s.literal.words[2])
		if s.operation == writeNothing {
			end += len(s.literal.all)
			continue
		}
		cell := &cells[s.place]
		text := rows.Text(cell)
		if !cell.Short(short) {
			break
		}
		end += len(s.literal.all)
		from := text[:short]
		to = buffer[end : end+short]
		binary.LittleEndian.PutUint64(to, binary.LittleEndian.Uint64(from))
		binary.LittleEndian.PutUint64(to[8:], binary.LittleEndian.Uint64(from[8:]))
		binary.LittleEndian.PutUint64(to[16:], binary.LittleEndian.Uint64(from[16:]))
		end += len(text)
	}
	w.end = end
	return i
}

func (w *writer) each(s *step, tree *join.Tree, of int, row int32) {
	children := tree.Children(of, row, s.slot)
	if children.Begin == children.End {
		w.text(&s.empty)
		return
	}
	rows, begin := tree.Rows(s.child), w.end
	for place := children.Begin; place < children.End; place++ {
		w.steps(s.as, tree, rows, s.child, tree.At(s.child, place))
	}
	w.buffer[begin] = s.open
	w.byte(s.close)
}

// form writes the value of a step with the operation writeForm. The forms are concrete types and not an interface, so that the writer
// stays on the stack.
func (w *writer) form(form any, at place) {
	switch f := form.(type) {
	case *dropping:
		f.write(w, at)
	case *joined:
		f.write(w, at)
	case *split:
		f.write(w, at)
	case *chosen:
		f.write(w, at)
	case *single:
		f.write(w, at)
	case *aggregate:
		f.write(w, at)
	}
}

// dropping is an array that leaves out the elements that are null.
type dropping struct{ elements [][]step }

func (f *dropping) write(w *writer, at place) {
	first := w.end
	for _, element := range f.elements {
		begin := w.end
		w.byte(',')
		w.steps(element, at.tree, at.rows, at.of, at.row)
		if string(w.buffer[begin+1:w.end]) == nullText.all {
			w.end = begin
		}
	}
	w.close(first, '[', ']')
}

// chosen is an array or an object with elements for some rows of a child source, or for all in another order.
type chosen struct {
	selection
	limit       int32
	as          []step // an element, beginning with a comma
	empty       text
	open, close byte
}

// isWhole reports whether no row is left out.
func (f *chosen) isWhole() bool { return f.limit == math.MaxInt32 && len(f.where) == 0 }

func (f *chosen) write(w *writer, at place) {
	begin := w.end
	if len(f.order) == 0 {
		f.inFileOrder(w, at)
	} else {
		f.inOrder(w, at)
	}
	if w.end == begin {
		w.text(&f.empty)
		return
	}
	w.close(begin, f.open, f.close)
}

func (f *chosen) inFileOrder(w *writer, at place) {
	children := at.tree.Children(at.of, at.row, f.slot)
	rows := at.tree.Rows(f.child)
	left := f.limit
	for place := children.Begin; place < children.End && left > 0; place++ {
		row := at.tree.At(f.child, place)
		if len(f.where) > 0 && !admit(f.where, rows, rows.Row(row)) {
			continue
		}
		w.steps(f.as, at.tree, rows, f.child, row)
		left--
	}
}

func (f *chosen) inOrder(w *writer, at place) {
	children := at.tree.Children(at.of, at.row, f.slot)
	rows := at.tree.Rows(f.child)
	// The steps of an element may select rows, too, and move the slice.
	from := len(w.scratch.places)
	for place := children.Begin; place < children.End; place++ {
		if len(f.where) == 0 || admit(f.where, rows, rows.Row(at.tree.At(f.child, place))) {
			w.scratch.places = append(w.scratch.places, place)
		}
	}
	f.sort(w.scratch.places[from:], at.tree, rows)
	to := min(len(w.scratch.places), from+int(f.limit))
	for i := from; i < to; i++ {
		w.steps(f.as, at.tree, rows, f.child, at.tree.At(f.child, w.scratch.places[i]))
	}
	w.scratch.places = w.scratch.places[:from]
}

// single is the body of the first row of a child source.
type single struct {
	selection
	as        []step
	empty     text
	atMostOne bool // by the shape
}

// isWhole reports whether no row is left out.
func (f *single) isWhole() bool { return f.atMostOne && len(f.where) == 0 }

func (f *single) write(w *writer, at place) {
	children := at.tree.Children(at.of, at.row, f.slot)
	rows := at.tree.Rows(f.child)
	first := int32(-1)
	for place := children.Begin; place < children.End; place++ {
		row := at.tree.At(f.child, place)
		if len(f.where) > 0 && !admit(f.where, rows, rows.Row(row)) {
			continue
		}
		if first < 0 || f.compare(rows, row, first) < 0 {
			first = row
		}
		if len(f.order) == 0 {
			break
		}
	}
	if first < 0 {
		w.text(&f.empty)
		return
	}
	w.steps(f.as, at.tree, rows, f.child, first)
}
