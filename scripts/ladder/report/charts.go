package report

import (
	"fmt"
	"slices"

	"github.com/dustin/go-humanize/english"

	"systemscale/scripts/chart"
)

// drawing is a chart before it is written.
type drawing struct {
	name, description string
	chart             chart.Chart
	first             bool
}

// WriteCharts writes the charts into a directory, each for light and for dark pages.
func (r *Report) WriteCharts(directory string) error {
	for _, one := range r.drawings() {
		if err := chart.Write(directory, one.name, one.chart); err != nil {
			return err
		}
	}
	return nil
}

// Pictures returns the charts for a page. directory is that of the charts, relative to the page.
func (r *Report) Pictures(directory string) []Picture {
	var pictures []Picture
	for _, one := range r.drawings() {
		pictures = append(pictures, Picture{one.name, chart.Picture(directory, one.name, one.description), one.first})
	}
	return pictures
}

func (r *Report) drawings() []drawing {
	var all []drawing
	add := func(name, description string, drawn chart.Chart, first bool) {
		switch c := drawn.(type) {
		case chart.Bars:
			if len(c.Rows) == 0 || len(c.Series) == 0 {
				return
			}
		case chart.Lines:
			if len(c.Series) == 0 {
				return
			}
		}
		all = append(all, drawing{name, description, drawn, first})
	}
	add("ladder-cpu", "Bars: processor time per request of every rung, split by process", r.processorTime(All), true)
	add("ladder-throughput", "Bars: requests per second of every rung with hot, Zipf and uniform traffic", r.throughput(), false)
	add("ladder-errors", "Lines: share of failed or late requests over the offered rate", r.latency(All, failures), false)
	for _, endpoint := range endpoints {
		add("ladder-cpu-"+endpoint, "Bars: processor time per request, "+endpoint, r.processorTime(endpoint), false)
		add("ladder-throughput-"+endpoint, "Bars: requests per second, "+endpoint, r.throughputOf(endpoint), false)
		add("ladder-p50-"+endpoint, "Lines: median latency over the offered rate, "+endpoint, r.latency(endpoint, median), false)
		add("ladder-p99-"+endpoint, "Lines: p99 latency over the offered rate, "+endpoint, r.latency(endpoint, p99), false)
		add("ladder-errors-"+endpoint, "Lines: share of failed requests over the offered rate, "+endpoint, r.latency(endpoint, failures), false)
	}
	return all
}

// about describes the conditions below a title.
func (r *Report) about(rest string) string {
	return fmt.Sprintf("%s; %s products, %s, %d cores", rest, number(float64(r.Products)), english.Plural(r.Rounds, "round", ""), r.Machine.CPUs)
}

// processorTime returns stacked bars of the processor time per request in the closed loop of an endpoint, or of all.
func (r *Report) processorTime(endpoint string) chart.Bars {
	bars := chart.Bars{
		Title: "Processor time per request: " + path(endpoint), Stacked: true, Axis: chart.Axis{Label: "microseconds of processor time per request"},
		Subtitle: r.about(fmt.Sprintf("Zipf traffic, closed loop of %d connections", r.Plan.Connections)),
	}
	var windows []*Window
	for i := range r.Rungs {
		if w := r.Rungs[i].Find(Peak, Zipf, endpoint, 0); w != nil {
			windows = append(windows, w)
			bars.Rows = append(bars.Rows, r.Rungs[i].cell())
			bars.Sums = append(bars.Sums, bounds(w.Total))
		}
	}
	for _, role := range r.roles() {
		series := chart.BarSeries{Name: role}
		if known, found := processes[role]; found {
			series.Name, series.Style = known.name, known.style
		}
		for _, w := range windows {
			used, found := w.CPU[role]
			series.Values = append(series.Values, chart.Bar{Value: used.Median, Missing: !found || used.Median == 0})
		}
		bars.Series = append(bars.Series, series)
	}
	return bars
}

// processes are the names of the roles for people, and their styles, which are the same in all charts.
var processes = map[string]struct {
	name  string
	style int
}{
	"api": {"API", 1}, "nginx": {"NGINX", 2}, "postgres": {"PostgreSQL", 3}, "redis": {"Redis", 4}, "express": {"Express", 5},
	"plain": {"plain Fiber handler", 6},
}

// bounds returns the range of a spread, or none for a single value.
func bounds(s Spread) chart.Spread {
	if s.Min == s.Max {
		return chart.Spread{}
	}
	return chart.Spread{Low: s.Min, High: s.Max}
}

