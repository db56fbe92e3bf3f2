package source

import (
	"slices"

	"systemscale/etl/internal/shape"
)

// largestExact is 2^53 - 1: a program that keeps numbers as floating point, a browser say, rounds ints beyond it.
const largestExact = 1<<53 - 1

// Wide is the ints of one column that are beyond ±(2^53 - 1). Rejected and filtered rows do not count.
type Wide struct {
	Column int   // index in the source's columns
	Rows   int64 // that have such an int
	Line   int64 // of the first of them
	Value  int64 // in it
}

// Wide returns the columns that have ints beyond ±(2^53 - 1) in the rows that were read so far.
func (r *Reader) Wide() []Wide {
	return slices.DeleteFunc(slices.Clone(r.wide), func(w Wide) bool { return w.Rows == 0 })
}

// noteWide counts the ints of the row that was converted. Every int of so many digits is: decode leaves all of more than 15 to convert.
func (r *Reader) noteWide() {
	r.widened = r.widened[:0]
	for i := range r.columns {
		v := &r.values[i]
		if uint64(v.number+largestExact) <= 2*largestExact || r.columns[i].kind != shape.Int || v.null {
			continue
		}
		at := 0
		for at < len(r.wide) && r.wide[at].Column != i {
			at++
		}
		if at == len(r.wide) {
			r.wide = append(r.wide, Wide{Column: i})
		}
		w := &r.wide[at]
		if w.Rows++; w.Rows == 1 {
			w.Line, w.Value = r.Line(), v.number
		}
		r.widened = append(r.widened, at)
	}
}

// forgetWide takes the row that noteWide counted last back.
func (r *Reader) forgetWide() {
	for _, at := range r.widened {
		r.wide[at].Rows--
	}
	r.widened = r.widened[:0]
}
