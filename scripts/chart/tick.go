package chart

import (
	"math"

	"gonum.org/v1/plot"
)

// linearTicks are at round numbers, each with a label.
type linearTicks struct {
	format func(float64) string
}

// Ticks implements plot.Ticker.
func (t linearTicks) Ticks(low, high float64) []plot.Tick {
	const about = 6
	step := round125((high - low) / about)
	var ticks []plot.Tick
	for i := math.Ceil(low/step - 1e-9); i*step <= high*(1+1e-9); i++ {
		ticks = append(ticks, plot.Tick{Value: i * step, Label: t.format(i * step)})
	}
	return ticks
}

// round125 returns the smallest of 1, 2 and 5, times a power of ten, that is not below value.
func round125(value float64) float64 {
	power := math.Pow(10, math.Floor(math.Log10(value)))
	for _, factor := range []float64{1, 2, 5} {
		if factor*power >= value*(1-1e-9) {
			return factor * power
		}
	}
	return 10 * power
}

// logTicks are at 1 to 9 times each power of ten. The powers have labels. If there are at most three, 2 and 5 have too.
type logTicks struct {
	format func(float64) string
}

// Ticks implements plot.Ticker.
func (t logTicks) Ticks(low, high float64) []plot.Tick {
	first, last := int(math.Floor(math.Log10(low)+1e-9)), int(math.Floor(math.Log10(high)+1e-9))
	every := 1 + (last-first)/10
	var ticks []plot.Tick
	for power := first; power <= last; power++ {
		for factor := 1.0; factor <= 9; factor++ {
			value := factor * math.Pow10(power)
			if value < low*(1-1e-9) || value > high*(1+1e-9) {
				continue
			}
			tick := plot.Tick{Value: value}
			if factor == 1 && (power-first)%every == 0 || last-first < 3 && (factor == 2 || factor == 5) {
				tick.Label = t.format(value)
			}
			ticks = append(ticks, tick)
		}
	}
	return ticks
}
