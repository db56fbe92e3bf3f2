package source

import (
	"slices"

	"systemscale/etl/internal/shape"
)

// largestExact is 2^53 - 1. Programs that store numbers as floating point, such as browsers, round larger ints.
const largestExact = 1<<53 - 1

// Wide describes the ints of one column beyond ±(2^53 - 1). Rejected and filtered rows do not count.
type Wide struct {
	Column int   // index in the source's columns
	Rows   int64 // number of rows with such an int
	Line   int64 // line of the first such row
	Value  int64 // value in that row
}

// wideInts collects the wide ints of a Reader.
type wideInts struct {
	columns []Wide
	latest  []int // indices in columns of those that count the last converted row
}

// Wide returns the columns with ints beyond ±(2^53 - 1) in the rows read so far.
func (r *Reader) Wide() []Wide {
	return slices.DeleteFunc(slices.Clone(r.wide.columns), func(w Wide) bool { return w.Rows == 0 })
}

// noteWide counts the wide ints of the converted row. Only converted rows have any: decode does not accept more than 15 digits.
func (r *Reader) noteWide() {
	r.wide.latest = r.wide.latest[:0]
	for i := range r.layout.columns {
		v := &r.current.values[i]
		if uint64(v.number+largestExact) <= 2*largestExact || r.layout.columns[i].kind != shape.Int || v.null {
			continue
		}
		at := 0
		for at < len(r.wide.columns) && r.wide.columns[at].Column != i {
			at++
		}
		if at == len(r.wide.columns) {
			r.wide.columns = append(r.wide.columns, Wide{Column: i})
		}
		w := &r.wide.columns[at]
		if w.Rows++; w.Rows == 1 {
			w.Line, w.Value = r.Line(), v.number
		}
		r.wide.latest = append(r.wide.latest, at)
	}
}

// forgetWide reverts the last call of noteWide.
func (r *Reader) forgetWide() {
	for _, at := range r.wide.latest {
		r.wide.columns[at].Rows--
	}
	r.wide.latest = r.wide.latest[:0]
}
