package document

import "math"

// scratch is memory for selecting and aggregating rows.
type scratch struct {
	document uint64  // number of the document
	groups   []group // what aggregates share
	places   []int32 // of the rows that are selected, also by the steps around the current one
	tallies  []tally // of the values that are being counted
}

// group is what several aggregates of the same values of a row have found together.
type group struct {
	document uint64 // number of the document
	row      int32
	found    result
}

// result is what an aggregate has found so far.
type result struct {
	count uint64 // of the values; of Count, of the rows
	total total
	row   int32 // of the least or largest value, if the values are not fixed

	least, most int64 // of fixed values
}

// nothing is the result of no row.
var nothing = result{least: math.MaxInt64, most: math.MinInt64}
