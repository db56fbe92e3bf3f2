package source

import "systemscale/etl/internal/shape"

// Fits reports whether a text is a value of a type, with numbers in the plain notation.
func Fits(kind shape.Type, text []byte) bool {
	var canonical [2 * longestNumber]byte
	c := newConverter(&shape.Column{Type: kind}, &shape.Dialect{})
	if kind == shape.Text {
		return true
	}
	_, _, reason := c.append(canonical[:0], text)
	return reason == ""
}

// Fitter is Fits for numbers in another notation. It is used by one goroutine.
type Fitter struct {
	converter converter
	canonical []byte
}

// NewFitter returns a Fitter for a type of numbers.
func NewFitter(kind shape.Type, numbers *shape.Numbers) *Fitter {
	return &Fitter{converter: converter{kind: kind, numbers: newNotation(numbers, kind)}}
}

// Fits reports whether a text is such a number.
func (f *Fitter) Fits(text []byte) bool {
	canonical, _, reason := f.converter.append(f.canonical[:0], text)
	if reason == "" {
		f.canonical = canonical
	}
	return reason == ""
}
