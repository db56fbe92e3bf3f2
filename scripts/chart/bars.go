package chart

import (
	"errors"
	"fmt"
	"image/color"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Bars is a chart of horizontal bars: one group of bars, or one bar of several parts, in each row.
type Bars struct {
	Title    string
	Subtitle string // smaller, below the title; may be empty
	Axis     Axis   // of the lengths
	Rows     []string
	Series   []BarSeries
	// Stacked draws the series as parts of one bar for each row, with the sum at its end. The axis must be linear.
	Stacked bool
	// Sums are the spreads of the sums, one for each row, or nil.
	Sums []Spread
}

// BarSeries is the bars of one color.
type BarSeries struct {
	Name   string
	Values []Bar // one for each row
	Style  int   // 1 to Styles: color and hatch. 0: those of the series' position.
}

// Bar is one bar, or one part of a bar. The spread of a part is not drawn.
type Bar struct {
	Value  float64
	Spread Spread
	// Missing draws no bar: there is no number.
	Missing bool
}

const (
	barHeight   vg.Length = 15
	stackHeight vg.Length = 20
	rowGap      vg.Length = 12
	rowLabel    vg.Length = 270 // longer names have several lines
	lineHeight  vg.Length = 16
)

// SVG implements Chart.
func (b Bars) SVG(name Theme) ([]byte, error) {
	if err := b.check(); err != nil {
		return nil, err
	}
	names, lines := b.wrapped(themes[name].write(sizeText, themes[name].text))
	row := max(b.rowHeight(), vg.Length(lines)*lineHeight) + rowGap
	entries := b.entries(themes[name])
	legend := vg.Length(0)
	if len(entries) > 0 {
		measure := newCanvas(name, 1000, "", "")
		legend = vg.Length(measure.legendRows(entries))*legendRow + 8
	}
	const axis = 48 // ticks and label
	c := newCanvas(name, headHeight(b.Subtitle)+legend+row*vg.Length(len(b.Rows))+axis, b.Title, b.Subtitle)
	if len(entries) > 0 {
		c.legend(entries)
	}

	p := c.plot()
	p.X.Label.Text = b.Axis.Label
	low, high := b.limits()
	b.Axis.apply(&p.X, low, high)
	p.Y.Min, p.Y.Max = -0.5, float64(len(b.Rows))-0.5
	p.Y.Tick.Length, p.Y.Tick.Marker = 0, plot.ConstantTicks(names)
	grid := plotter.NewGrid()
	grid.Vertical, grid.Horizontal = c.theme.stroke(c.theme.grid, 1), draw.LineStyle{}
	p.Add(grid)
	p.Add(&bars{Bars: b, theme: c.theme})
	p.Draw(draw.Crop(c.Canvas, 0, -numberRoom, 0, 0))
	return c.document()
}

// numberRoom is at the right of the longest bar, for its number.
const numberRoom vg.Length = 64

func (b Bars) check() error {
	if b.Stacked && b.Axis.Log {
		return errors.New("parts of a bar have no lengths on a logarithmic axis")
	}
	if b.Sums != nil && (!b.Stacked || len(b.Sums) != len(b.Rows)) {
		return fmt.Errorf("%d spreads of sums for %d rows", len(b.Sums), len(b.Rows))
	}
	for _, sum := range b.Sums {
		if err := b.Axis.checkSpread(sum); err != nil {
			return err
		}
	}
	wanted := make([]int, len(b.Series))
	for i, series := range b.Series {
		wanted[i] = series.Style
		if len(series.Values) != len(b.Rows) {
			return fmt.Errorf("series %q has %d values for %d rows", series.Name, len(series.Values), len(b.Rows))
		}
		for _, bar := range series.Values {
			if bar.Missing {
				continue
			}
			if err := errors.Join(b.Axis.check(bar.Value), b.Axis.checkSpread(bar.Spread)); err != nil {
				return fmt.Errorf("series %q: %w", series.Name, err)
			}
		}
	}
	if len(b.Rows) == 0 {
		return errors.New("there are no rows")
	}
	return checkStyles(wanted)
}

// rowHeight is the height of the bars of one row.
func (b Bars) rowHeight() vg.Length {
	if b.Stacked {
		return stackHeight
	}
	return barHeight * vg.Length(len(b.Series))
}

// wrapped returns the names of the rows as labels, long ones in several lines, and the most lines of one.
func (b Bars) wrapped(style draw.TextStyle) (labels []plot.Tick, most int) {
	most = 1
	for i, name := range b.Rows {
		wrapped, lines := wrap(style, name, rowLabel)
		most = max(most, lines)
		labels = append(labels, plot.Tick{Value: float64(len(b.Rows) - 1 - i), Label: wrapped})
	}
	return labels, most
}

// limits returns the ends of the axis.
func (b Bars) limits() (low, high float64) {
	low = 0
	for row := range b.Rows {
		sum := 0.0
		for _, series := range b.Series {
			bar := series.Values[row]
			if bar.Missing {
				continue
			}
			sum += bar.Value
			if !b.Stacked {
				high = max(high, bar.Value, bar.Spread.High)
				if low == 0 || bar.Value < low {
					low = bar.Value
				}
			}
		}
		if b.Stacked {
			high = max(high, sum)
		}
	}
	for _, sum := range b.Sums {
		high = max(high, sum.High)
	}
	if b.Axis.Log {
		low *= 0.5 // the shortest bar has a length
	}
	return low, high
}

// entries is the legend. One series needs none: the axis has its name.
func (b Bars) entries(t theme) []entry {
	if len(b.Series) == 1 {
		return nil
	}
	entries := make([]entry, len(b.Series))
	for i, series := range b.Series {
		number := style(series.Style, i)
		entries[i] = entry{name: series.Name, thumb: func(c draw.Canvas) { t.box(c, c.Rectangle, number) }}
	}
	return entries
}

// bars draws the rows.
type bars struct {
	Bars

	theme theme
}

// Plot implements plot.Plotter.
func (b *bars) Plot(c draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&c)
	for row := range b.Rows {
		top := y(float64(len(b.Rows)-1-row)) + b.rowHeight()/2
		if b.Stacked {
			b.stack(c, row, top, x)
			continue
		}
		for i, series := range b.Series {
			bar := series.Values[row]
			middle := top - barHeight*(vg.Length(i)+0.5)
			if bar.Missing {
				b.number(c, c.Min.X, middle, "—", b.theme.muted)
				continue
			}
			b.theme.box(c, rectangle(c.Min.X, x(bar.Value), middle, barHeight-2), style(series.Style, i))
			b.end(c, x(bar.Value), middle, bar, x)
		}
	}
}

