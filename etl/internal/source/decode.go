package source

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"strconv"
	"unicode/utf8"

	"systemscale/etl/internal/csvscan"
	"systemscale/etl/internal/shape"
)

// decode reads the record at the beginning of window, whose first size bytes are the file's, as the rows' next one. It
// returns the record's size with its line end, or 0 when the record is not of the plain kind that nearly all are, or not all
// there: then nothing has changed, and the record is for Scan and convert, which give the same row for what both can read.
//
// Plain are, in as many fields as the header has: canonical ints of up to 16 digits, amounts of up to 15 digits with none or two
// decimals, the flags 0 and 1, nulls where they are admitted, quoted texts without an escape or a control character, and bare ASCII texts.
func (r *Reader) decode(window []byte, size int) int {
	rows := &r.rows
	rows.next()
	mark := len(rows.spare)
	n := r.decodeFields(window, size)
	if n == 0 {
		rows.spare = rows.spare[:mark]
		return 0
	}
	rows.end++
	return n
}

// field is what decode needs to know of one field of the records.
type field struct {
	kind     shape.Type
	number   bool // of a key, which is needed as a number
	on       bool // the parent's key, and not the row's own alone
	key      bool
	special  bool // drops or repairs has something in it
	nullable bool
	text     bool     // the word that stands for null is text here: no column is declared
	place    int      // of the cell in the row, or -1 for a column that no document shows
	drops    [][]byte // texts for which a filter drops the row
	repairs  [][]byte // prefixes that a repair replaces
}

// plan returns how decode is to read the records, or nil when the dialect has something in it that decode would misread.
func (r *Reader) plan() []field {
	if d := r.dialect.Delimiter; d >= '0' && d <= '9' || d == '.' || d == '-' || d >= utf8.RuneSelf {
		return nil
	}
	if len(r.null) > 0 && (r.null[0] < 'A' || len(r.null) > 16) {
		return nil // it may look like a number, or a quote
	}
	fields := make([]field, r.width)
	for i := range fields {
		fields[i] = field{kind: shape.Text, text: true, place: -1}
	}
	for i, c := range r.columns {
		if c.field < 0 {
			continue
		}
		f := field{kind: c.kind, nullable: c.nullable, key: i == r.spec.Key, on: i == r.spec.On, place: c.place}
		f.number = f.key || f.on
		for _, filter := range r.filters {
			if filter.column == i {
				text := filter.text
				if filter.isNumber {
					text = strconv.AppendInt(nil, filter.number, 10)
				}
				f.drops = append(f.drops, text)
			}
		}
		for _, repair := range r.spec.Repairs {
			if repair.Column == i {
				f.repairs = append(f.repairs, []byte(repair.Prefix))
			}
		}
		f.special = len(f.drops) > 0 || len(f.repairs) > 0
		fields[c.field] = f
	}
	return fields
}

const (
	ones        = 0x0101010101010101
	highs       = 0x8080808080808080
	quotes      = '"' * ones
	backslashes = '\\' * ones
	spaces      = ' ' * ones
	zeros       = '0' * ones
)