// throughput returns grouped bars of the closed loops with all endpoints.
func (r *Report) throughput() chart.Bars {
	bars := chart.Bars{
		Title: "Requests per second", Axis: chart.Axis{Label: "requests/s"},
		Subtitle: r.about(fmt.Sprintf("all endpoints, closed loop of %d connections", r.Plan.Connections)),
	}
	for _, kind := range []string{Hot, Zipf, Uniform} {
		bars.Series = append(bars.Series, chart.BarSeries{Name: kind})
	}
	for i := range r.Rungs {
		if r.Rungs[i].Find(Peak, Zipf, All, 0) == nil {
			continue
		}
		bars.Rows = append(bars.Rows, r.Rungs[i].cell())
		for j := range bars.Series {
			bars.Series[j].Values = append(bars.Series[j].Values, rateBar(r.Rungs[i].Find(Peak, bars.Series[j].Name, All, 0)))
		}
	}
	return bars
}

// throughputOf returns bars of the closed loops of an endpoint.
func (r *Report) throughputOf(endpoint string) chart.Bars {
	bars := chart.Bars{
		Title: "Requests per second: " + path(endpoint), Axis: chart.Axis{Label: "requests/s"},
		Subtitle: r.about(fmt.Sprintf("Zipf traffic, closed loop of %d connections", r.Plan.Connections)),
		Series:   []chart.BarSeries{{Name: Zipf}},
	}
	for i := range r.Rungs {
		if w := r.Rungs[i].Find(Peak, Zipf, endpoint, 0); w != nil {
			bars.Rows = append(bars.Rows, r.Rungs[i].cell())
			bars.Series[0].Values = append(bars.Series[0].Values, rateBar(w))
		}
	}
	return bars
}

func rateBar(w *Window) chart.Bar {
	if w == nil {
		return chart.Bar{Missing: true}
	}
	return chart.Bar{Value: w.Rate.Median, Spread: bounds(w.Rate)}
}

// quantity is what a chart shows over the offered rate.
type quantity struct {
	title, label string
	log          bool
	of           func(*Window) Spread
}

var (
	median   = quantity{"Median latency", "p50 (ms)", true, func(w *Window) Spread { return w.P50 }}
	p99      = quantity{"p99 latency", "p99 (ms)", true, func(w *Window) Spread { return w.P99 }}
	failures = quantity{"Failed requests", "failed requests (%)", false, func(w *Window) Spread {
		return Spread{100 * w.Errors.Min, 100 * w.Errors.Median, 100 * w.Errors.Max}
	}}
)

// latency returns lines of a quantity over the offered rate, for the best rung of each letter.
func (r *Report) latency(endpoint string, q quantity) chart.Lines {
	lines := chart.Lines{
		Title: q.title + " over the offered rate: " + path(endpoint), Subtitle: r.about("Zipf traffic at a constant rate, best rung of each letter"),
		X: chart.Axis{Label: "offered requests/s, of all endpoints", Log: true}, Y: chart.Axis{Label: q.label, Log: q.log},
	}
	for _, rung := range r.best() {
		line := chart.Line{Name: rung.cell()}
		for _, rate := range r.Plan.Steps {
			w := rung.Find(Step, Zipf, endpoint, rate)
			if w == nil {
				continue
			}
			s := q.of(w)
			if q.log {
				const least = 0.01 // a logarithmic axis has no 0
				s = Spread{max(s.Min, least), max(s.Median, least), max(s.Max, least)}
			}
			line.Points = append(line.Points, chart.Point{X: rate, Y: s.Median, Spread: bounds(s)})
		}
		if len(line.Points) > 0 {
			lines.Series = append(lines.Series, line)
		}
	}
	return lines
}

// best returns, for each letter, the rung with the highest rate, as many as a chart can have lines. The lowest rungs come first. If there are
// too many, the gateway without its cache (g) is left out: it is the line between (f) and (h).
func (r *Report) best() []*Rung {
	var best []*Rung
	for i := range r.Rungs {
		rung := &r.Rungs[i]
		at := slices.IndexFunc(best, func(other *Rung) bool { return other.Letter == rung.Letter })
		switch {
		case at < 0:
			best = append(best, rung)
		case rung.peakRate() > best[at].peakRate():
			best[at] = rung
		}
	}
	if len(best) > chart.Styles {
		best = slices.DeleteFunc(best, func(rung *Rung) bool { return rung.Letter == "g" })
	}
	return best[:min(len(best), chart.Styles)]
}

func (r *Rung) peakRate() float64 {
	if w := r.Find(Peak, Zipf, All, 0); w != nil {
		return w.Rate.Median
	}
	return 0
}

// path returns the address of an endpoint, for titles.
func path(endpoint string) string {
	switch endpoint {
	case All:
		return "all endpoints"
	case "list":
		return "/products"
	case "product":
		return "/products/{id}"
	}
	return "/products/{id}/" + endpoint
}
