package source

import "systemscale/etl/internal/shape"

// Fits reports whether a text is a value of a type.
func Fits(kind shape.Type, text []byte) bool {
	var canonical [2 * longestNumber]byte
	c := converter{kind: kind}
	if kind == shape.Text {
		return true
	}
	_, _, reason := c.append(canonical[:0], text)
	return reason == ""
}
