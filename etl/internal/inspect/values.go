package inspect

import "systemscale/etl/internal/shape"

// fewMissing is the number of different values that must be expected not to be keys if a column has nothing to do with them.
const fewMissing = 3

// surprising reports whether it would be surprising if the values of a column were keys although it has nothing to do with them. It is
// for files without names of columns, and requires less than unlikely.
func surprising(c, key *column) bool {
	if len(c.few) < mostFew {
		return false
	}
	if c.kind == shape.Text {
		return key.longest > 3
	}
	return c.low >= key.low && c.high <= key.high && (1-c.chance(key))*float64(c.spread.atLeast()) >= fewMissing
}

// holdsByValues reports whether so many values are keys that it is no chance.
func (r *reference) holdsByValues(t *table) bool {
	c := t.columns[r.column]
	if c.kind == shape.Text {
		return true
	}
	return 4*float64(r.missing.count) <= (1-c.chance(r.to.columns[r.key]))*float64(r.checked)
}
