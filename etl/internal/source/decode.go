package source

import (
	"bytes"
	"math"
	"slices"
	"strconv"
	"unicode/utf8"

	"systemscale/etl/internal/csvscan"
	"systemscale/etl/internal/decimal"
	"systemscale/etl/internal/shape"
)

// plan returns the fields for decode, or nil if decode would misread the dialect.
func (r *Reader) plan() []field {
	if len(r.dialect.Delimiter) > 1 {
		return nil
	}
	if d := r.delimiter; d >= '0' && d <= '9' || d == '.' || d == '-' || d >= utf8.RuneSelf || d <= ' ' && d != '\t' {
		return nil
	}
	fields := make([]field, r.layout.width)
	for i := range fields {
		fields[i] = field{kind: shape.Text, place: -1}
	}
	for i, c := range r.layout.columns {
		if c.field < 0 {
			continue
		}
		f := field{
			kind: c.converter.kind, nullable: c.nullable, place: c.place,
			key: slices.Contains(r.spec.Key, i), parentKey: slices.Contains(r.spec.ParentKey, i),
		}
		f.nullable = f.nullable && !f.key && !f.parentKey // convert rejects or counts the rows without a key
		if r.keys != nil {
			f.key, f.parentKey = false, false // encodeKeys has them
		}
		numeric := false // a null could be mistaken for a number
		for _, word := range c.nulls {
			if inner := unquoted(word); inner != nil && !r.dialect.NoQuotes {
				f.quoted = append(f.quoted, inner)
				continue
			}
			f.nulls = append(f.nulls, word)
			if bytes.IndexByte(word, r.delimiter) >= 0 || bytes.ContainsAny(word, "\x00 \t\r\n\"") {
				return nil // no field, or only a quoted one, can contain it
			}
			numeric = numeric || len(word) > 0 && word[0]-'0' <= 9
		}
		for _, filter := range r.filters {
			if filter.column == i && filter.test == nil {
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
		f.tests, f.lists = c.tests, c.lists
		f.special = len(f.drops) > 0 || len(f.quoted) > 0 || len(f.repairs) > 0 || len(f.tests) > 0 || len(f.lists) > 0
		f.int = f.kind == shape.Int && len(f.repairs) == 0 && len(f.tests) == 0 && len(f.drops) < 2 && !numeric
		if c.converter.numbers != nil && f.kind != shape.Int || f.kind == shape.Date || f.kind == shape.Time || f.kind == shape.JSON {
			f.converter = &r.layout.columns[i].converter
		}
		f.planBare(r.dialect.TrimSpaces)
		f.drop = math.MaxUint64
		if f.int && len(f.drops) > 0 {
			n, _ := parseInt(f.drops[0])
			f.drop = uint64(n)
		}
		fields[c.field] = f
	}
	return fields
}

// decodeRecord decodes the record at an index of w to the row after the last one. position is that of the first byte of w. It
// returns the index of the next record, or -1 if the record is not plain.
func (r *Reader) decodeRecord(w words, at int, position int64) int {
	begin, i := at, 0
	for {
		f := &r.layout.fields[i]
		if f.int {
			if i, at = r.decodeInts(i, w, at, position); at < 0 {
				return -1
			}
			if i == len(r.layout.fields) {
				break
			}
			f = &r.layout.fields[i]
		}
		var cell Cell
		if f.kind == shape.Text && w.byte(at) == '"' {
			end, plain := quotedText(w, at+1)
			if end < 0 || f.special && f.matches(w.bytes(at+1, end), w.bytes(at+1, end), false) {
				return -1
			}
			cell = Cell{at: position + int64(at+1), length: int32(end - at - 1), Plain: plain}
			at = end + 1
		} else if c := w.byte(at); f.bare && c != f.space && c != f.nullByte {
			end := bareText(w, at, r.delimiter)
			if end < 0 || end > at && w.byte(end-1) == f.space {
				return -1
			}
			cell = Cell{at: position + int64(at), length: int32(end - at), Plain: true}
			at = end
		} else if cell, at = r.decodeField(f, w, at, position); at < 0 {
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

// endRecord ends a record whose fields end at an index of w, and returns the index of the next one, or -1 if more follows in the line.
func (r *Reader) endRecord(w words, begin, at int) int {
	if w.byte(at) == '\r' {
		at++
	}
	if w.byte(at) != '\n' || at-begin > csvscan.MaxLine {
		return -1
	}
	for _, place := range r.layout.absent {
		r.rows.cells[r.rows.ahead*r.rows.width+place] = null
	}
	return at + 1
}

// decodeInts decodes consecutive plain ints, with the delimiters after them, from field i and index at of w on. It returns the
// number and the index of the first field that is not a plain int. After the last field, it returns the number of fields and the
// index of the record's end. The index is -1 if the record is not plain. It calls no function, so that its variables stay in registers.
func (r *Reader) decodeInts(i int, w words, at int, position int64) (int, int) {
	row := r.rows.ahead
	cells := r.rows.cells[row*r.rows.width:]
	fields, delimiter := r.layout.fields, r.delimiter
	for i < len(fields) {
		f := &fields[i]
		word := w.word(at)
		if !f.int || byte(word)-'1' >= 9 {
			return i, at
		}
		digits := leadingDigits(word)
		value := eightDigits(word << ((64 - 8*uint(digits)) & 63))
		if digits == 8 {
			word = w.word(at + 8)
			more := leadingDigits(word)
			if more == 8 {
				return i, at
			}
			value = value*tens[more] + eightDigits(word<<((56-8*uint(more))&63)<<8)
			digits += more
		}
		if value == f.drop {
			return i, -1
		}
		if f.key {
			r.rows.keys[row] = int64(value)
		}
		if f.parentKey {
			r.rows.parentKeys[row] = int64(value)
		}
		if f.place >= 0 {
			cells[f.place] = Cell{at: position + int64(at), length: int32(digits), Plain: true}
		}
		at += digits
		i++
		if i == len(fields) {
			break
		}
		if w.byte(at) != delimiter {
			return i, -1
		}
		at++
	}
	return i, at
}

// tens are the powers of ten.
var tens = [8]uint64{1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000}

// matches reports whether a filter or a repair applies to a field with this text, or a list of ints in it is not valid.
func (f *field) matches(text, canonical []byte, null bool) bool {
	for _, drop := range f.drops {
		if bytes.Equal(text, drop) {
			return true
		}
	}
	for _, word := range f.quoted {
		if bytes.Equal(text, word) {
			return true
		}
	}
	for _, prefix := range f.repairs {
		if bytes.HasPrefix(text, prefix) {
			return true
		}
	}
	for _, filter := range f.tests {
		if filter.dropsValue(canonical, null) {
			return true
		}
	}
	for _, at := range f.lists {
		if !null && !areInts(text, at) {
			return true
		}
	}
	return false
}

// decodeField decodes the field at an index of w. It returns its cell and the index of its end, or -1 if it is not plain.
func (r *Reader) decodeField(f *field, w words, at int, position int64) (Cell, int) {
	for r.dialect.TrimSpaces && w.byte(at) == ' ' {
		at++
	}
	quoted := w.byte(at) == '"'
	if quoted {
		at++
	}
	begin := at
	end := -1
	if !quoted && len(f.nulls) > 0 {
		end = f.null(w, at, r.delimiter)
	}
	cell := Cell{at: position + int64(begin), Plain: true}
	switch {
	case end >= 0 && !f.nullable:
		return cell, -1
	case end >= 0:
		cell = null
	case f.kind == shape.Text && quoted:
		end, cell.Plain = quotedText(w, at)
	case f.kind == shape.Text:
		end = bareText(w, at, r.delimiter)
		if end > begin && w.byte(end-1) == ' ' && r.dialect.TrimSpaces {
			return cell, -1
		}
	case f.converter != nil:
		end = r.decodeText(f, w, at, quoted, &cell)
	case f.kind == shape.Flag:
		end = at + 1
		switch w.byte(at) {
		case '0':
			cell.at, cell.length = ^int64(0), falseSize
		case '1':
			cell.at, cell.length = ^int64(falseSize), trueSize
		default:
			end = flagWord(w, at, r.delimiter, &cell)
		}
	case f.kind == shape.Decimal:
		end = decimalNumber(w, at)
	default:
		end = r.decodeNumber(f, w, at, &cell)
	}
	if end < 0 || f.special && f.matches(w.bytes(begin, end), r.canonical(f, w, begin, end, &cell), cell.Null) {
		return cell, -1
	}
	if cell.at >= 0 {
		cell.length = int32(end - begin)
	}
	if quoted {
		if w.byte(end) != '"' {
			return cell, -1
		}
		end++
	}
	return cell, end
}

// canonical returns the canonical form of the value that decodeField has decoded.
func (r *Reader) canonical(f *field, w words, begin, end int, cell *Cell) []byte {
	if cell.at < 0 && (f.converter != nil || f.kind == shape.Flag) {
		return r.rows.Text(cell)
	}
	return w.bytes(begin, end) // a money without decimals is equal to its canonical form, as a number
}

// decodeText decodes a field that the column's converter converts, for decodeField. It returns the index of its end, or -1.
func (r *Reader) decodeText(f *field, w words, at int, quoted bool, cell *Cell) int {
	end := at
	if quoted {
		end, _ = quotedText(w, at)
	} else {
		end = bareValue(w, at, r.delimiter)
	}
	if end < 0 || f.converter.isNull(w.bytes(at, end)) {
		return -1
	}
	from := len(r.rows.spare)
	r.rows.reserve(end - at + longestNumber)
	text, _, reason := f.converter.append(r.rows.spare, w.bytes(at, end))
	if reason != "" {
		return -1
	}
	r.rows.spare = text
	cell.at, cell.length = ^int64(from), int32(len(text)-from)
	cell.Plain = f.kind != shape.JSON || isPlain(text[from:])
	return end
}

// null returns the end of the field at an index of w if the field means null, or -1.
func (f *field) null(w words, at int, delimiter byte) int {
	for _, word := range f.nulls {
		end := at
		for _, c := range word {
			if w.byte(end) != c {
				break
			}
			end++
		}
		if end-at < len(word) {
			continue
		}
		if c := w.byte(end); c == delimiter || c == '\n' || c == '\r' {
			return end
		}
	}
	return -1
}

// decodeNumber decodes an int or an amount for decodeField. It returns the index of its end, or -1.
func (r *Reader) decodeNumber(f *field, w words, at int, cell *Cell) int {
	end := at
	var value int64
	for c := w.byte(end) - '0'; c <= 9; c = w.byte(end) - '0' {
		value = value*10 + int64(c)
		if end++; end-at > 15 {
			return -1
		}
	}
	if end == at || w.byte(at) == '0' && end > at+1 {
		return -1
	}
	if f.kind == shape.Int {
		if f.key {
			r.rows.keys[r.rows.ahead] = value
		}
		if f.parentKey {
			r.rows.parentKeys[r.rows.ahead] = value
		}
		return end
	}
	if w.byte(end) == '.' {
		if w.byte(end+1)-'0' > 9 || w.byte(end+2)-'0' > 9 {
			return -1
		}
		return end + 3
	}
	if f.place >= 0 {
		cell.at, cell.length = r.rows.appendDecimals(w.bytes(at, end)), int32(end-at+len(".00"))
	}
	return end
}

// flagWord decodes a flag that is a word for decodeField. It returns the index of its end, or -1.
func flagWord(w words, at int, delimiter byte, cell *Cell) int {
	end := at
	for w.byte(end) != delimiter && (w.byte(end)|' ')-'a' < 26 && end-at <= falseSize {
		end++
	}
	set, ok := shape.ParseFlag(w.bytes(at, end))
	switch {
	case !ok:
		return -1
	case set:
		cell.at, cell.length = ^int64(falseSize), trueSize
	default:
		cell.at, cell.length = ^int64(0), falseSize
	}
	return end
}

// decimalNumber returns the index of the end of the canonical decimal without exponent at an index of w, or -1.
func decimalNumber(w words, at int) int {
	begin := at
	if w.byte(at) == '-' {
		at++
	}
	first := at
	var ored byte // not 0 if a digit is not 0
	for c := w.byte(at) - '0'; c <= 9; c = w.byte(at) - '0' {
		ored |= c
		at++
	}
	if at == first || w.byte(first) == '0' && at > first+1 {
		return -1
	}
	if w.byte(at) == '.' {
		point := at
		at++
		for c := w.byte(at) - '0'; c <= 9; c = w.byte(at) - '0' {
			ored |= c
			at++
		}
		if at == point+1 {
			return -1
		}
	}
	if first > begin && ored == 0 || at-begin > decimal.MaxLength {
		return -1
	}
	return at
}

// appendDecimals appends the digits and two decimals to spare, and returns the text's position for a cell.
func (r *Rows) appendDecimals(digits []byte) int64 {
	at := ^int64(len(r.spare))
	r.reserve(len(digits) + 3)
	r.spare = append(append(r.spare, digits...), ".00"...)
	return at
}
