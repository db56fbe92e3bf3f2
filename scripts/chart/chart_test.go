package chart_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"flag"
	"io"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"systemscale/scripts/chart"
)

var update = flag.Bool("update", false, "write the golden files")

// examples is one chart of each kind, with what is hard to draw: long names, spreads, ends at one place, missing numbers.
var examples = map[string]chart.Chart{
	"lines": chart.Lines{
		Title:    "Latency & offered load < 30,000/s",
		Subtitle: "GET /products/{id}/styles, Zipf (s = 1), 3 rounds, 2 cores",
		X:        chart.Axis{Label: "offered load (requests/s)", Log: true},
		Y:        chart.Axis{Label: "latency, 99th percentile (ms)", Log: true},
		Series: []chart.Line{
			{Name: "joins", Points: []chart.Point{
				{X: 100, Y: 8, Spread: chart.Spread{Low: 7, High: 9.5}},
				{X: 300, Y: 14, Spread: chart.Spread{Low: 12, High: 19}},
				{X: 1000, Y: 2100, Spread: chart.Spread{Low: 1500, High: 2600}},
			}},
			{Name: "joins, 2 instances", Points: []chart.Point{{X: 100, Y: 8.4}, {X: 300, Y: 12}, {X: 1000, Y: 84}, {X: 3000, Y: 1900}}},
			{Name: "documents", Points: []chart.Point{{X: 100, Y: 1.2}, {X: 1000, Y: 1.3}, {X: 3000, Y: 1.7}, {X: 10_000, Y: 6.1}, {X: 30_000, Y: 640}}},
			{Name: "documents, pipelined", Points: []chart.Point{{X: 100, Y: 1.1}, {X: 1000, Y: 1.15}, {X: 3000, Y: 1.4}, {X: 10_000, Y: 2.2}, {X: 30_000, Y: 6}}},
			{Name: "gateway's cache", Points: []chart.Point{{X: 100, Y: 0.6}, {X: 1000, Y: 0.62}, {X: 10_000, Y: 1.1}, {X: 30_000, Y: 5.5}}},
			{Name: "cache <Redis> & \"pool\"", Dashed: true, Points: []chart.Point{{X: 100, Y: 0.9}, {X: 1000, Y: 0.95}, {X: 10_000, Y: 1.9}, {X: 30_000, Y: 5.8}}},
		},
	},
	"linear": chart.Lines{
		Title:  "Load against size",
		X:      chart.Axis{Label: "products (millions)"},
		Y:      chart.Axis{Label: "processor time (s)"},
		Series: []chart.Line{{Name: "load", Points: []chart.Point{{X: 3, Y: 92}, {X: 0.01, Y: 0.4}, {X: 1, Y: 30}}}, {Name: "plan", Points: []chart.Point{{X: 0.01, Y: 0.2}, {X: 1, Y: 14}, {X: 3, Y: 41}}}},
	},
	"stacked": chart.Bars{
		Title:    "Processor time per request",
		Subtitle: "all endpoints, uniform traffic, 3 rounds",
		Axis:     chart.Axis{Label: "processor time per request (µs)"},
		Rows: []string{
			"joins", "joins, Express and node-postgres, with a Redis cache of its own in front of the database", "joins, 2 instances, least connections",
			"documents, plain handler", "documents, pipelined", "the gateway's cache", "not measured",
		},
		Stacked: true,
		Series: []chart.BarSeries{
			{Name: "API", Values: bars(130, 420, 131, 62, 21, 1.2, math.NaN())},
			{Name: "NGINX", Values: bars(0, 0, 24, 0, 0, 17, math.NaN())},
			{Name: "PostgreSQL", Values: bars(840, 610, 835, 71, 26, 1.9, math.NaN())},
			{Name: "Redis", Values: bars(0, 14, 0, 0, 0, 0, math.NaN())},
			{Name: "Express", Values: bars(0, 30, 0, 0, 0, 0, math.NaN())},
		},
		Sums: []chart.Spread{{Low: 940, High: 1010}, {Low: 1030, High: 1150}, {}, {Low: 125, High: 140}, {}, {}, {}},
	},
	"grouped": chart.Bars{
		Title: "Peak throughput",
		Axis:  chart.Axis{Label: "requests/s", Log: true},
		Rows:  []string{"joins", "joins, 2 instances", "documents", "the gateway's cache"},
		Series: []chart.BarSeries{
			{Name: "/products", Values: bars(900, 1300, 17_000, 47_000)},
			{Name: "/products/{id}", Values: bars(1400, 2100, 19_400, 48_200)},
			{Name: "/products/{id}/styles", Values: []chart.Bar{{Value: 310, Spread: chart.Spread{Low: 250, High: 330}}, {Missing: true}, {Value: 12_300, Spread: chart.Spread{Low: 9000, High: 14_000}}, {Value: 31_000}}},
			{Name: "/products/{id}/related", Values: bars(1700, 2600, 21_000, 49_000)},
		},
	},
	"all styles": chart.Bars{
		Title: "All styles",
		Axis:  chart.Axis{Label: "number"},
		Rows:  []string{"a row"},
		Series: []chart.BarSeries{
			{Name: "1", Values: bars(1)},
			{Name: "2", Values: bars(2)},
			{Name: "3", Values: bars(3)},
			{Name: "4", Values: bars(4)},
			{Name: "5", Values: bars(5)},
			{Name: "6", Values: bars(6)},
			{Name: "7", Values: bars(7)},
			{Name: "8", Values: bars(8)},
		},
	},
}

