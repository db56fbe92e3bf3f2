package dashboard

import (
	"fmt"
	"html/template"
	"math"
	"strings"

	"github.com/dustin/go-humanize/english"

	"systemscale/api/internal/store"
)

// Size of a plot in SVG units. The page's style scales it; labels are HTML beside it, so they are not scaled.
const width, height = 640.0, 100.0

// chart is a line chart with its newest values as text.
type chart struct {
	Title string
	Text  string
	Plot  template.HTML
}

// line is one line of a chart.
type line struct {
	class  string
	values []float64 // NaN where unknown
}

func charts(intervals []interval, gateway bool) []chart {
	if len(intervals) == 0 {
		return nil
	}
	series := func(class string, value func(interval) float64) line {
		l := line{class: class}
		for _, i := range intervals {
			l.values = append(l.values, value(i))
		}
		return l
	}
	last := intervals[len(intervals)-1]
	from, to := intervals[0].from, last.to
	span := fmt.Sprintf("%s – %s", from.UTC().Format("15:04:05"), to.UTC().Format("15:04:05"))
	requests := []line{series("one", func(i interval) float64 { return i.rate })}
	text := fmt.Sprintf("%.0f requests/s at the instances", last.rate)
	if gateway {
		requests = append(requests, series("two", func(i interval) float64 { return i.gateway }))
		text = fmt.Sprintf("%.0f requests/s at the gateway, %s", last.gateway, text)
	}
	if last.failures > 0 {
		text += fmt.Sprintf(", %.1f/s of them with 5xx", last.failures)
	}
	all := []chart{
		{"Requests", text, plotLines("Requests", "requests/s", span, requests, 0)},
		{"Latency in the API", fmt.Sprintf("p50 %s, p99 %s", milliseconds(last.p50), milliseconds(last.p99)), plotLines("Latency", "ms", span,
			[]line{series("one", func(i interval) float64 { return i.p50 }), series("two", func(i interval) float64 { return i.p99 })}, 0)},
	}
	if gateway {
		text := "no requests"
		if !math.IsNaN(last.hits) {
			text = fmt.Sprintf("%.1f %% of the gateway's requests", 100*last.hits)
		}
		all = append(all, chart{"Cache hits", text, plotLines("Cache hits", "%", span, []line{
			series("one", func(i interval) float64 { return 100 * i.hits }),
		}, 100)})
	}
	return all
}

func milliseconds(value float64) string {
	if math.IsNaN(value) {
		return "–"
	}
	return fmt.Sprintf("≤ %g ms", math.Round(value*100)/100)
}

// plotLines draws lines on a common scale from 0 to top, or to the largest value if top is 0.
func plotLines(name, unit, span string, lines []line, top float64) template.HTML {
	if top == 0 {
		for _, l := range lines {
			for _, value := range l.values {
				if !math.IsNaN(value) {
					top = max(top, value)
				}
			}
		}
		top = ceiling(top)
	}
	var svg strings.Builder
	begin(&svg, fmt.Sprintf("%s, 0 to %g %s, %s", name, top, unit, span), fmt.Sprintf("%g %s", top, unit))
	for _, l := range lines {
		step := width / float64(max(len(l.values)-1, 1))
		pen := "M"
		var path strings.Builder
		for i, value := range l.values {
			if math.IsNaN(value) {
				pen = "M"
				continue
			}
			fmt.Fprintf(&path, "%s%.1f %.1f", pen, float64(i)*step, y(value/top))
			pen = "L"
		}
		fmt.Fprintf(&svg, `<path class="%s" d="%s"/>`, l.class, path.String())
	}
	end(&svg, span)
	return template.HTML(svg.String())
}

// plotRuns draws a bar for each run, the oldest first. Its height is the duration.
func plotRuns(runs []store.Run) template.HTML {
	if len(runs) == 0 {
		return ""
	}
	var longest float64
	for _, run := range runs {
		longest = max(longest, duration(run))
	}
	longest = ceiling(longest)
	var svg strings.Builder
	name := fmt.Sprintf("Duration of the last %s, 0 to %g seconds", english.Plural(len(runs), "run", ""), longest)
	begin(&svg, name, fmt.Sprintf("%g s", longest))
	const step = width / showRuns
	for i := range runs {
		run := runs[len(runs)-1-i]
		top := min(y(duration(run)/longest), height-2)
		fmt.Fprintf(&svg, `<rect class="%s" x="%.1f" y="%.1f" width="%.1f" height="%.1f"><title>run %d, %s, %s: %s</title></rect>`,
			template.HTMLEscapeString(run.State), float64(i)*step, top, step-3, height-top,
			run.ID, template.HTMLEscapeString(run.Mode), template.HTMLEscapeString(run.State), seconds(run))
	}
	end(&svg, fmt.Sprintf("run %d to run %d", runs[len(runs)-1].ID, runs[0].ID))
	return template.HTML(svg.String())
}

func duration(run store.Run) float64 {
	if run.FinishedAt == nil {
		return 0
	}
	return run.FinishedAt.Sub(run.StartedAt).Seconds()
}

// begin begins a plot, below a line with the value of its full height.
func begin(svg *strings.Builder, name, top string) {
	fmt.Fprintf(svg, `<figure><p>%s</p><svg viewBox="0 0 %g %g" preserveAspectRatio="none" role="img" aria-label="%s">`+
		`<path class="axis" d="M0 %gH%g"/>`, top, width, height, template.HTMLEscapeString(name), height, width)
}

// end ends a plot with a line that describes its width.
func end(svg *strings.Builder, span string) {
	fmt.Fprintf(svg, `</svg><p>%s</p></figure>`, template.HTMLEscapeString(span))
}

// y returns the y coordinate of a share of the scale. It leaves room for the width of a line at the top.
func y(share float64) float64 { return height - share*(height-1) }

// ceiling returns the smallest number that is not below value and is 1, 2 or 5 times a power of ten.
func ceiling(value float64) float64 {
	if value <= 0 {
		return 1
	}
	power := math.Pow(10, math.Floor(math.Log10(value)))
	for _, step := range []float64{1, 2, 5} {
		if value <= step*power {
			return step * power
		}
	}
	return 10 * power
}
