package main

import (
	"errors"
	"maps"

	"systemscale/scripts/chart"
	"systemscale/scripts/growth/capacity"
)

// pictures is the directory of the charts, relative to the page.
const pictures = "pictures"

// content is the generated parts of growth.md by name, and its charts.
type content struct {
	parts  map[string]string
	charts map[string]chart.Chart
}

func newContent(n *numbers) (*content, error) {
	if n.Ladder == nil || n.Size == nil || len(n.Size.Sizes) == 0 {
		return nil, errors.New("growth.json is not complete: run growth with --ladder and --size")
	}
	n.Size.Grow() // the limits may have changed since it was measured
	costs := n.costs()
	if err := costs.Check(); err != nil {
		return nil, err
	}
	predictions := n.predictions()
	made := &content{
		parts: map[string]string{
			"origin":      origin(n),
			"costs":       costsTable(costs),
			"assumptions": assumptionsTable(capacity.Default),
			"traffic":     trafficTable(costs),
			"catalog":     catalogTable(costs),
			"runs":        runsTable(costs),
			"predictions": predictionsTable(predictions),
			"sizes":       sizesTable(n.Size),
			"checks":      checksTable(n.Size),
		},
		charts: maps.Clone(n.Size.Charts()),
	}
	made.charts["growth-traffic"] = trafficChart(costs)
	made.charts["growth-runs"] = runsChart(costs)
	made.charts["growth-predictions"] = predictionsChart(predictions)
	return made, nil
}
