package chart

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Lines is a chart of lines over an axis of numbers. The name of each line is at its right end.
type Lines struct {
	Title    string
	Subtitle string // smaller, below the title; may be empty
	X, Y     Axis
	Series   []Line
}

// Line is one line of Lines.
type Line struct {
	Name   string
	Points []Point // drawn in the order of X
	Style  int     // 1 to Styles: color and marker. 0: those of the line's position.
	Dashed bool    // computed, not measured, for example
}

// Point is a point of a Line. The spread is of Y.
type Point struct {
	X, Y   float64
	Spread Spread
}

const linesHeight vg.Length = 430

// SVG implements Chart.
func (l Lines) SVG(name Theme) ([]byte, error) {
	if err := l.check(); err != nil {
		return nil, err
	}
	c := newCanvas(name, linesHeight, l.Title, l.Subtitle)
	c.line(c.theme.write(sizeText, c.theme.muted), l.Y.Label, 22)
	p := c.plot()
	p.X.Label.Text = l.X.Label
	low, high := l.limits()
	l.X.apply(&p.X, low.X, high.X)
	l.Y.apply(&p.Y, low.Y, high.Y)
	grid := plotter.NewGrid()
	grid.Vertical, grid.Horizontal = c.theme.stroke(c.theme.grid, 1), c.theme.stroke(c.theme.grid, 1)
	p.Add(grid)

	labels := endLabels{text: c.theme.write(sizeText, c.theme.text), leader: c.theme.stroke(c.theme.muted, 0.7)}
	for i, line := range l.Series {
		one := c.curve(line, style(line.Style, i))
		p.Add(one)
		last := one.points[len(one.points)-1]
		labels.ends = append(labels.ends, end{name: line.Name, point: plotter.XY{X: last.X, Y: last.Y}, color: one.line.Color})
	}
	p.Add(&labels)
	area := draw.Crop(c.Canvas, 0, -labels.width(), 0, -4)
	p.Draw(area)
	return c.document()
}

func (l Lines) check() error {
	wanted := make([]int, len(l.Series))
	for i, line := range l.Series {
		wanted[i] = line.Style
		if len(line.Points) == 0 {
			return fmt.Errorf("line %q has no points", line.Name)
		}
		for _, point := range line.Points {
			if err := errors.Join(l.X.check(point.X), l.Y.check(point.Y), l.Y.checkSpread(point.Spread)); err != nil {
				return fmt.Errorf("line %q: %w", line.Name, err)
			}
		}
	}
	return checkStyles(wanted)
}

// limits returns the smallest and largest numbers, with a little room above.
func (l Lines) limits() (low, high plotter.XY) {
	low, high = plotter.XY{X: math.Inf(1), Y: math.Inf(1)}, plotter.XY{X: math.Inf(-1), Y: math.Inf(-1)}
	for _, line := range l.Series {
		for _, point := range line.Points {
			bottom, top := point.Y, point.Y
			if point.Spread != (Spread{}) {
				bottom, top = min(bottom, point.Spread.Low), max(top, point.Spread.High)
			}
			low.X, high.X = min(low.X, point.X), max(high.X, point.X)
			low.Y, high.Y = min(low.Y, bottom), max(high.Y, top)
		}
	}
	if l.Y.Log {
		low.Y, high.Y = low.Y*0.85, high.Y*1.15
	} else {
		high.Y *= 1.04
	}
	return low, high
}

// curve draws one line, its spread and its markers.
type curve struct {
	points []Point
	line   draw.LineStyle
	spread draw.LineStyle
	marker draw.GlyphStyle
	inside draw.GlyphStyle // what is behind a hollow marker, in the color of the page
}

func (c *canvas) curve(line Line, number int) *curve {
	color := c.theme.series[number]
	one := &curve{
		points: slices.SortedStableFunc(slices.Values(line.Points), func(a, b Point) int { return cmp.Compare(a.X, b.X) }),
		line:   c.theme.stroke(color, 2.2),
		spread: c.theme.stroke(color, 1.2),
		marker: draw.GlyphStyle{Color: color, Radius: 4, Shape: markers[number]},
		inside: draw.GlyphStyle{Color: c.theme.background, Radius: 4, Shape: draw.CircleGlyph{}},
	}
	if line.Dashed {
		one.line.Dashes = []vg.Length{6, 4}
	}
	return one
}

// Plot implements plot.Plotter.
func (l *curve) Plot(c draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&c)
	path := make([]vg.Point, len(l.points))
	for i, point := range l.points {
		path[i] = vg.Point{X: x(point.X), Y: y(point.Y)}
	}
	c.StrokeLines(l.line, path)
	for i, point := range l.points {
		if point.Spread != (Spread{}) {
			low, high := y(point.Spread.Low), y(point.Spread.High)
			c.StrokeLine2(l.spread, path[i].X, low, path[i].X, high)
			c.StrokeLine2(l.spread, path[i].X-4, low, path[i].X+4, low)
			c.StrokeLine2(l.spread, path[i].X-4, high, path[i].X+4, high)
		}
		switch l.marker.Shape.(type) {
		case draw.RingGlyph, draw.SquareGlyph, draw.TriangleGlyph:
			c.DrawGlyphNoClip(l.inside, path[i])
		}
		c.DrawGlyphNoClip(l.marker, path[i])
	}
}
