package rung

import "slices"

// All returns all rungs, from the lowest to the highest.
func All() []Rung {
	return slices.Concat(
		[]Rung{joins()},
		original(),
		balancedJoins(),
		cachedJoins(),
		[]Rung{Lookups(), pipelined(), balanced(2), balanced(4), cached(2)},
		tiered(),
	)
}
