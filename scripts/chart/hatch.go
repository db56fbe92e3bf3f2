package chart

import (
	"image/color"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// hatch is the lines on a bar: their direction, and the distance between them. Without a distance there are none.
type hatch struct {
	slope    int // 1: rising, -1: falling, 0: upright
	distance vg.Length
}

// hatches are in the order of the styles.
var hatches = [Styles]hatch{{}, {1, 8}, {-1, 8}, {0, 6}, {}, {1, 4}, {-1, 4}, {0, 12}}

// box draws a bar in a style: its color, its hatch in a paler one, and a gap to the next part of a stack.
func (t theme) box(c draw.Canvas, r vg.Rectangle, number int) {
	if r.Max.X-r.Min.X > 2 {
		r.Max.X--
	}
	c.SetColor(t.series[number])
	c.Fill(r.Path())
	h := hatches[number]
	if h.distance == 0 {
		return
	}
	// One path: an element for each line would make most of the document.
	var path vg.Path
	area := draw.Canvas{Rectangle: r}
	height := r.Max.Y - r.Min.Y
	for bottom := r.Min.X - height; bottom < r.Max.X+height; bottom += h.distance {
		from, to := vg.Point{X: bottom, Y: r.Min.Y}, vg.Point{X: bottom + height*vg.Length(h.slope), Y: r.Max.Y}
		for _, line := range area.ClipLinesX([]vg.Point{from, to}) {
			path.Move(line[0])
			path.Line(line[1])
		}
	}
	if len(path) > 0 {
		c.SetLineStyle(t.stroke(mix(t.series[number], t.background), 1))
		c.Stroke(path)
	}
}

// mix returns the color between two.
func mix(a, b color.RGBA) color.RGBA {
	between := func(x, y uint8) uint8 { return uint8((int(x) + int(y)) / 2) }
	return color.RGBA{R: between(a.R, b.R), G: between(a.G, b.G), B: between(a.B, b.B), A: 0xff}
}
