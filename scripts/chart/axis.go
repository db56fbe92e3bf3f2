package chart

import (
	"errors"
	"fmt"
	"math"

	"gonum.org/v1/plot"
)

// Axis is one axis of numbers.
type Axis struct {
	Label string // with the unit, such as "latency (ms)"
	Log   bool   // logarithmic: every number must be above 0
	// Min and Max extend the axis beyond the numbers. 0 does not. A linear axis includes 0 anyway.
	Min, Max float64
	// Format returns the label of a number. If nil, it is Number.
	Format func(float64) string
}

// Spread is the smallest and the largest of repeated measurements. The zero Spread is not drawn.
type Spread struct {
	Low, High float64
}

// check returns an error if the number has no place on the axis.
func (a Axis) check(value float64) error {
	switch {
	case math.IsNaN(value) || math.IsInf(value, 0):
		return fmt.Errorf("%v is not a number to draw", value)
	case a.Log && value <= 0:
		return fmt.Errorf("%v has no place on a logarithmic axis", value)
	case value < 0:
		return fmt.Errorf("%v is negative", value)
	default:
		return nil
	}
}

// checkSpread is check for both ends, and for their order. The zero Spread passes.
func (a Axis) checkSpread(spread Spread) error {
	if spread == (Spread{}) {
		return nil
	}
	if spread.Low > spread.High {
		return fmt.Errorf("%v to %v is not a spread", spread.Low, spread.High)
	}
	return errors.Join(a.check(spread.Low), a.check(spread.High))
}

func (a Axis) format() func(float64) string {
	if a.Format == nil {
		return Number
	}
	return a.Format
}

// apply sets scale, ticks and label of one axis of numbers whose largest and smallest number are given.
func (a Axis) apply(axis *plot.Axis, low, high float64) {
	if a.Log {
		if a.Min > 0 {
			low = min(low, a.Min)
		}
		axis.Scale, axis.Tick.Marker = plot.LogScale{}, logTicks{a.format()}
	} else {
		low = min(0, low)
		axis.Tick.Marker = linearTicks{a.format()}
	}
	high = max(high, a.Max)
	if a.Log && high <= 0 {
		low, high = 1, 10 // there are no numbers
	}
	if low >= high {
		// One number: an axis needs two.
		high = low + max(1, low)
	}
	axis.Min, axis.Max = low, high
}