// stack draws the bar of one row.
func (b *bars) stack(c draw.Canvas, row int, top vg.Length, x func(float64) vg.Length) {
	sum, measured := 0.0, false
	middle := top - stackHeight/2
	for i, series := range b.Series {
		part := series.Values[row]
		if part.Missing {
			continue
		}
		measured = true
		b.theme.box(c, rectangle(x(sum), x(sum+part.Value), middle, stackHeight), style(series.Style, i))
		sum += part.Value
	}
	if !measured {
		b.number(c, c.Min.X, middle, "—", b.theme.muted)
		return
	}
	bar := Bar{Value: sum}
	if b.Sums != nil {
		bar.Spread = b.Sums[row]
	}
	b.end(c, x(sum), middle, bar, x)
}

// end draws the spread of a bar, and its number.
func (b *bars) end(c draw.Canvas, end, middle vg.Length, bar Bar, x func(float64) vg.Length) {
	if bar.Spread != (Spread{}) {
		low, high := x(max(bar.Spread.Low, 0)), x(bar.Spread.High)
		for _, outline := range []struct {
			color color.Color
			width vg.Length
		}{{b.theme.background, 3.4}, {b.theme.text, 1.2}} {
			stroke := b.theme.stroke(outline.color, outline.width)
			c.StrokeLine2(stroke, low, middle, high, middle)
			c.StrokeLine2(stroke, low, middle-3, low, middle+3)
			c.StrokeLine2(stroke, high, middle-3, high, middle+3)
		}
		end = max(end, high)
	}
	b.number(c, end, middle, b.Axis.format()(bar.Value), b.theme.text)
}

func (b *bars) number(c draw.Canvas, end, middle vg.Length, number string, color color.Color) {
	writeText(c, b.theme.write(sizeSmall, color), vg.Point{X: end + 6, Y: middle}, number)
}

func rectangle(left, right, middle, height vg.Length) vg.Rectangle {
	return vg.Rectangle{Min: vg.Point{X: left, Y: middle - height/2}, Max: vg.Point{X: right, Y: middle + height/2}}
}