// bars returns bars of the values. NaN is a missing one.
func bars(values ...float64) []chart.Bar {
	all := make([]chart.Bar, len(values))
	for i, value := range values {
		if all[i] = (chart.Bar{Value: value}); math.IsNaN(value) {
			all[i] = chart.Bar{Missing: true}
		}
	}
	return all
}

func TestGolden(t *testing.T) {
	for name, example := range examples {
		for _, theme := range []chart.Theme{chart.Light, chart.Dark} {
			t.Run(name+" "+theme.String(), func(t *testing.T) {
				got := draw(t, example, theme)
				golden := filepath.Join("testdata", strings.ReplaceAll(name, " ", "-")+"-"+theme.String()+".svg")
				if *update {
					if err := os.WriteFile(golden, got, 0o644); err != nil {
						t.Fatal(err)
					}
				}
				want, err := os.ReadFile(golden)
				if err != nil {
					t.Fatal(err)
				}
				if !bytes.Equal(got, want) {
					t.Errorf("the chart is not %s: look at it, then run go test -update", golden)
				}
				if again := draw(t, example, theme); !bytes.Equal(got, again) {
					t.Error("a second drawing differs")
				}
			})
		}
	}
}

func draw(t *testing.T, c chart.Chart, theme chart.Theme) []byte {
	t.Helper()
	svg, err := c.SVG(theme)
	if err != nil {
		t.Fatal(err)
	}
	return svg
}

// Every document is well-formed, holds every text as it was given, and has no text that is too small or outside of the picture.
func TestTexts(t *testing.T) {
	for name, example := range examples {
		svg := draw(t, example, chart.Light)
		var texts []string
		decoder := xml.NewDecoder(bytes.NewReader(svg))
		for {
			token, err := decoder.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if text, is := token.(xml.CharData); is {
				texts = append(texts, strings.TrimSpace(string(text)))
			}
		}
		all := strings.Join(texts, "\n")
		var want []string
		switch c := example.(type) {
		case chart.Lines:
			want = append(want, c.Title, c.Subtitle, c.X.Label, c.Y.Label)
			for _, line := range c.Series {
				want = append(want, line.Name)
			}
		case chart.Bars:
			want = append(want, c.Title, c.Subtitle, c.Axis.Label, c.Rows[0])
			for _, series := range c.Series {
				want = append(want, series.Name)
			}
		}
		for _, text := range want {
			if !strings.Contains(all, text) {
				t.Errorf("%s: %q is missing", name, text)
			}
		}
		for _, size := range regexp.MustCompile(`font-size:([0-9.]+)px`).FindAllSubmatch(svg, -1) {
			if pixels, err := strconv.ParseFloat(string(size[1]), 64); err != nil || pixels < 12 {
				t.Errorf("%s: a text of %s pixels", name, size[1])
			}
		}
		if texts, fixed := bytes.Count(svg, []byte("<text ")), bytes.Count(svg, []byte("<text textLength=")); texts == 0 || fixed != texts {
			t.Errorf("%s: %d of %d texts have a width", name, fixed, texts)
		}
		if !bytes.Contains(svg, []byte(`<svg width="800" `)) || bytes.Contains(svg, []byte(`family:Liberation`)) {
			t.Errorf("%s: wrong size or font", name)
		}
	}
}

