package inspect

import (
	"bytes"
	"slices"
	"strings"

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
			fitters = append(fitters, source.NewFitter(kind, &notations[i]))
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

// foreign decides whether the column has numbers in another notation: all of its values.
func (c *column) foreign() bool {
	if c.numerals == nil || c.ints+c.money+c.decimals == c.values {
		return false
	}
	n := c.numerals
	isMoney := len(n.signs) > 0 || named(c.name, moneyNames)
	for i, declared := range notations {
		fits := func(kind int) bool { return n.fits[i][kind] == c.values }
		kind := 0
		switch {
		case isMoney && fits(1):
			kind = 1
		case fits(0) && declared.Thousands != " ": // phone numbers have spaces, too
		case fits(2) && !fits(0):
			kind = 2
		default:
			continue
		}
		declared.Currency = n.signs
		c.kind, c.declared = numberKinds[kind], &declared
		c.evidence = "all values are numbers in this notation"
		return true
	}
	return false
}

// yaml returns the notation as in a shape file.
func yaml(n *shape.Numbers) string {
	var parts []string
	if n.Decimal != "." {
		parts = append(parts, "decimal: "+list([]string{n.Decimal}))
	}
	if n.Thousands != "" {
		parts = append(parts, "thousands: "+list([]string{n.Thousands}))
	}
	if len(n.Currency) > 0 {
		parts = append(parts, "currency: "+list(n.Currency))
	}
	return "{" + strings.Join(parts, ", ") + "}"
}
