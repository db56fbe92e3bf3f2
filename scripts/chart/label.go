package chart

import (
	"cmp"
	"image/color"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

const (
	labelHeight vg.Length = 18
	labelGap    vg.Length = 22 // between the plot and its labels
)

// end is the right end of a line.
type end struct {
	name  string
	point plotter.XY
	color color.Color
}

// endLabels writes the names of lines at the right of the plot, as near to the lines' ends as they fit.
type endLabels struct {
	text   draw.TextStyle
	leader draw.LineStyle
	ends   []end
}

// width is the room that the labels need at the right of the plot.
func (l *endLabels) width() vg.Length {
	var widest vg.Length
	for _, e := range l.ends {
		widest = max(widest, l.text.Width(e.name))
	}
	return labelGap + widest + 2
}

// Plot implements plot.Plotter.
func (l *endLabels) Plot(c draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&c)
	ends := slices.SortedStableFunc(slices.Values(l.ends), func(a, b end) int { return cmp.Compare(a.point.Y, b.point.Y) })
	wanted := make([]vg.Length, len(ends))
	for i, e := range ends {
		wanted[i] = y(e.point.Y)
	}
	for i, middle := range spread(wanted, labelHeight, c.Min.Y, c.Max.Y+labelHeight/2) {
		e := ends[i]
		leader := l.leader
		leader.Color = e.color
		// Lines that end early have a longer way, and it is not part of them.
		if x(e.point.X) < c.Max.X-1 {
			leader.Dashes = []vg.Length{1.5, 3}
		}
		c.StrokeLines(leader, []vg.Point{
			{X: x(e.point.X) + 6, Y: y(e.point.Y)}, {X: max(c.Max.X, x(e.point.X)+6), Y: middle}, {X: c.Max.X + labelGap - 5, Y: middle},
		})
		style := l.text
		style.Color = e.color
		writeText(c, style, vg.Point{X: c.Max.X + labelGap, Y: middle}, e.name)
	}
}

// spread moves sorted positions apart, so that neighbors have at least the distance and all are between bottom and top. If they
// do not fit, they are above the top.
func spread(wanted []vg.Length, distance, bottom, top vg.Length) []vg.Length {
	placed := slices.Clone(wanted)
	for i := range placed {
		placed[i] = max(placed[i], bottom)
		if i > 0 {
			placed[i] = max(placed[i], placed[i-1]+distance)
		}
	}
	for i := len(placed) - 1; i >= 0; i-- {
		highest := top
		if i < len(placed)-1 {
			highest = placed[i+1] - distance
		}
		// The lowest place is where all below fit.
		placed[i] = max(min(placed[i], highest), bottom+vg.Length(i)*distance)
	}
	return placed
}