func TestErrors(t *testing.T) {
	line := func(points ...chart.Point) chart.Lines {
		return chart.Lines{Y: chart.Axis{Log: true}, Series: []chart.Line{{Name: "one", Points: points}}}
	}
	row := []string{"row"}
	for name, c := range map[string]chart.Chart{
		"no lines":         chart.Lines{},
		"no points":        line(),
		"zero":             line(chart.Point{X: 1}),
		"not a number":     line(chart.Point{X: math.NaN(), Y: 1}),
		"infinite":         line(chart.Point{X: 1, Y: math.Inf(1)}),
		"negative":         line(chart.Point{X: -1, Y: 1}),
		"reversed spread":  line(chart.Point{X: 1, Y: 1, Spread: chart.Spread{Low: 2, High: 1}}),
		"no such style":    chart.Lines{Series: []chart.Line{{Points: []chart.Point{{X: 1, Y: 1}}, Style: chart.Styles + 1}}},
		"too many lines":   chart.Lines{Series: slicesRepeat(chart.Line{Points: []chart.Point{{X: 1, Y: 1}}}, chart.Styles+1)},
		"no bars":          chart.Bars{Rows: row},
		"no rows":          chart.Bars{Series: []chart.BarSeries{{}}},
		"a value too many": chart.Bars{Rows: row, Series: []chart.BarSeries{{Values: bars(1, 2)}}},
		"negative bar":     chart.Bars{Rows: row, Series: []chart.BarSeries{{Values: bars(-1)}}},
		"stacked log":      chart.Bars{Rows: row, Stacked: true, Axis: chart.Axis{Log: true}, Series: []chart.BarSeries{{Values: bars(1)}}},
		"sums of groups":   chart.Bars{Rows: row, Sums: []chart.Spread{{}}, Series: []chart.BarSeries{{Values: bars(1)}}},
	} {
		if svg, err := c.SVG(chart.Light); err == nil {
			t.Errorf("%s: no error but %d bytes", name, len(svg))
		}
	}
}

func slicesRepeat(line chart.Line, count int) []chart.Line {
	lines := make([]chart.Line, count)
	for i := range lines {
		lines[i] = line
	}
	return lines
}

// A chart of one point, and of numbers that are all 0, has an axis all the same.
func TestFewNumbers(t *testing.T) {
	for name, c := range map[string]chart.Chart{
		"one point":     chart.Lines{X: chart.Axis{Log: true}, Series: []chart.Line{{Name: "one", Points: []chart.Point{{X: 1, Y: 1}}}}},
		"zero":          chart.Lines{Series: []chart.Line{{Name: "one", Points: []chart.Point{{}}}}},
		"a bar of zero": chart.Bars{Rows: []string{"row"}, Series: []chart.BarSeries{{Values: bars(0)}}},
		"missing bar":   chart.Bars{Rows: []string{"row"}, Stacked: true, Series: []chart.BarSeries{{Values: bars(math.NaN())}}},
		"missing log":   chart.Bars{Rows: []string{"row"}, Axis: chart.Axis{Log: true}, Series: []chart.BarSeries{{Values: bars(math.NaN())}}},
		"empty name":    chart.Bars{Rows: []string{""}, Series: []chart.BarSeries{{Values: bars(1)}, {Values: bars(1)}}},
	} {
		svg, err := c.SVG(chart.Dark)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if bytes.Contains(svg, []byte("NaN")) || bytes.Contains(svg, []byte("Inf")) {
			t.Errorf("%s: places that are no numbers", name)
		}
	}
}

func TestWrite(t *testing.T) {
	directory := t.TempDir()
	if err := chart.Write(directory, "load", examples["linear"]); err != nil {
		t.Fatal(err)
	}
	for _, theme := range []chart.Theme{chart.Light, chart.Dark} {
		got, err := os.ReadFile(filepath.Join(directory, "load-"+theme.String()+".svg"))
		if err != nil || !bytes.Equal(got, draw(t, examples["linear"], theme)) {
			t.Errorf("%v: %v, or another chart", theme, err)
		}
	}
	const want = `<picture>
  <source media="(prefers-color-scheme: dark)" srcset="charts/load-dark.svg">
  <img alt="Load &lt; 1 s" src="charts/load-light.svg" width="800">
</picture>
`
	if got := chart.Picture("charts", "load", "Load < 1 s"); got != want {
		t.Errorf("Picture = %s, want %s", got, want)
	}
	if err := chart.Write(directory, "none", chart.Lines{}); err == nil {
		t.Error("an empty chart was written")
	}
	if err := chart.Write(filepath.Join(directory, "missing"), "load", examples["linear"]); err == nil {
		t.Error("no error for a directory that does not exist")
	}
}

func TestNumber(t *testing.T) {
	for value, want := range map[float64]string{
		0: "0", 0.0351: "0.0351", 0.5: "0.5", 1: "1", 4.25: "4.25", 9.999: "10", 950.4: "950", 1000: "1,000", 12_345: "12,300",
		999_999: "1 M", 1_500_000: "1.5 M", 2e9: "2 G", 3.26e12: "3.26 T", 5e15: "5,000 T",
	} {
		if got := chart.Number(value); got != want {
			t.Errorf("Number(%v) = %q, want %q", value, got, want)
		}
	}
}
