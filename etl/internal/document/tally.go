package document

import (
	"bytes"
	"slices"
	"strconv"

	"systemscale/etl/internal/source"
)

// tally is how many rows have a value. Most values are short, and are compared as words.
type tally struct {
	word   uint64 // the first eight bytes of the text, and zeros
	length int
	row    int32 // the first one that has the value
	count  int
}

// mostTallies is the number of different values up to which each value is compared with all of them. More are sorted.
const mostTallies = 64

// counts writes how often each value of the rows in the scratch from an index on occurs.
func (f *aggregate) counts(w *writer, rows *source.Rows, from int) {
	found := w.scratch.places[from:]
	tallies, few := f.tally(w.scratch.tallies[:0], rows, found)
	text := func(row int32) []byte { return rows.Text(rows.Cell(row, f.place)) }
	if few {
		slices.SortFunc(tallies, func(a, b tally) int { return compareTexts(f.kind, text(a.row), text(b.row)) })
	} else {
		slices.SortFunc(found, func(a, b int32) int { return compareTexts(f.kind, text(a), text(b)) })
		tallies = f.tallySorted(tallies[:0], rows, found)
	}
	begin := w.end
	for i := range tallies {
		w.byte(',')
		w.byte('"')
		w.inside(rows, rows.Cell(tallies[i].row, f.place))
		w.byte('"')
		w.byte(':')
		if f.quotes {
			w.byte('"')
		}
		w.buffer = strconv.AppendInt(w.buffer[:w.end], int64(tallies[i].count), 10)
		w.adopt()
		if f.quotes {
			w.byte('"')
		}
	}
	w.close(begin, '{', '}')
	w.scratch.places, w.scratch.tallies = w.scratch.places[:from], tallies[:0]
}

// tally appends a tally for each different value of the rows found. few is false if there are more than mostTallies.
func (f *aggregate) tally(tallies []tally, rows *source.Rows, found []int32) (all []tally, few bool) {
next:
	for _, row := range found {
		cell := rows.Cell(row, f.place)
		word, length := rows.Word(cell)
		if length < 8 {
			word &= 1<<(8*length) - 1
		}
		for i := range tallies {
			t := &tallies[i]
			if t.word == word && t.length == length && (length <= 8 || bytes.Equal(rows.Text(cell), rows.Text(rows.Cell(t.row, f.place)))) {
				t.count++
				continue next
			}
		}
		if len(tallies) == mostTallies {
			return tallies, false
		}
		tallies = append(tallies, tally{word, length, row, 1})
	}
	return tallies, true
}

// tallySorted appends a tally for each different value of rows in the order of their values.
func (f *aggregate) tallySorted(tallies []tally, rows *source.Rows, found []int32) []tally {
	for _, row := range found {
		text := rows.Text(rows.Cell(row, f.place))
		if n := len(tallies); n > 0 && bytes.Equal(text, rows.Text(rows.Cell(tallies[n-1].row, f.place))) {
			tallies[n-1].count++
			continue
		}
		tallies = append(tallies, tally{row: row, count: 1})
	}
	return tallies
}
