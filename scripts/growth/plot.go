package main

import (
	"systemscale/scripts/chart"
	"systemscale/scripts/growth/capacity"
)

// steps are the factors of the charts: finer than those of the tables, so that lines which bend are drawn so.
var steps = []float64{1, 2, 5, 10, 20, 50, 100, 200, 500, 1000}

func trafficChart(c capacity.Costs) chart.Chart {
	line := func(name string, style int, uncached bool, of func(capacity.Need) float64) chart.Line {
		points := make([]chart.Point, len(steps))
		for i, factor := range steps {
			n := c.Needs(capacity.Default, capacity.Demand{Traffic: factor, Catalog: 1, Uncached: uncached})
			points[i] = chart.Point{X: n.Requests, Y: of(n)}
		}
		return chart.Line{Name: name, Style: style, Points: points, Dashed: true}
	}
	return chart.Lines{
		Title: "Processors for more traffic", Subtitle: "computed, a million products, half of each processor busy",
		X: chart.Axis{Label: "requests/s", Log: true}, Y: chart.Axis{Label: "processors", Log: true},
		Series: []chart.Line{
			line("joins", 4, true, func(n capacity.Need) float64 { return n.JoinsCores }),
			line("documents", 1, true, capacity.Need.Cores),
			line("with caches", 2, false, capacity.Need.Cores),
		},
	}
}

func runsChart(c capacity.Costs) chart.Chart {
	lines := make([]chart.Line, len(workers))
	for i, count := range workers {
		name := chart.Number(count) + " workers"
		if count == 1 {
			name = "1 worker"
		}
		lines[i] = chart.Line{Name: name, Dashed: true}
		for _, factor := range steps {
			lines[i].Points = append(lines[i].Points, chart.Point{
				X: factor * capacity.BaseProducts, Y: c.LoadTime(capacity.Default, factor, count) / 60,
			})
		}
	}
	return chart.Lines{
		Title: "First load of a larger catalog", Subtitle: "computed, each worker with a shard and a machine of its own",
		X: chart.Axis{Label: "products", Log: true, Format: amount}, Y: chart.Axis{Label: "duration (minutes)", Log: true}, Series: lines,
	}
}

func predictionsChart(predictions []capacity.Prediction) chart.Chart {
	b := chart.Bars{
		Title: "Predicted and measured", Axis: chart.Axis{Label: "processor time per request (µs)"},
		Series: []chart.BarSeries{{Name: "predicted", Style: 2}, {Name: "measured", Style: 1}},
	}
	for _, p := range predictions {
		b.Rows = append(b.Rows, p.Rung)
		b.Series[0].Values = append(b.Series[0].Values, chart.Bar{Value: p.Predicted})
		b.Series[1].Values = append(b.Series[1].Values, chart.Bar{Value: p.Measured})
	}
	return b
}
