package main

import (
	"fmt"
	"strings"

	"github.com/dustin/go-humanize"
	"github.com/dustin/go-humanize/english"

	"systemscale/scripts/chart"
	"systemscale/scripts/growth/capacity"
	"systemscale/scripts/growth/size"
)

// factors are how many times the baseline the tables show.
var factors = []float64{1, 10, 100, 1000}

// workers are the numbers of runs side by side that the tables show.
var workers = []float64{1, 4, 16, 64}

// table returns a Markdown table.
func table(header []string, rows ...[]string) string {
	var text strings.Builder
	line := func(cells []string) { fmt.Fprintf(&text, "| %s |\n", strings.Join(cells, " | ")) }
	line(header)
	rule := make([]string, len(header))
	for i := range rule {
		rule[i] = "---"
	}
	line(rule)
	for _, row := range rows {
		line(row)
	}
	return text.String()
}

// origin says where the numbers are from.
func origin(n *numbers) string {
	requests := "**The costs of requests are made up, until a ladder has been measured.**"
	if n.Ladder.Date != "" {
		requests = fmt.Sprintf("Requests: %s products, %s, %s.",
			amount(float64(n.Ladder.Products)), english.Plural(n.Ladder.Rounds, "round", ""), n.Ladder.Date)
	}
	if n.Ladder.Rounds == 1 {
		requests += " **A single round has no spread: these costs are examples.**"
	}
	return fmt.Sprintf("%s\nSizes: %s. Machine: %d × %s, PostgreSQL %s.\n",
		requests, n.Size.Date, n.Size.Machine.CPUs, n.Size.Machine.CPU, n.Size.Machine.Postgres)
}

func costsTable(c capacity.Costs) string {
	micros := func(v float64) string { return chart.Number(v) + " µs" }
	return table([]string{"cost", "of one", "measured"},
		[]string{"API", "request that reaches an instance", micros(c.API)},
		[]string{"PostgreSQL", "request that reaches an instance", micros(c.Postgres)},
		[]string{"NGINX", "request that it passes on", micros(c.Proxy)},
		[]string{"NGINX", "request that it answers from its cache", micros(c.Hit)},
		[]string{"all, with joins", "request", micros(c.Joins)},
		[]string{"network", "response", size64(c.ResponseBytes)},
		[]string{"rows of the dump", "product", chart.Number(c.Rows)},
		[]string{"tables", "product", size64(c.TableBytes)},
		[]string{"primary keys", "product", size64(c.IndexBytes)},
		[]string{"first load, with PostgreSQL", "row", micros(c.Load)},
		[]string{"delta, 1 % of the products changed", "row of the catalog", micros(c.Delta)},
		[]string{"peak memory", "run of any size", size64(c.LoadMemory)},
	)
}

func assumptionsTable(a capacity.Assumptions) string {
	percent := func(v float64) string { return fmt.Sprintf("%.0f %%", 100*v) }
	return table([]string{"assumption", "value"},
		[]string{"processors and network that are busy in the busiest second", percent(a.Utilization)},
		[]string{"a machine", fmt.Sprintf("%.0f processors like the measured ones, %s, %.0f Gbit/s",
			a.NodeCores, humanize.IBytes(uint64(a.NodeMemory)), a.NodeNetwork/1e9)},
		[]string{"processors of one API process", chart.Number(a.InstanceCores)},
		[]string{"gateways, instances, and servers of each shard, at least", chart.Number(a.LeastServers)},
		[]string{"responses in the cache of a gateway, Zipf traffic (s = 1)", amount(a.CachedResponses)},
		[]string{"documents that should be in memory, with all primary keys", percent(a.HotShare)},
		[]string{"memory of a database machine that holds them", percent(a.MemoryForBlocks)},
		[]string{"the most that one database should hold", humanize.IBytes(uint64(a.ShardBytes))},
		[]string{"machine of one run, with its database", fmt.Sprintf("%.0f processors, busy to %s", a.WorkerCores, percent(a.WorkerUtilization))},
	)
}

func trafficTable(c capacity.Costs) string {
	var rows [][]string
	for _, uncached := range []bool{false, true} {
		for _, factor := range factors {
			n := c.Needs(capacity.Default, capacity.Demand{Traffic: factor, Catalog: 1, Uncached: uncached})
			rows = append(rows, []string{
				times(factor), chart.Number(n.Requests), fmt.Sprintf("%.0f %%", 100*n.Hits),
				chart.Number(n.GatewayCores), chart.Number(n.APICores), chart.Number(n.PostgresCores), chart.Number(n.JoinsCores),
				chart.Number(n.Gateways), chart.Number(n.Instances), chart.Number(n.Servers), bits(n.Network),
			})
		}
	}
	return table([]string{
		"traffic", "requests/s", "from the cache", "NGINX, processors", "API", "PostgreSQL", "all, with joins",
		"gateways", "instances", "PostgreSQL servers", "network",
	}, rows...)
}

