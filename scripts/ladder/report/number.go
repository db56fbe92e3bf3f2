package report

import (
	"fmt"

	"github.com/dustin/go-humanize"
)

// number formats a number with about three digits.
func number(value float64) string {
	switch {
	case value >= 100:
		return humanize.Comma(int64(value + 0.5))
	case value >= 10:
		return fmt.Sprintf("%.1f", value)
	default:
		return fmt.Sprintf("%.2f", value)
	}
}

// spread formats a spread: the median, and the range if there is one.
func spread(s Spread) string {
	switch {
	case s == Spread{}:
		return ""
	case s.Min == s.Max:
		return number(s.Median)
	}
	return fmt.Sprintf("%s (%s–%s)", number(s.Median), number(s.Min), number(s.Max))
}
