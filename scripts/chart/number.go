package chart

import (
	"math"
	"strconv"
	"strings"

	"github.com/dustin/go-humanize"
)

// Number returns a number with three digits, as it is on axes and bars: 0.035, 4.2, 950, 12,300, 1.5 M, 2 G.
func Number(value float64) string {
	if value == 0 {
		return "0"
	}
	// Rounded first: 999,999 is 1 M.
	rounded, _ := strconv.ParseFloat(strconv.FormatFloat(value, 'g', 3, 64), 64)
	for _, unit := range []struct {
		size float64
		name string
	}{{1e12, " T"}, {1e9, " G"}, {1e6, " M"}} {
		if math.Abs(rounded) >= unit.size {
			return digits(rounded/unit.size) + unit.name
		}
	}
	return digits(rounded)
}

// digits writes a number that is already rounded, without zeros at the end.
func digits(value float64) string {
	if math.Abs(value) >= 1e3 {
		return humanize.Comma(int64(math.Round(value)))
	}
	text := strconv.FormatFloat(value, 'f', max(0, 2-int(math.Floor(math.Log10(math.Abs(value))))), 64)
	if strings.Contains(text, ".") {
		text = strings.TrimRight(strings.TrimRight(text, "0"), ".")
	}
	return text
}
