package inspect

import (
	"bytes"

	"systemscale/etl/internal/shape"
	"systemscale/etl/internal/source"
)

// formed are the dates, times and JSON that are looked for. An earlier one is preferred.
var formed = []shape.Column{
	{Type: shape.JSON},
	{Type: shape.Date},
	{Type: shape.Date, Format: "%Y/%m/%d"},
	{Type: shape.Date, Format: "%Y.%m.%d"},
	{Type: shape.Date, Format: "%d.%m.%Y"},
	{Type: shape.Date, Format: "%d/%m/%Y"},
	{Type: shape.Date, Format: "%m/%d/%Y"},
	{Type: shape.Date, Format: "%d-%m-%Y"},
	{Type: shape.Date, Format: "%m-%d-%Y"},
	{Type: shape.Date, Format: "%d %b %Y"},
	{Type: shape.Date, Format: "%d-%b-%Y"},
	{Type: shape.Date, Format: "%b %d, %Y"},
	{Type: shape.Date, Format: "%B %d, %Y"},
	{Type: shape.Time},
	{Type: shape.Time, Format: "%Y-%m-%dT%H:%M:%S.%f%z"},
	{Type: shape.Time, Format: "%Y-%m-%dT%H:%M:%S"},
	{Type: shape.Time, Format: "%Y-%m-%dT%H:%M:%S.%f"},
	{Type: shape.Time, Format: "%Y-%m-%d %H:%M:%S"},
	{Type: shape.Time, Format: "%Y-%m-%d %H:%M:%S.%f"},
	{Type: shape.Time, Format: "%Y-%m-%d %H:%M:%S%z"},
	{Type: shape.Time, Format: "%Y-%m-%d %H:%M:%S.%f%z"},
	{Type: shape.Time, Format: "%Y-%m-%d %H:%M:%S %Z"},
	{Type: shape.Time, Format: "%Y-%m-%d %H:%M"},
	{Type: shape.Time, Format: "%d.%m.%Y %H:%M"},
	{Type: shape.Time, Format: "%d.%m.%Y %H:%M:%S"},
	{Type: shape.Time, Format: "%d/%m/%Y %H:%M"},
	{Type: shape.Time, Format: "%d/%m/%Y %H:%M:%S"},
	{Type: shape.Time, Format: "%m/%d/%Y %H:%M"},
	{Type: shape.Time, Format: "%m/%d/%Y %H:%M:%S"},
}

// forms says which of them all values of a column have.
type forms struct {
	fitters []*source.Fitter // nil for a form that a value does not have
}

func newForms() *forms {
	f := &forms{}
	for i := range formed {
		f.fitters = append(f.fitters, source.NewFitter(&formed[i]))
	}
	return f
}

func (f *forms) observe(text []byte) {
	for i, fitter := range f.fitters {
		if fitter != nil && !fitter.Fits(text) {
			f.fitters[i] = nil
		}
	}
}

// mayBeForm reports whether a text looks like a date, a time or JSON.
func mayBeForm(text []byte) bool {
	switch {
	case len(text) < 2:
		return false
	case string(text) == "null":
		return true
	case text[0] == '{' && text[len(text)-1] == '}', text[0] == '[' && text[len(text)-1] == ']':
		return true
	}
	return len(text) >= 8 && len(text) <= 40 && bytes.ContainsAny(text, "0123456789") && bytes.ContainsAny(text, "-/.: ")
}
