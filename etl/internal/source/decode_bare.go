package source

import (
	"unicode/utf8"

	"systemscale/etl/internal/shape"
)

// decodeBare is decodeRecord for a dialect without quotes.
func (r *Reader) decodeBare(w words, at int, position int64) int {
	begin, i := at, 0
	for {
		if i, at = r.decodeInts(i, w, at, position); at < 0 {
			return -1
		}
		if i == len(r.layout.fields) {
			break
		}
		var cell Cell
		f := &r.layout.fields[i]
		switch c := w.byte(at); {
		case f.kind == shape.Text:
			cell, at = r.decodeBareText(f, w, at, position)
		case c == '"' || c == ' ':
			return -1 // decodeField takes a quote for that of a quoted field
		default:
			cell, at = r.decodeField(f, w, at, position)
		}
		if at < 0 {
			return -1
		}
		if f.place >= 0 {
			r.rows.cells[r.rows.ahead*r.rows.width+f.place] = cell
		}
		i++
		if i == len(r.layout.fields) {
			break
		}
		if w.byte(at) != r.delimiter {
			return -1
		}
		at++
	}
	return r.endRecord(w, begin, at)
}

// decodeBareText decodes the text at an index of w. It returns its cell and the index of its end, or -1 if it is not plain.
func (r *Reader) decodeBareText(f *field, w words, at int, position int64) (Cell, int) {
	cell := Cell{at: position + int64(at), Plain: true}
	if end := f.null(w, at, r.delimiter); end >= 0 {
		if !f.nullable || f.special && f.matches(w.bytes(at, end), nil, true) {
			return cell, -1
		}
		return null, end
	}
	end, ascii := at, true
	for c := w.byte(end); c != r.delimiter && c != '\n' && c != '\r'; c = w.byte(end) {
		switch {
		case c < ' ':
			return cell, -1
		case c == '"' || c == '\\':
			cell.Plain = false
		case c >= utf8.RuneSelf:
			ascii = false
		}
		end++
	}
	text := w.bytes(at, end)
	if end > at && r.dialect.TrimSpaces && (text[0] == ' ' || text[len(text)-1] == ' ') {
		return cell, -1
	}
	if !ascii && !utf8.Valid(text) || f.special && f.matches(text, text, false) {
		return cell, -1
	}
	cell.length = int32(end - at)
	return cell, end
}
