package source

import "systemscale/etl/internal/shape"

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

// note counts the wide ints of the converted row on a line. Only converted rows have any: decode does not accept more than 15 digits.
func (w *wideInts) note(values []value, columns []column, line int64) {
	w.latest = w.latest[:0]
	for i := range columns {
		v := &values[i]
		if uint64(v.number+largestExact) <= 2*largestExact || columns[i].converter.kind != shape.Int || v.null || columns[i].field < 0 {
			continue
		}
		at := 0
		for at < len(w.columns) && w.columns[at].Column != i {
			at++
		}
		if at == len(w.columns) {
			w.columns = append(w.columns, Wide{Column: i})
		}
		if found := &w.columns[at]; found.Rows == 0 {
			found.Line, found.Value = line, v.number
		}
		w.columns[at].Rows++
		w.latest = append(w.latest, at)
	}
}

// forget reverts the last call of note.
func (w *wideInts) forget() {
	for _, at := range w.latest {
		w.columns[at].Rows--
	}
	w.latest = w.latest[:0]
}
