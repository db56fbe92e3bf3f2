package source

import (
	"bytes"
	"encoding/binary"
	"slices"

	"systemscale/etl/internal/lookup"
)

// LookUp sets the tables of the shape. It must be called before the first Next. A value that is in a table that is nil is null.
func (r *Reader) LookUp(tables []*lookup.Table) {
	r.lookups = r.lookups[:0]
	for i, l := range r.spec.Lookups {
		one := rowLookup{
			by: r.spec.Places(l.By), place: len(r.spec.Rendered) + i,
			column: l.Column, key: l.By, required: l.Required, empty: []byte(l.Empty), unused: -1,
		}
		if tables != nil {
			one.table = tables[l.Table]
		}
		if l.Column >= 0 {
			one.place, one.unused = slices.Index(r.spec.Rendered, l.Column), one.place
		}
		r.lookups = append(r.lookups, one)
	}
	if len(r.lookups) > 0 && r.finding == nil {
		r.finding = &finding{}
	}
}

// lookUp fills the looked-up cells of at most batch rows from the row first on. It returns the number of rows before
// one that lacks a value that is required, or that a filter of a looked-up column drops.
func (r *Reader) lookUp(first, count int) (good int) {
	r.noTarget = nil
	for i := range r.lookups {
		count = r.fill(&r.lookups[i], first, count)
	}
	for row := range count {
		if r.lookedUpFilter(first+row) >= 0 {
			return row
		}
	}
	return count
}

// fill is lookUp for one look-up, without the filters.
func (r *Reader) fill(l *rowLookup, first, count int) (good int) {
	f := r.finding
	f.keys, f.parts = f.keys[:0], f.parts[:0]
	for row := first; row < first+count; row++ {
		var key []byte
		known := false
		switch {
		case l.table == nil:
		case len(l.by) == 1:
			by := r.cellOf(row, l.by[0])
			key, known = r.rows.Text(by), !by.Null
		default:
			key, known = r.severalParts(l, row)
		}
		if known {
			f.rows[len(f.keys)] = row
			f.keys = append(f.keys, key)
			continue
		}
		r.set(l, row, lookup.Value{}, false)
	}
	if len(f.keys) == 0 {
		return count
	}
	f.finder.Find(l.table, f.keys, f.values[:], f.found[:])
	for i := range f.keys {
		if l.required && !f.found[i] {
			r.noTarget = l.key
			return f.rows[i] - first
		}
		r.set(l, f.rows[i], f.values[i], f.found[i])
	}
	return count
}

// severalParts returns a key of several columns that a row looks up. It is valid until the next fill. known is false if a part is null.
func (r *Reader) severalParts(l *rowLookup, row int) (key []byte, known bool) {
	f := r.finding
	from := len(f.parts)
	// If parts grows, the earlier keys stay in the memory that it had.
	f.parts, known = r.rows.AppendLookupKey(f.parts, r.rows.cells[row*r.rows.width:(row+1)*r.rows.width], l.by)
	return f.parts[from:], known
}

// AppendLookupKey appends the key of a look-up table that is in some cells of a row: the text of one cell, or the texts of several, each
// after its length, so that different texts are different keys whatever they contain. It returns dst and false if a cell is null.
func (r *Rows) AppendLookupKey(dst []byte, cells []Cell, places []int) (key []byte, known bool) {
	key = dst
	for _, place := range places {
		cell := &cells[place]
		if cell.Null {
			return dst, false
		}
		if len(places) > 1 {
			key = binary.AppendUvarint(key, uint64(cell.length))
		}
		key = append(key, r.Text(cell)...)
	}
	return key, true
}

// set sets the cells of a row for a look-up to a value, or, unless found, to the value for none.
func (r *Reader) set(l *rowLookup, row int, value lookup.Value, found bool) {
	to := r.cellOf(row, l.place)
	*to = null
	if l.unused >= 0 {
		*r.cellOf(row, l.unused) = null
	}
	if !found {
		value = lookup.Value{Text: l.empty, Null: len(l.empty) == 0, Plain: true}
	}
	if value.Null {
		return
	}
	from := len(r.rows.spare)
	r.rows.reserve(len(value.Text))
	r.rows.spare = append(r.rows.spare, value.Text...)
	*to = Cell{at: ^int64(from), length: int32(len(value.Text)), Plain: value.Plain}
}

// cellOf returns a cell of a row.
func (r *Reader) cellOf(row, place int) *Cell { return &r.rows.cells[row*r.rows.width+place] }

// lookedUpFilter returns the index of the filter of a looked-up column that drops a row that lookUp has filled, or -1.
func (r *Reader) lookedUpFilter(row int) int {
	for i := range r.filters {
		f := &r.filters[i]
		if !f.lookedUp {
			continue
		}
		cell := r.cellOf(row, r.layout.columns[f.column].place)
		text := r.rows.Text(cell)
		drops := false
		switch {
		case f.test != nil:
			drops = f.dropsValue(text, cell.Null)
		case cell.Null:
		case f.isNumber:
			n, _ := parseInt(text)
			drops = n == f.number
		default:
			drops = bytes.Equal(text, f.text)
		}
		if drops {
			return i
		}
	}
	return -1
}

// looksUp reports whether rows look up values.
func (r *Reader) looksUp() bool { return len(r.lookups) > 0 }
