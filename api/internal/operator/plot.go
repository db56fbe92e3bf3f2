package operator

import (
	"fmt"
	"html/template"
	"math"
	"strings"

	"systemscale/api/internal/store"
)

// Size of a plot, in its own units.
const (
	width, height = 480.0, 120.0
	left, bottom  = 4.0, 18.0
)

// chart is one line chart with its newest values in words.
type chart struct {
	Title string
	Says  string
	Plot  template.HTML
}

// line is one line of a chart.
type line struct {
	class  string
	values []float64 // NaN where there is none
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
	says := fmt.Sprintf("%.0f a second by the instances", last.rate)
	if gateway {
		requests = append(requests, series("two", func(i interval) float64 { return i.gateway }))
		says = fmt.Sprintf("%.0f a second at the gateway, %s", last.gateway, says)
	}
	if last.failures > 0 {
		says += fmt.Sprintf(", %.1f a second with 5xx", last.failures)
	}
	all := []chart{
		{"Requests", says, plotLines("Requests a second", span, requests, 0)},
		{"Latency in the API", fmt.Sprintf("p50 %s, p99 %s", milliseconds(last.p50), milliseconds(last.p99)), plotLines("Milliseconds", span, []line{
			series("one", func(i interval) float64 { return i.p50 }), series("two", func(i interval) float64 { return i.p99 }),
		}, 0)},
	}
	if gateway {
		says := "no requests"
		if !math.IsNaN(last.hits) {
			says = fmt.Sprintf("%.1f %% never reached an instance", 100*last.hits)
		}
		all = append(all, chart{"Cache hits", says, plotLines("Share of the gateway's requests", span, []line{
			series("one", func(i interval) float64 { return i.hits }),
		}, 1)})
	}
	return all
}

func milliseconds(value float64) string {
	if math.IsNaN(value) {
		return "–"
	}
	return fmt.Sprintf("≤ %g ms", math.Round(value*100)/100)
}

// plotLines draws lines over a common scale that begins at 0 and ends at top, or at the largest value if top is 0.
func plotLines(name, span string, lines []line, top float64) template.HTML {
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
	begin(&svg, fmt.Sprintf("%s, 0 to %g, %s", name, top, span))
	for _, l := range lines {
		step := (width - 2*left) / float64(max(len(l.values)-1, 1))
		pen := "M"
		var path strings.Builder
		for i, value := range l.values {
			if math.IsNaN(value) {
				pen = "M"
				continue
			}
			fmt.Fprintf(&path, "%s%.1f %.1f", pen, left+float64(i)*step, y(value/top))
			pen = "L"
		}
		fmt.Fprintf(&svg, `<path class="%s" d="%s"/>`, l.class, path.String())
	}
	fmt.Fprintf(&svg, `<text x="%g" y="12">%g</text><text x="%g" y="%g">%s</text></svg>`, left, top, left, height-4, template.HTMLEscapeString(span))
	return template.HTML(svg.String())
}

// plotRuns draws a bar for each run, the oldest first, as high as it took long.
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
	begin(&svg, fmt.Sprintf("Duration of the last %d runs, 0 to %g seconds", len(runs), longest))
	step := (width - 2*left) / showRuns
	for i := range runs {
		run := runs[len(runs)-1-i]
		tall := max((height-bottom-14)*duration(run)/longest, 2)
		fmt.Fprintf(&svg, `<rect class="%s" x="%.1f" y="%.1f" width="%.1f" height="%.1f"><title>run %d, %s, %s: %s</title></rect>`,
			template.HTMLEscapeString(run.State), left+float64(i)*step, height-bottom-tall, step-3, tall,
			run.ID, template.HTMLEscapeString(run.Mode), template.HTMLEscapeString(run.State), seconds(run))
	}
	fmt.Fprintf(&svg, `<text x="%g" y="12">%g s</text><text x="%g" y="%g">run %d</text><text class="end" x="%.1f" y="%g">%d</text></svg>`,
		left, longest, left, height-4, runs[len(runs)-1].ID, left+float64(len(runs))*step-3, height-4, runs[0].ID)
	return template.HTML(svg.String())
}

func duration(run store.Run) float64 {
	if run.FinishedAt == nil {
		return 0
	}
	return run.FinishedAt.Sub(run.StartedAt).Seconds()
}

func begin(svg *strings.Builder, name string) {
	fmt.Fprintf(svg, `<svg viewBox="0 0 %g %g" role="img" aria-label="%s"><path class="axis" d="M%g %gH%g"/>`,
		width, height, template.HTMLEscapeString(name), left, height-bottom, width-left)
}

// y returns where a share of the scale is drawn.
func y(share float64) float64 { return height - bottom - share*(height-bottom-14) }

// ceiling returns the next round number that is not below value: 1, 2 or 5 times a power of ten.
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
