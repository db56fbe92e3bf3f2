package main

import (
	"fmt"

	"systemscale/scripts/growth/capacity"
	"systemscale/scripts/growth/size"
	ladder "systemscale/scripts/ladder/report"
	"systemscale/scripts/measure"
)

// numbers is the content of growth.json: all measurements that the page is made of.
type numbers struct {
	Ladder *requests    `json:"ladder"`
	Size   *size.Report `json:"size"`
}

// requests are the processor times of requests at some rungs of the ladder.
type requests struct {
	Date     string          `json:"date"` // RFC 3339, UTC; "" if the numbers are made up
	Machine  measure.Machine `json:"machine"`
	Products int             `json:"products"`
	Rounds   int             `json:"rounds"`
	Rungs    []rung          `json:"rungs"`
}

// rung is the processor time of a request at one rung, by role, in microseconds. It is the median of all rounds.
type rung struct {
	Name    string             `json:"name"`
	Traffic string             `json:"traffic"`
	CPU     map[string]float64 `json:"cpu"`
}

// The rungs that the costs and the predictions are made of.
const (
	rungJoins         = "joins"
	rungJoinsBalanced = "joins-2-round-robin"
	rungAPI           = "api"
	rungAPIBalanced   = "api-2"
	rungAPICached     = "api-2-cache"
)

// The roles of processes.
const (
	rolePlain    = "plain"
	roleAPI      = "api"
	roleNGINX    = "nginx"
	rolePostgres = "postgres"
)

// requestsOf takes the costs of requests from a report of the ladder.
func requestsOf(report *ladder.Report) (*requests, error) {
	r := &requests{Date: report.Date, Machine: report.Machine, Products: report.Products, Rounds: report.Rounds}
	for _, want := range []struct{ name, traffic string }{
		{rungJoins, ladder.Zipf},
		{rungJoinsBalanced, ladder.Zipf},
		{rungAPI, ladder.Zipf},
		{rungAPIBalanced, ladder.Zipf},
		{rungAPICached, ladder.Zipf},
		{rungAPICached, ladder.Hot},
	} {
		window := find(report, want.name, want.traffic)
		if window == nil || len(window.CPU) == 0 {
			return nil, fmt.Errorf("the ladder has no processor times of %s with %s traffic", want.name, want.traffic)
		}
		one := rung{Name: want.name, Traffic: want.traffic, CPU: map[string]float64{}}
		for role, spread := range window.CPU {
			one.CPU[role] = spread.Median
		}
		r.Rungs = append(r.Rungs, one)
	}
	return r, nil
}

// find returns the window of a rung at its peak, or nil if there is none. At a peak the processors are busy, as they are where growth
// matters. At lower rates processes sleep and wake for each request, which costs more.
func find(report *ladder.Report, name, traffic string) *ladder.Window {
	found := report.Find(name)
	if found == nil {
		return nil
	}
	return found.Find(ladder.Peak, traffic, ladder.All, 0)
}

// of returns the processor times of a rung. A rung that is missing has none.
func (r *requests) of(name, traffic string) rung {
	for _, one := range r.Rungs {
		if one.Name == name && one.Traffic == traffic {
			return one
		}
	}
	return rung{}
}

// total is the processor time of all roles.
func (r rung) total() float64 {
	total := 0.0
	for _, used := range r.CPU {
		total += used
	}
	return total
}

// costs returns what the calculation needs. The costs of sizes are those of the largest.
func (n *numbers) costs() capacity.Costs {
	balanced, joins, hit := n.Ladder.of(rungAPIBalanced, ladder.Zipf), n.Ladder.of(rungJoins, ladder.Zipf), n.Ladder.of(rungAPICached, ladder.Hot)
	largest := n.Size.Sizes[len(n.Size.Sizes)-1]
	products, rows := float64(largest.Products), float64(largest.Rows)
	return capacity.Costs{
		Products: n.Ladder.Products,
		API:      balanced.CPU[roleAPI], Postgres: balanced.CPU[rolePostgres], Proxy: balanced.CPU[roleNGINX],
		Hit: hit.CPU[roleNGINX], Joins: joins.total(),
		ResponseBytes: largest.Lookup.Bytes,
		Rows:          rows / products, Documents: float64(largest.Documents) / products,
		TableBytes: float64(largest.TableBytes) / products, IndexBytes: float64(largest.IndexBytes) / products,
		Load:       (largest.Load.CPU + largest.Load.Postgres) / rows * 1e6,
		Delta:      (largest.Delta.CPU + largest.Delta.Postgres) / rows * 1e6,
		LoadMemory: float64(largest.Load.Memory),
	}
}

// predictions compares rungs with what the others let expect.
func (n *numbers) predictions() []capacity.Prediction {
	l := n.Ladder
	api, balanced, cached := l.of(rungAPI, ladder.Zipf), l.of(rungAPIBalanced, ladder.Zipf), l.of(rungAPICached, ladder.Zipf)
	joins, joinsBalanced := l.of(rungJoins, ladder.Zipf), l.of(rungJoinsBalanced, ladder.Zipf)
	hits := capacity.Hits(cached.CPU[roleAPI], balanced.CPU[roleAPI])
	return []capacity.Prediction{
		{
			Rung: "the API, 2 instances behind the gateway", How: "one instance, and the NGINX of 2 instances with joins",
			Predicted: api.total() + joinsBalanced.CPU[roleNGINX], Measured: balanced.total(),
		},
		{
			Rung: "joins, 2 instances, round robin", How: "joins with one instance, and the gateway of the API",
			Predicted: joins.total() + balanced.CPU[roleNGINX], Measured: joinsBalanced.total(),
		},
		{
			Rung:      "the gateway's cache, Zipf traffic",
			How:       fmt.Sprintf("%.0f %% hits (from the time of the API), each as the NGINX of hot traffic; misses as without a cache", 100*hits),
			Predicted: capacity.Mix(hits, l.of(rungAPICached, ladder.Hot).CPU[roleNGINX], balanced.total()), Measured: cached.total(),
		},
	}
}

func readNumbers(path string) (*numbers, error) {
	var n numbers
	if err := measure.ReadJSON(path, &n); err != nil {
		return nil, fmt.Errorf("read the numbers: %w", err)
	}
	return &n, nil
}

func (n *numbers) write(path string) error {
	if err := measure.WriteJSON(path, n); err != nil {
		return fmt.Errorf("write the numbers: %w", err)
	}
	return nil
}
