package chart

import (
	"slices"
	"strings"
	"testing"

	"gonum.org/v1/plot/vg"
)

func TestSpreadKeepsLabelsApart(t *testing.T) {
	for name, test := range map[string]struct{ wanted, want []vg.Length }{
		"nothing":         {nil, []vg.Length{}},
		"apart":           {[]vg.Length{10, 50, 90}, []vg.Length{10, 50, 90}},
		"at one place":    {[]vg.Length{50, 50, 50}, []vg.Length{50, 68, 86}},
		"at the bottom":   {[]vg.Length{-5, 0, 3}, []vg.Length{0, 18, 36}},
		"at the top":      {[]vg.Length{99, 100, 100}, []vg.Length{64, 82, 100}},
		"a full column":   {[]vg.Length{0, 0, 0, 0, 100, 100}, []vg.Length{0, 18, 36, 54, 82, 100}},
		"more than fit":   {[]vg.Length{0, 0, 0, 100, 100, 100, 100}, []vg.Length{0, 18, 36, 54, 72, 90, 108}},
		"pushed and push": {[]vg.Length{80, 95, 96}, []vg.Length{64, 82, 100}},
	} {
		if got := spread(test.wanted, 18, 0, 100); !slices.Equal(got, test.want) {
			t.Errorf("%s: %v, want %v", name, got, test.want)
		}
	}
}

func TestWrap(t *testing.T) {
	style := themes[Light].write(sizeText, themes[Light].text)
	for text, want := range map[string]string{
		"":                                "",
		"short":                           "short",
		"two words":                       "two words",
		"words that need a second line":   "words that need a\nsecond line",
		"averylongwordthatcannotbroken x": "averylongwordthatcannotbroken\nx",
	} {
		got, lines := wrap(style, text, 110)
		if got != want || lines != 1+strings.Count(want, "\n") {
			t.Errorf("wrap(%q) = %q in %d lines, want %q", text, got, lines, want)
		}
	}
}