func (r *Reader) decodeFields(w []byte, size int) int {
	rows := &r.rows
	cells := rows.cells[rows.end*rows.width : (rows.end+1)*rows.width]
	position := r.scanner.Position()
	delimiter := r.dialect.Delimiter
	last := len(r.fields) - 1
	at := 0
	for i := range r.fields {
		f := &r.fields[i]
		// Below size two words can always be read, and a little more, for the slack is longer.
		if at >= size {
			return 0
		}
		var cell Cell
		switch {
		case f.kind == shape.Int && w[at]-'1' < 9:
			word := binary.LittleEndian.Uint64(w[at:])
			digits := leadingDigits(word)
			if digits == 8 {
				digits += leadingDigits(binary.LittleEndian.Uint64(w[at+8:]))
				if digits > 15 {
					return 0
				}
			}
			if f.number {
				value := number(word, w[at:], digits)
				if f.key {
					rows.keys[rows.end] = value
				}
				if f.on {
					rows.ons[rows.end] = value
				}
			}
			if f.special && f.matches(w[at:at+digits]) {
				return 0
			}
			cell = Cell{at: position + int64(at), length: int32(digits), Plain: true}
			at += digits
		case f.kind == shape.Text && w[at] == '"':
			begin := at + 1
			end, plain := quotedText(w, begin, size)
			if end < 0 || f.special && f.matches(w[begin:end]) {
				return 0
			}
			cell = Cell{at: position + int64(begin), length: int32(end - begin), Plain: plain}
			at = end + 1
		default:
			if cell, at = r.decodeField(f, w, at, size); at == 0 {
				return 0
			}
		}
		if f.place >= 0 {
			cells[f.place] = cell
		}
		if i < last {
			if w[at] != delimiter {
				return 0
			}
			at++
		}
	}
	if w[at] == '\r' {
		at++
	}
	if w[at] != '\n' || at >= size || at > csvscan.MaxLine {
		return 0
	}
	for _, place := range r.absent {
		cells[place] = null
	}
	return at + 1
}

// matches reports whether a filter drops the row for this text, or a repair changes it.
func (f *field) matches(text []byte) bool {
	for _, drop := range f.drops {
		if bytes.Equal(text, drop) {
			return true
		}
	}
	for _, prefix := range f.repairs {
		if bytes.HasPrefix(text, prefix) {
			return true
		}
	}
	return false
}

// decodeField reads the field that begins at w[at], whatever it is, and returns its cell and where it ends, or 0 when it is not plain.
func (r *Reader) decodeField(f *field, w []byte, at, size int) (Cell, int) {
	for r.dialect.TrimSpaces && w[at] == ' ' && at < size {
		at++
	}
	quoted := w[at] == '"'
	if quoted {
		at++
	}
	begin, end := at, -1
	cell := Cell{at: r.scanner.Position() + int64(begin), Plain: true}
	switch {
	case !quoted && f.nullable && len(r.null) > 0 && w[at] == r.null[0] && bytes.HasPrefix(w[at:], r.null):
		// A longer word that begins like null has no delimiter behind it, and is left to convert.
		end = at + len(r.null)
		cell = null
	case f.kind == shape.Text && quoted:
		end, cell.Plain = quotedText(w, at, size)
	case f.kind == shape.Text:
		end = bareText(w, at, size, r.dialect.Delimiter)
		if end > begin && (w[end-1] == ' ' && r.dialect.TrimSpaces || bytes.Equal(w[begin:end], r.null)) {
			return Cell{}, 0
		}
	case f.kind == shape.Flag:
		end = at + 1
		switch w[at] {
		case '0':
			cell.at, cell.length = ^int64(0), falseSize
		case '1':
			cell.at, cell.length = ^int64(falseSize), trueSize
		default:
			return Cell{}, 0
		}
	default:
		end = r.decodeNumber(f, w, at, &cell)
	}
	if end < 0 || f.special && f.matches(w[begin:end]) {
		return Cell{}, 0
	}
	if cell.at >= 0 {
		cell.length = int32(end - begin)
	}
	if quoted {
		if w[end] != '"' {
			return Cell{}, 0
		}
		end++
	}
	return cell, end
}

// decodeNumber reads an int or an amount for decodeField. It returns where it ends, or -1.
func (r *Reader) decodeNumber(f *field, w []byte, at int, cell *Cell) int {
	word := binary.LittleEndian.Uint64(w[at:])
	digits := leadingDigits(word)
	if digits == 8 {
		digits += leadingDigits(binary.LittleEndian.Uint64(w[at+8:]))
	}
	if digits == 0 || digits > 15 || w[at] == '0' && digits > 1 {
		return -1
	}
	end := at + digits
	if f.kind == shape.Int {
		value := number(word, w[at:], digits)
		if f.key {
			r.rows.keys[r.rows.end] = value
		}
		if f.on {
			r.rows.ons[r.rows.end] = value
		}
		return end
	}
	if w[end] == '.' {
		if w[end+1]-'0' > 9 || w[end+2]-'0' > 9 {
			return -1
		}
		return end + 3
	}
	if f.place >= 0 {
		cell.at, cell.length = r.rows.appendDecimals(w[at:end]), int32(digits+len(".00"))
	}
	return end
}

