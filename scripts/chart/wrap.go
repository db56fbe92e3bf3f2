package chart

import (
	"strings"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// wrap breaks a text at spaces into lines that are at most as wide as the limit, words permitting. It returns how many there are.
func wrap(style draw.TextStyle, text string, limit vg.Length) (wrapped string, lines int) {
	var out []string
	for _, word := range strings.Fields(text) {
		if last := len(out) - 1; last >= 0 && style.Width(out[last]+" "+word) <= limit {
			out[last] += " " + word
			continue
		}
		out = append(out, word)
	}
	return strings.Join(out, "\n"), max(1, len(out))
}
