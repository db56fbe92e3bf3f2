package size

import (
	"fmt"
	"math"

	"github.com/dustin/go-humanize"
)

// Check is one cost at the smallest and at the largest size, and the most that it may be there.
type Check struct {
	Name    string  `json:"name"`
	Unit    string  `json:"unit"`
	Small   float64 `json:"small"`
	Large   float64 `json:"large"`
	Most    float64 `json:"most"` // that Large may be
	Reached bool    `json:"reached"`
}

// The slack of a check. Blocks are counted, but a primary key has a whole number of levels. Processor times vary from run to run, and with the share of the rows that the
// processor's caches and PostgreSQL's memory can hold. The first rows of a run cost more than the others: the program starts.
const (
	slackCPU   = 1.3
	slackBytes = 1.05
	oneLevel   = 1
)

// replaced is how many blocks more than one for each level a lookup may visit on average. A delta of one product in a hundred leaves
// the entries of the documents that it replaces in the primary key, some of them in another block, until the next vacuum.
const replaced = 0.05

// measured is one cost that is checked.
type measured struct {
	name, unit string
	slack      float64
	plus       float64
	law        func(small, large Size) float64 // how many times as much the large size may cost
	of         func(Size) float64
}

var costs = []measured{
	{"blocks per lookup", "blocks", 1, oneLevel, logarithm, func(s Size) float64 { return s.Lookup.Blocks() }},
	{"processor time per lookup", "µs", slackCPU, 0, logarithm, func(s Size) float64 { return s.Lookup.CPU() }},
	{"processor time of a load", "s", slackCPU, 0, rows, func(s Size) float64 { return s.Load.CPU + s.Load.Postgres }},
	{"processor time of a plan", "s", slackCPU, 0, rows, func(s Size) float64 { return s.Plan.CPU + s.Plan.Postgres }},
	{"processor time of a delta", "s", slackCPU, 0, rows, func(s Size) float64 { return s.Delta.CPU + s.Delta.Postgres }},
	{"size of the tables", "bytes", slackBytes, 0, rows, func(s Size) float64 { return float64(s.TableBytes) }},
	{"size of the primary keys", "bytes", slackBytes, 0, rows, func(s Size) float64 { return float64(s.IndexBytes) }},
	{"peak memory of a load", "bytes", slackCPU, 0, constant, func(s Size) float64 { return float64(s.Load.Memory) }},
}

// logarithm is the law of a search tree: the ratio of the logarithms of the numbers of products.
func logarithm(small, large Size) float64 {
	return math.Log(float64(large.Products)) / math.Log(float64(small.Products))
}

// rows is the law of a pass over all rows.
func rows(small, large Size) float64 { return float64(large.Rows) / float64(small.Rows) }

// constant is the law of what is independent of the size.
func constant(_, _ Size) float64 { return 1 }

// Grow compares the smallest and the largest size, and sets Checks. With one size there is nothing to compare.
func (r *Report) Grow() {
	r.Checks = nil
	if len(r.Sizes) < 2 {
		return
	}
	small, large := r.Sizes[0], r.Sizes[len(r.Sizes)-1]
	for _, cost := range costs {
		c := Check{Name: cost.name, Unit: cost.unit, Small: cost.of(small), Large: cost.of(large)}
		c.Most = c.Small*cost.law(small, large)*cost.slack + cost.plus
		c.Reached = c.Large <= c.Most
		r.Checks = append(r.Checks, c)
	}
	for _, s := range r.Sizes {
		r.Checks = append(r.Checks, descent(s))
	}
}

// descent is the exact check of a lookup: it visits one block of each level of the primary key, and those of one row.
func descent(s Size) Check {
	c := Check{
		Name: fmt.Sprintf("blocks of the primary key per lookup, %s products", humanize.Comma(int64(s.Products))), Unit: "blocks",
		Small: s.Lookup.Index, Large: s.Lookup.Index, Most: float64(s.IndexLevels+1) + replaced,
	}
	c.Reached = c.Large <= c.Most
	return c
}

// String returns the check as a line of a report.
func (c Check) String() string {
	verdict := "ok"
	if !c.Reached {
		verdict = "MISSED"
	}
	return fmt.Sprintf("%s: %.4g, then %.4g of at most %.4g %s: %s", c.Name, c.Small, c.Large, c.Most, c.Unit, verdict)
}