func catalogTable(c capacity.Costs) string {
	var rows [][]string
	for _, factor := range factors {
		n := c.Needs(capacity.Default, capacity.Demand{Traffic: factor, Catalog: factor})
		alone := c.Needs(capacity.Default, capacity.Demand{Traffic: 1, Catalog: factor})
		rows = append(rows, []string{
			times(factor), amount(n.Products), size64(n.Bytes), chart.Number(n.Shards), size64(n.Memory),
			fmt.Sprintf("%.0f %%", 100*n.Hits), chart.Number(alone.Cores()), chart.Number(n.Cores()),
		})
	}
	return table([]string{
		"catalog", "products", "database", "shards", "memory for blocks, per server", "from the cache",
		"processors, 1× traffic", "processors, traffic grows as well",
	}, rows...)
}

func runsTable(c capacity.Costs) string {
	header := []string{"catalog", "rows", "run"}
	for _, count := range workers {
		header = append(header, fmt.Sprintf("%.0f workers", count))
	}
	header[3] = "1 worker"
	var rows [][]string
	for _, factor := range factors {
		for _, run := range []struct {
			name string
			time func(a capacity.Assumptions, catalog, workers float64) float64
		}{{"first load", c.LoadTime}, {"delta", c.DeltaTime}} {
			row := []string{times(factor), amount(factor * capacity.BaseProducts * c.Rows), run.name}
			for _, count := range workers {
				row = append(row, duration(run.time(capacity.Default, factor, count)))
			}
			rows = append(rows, row)
		}
	}
	return table(header, rows...)
}

func predictionsTable(predictions []capacity.Prediction) string {
	var rows [][]string
	for _, p := range predictions {
		rows = append(rows, []string{
			p.Rung, p.How, chart.Number(p.Predicted) + " µs", chart.Number(p.Measured) + " µs", fmt.Sprintf("%+.0f %%", 100*p.Error()),
		})
	}
	return table([]string{"rung", "predicted from", "predicted", "measured", "error"}, rows...)
}

func sizesTable(r *size.Report) string {
	var rows [][]string
	for _, s := range r.Sizes {
		million := func(step size.Step) string {
			return fmt.Sprintf("%s s, %s s", chart.Number((step.CPU+step.Postgres)/float64(s.Rows)*1e6), chart.Number(step.Wall/float64(s.Rows)*1e6))
		}
		rows = append(rows, []string{
			amount(float64(s.Products)), amount(float64(s.Rows)), chart.Number(s.Lookup.CPU()) + " µs",
			fmt.Sprintf("%.2f + %.2f", s.Lookup.Index, s.Lookup.Heap), chart.Number(float64(s.IndexLevels + 1)),
			million(s.Load), million(s.Plan), million(s.Delta), size64(float64(s.Load.Memory)),
			size64(float64(s.TableBytes)), size64(float64(s.IndexBytes)),
		})
	}
	return table([]string{
		"products", "rows", "processor time of a lookup", "blocks of a lookup, key + table", "levels of the key",
		"load, per million rows", "plan", "delta", "memory of a load", "tables", "primary keys",
	}, rows...)
}

func checksTable(r *size.Report) string {
	var rows [][]string
	for _, c := range r.Checks {
		verdict := "yes"
		if !c.Reached {
			verdict = "**no**"
		}
		number := func(v float64) string {
			if c.Unit == "bytes" {
				return size64(v)
			}
			return chart.Number(v) + " " + c.Unit
		}
		small := number(c.Small)
		if c.Small == c.Large {
			small = "" // of one size
		}
		rows = append(rows, []string{c.Name, small, number(c.Large), number(c.Most), verdict})
	}
	return table([]string{"cost", "smallest size", "largest size", "at most", "reached"}, rows...)
}

func times(factor float64) string { return chart.Number(factor) + "×" }

func size64(bytes float64) string { return humanize.Bytes(uint64(bytes)) }

func bits(perSecond float64) string { return chart.Number(perSecond) + "bit/s" }

// amount returns a number of products or rows.
func amount(v float64) string {
	switch {
	case v >= 1e9:
		return chart.Number(v/1e9) + " billion"
	case v >= 1e6:
		return chart.Number(v/1e6) + " million"
	default:
		return chart.Number(v)
	}
}

// duration returns seconds as people read them.
func duration(seconds float64) string {
	switch {
	case seconds < 10:
		return fmt.Sprintf("%.1f s", seconds)
	case seconds < 120:
		return fmt.Sprintf("%.0f s", seconds)
	case seconds < 2*3600:
		return fmt.Sprintf("%.0f min", seconds/60)
	default:
		return fmt.Sprintf("%.0f h", seconds/3600)
	}
}
