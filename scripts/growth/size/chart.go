package size

import (
	"slices"

	"systemscale/scripts/chart"
	"systemscale/scripts/measure"
)

// Charts returns the charts of the report by name.
func (r *Report) Charts() map[string]chart.Chart {
	products := chart.Axis{Label: "products", Log: true}
	return map[string]chart.Chart{
		"size-lookup": chart.Lines{
			Title: "Processor time of a lookup", Subtitle: "uniform traffic, without a gateway; the bars are the spread of the rounds",
			X: products, Y: chart.Axis{Label: "processor time per lookup (µs)"},
			Series: []chart.Line{
				{Name: "API", Style: 1, Points: r.points(func(s Size) chart.Point { return rounds(s.Lookup.API) })},
				{Name: "PostgreSQL", Style: 3, Points: r.points(func(s Size) chart.Point { return rounds(s.Lookup.Postgres) })},
			},
		},
		"size-blocks": chart.Lines{
			Title: "Blocks that a lookup visits", Subtitle: "8 KiB each, uniform traffic",
			X: products, Y: chart.Axis{Label: "blocks per lookup"},
			Series: []chart.Line{
				{Name: "primary key", Style: 1, Points: r.line(func(s Size) float64 { return s.Lookup.Index })},
				{Name: "table", Style: 3, Points: r.line(func(s Size) float64 { return s.Lookup.Heap })},
				{Name: "read from outside", Style: 2, Points: r.line(func(s Size) float64 { return s.Lookup.Read })},
			},
		},
		"size-etl": chart.Lines{
			Title: "Processor time of the ETL per million rows", Subtitle: "with that of PostgreSQL; a delta changes one product in a hundred",
			X: products, Y: chart.Axis{Label: "processor time per million rows (s)"},
			Series: []chart.Line{
				{Name: "load", Style: 1, Points: r.perMillion(func(s Size) Step { return s.Load })},
				{Name: "plan", Style: 3, Points: r.perMillion(func(s Size) Step { return s.Plan })},
				{Name: "delta", Style: 2, Points: r.perMillion(func(s Size) Step { return s.Delta })},
			},
		},
		"size-bytes": chart.Lines{
			Title: "Size of the data", Subtitle: "all endpoints", X: products, Y: chart.Axis{Label: "size (MiB)", Log: true},
			Series: []chart.Line{
				{Name: "tables", Style: 3, Points: r.mebibytes(func(s Size) int64 { return s.TableBytes })},
				{Name: "CSV files", Style: 1, Points: r.mebibytes(func(s Size) int64 { return s.CSVBytes })},
				{Name: "primary keys", Style: 2, Points: r.mebibytes(func(s Size) int64 { return s.IndexBytes })},
				{Name: "memory of a load", Style: 4, Points: r.mebibytes(func(s Size) int64 { return s.Load.Memory })},
			},
		},
	}
}

// points returns one point for each size, whose X is set.
func (r *Report) points(of func(Size) chart.Point) []chart.Point {
	points := make([]chart.Point, len(r.Sizes))
	for i, s := range r.Sizes {
		points[i] = of(s)
		points[i].X = float64(s.Products)
	}
	return points
}

func (r *Report) line(of func(Size) float64) []chart.Point {
	return r.points(func(s Size) chart.Point { return chart.Point{Y: of(s)} })
}

func (r *Report) perMillion(of func(Size) Step) []chart.Point {
	return r.line(func(s Size) float64 { return (of(s).CPU + of(s).Postgres) / float64(s.Rows) * 1e6 })
}

func (r *Report) mebibytes(of func(Size) int64) []chart.Point {
	return r.line(func(s Size) float64 { return float64(of(s)) / (1 << 20) })
}

func rounds(values []float64) chart.Point {
	return chart.Point{Y: measure.Median(values), Spread: chart.Spread{Low: slices.Min(values), High: slices.Max(values)}}
}
