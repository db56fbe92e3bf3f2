package chart

import (
	"image/color"
	"math"
	"testing"
)

// vision is a matrix over linear RGB: what people with one of the two frequent kinds of color blindness see (Machado, Oliveira and
// Fernandes 2009, severity 1).
var vision = map[string][3][3]float64{
	"normal":       {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}},
	"protanopia":   {{0.152286, 1.052583, -0.204868}, {0.114503, 0.786281, 0.099216}, {-0.003882, -0.048116, 1.051998}},
	"deuteranopia": {{0.367322, 0.860646, -0.227968}, {0.280085, 0.672501, 0.047413}, {-0.011820, 0.042940, 0.968881}},
}

// Each two of the first five colors, which most charts use, differ for everyone, and the others by marker and hatch too. All are
// visible on their page.
func TestColors(t *testing.T) {
	for name, theme := range map[string]theme{"light": themes[Light], "dark": themes[Dark]} {
		for i, one := range theme.series {
			if got := contrast(one, theme.background); got < 2.5 {
				t.Errorf("%s: color %d has contrast %.1f with the page", name, i+1, got)
			}
			for kind, matrix := range vision {
				for j, other := range theme.series[:i] {
					want := 20.0
					if i >= 5 {
						want = 9
					}
					if got := difference(see(one, matrix), see(other, matrix)); got < want {
						t.Errorf("%s: colors %d and %d differ by %.1f with %s vision", name, j+1, i+1, got, kind)
					}
				}
			}
		}
		for _, words := range []color.RGBA{theme.text, theme.muted} {
			if got := contrast(words, theme.background); got < 4.5 {
				t.Errorf("%s: text has contrast %.1f with the page", name, got)
			}
		}
	}
}

// linear returns red, green and blue of a color, from 0 to 1, in proportion to light.
func linear(c color.RGBA) [3]float64 {
	var out [3]float64
	for i, value := range [3]uint8{c.R, c.G, c.B} {
		if v := float64(value) / 255; v <= 0.04045 {
			out[i] = v / 12.92
		} else {
			out[i] = math.Pow((v+0.055)/1.055, 2.4)
		}
	}
	return out
}

// contrast is the ratio that the guidelines for accessible web pages define.
func contrast(a, b color.RGBA) float64 {
	luminance := func(c color.RGBA) float64 {
		l := linear(c)
		return 0.2126*l[0] + 0.7152*l[1] + 0.0722*l[2] + 0.05
	}
	x, y := luminance(a), luminance(b)
	return max(x, y) / min(x, y)
}

func see(c color.RGBA, matrix [3][3]float64) [3]float64 {
	in := linear(c)
	var out [3]float64
	for i, row := range matrix {
		out[i] = min(1, max(0, row[0]*in[0]+row[1]*in[1]+row[2]*in[2]))
	}
	return out
}

// difference is the distance of two linear colors in CIELAB (1976). 2 is just visible.
func difference(a, b [3]float64) float64 {
	x, y := lab(a), lab(b)
	return math.Sqrt((x[0]-y[0])*(x[0]-y[0]) + (x[1]-y[1])*(x[1]-y[1]) + (x[2]-y[2])*(x[2]-y[2]))
}

func lab(c [3]float64) [3]float64 {
	curve := func(v float64) float64 {
		if v > 0.008856 {
			return math.Cbrt(v)
		}
		return 7.787*v + 16.0/116
	}
	x := curve((0.4124*c[0] + 0.3576*c[1] + 0.1805*c[2]) / 0.9505)
	y := curve(0.2126*c[0] + 0.7152*c[1] + 0.0722*c[2])
	z := curve((0.0193*c[0] + 0.1192*c[1] + 0.9505*c[2]) / 1.089)
	return [3]float64{116*y - 16, 500 * (x - y), 200 * (y - z)}
}
