package document

import (
	"bytes"
	"cmp"

	"systemscale/etl/internal/decimal"
	"systemscale/etl/internal/shape"
)

// compareTexts compares two canonical texts of a type: numbers as numbers, others by their bytes.
func compareTexts(kind shape.Type, a, b []byte) int {
	switch kind {
	case shape.Int, shape.Money:
		return compareFixed(a, b)
	}
	if kind.IsNumber() {
		x, y := decimal.Of(a), decimal.Of(b)
		return x.Compare(&y)
	}
	return bytes.Compare(a, b)
}

// compareFixed compares numbers with the same number of decimals, and without zeros at their beginning.
func compareFixed(a, b []byte) int {
	negative := a[0] == '-'
	if negative != (b[0] == '-') {
		if negative {
			return -1
		}
		return 1
	}
	order := cmp.Compare(len(a), len(b))
	if order == 0 {
		order = bytes.Compare(a, b)
	}
	if negative {
		return -order
	}
	return order
}
