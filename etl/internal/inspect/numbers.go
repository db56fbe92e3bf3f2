package inspect

import (
	"bytes"
	"slices"

	"systemscale/etl/internal/shape"
	"systemscale/etl/internal/source"
)

// currencies are looked for before and after numbers.
var currencies = []string{"€", "$", "£", "¥", "₹", "US$", "EUR", "USD", "GBP", "CHF"}

// notations of numbers, the one with the fewest marks first.
var notations = []shape.Numbers{
	{Decimal: ".", Currency: currencies},
	{Decimal: ",", Currency: currencies},
	{Decimal: ",", Thousands: ".", Currency: currencies},
	{Decimal: ".", Thousands: ",", Currency: currencies},
	{Decimal: ",", Thousands: " ", Currency: currencies},
	{Decimal: ".", Thousands: " ", Currency: currencies},
}

var numberKinds = []shape.Type{shape.Int, shape.Money, shape.Decimal}

// numerals counts the values of a column that are numbers in each of the notations.
type numerals struct {
	fitters [][]*source.Fitter // by notation and numberKinds
	fits    [][]int64
	signs   []string // currencies that are there
}

func newNumerals() *numerals {
	n := &numerals{}
	for i := range notations {
		var fitters []*source.Fitter
		for _, kind := range numberKinds {
			fitters = append(fitters, source.NewFitter(&shape.Column{Type: kind, Numbers: &notations[i]}))
		}
		n.fitters, n.fits = append(n.fitters, fitters), append(n.fits, make([]int64, len(numberKinds)))
	}
	return n
}

func (n *numerals) observe(text []byte) {
	for i, fitters := range n.fitters {
		for k, f := range fitters {
			if f.Fits(text) {
				n.fits[i][k]++
			}
		}
	}
	for _, sign := range currencies {
		if bytes.Contains(text, []byte(sign)) && !slices.Contains(n.signs, sign) {
			n.signs = append(n.signs, sign)
		}
	}
}

// isForeign reports whether a text that is no number in the plain notation looks like one in another.
func isForeign(text []byte) bool {
	return len(text) <= 40 && bytes.ContainsAny(text, "0123456789") && bytes.ContainsAny(text, ",. €$£¥₹EUGC\u00a0")
}
