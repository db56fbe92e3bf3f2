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

// Fitter is Fits for a column with settings. It is used by one goroutine.
type Fitter struct {
	converter converter
	canonical []byte
}

// NewFitter returns a Fitter for a column.
func NewFitter(column *shape.Column) *Fitter {
	return &Fitter{converter: newConverter(column, &shape.Dialect{})}
}

// Fits reports whether a text is a value of the column.
func (f *Fitter) Fits(text []byte) bool {
	canonical, _, reason := f.converter.append(f.canonical[:0], text)
	if reason == "" {
		f.canonical = canonical
	}
	return reason == ""
}
