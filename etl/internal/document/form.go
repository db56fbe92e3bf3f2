package document

import (
	"bytes"
	"slices"

	"systemscale/etl/internal/shape"
)

// joined is a string of several texts.
type joined struct {
	parts []part
	with  text
}

// part is a column, or a constant text in the form that it has within a JSON string.
type part struct {
	place    int // index in the source's Rendered, or -1
	constant text
}

func newJoined(join shape.Join, of *shape.Source) *joined {
	f := &joined{with: inside(join.With)}
	for _, p := range join.Parts {
		if p.Column < 0 {
			f.parts = append(f.parts, part{-1, inside(p.Text)})
		} else {
			f.parts = append(f.parts, part{place: slices.Index(of.Rendered, p.Column)})
		}
	}
	return f
}

// inside returns a text in the form that it has within a JSON string.
func inside(all string) text { return newText(string(appendEscaped(nil, []byte(all)))) }

func (f *joined) write(w *writer, at place) {
	begin, empty, null := w.end, true, true
	w.byte('"')
	for i := range f.parts {
		p := &f.parts[i]
		if p.place >= 0 && at.cells[p.place].Null {
			continue
		}
		if !empty {
			w.text(&f.with)
		}
		empty = false
		if p.place < 0 {
			w.text(&p.constant)
			continue
		}
		null = false
		w.inside(at.rows, &at.cells[p.place])
	}
	if null {
		w.end = begin
		w.text(&nullText)
		return
	}
	w.byte('"')
}

// split is an array of the elements of a list in a cell.
type split struct {
	place int // index in the source's Rendered
	at    []byte
	ints  bool
}

func newSplit(body shape.Split, of *shape.Source) *split {
	return &split{place: slices.Index(of.Rendered, body.Column), at: []byte(body.At), ints: body.Ints}
}

func (f *split) write(w *writer, at place) {
	cell := &at.cells[f.place]
	begin := w.end
	for rest, more := trimSpaces(at.rows.Text(cell)), true; more && (len(rest) > 0 || w.end > begin); {
		element := rest
		if i := bytes.Index(rest, f.at); i >= 0 {
			element, rest = rest[:i], rest[i+len(f.at):]
		} else {
			more = false
		}
		w.byte(',')
		switch element = trimSpaces(element); {
		case f.ints:
			w.int(element)
		case cell.Plain:
			w.byte('"')
			w.bytes(element)
			w.byte('"')
		default:
			w.buffer = appendString(w.buffer[:w.end], element)
			w.adopt()
		}
	}
	w.close(begin, '[', ']')
}

// trimSpaces removes spaces and tabs around a text. It keeps the capacity after it.
func trimSpaces(text []byte) []byte {
	for len(text) > 0 && (text[0] == ' ' || text[0] == '\t') {
		text = text[1:]
	}
	for len(text) > 0 && (text[len(text)-1] == ' ' || text[len(text)-1] == '\t') {
		text = text[:len(text)-1]
	}
	return text
}

// int writes an int without the zeros at its beginning.
func (w *writer) int(text []byte) {
	digits := bytes.TrimPrefix(text, []byte{'-'})
	for len(digits) > 1 && digits[0] == '0' {
		digits = digits[1:]
	}
	if len(digits) < len(text) && text[0] == '-' && digits[0] != '0' {
		w.byte('-')
	}
	w.bytes(digits)
}
