package report

import (
	"slices"

	"systemscale/scripts/measure"
)

// Spread is the smallest, the median and the largest of the values of all rounds.
type Spread struct {
	Min    float64 `json:"min"`
	Median float64 `json:"median"`
	Max    float64 `json:"max"`
}

func spreadOf(values []float64) Spread {
	if len(values) == 0 {
		return Spread{}
	}
	return Spread{slices.Min(values), measure.Median(values), slices.Max(values)}
}

// overlaps reports whether two spreads have a value in common, so that their medians do not differ for certain.
func (s Spread) overlaps(other Spread) bool { return s.Min <= other.Max && other.Min <= s.Max }
