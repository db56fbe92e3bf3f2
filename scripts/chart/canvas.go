package chart

import (
	"bytes"
	"fmt"
	"html"
	"regexp"
	"strconv"

	xfont "golang.org/x/image/font"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

const margin vg.Length = 16

// canvas is an SVG document while it is drawn. Lengths are pixels; gonum calls them points.
type canvas struct {
	draw.Canvas // what is left of the area, below what was drawn

	theme theme
	svg   *vgsvg.Canvas
	title string
}

// newCanvas starts a document with the title and the smaller text below it, which may be empty.
func newCanvas(name Theme, height vg.Length, title, subtitle string) *canvas {
	c := &canvas{theme: themes[name], svg: vgsvg.New(width, height), title: title}
	c.Canvas = draw.New(c.svg)
	c.SetColor(c.theme.background)
	c.Fill(c.Path())
	c.Canvas = draw.Crop(c.Canvas, margin, -margin, margin, -margin)

	bold := c.theme.write(sizeTitle, c.theme.text)
	bold.Font = sans(sizeTitle, xfont.WeightBold)
	c.line(bold, title, 24)
	if subtitle != "" {
		c.line(c.theme.write(sizeText, c.theme.muted), subtitle, 20)
	}
	c.Max.Y -= 6
	return c
}

// line writes a line of text at the top and takes it off the area.
func (c *canvas) line(style draw.TextStyle, line string, height vg.Length) {
	c.FillText(style, vg.Point{X: c.Min.X, Y: c.Max.Y - height/2}, line)
	c.Max.Y -= height
}

// writeText writes a line of text whose middle is at the height of the point, as people see it: gonum's middle counts the room for
// accents.
func writeText(c draw.Canvas, style draw.TextStyle, at vg.Point, text string) {
	at.Y += style.Font.Size * 0.12
	c.FillText(style, at, text)
}

// headHeight is what newCanvas takes off the area, with both margins.
func headHeight(subtitle string) vg.Length {
	height := 2*margin + 24 + 6
	if subtitle != "" {
		height += 20
	}
	return height
}

// entry is a series in a legend.
type entry struct {
	name  string
	thumb func(c draw.Canvas) // draws the sign of the series into the area
}

const (
	legendRow   vg.Length = 22
	legendThumb vg.Length = 26
)

// legendRows returns how many rows the legend needs.
func (c *canvas) legendRows(entries []entry) int {
	rows := 0
	c.placeLegend(entries, func(_ entry, _ vg.Length, row int) { rows = row + 1 })
	return rows
}

// legend draws the entries side by side, in as many rows as needed, and takes them off the area.
func (c *canvas) legend(entries []entry) {
	top := c.Max.Y
	style := c.theme.write(sizeText, c.theme.text)
	c.placeLegend(entries, func(e entry, x vg.Length, row int) {
		middle := top - legendRow*(vg.Length(row)+0.5)
		area := c.Canvas
		area.Rectangle = vg.Rectangle{Min: vg.Point{X: x, Y: middle - 7}, Max: vg.Point{X: x + legendThumb, Y: middle + 7}}
		e.thumb(area)
		writeText(c.Canvas, style, vg.Point{X: x + legendThumb + 6, Y: middle}, e.name)
		c.Max.Y = top - legendRow*vg.Length(row+1)
	})
	c.Max.Y -= 8
}

func (c *canvas) placeLegend(entries []entry, place func(e entry, x vg.Length, row int)) {
	style := c.theme.write(sizeText, c.theme.text)
	x, row := c.Min.X, 0
	for _, e := range entries {
		w := legendThumb + 6 + style.Width(e.name)
		if x > c.Min.X && x+w > c.Max.X {
			x, row = c.Min.X, row+1
		}
		place(e, x, row)
		x += w + 22
	}
}

// plot returns an empty plot in the colors of the theme.
func (c *canvas) plot() *plot.Plot {
	p := plot.New()
	p.BackgroundColor = nil
	for _, axis := range []*plot.Axis{&p.X, &p.Y} {
		axis.Padding = 0
		axis.LineStyle = c.theme.stroke(c.theme.muted, 1)
		axis.Tick.LineStyle = c.theme.stroke(c.theme.muted, 1)
		axis.Tick.Length = 5
		axis.Tick.Label.Color = c.theme.text
		axis.Tick.Label.Font = sans(sizeText, xfont.WeightNormal)
		axis.Label.Padding = 4
		axis.Label.TextStyle.Color = c.theme.muted
		axis.Label.TextStyle.Font = sans(sizeText, xfont.WeightNormal)
	}
	return p
}

// document returns the finished SVG document.
func (c *canvas) document() ([]byte, error) {
	var buffer bytes.Buffer
	if _, err := c.svg.WriteTo(&buffer); err != nil {
		return nil, fmt.Errorf("write an SVG document: %w", err)
	}
	text := buffer.Bytes()
	_, height := c.svg.Size()
	for _, change := range []struct{ old, new string }{
		// Points would be a third larger than pixels.
		{fmt.Sprintf(`width="%gpt" height="%.5gpt"`, width.Points(), height.Points()), fmt.Sprintf(`width="%g" height="%.5g" role="img"`, width.Points(), height.Points())},
		// For people who hear the picture, and as the tooltip.
		{"xlink\">\n", "xlink\">\n<title>" + html.EscapeString(c.title) + "</title>\n"},
	} {
		if !bytes.Contains(text, []byte(change.old)) {
			return nil, fmt.Errorf("BUG: the SVG document has no %q", change.old)
		}
		text = bytes.Replace(text, []byte(change.old), []byte(change.new), 1)
	}
	text = fixWidths(text)
	// The other fonts are as wide, and are what most systems have. Without a last resort, a browser takes one with serifs.
	// Texts cannot hold a quote: it is escaped.
	return bytes.ReplaceAll(text, []byte(`style="font-family:Liberation Sans;`), []byte(`style="font-family:Arial,Helvetica,'Liberation Sans',sans-serif;`)), nil
}

// textElement matches a text of a document, with its weight, size and content.
var textElement = regexp.MustCompile(`<text ([^>]*font-weight:(normal|bold);[^>]*font-size:([0-9.]+)px;[^>]*)>([^<]*)</text>`)

// fixWidths gives each text the width that it has in the font of the layout: a viewer without that font takes a wider one, whose texts would
// overlap the bars.
func fixWidths(document []byte) []byte {
	return textElement.ReplaceAllFunc(document, func(element []byte) []byte {
		part := textElement.FindSubmatch(element)
		size, err := strconv.ParseFloat(string(part[3]), 64)
		if err != nil {
			return element
		}
		weight := xfont.WeightNormal
		if string(part[2]) == "bold" {
			weight = xfont.WeightBold
		}
		style := draw.TextStyle{Font: sans(vg.Length(size), weight), Handler: plot.DefaultTextHandler}
		drawn := style.Width(html.UnescapeString(string(part[4])))
		return fmt.Appendf(nil, `<text textLength="%.1f" lengthAdjust="spacingAndGlyphs" %s>%s</text>`, drawn.Points(), part[1], part[4])
	})
}
