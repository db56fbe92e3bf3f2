package document

import (
	"bytes"

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

// appendTallies appends a tally for each different value of the rows found in the column of a place. few is false if there are more than
// mostTallies.
func appendTallies(tallies []tally, rows *source.Rows, place int, found []int32) (all []tally, few bool) {
next:
	for _, row := range found {
		cell := rows.Cell(row, place)
		word, length := rows.Word(cell)
		if length < 8 {
			word &= 1<<(8*length) - 1
		}
		for i := range tallies {
			t := &tallies[i]
			if t.word == word && t.length == length && (length <= 8 || bytes.Equal(rows.Text(cell), rows.Text(rows.Cell(t.row, place)))) {
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

// appendSorted is appendTallies for rows in the order of their values.
func appendSorted(tallies []tally, rows *source.Rows, place int, found []int32) []tally {
	for _, row := range found {
		text := rows.Text(rows.Cell(row, place))
		if n := len(tallies); n > 0 && bytes.Equal(text, rows.Text(rows.Cell(tallies[n-1].row, place))) {
			tallies[n-1].count++
			continue
		}
		tallies = append(tallies, tally{row: row, count: 1})
	}
	return tallies
}
