package chart

import (
	"errors"
	"fmt"
	"image/color"

	xfont "golang.org/x/image/font"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Theme is the kind of page that a chart is on.
type Theme int

// The themes.
const (
	Light Theme = iota
	Dark
)

// String returns the name of the theme, as it is in names of files.
func (t Theme) String() string {
	if t == Dark {
		return "dark"
	}
	return "light"
}

// Styles is how many series a chart can have: each has a color, a marker and a hatch of its own.
const Styles = 8

// The width of every chart, and the sizes of texts, in pixels.
const (
	width vg.Length = 800

	sizeTitle = 17
	sizeText  = 13
	sizeSmall = 12
)

// theme is the colors of a Theme.
type theme struct {
	background, text, muted, grid color.RGBA
	series                        [Styles]color.RGBA
}

var themes = [...]theme{
	Light: {
		background: rgb(0xffffff), text: rgb(0x1f2328), muted: rgb(0x59636e), grid: rgb(0xdfe3e8),
		series: [Styles]color.RGBA{
			rgb(0x106cc3), rgb(0xc7420e), rgb(0x12a579), rgb(0x712682), rgb(0xe58a0b), rgb(0x49505a), rgb(0x3caadd), rgb(0xe05299),
		},
	},
	Dark: {
		background: rgb(0x0d1117), text: rgb(0xf0f6fc), muted: rgb(0x9198a1), grid: rgb(0x2a313a),
		series: [Styles]color.RGBA{
			rgb(0x4e81ec), rgb(0xf65f46), rgb(0x26d9ac), rgb(0xcf9cf3), rgb(0xebbf47), rgb(0xa5adb7), rgb(0x99dfff), rgb(0xffa7d3),
		},
	},
}

// markers are drawn on the points of a line, in the order of the styles.
var markers = [Styles]draw.GlyphDrawer{
	draw.CircleGlyph{},
	draw.BoxGlyph{},
	draw.PyramidGlyph{},
	draw.RingGlyph{},
	draw.SquareGlyph{},
	draw.TriangleGlyph{},
	draw.CrossGlyph{},
	draw.PlusGlyph{},
}

func rgb(hex uint32) color.RGBA {
	return color.RGBA{R: uint8(hex >> 16), G: uint8(hex >> 8), B: uint8(hex), A: 0xff}
}

// style returns the number of a style, from 0: the one that a series wants (from 1), or the one of its position.
func style(want, position int) int {
	if want > 0 {
		return want - 1
	}
	return position
}

// checkStyles returns an error if there are no series, or one without a style.
func checkStyles(wanted []int) error {
	if len(wanted) == 0 {
		return errors.New("there is nothing to draw")
	}
	for position, want := range wanted {
		if got := style(want, position); got < 0 || got >= Styles {
			return fmt.Errorf("series %d of %d has no style: there are %d", position+1, len(wanted), Styles)
		}
	}
	return nil
}

// write returns the style of a text.
func (t theme) write(size vg.Length, c color.Color) text.Style {
	return text.Style{
		Color: c, Font: sans(size, xfont.WeightNormal), XAlign: draw.XLeft, YAlign: draw.YCenter, Handler: plot.DefaultTextHandler,
	}
}

func sans(size vg.Length, weight xfont.Weight) font.Font {
	return font.Font{Typeface: "Liberation", Variant: "Sans", Weight: weight, Size: size}
}

func (t theme) stroke(c color.Color, w vg.Length) draw.LineStyle {
	return draw.LineStyle{Color: c, Width: w}
}
