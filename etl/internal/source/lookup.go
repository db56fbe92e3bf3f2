package source

import (
	"bytes"
	"slices"

	"systemscale/etl/internal/lookup"
)

// rowLookup copies the value that a row looks up to a cell of the row.
type rowLookup struct {
	table    *lookup.Table
	by       int // index of the cell with the key
	place    int // index of the cell for the value
	column   int // index of the column that gets the value, or -1 for a fragment
	key      int // index of the column with the key
	required bool
	empty    []byte // the value if there is none; empty for null
	unused   int    // index of the cell for a fragment if the look-up has none, or -1
}

// LookUp sets the tables of the shape. It must be called before the first Next. A value that is in a table that is nil is null.
func (r *Reader) LookUp(tables []*lookup.Table) {
	r.lookups = r.lookups[:0]
	for i, l := range r.spec.Lookups {
		one := rowLookup{
			by: slices.Index(r.spec.Rendered, l.By), place: len(r.spec.Rendered) + i,
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
}

// lookUp fills the looked-up cells of the row after the last one. It returns the column with the key if a value that is required is
// missing, and otherwise -1.
func (r *Reader) lookUp() int {
	for i := range r.lookups {
		l := &r.lookups[i]
		to := r.cell(l.place)
		*to = null
		if l.unused >= 0 {
			*r.cell(l.unused) = null
		}
		by := r.cell(l.by)
		var value lookup.Value
		found := false
		if l.table != nil && !by.Null {
			if value, found = l.table.Find(r.rows.Text(by)); !found && l.required {
				return l.key
			}
		}
		if !found {
			value = lookup.Value{Text: l.empty, Null: len(l.empty) == 0, Plain: true}
		}
		if value.Null {
			continue
		}
		from := len(r.rows.spare)
		r.rows.reserve(len(value.Text))
		r.rows.spare = append(r.rows.spare, value.Text...)
		*to = Cell{at: ^int64(from), length: int32(len(value.Text)), Plain: value.Plain}
	}
	return -1
}

// lookedUpFilter returns the index of the filter of a looked-up column that drops the row that lookUp has filled, or -1.
func (r *Reader) lookedUpFilter() int {
	for i := range r.filters {
		f := &r.filters[i]
		if !f.lookedUp {
			continue
		}
		cell := r.cell(r.layout.columns[f.column].place)
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
