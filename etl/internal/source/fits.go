package source

import "systemscale/etl/internal/shape"

// Fits reports whether a text is a value of a type.
func Fits(kind shape.Type, text []byte) bool {
	var v value
	var canonical [2 * longestNumber]byte
	if kind == shape.Text {
		return true
	}
	_, reason := v.appendCanonical(canonical[:0], kind, text)
	return reason == ""
}
