package source

import (
	"bytes"
	"slices"
	"unicode/utf8"

	"systemscale/etl/internal/csvscan"
)

// convert converts the scanner's current record to a row after the last one. It returns the reason to reject the record and the
// index of the faulty column, or -1; the reason is empty if the record is good. It accepts every record, including those that
// decode does not.
func (r *Reader) convert() (Reason, int) {
	if r.scanner.TooLong() {
		return LineTooLong, -1
	}
	switch r.current.broken {
	case LineBreak:
		return BrokenLine, r.openColumn()
	case Continued:
		return BrokenLine, -1
	}
	if reason := r.checkText(r.scanner.Raw()); reason != "" {
		return reason, -1
	}
	fields := r.scanner.Fields()
	switch {
	case r.current.broken == EndsInQuotes:
		return Truncated, -1
	case r.current.broken == MissingQuote && (len(fields) != r.layout.width || !r.dialect.CloseQuotes):
		return UnclosedQuote, r.openColumn()
	}
	if len(fields) != r.layout.width && !r.isShort(fields) {
		return FieldCount, -1
	}
	r.rows.grow(1)
	mark := len(r.rows.spare)
	r.current.applied, r.current.scratch = r.current.applied[:0], r.current.scratch[:0]
	for i := range r.layout.columns {
		if reason := r.convertColumn(i, fields); reason != "" {
			r.rows.spare = r.rows.spare[:mark]
			return reason, i
		}
	}
	for _, place := range r.layout.absent {
		*r.cell(place) = null
	}
	if len(r.spec.Key) > 0 {
		r.rows.keys[r.rows.ahead] = r.current.values[r.spec.Key[0]].number
	}
	if len(r.spec.ParentKey) > 0 {
		r.rows.parentKeys[r.rows.ahead] = r.current.values[r.spec.ParentKey[0]].number
	}
	for _, repair := range r.current.applied {
		r.tally.repaired[repair]++
	}
	if r.current.broken == MissingQuote {
		r.tally.closed++
	}
	return "", -1
}

// cell returns a cell of the row after the last one.
func (r *Reader) cell(place int) *Cell { return &r.rows.cells[r.rows.ahead*r.rows.width+place] }

// isShort reports whether a record lacks only last fields that may be null.
func (r *Reader) isShort(fields []csvscan.Field) bool {
	if !r.dialect.ShortRows || len(fields) > r.layout.width {
		return false
	}
	return !slices.ContainsFunc(r.layout.columns, func(c column) bool { return c.field >= len(fields) && !c.nullable })
}

// openColumn returns the index of the column of the record's last field, which is open, or -1 if it is not declared.
func (r *Reader) openColumn() int {
	last := len(r.scanner.Fields()) - 1
	return slices.IndexFunc(r.layout.columns, func(c column) bool { return c.field == last })
}

func (r *Reader) convertColumn(i int, fields []csvscan.Field) Reason {
	column, v := &r.layout.columns[i], &r.current.values[i]
	*v = value{null: true}
	if column.field < 0 {
		column.test(nil, true)
		return ""
	}
	if column.field >= len(fields) { // in a short row
		if column.place >= 0 {
			*r.cell(column.place) = null
		}
		column.test(nil, true)
		return ""
	}
	field := r.repair(i, fields[column.field])
	switch field.Damage {
	case csvscan.TextAfterQuote:
		return TextAfterQuote
	case csvscan.BareQuote:
		return BareQuote
	}
	v.text = field.Text
	if isNull(column.nulls, &field) || column.converter.isNull(field.Text) {
		if !column.nullable {
			return NullValue
		}
		if column.place >= 0 {
			*r.cell(column.place) = null
		}
		column.test(nil, true)
		return ""
	}
	v.null = false
	if !column.isList(field.Text) {
		return NotInt
	}
	from := len(r.rows.spare)
	r.rows.reserve(len(field.Text) + longestNumber)
	text, number, reason := column.converter.append(r.rows.spare, field.Text)
	if reason != "" {
		return reason
	}
	v.number = number
	column.test(text[from:], false)
	if column.place < 0 {
		return ""
	}
	r.rows.spare = text
	*r.cell(column.place) = Cell{at: ^int64(from), length: int32(len(text) - from), Plain: isPlain(text[from:])}
	return ""
}

// test evaluates the tests of a column.
func (c *column) test(text []byte, null bool) {
	for _, f := range c.tests {
		f.drops = f.dropsValue(text, null)
	}
}

// repair applies the repairs of a column to a field. If text follows the field's closing quote, a repair may replace the beginning
// of the raw field; the result is then parsed as a new field.
func (r *Reader) repair(i int, field csvscan.Field) csvscan.Field {
	for n := range r.spec.Repairs {
		repair := &r.spec.Repairs[n]
		size := len(repair.Prefix)
		if repair.Column != i || field.Damage == csvscan.BareQuote || len(field.Text) < size || string(field.Text[:size]) != repair.Prefix {
			continue
		}
		from := len(r.current.scratch)
		r.current.scratch = append(append(r.current.scratch, repair.With...), field.Text[size:]...)
		text := r.current.scratch[from:]
		if field.Damage == csvscan.TextAfterQuote {
			field = csvscan.Field{}
			if r.dialect.TrimSpaces {
				text = bytes.Trim(text, " \t")
			}
			if n := len(text); n > 1 && text[0] == '"' && text[n-1] == '"' {
				text, field.Quoted = text[1:n-1], true
			}
			if bytes.IndexByte(text, '"') >= 0 {
				field.Damage = csvscan.TextAfterQuote
			}
		}
		field.Text = text
		r.current.applied = append(r.current.applied, n)
	}
	return field
}

// drop reports whether a filter of a column of the file drops the row that convert has read, and counts the row for the first such filter.
func (r *Reader) drop() bool {
	for i := range r.filters {
		f := &r.filters[i]
		if f.lookedUp {
			continue
		}
		v := &r.current.values[f.column]
		drops := f.isNumber && !v.null && v.number == f.number
		switch {
		case f.test != nil:
			drops = f.drops
		case !f.isNumber:
			drops = v.text != nil && bytes.Equal(v.text, f.text)
		}
		if drops {
			r.tally.filtered[i]++
			return true
		}
	}
	return false
}

// checkText returns the reason why a line cannot be stored, or an empty reason.
func (r *Reader) checkText(line []byte) Reason {
	if bytes.IndexByte(line, 0) >= 0 {
		return NULByte
	}
	if !utf8.Valid(line) {
		return NotIn(r.options.Encoding)
	}
	return ""
}

// isPlain reports whether text contains no character that a JSON string must escape.
func isPlain(text []byte) bool {
	for _, c := range text {
		if c < ' ' || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}