// quotedText returns where the quoted text that begins at w[at] ends, and whether it is plain; or -1 when it has an escape in it,
// a control character, or bytes that are no UTF-8, or does not end in the first size bytes.
func quotedText(w []byte, at, size int) (int, bool) {
	begin := at
	for {
		if at >= size {
			return -1, false
		}
		// Eight at a time; the tests for a zero byte and for one below a space are those of Sean Anderson's "Bit Twiddling
		// Hacks". A find may be wrong only behind a right one. Bytes beyond ASCII are found too.
		word := binary.LittleEndian.Uint64(w[at:])
		found := ((word - spaces) | ((word ^ quotes) - ones) | ((word ^ backslashes) - ones) | word) & highs
		if found == 0 {
			at += 8
			continue
		}
		at += bits.TrailingZeros64(found) >> 3
		if w[at] == '"' {
			return at, true
		}
		if w[at] < utf8.RuneSelf {
			return -1, false
		}
		return foreignText(w, begin, at, size)
	}
}

// foreignText is quotedText for a text with bytes beyond ASCII.
func foreignText(w []byte, begin, at, size int) (int, bool) {
	for ; at < size; at++ {
		switch c := w[at]; {
		case c == '"':
			if !utf8.Valid(w[begin:at]) {
				return -1, false
			}
			return at, true
		case c < ' ' || c == '\\':
			return -1, false
		}
	}
	return -1, false
}

// bareText returns where the bare text that begins at w[at] ends, or -1 when it is not plain ASCII or does not end in the
// first size bytes.
func bareText(w []byte, at, size int, delimiter byte) int {
	for ; at < size; at++ {
		switch c := w[at]; {
		case c == delimiter || c == '\n' || c == '\r':
			return at
		case c < ' ' || c == '"' || c == '\\' || c >= utf8.RuneSelf:
			return -1
		}
	}
	return -1
}

// number returns the value of the digits, at most 15, that w begins with; word is its first eight bytes.
func number(word uint64, w []byte, digits int) int64 {
	if digits <= 8 {
		return int64(eightDigits(word << (64 - 8*uint(digits)))) // zeros take the place of the missing digits
	}
	value := int64(eightDigits(word))
	for _, c := range w[8:digits] {
		value = value*10 + int64(c-'0')
	}
	return value
}

// leadingDigits returns how many of the word's bytes, the lowest first, are digits before the first that is none.
func leadingDigits(word uint64) int {
	x := word ^ zeros
	return bits.TrailingZeros64(((x+0x7676767676767676)|x)&highs) >> 3
}

// eightDigits returns the number that a word of digits reads, the lowest byte first; zero bytes count as zeros. Three
// multiplications, each of which joins neighbours: Johnny Lee, "Fast numeric string to int", 2016.
func eightDigits(word uint64) uint64 {
	word &= 0x0f0f0f0f0f0f0f0f
	word = (word * (10<<8 + 1)) >> 8 & 0x00ff00ff00ff00ff
	word = (word * (100<<16 + 1)) >> 16 & 0x0000ffff0000ffff
	return word * (10000<<32 + 1) >> 32
}

// appendDecimals appends an amount without decimals, with them, to spare and returns where a cell finds it.
func (r *Rows) appendDecimals(digits []byte) int64 {
	at := ^int64(len(r.spare))
	r.reserve(len(digits) + 3)
	r.spare = append(append(r.spare, digits...), ".00"...)
	return at
}
