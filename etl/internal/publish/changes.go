package publish

// Kind is how a rendered document differs from the published one.
type Kind uint8

// The kinds. A removed document is one that is published and was not rendered.
const (
	Unchanged Kind = iota
	Added
	Changed
	Removed
)

// Counts is how many documents differ in which way.
type Counts struct {
	Added     int64 `json:"added"`
	Changed   int64 `json:"changed"`
	Removed   int64 `json:"removed"`
	Unchanged int64 `json:"unchanged"`
}

// Differing returns how many documents a write would touch.
func (c Counts) Differing() int64 { return c.Added + c.Changed + c.Removed }

// EndpointCounts is the Counts of the documents of one endpoint.
type EndpointCounts struct {
	Name string `json:"name"`
	Counts
}

// Items counts items, the rows of the root source, by the documents of the first endpoint that is both published and rendered. Without such
// an endpoint all counts are 0.
type Items struct {
	Published int64 `json:"published"`
	Added     int64 `json:"added"`
	Changed   int64 `json:"changed"` // items with a changed document
	Removed   int64 `json:"removed"`
}

// Changes is the result of a Comparison. Documents that are published and no longer rendered come after the rendered ones.
type Changes struct {
	Endpoints []EndpointCounts `json:"documents"`
	Items     Items            `json:"items"`
}

// Differing returns how many documents a write would touch.
func (c Changes) Differing() int64 {
	var differing int64
	for _, d := range c.Endpoints {
		differing += d.Differing()
	}
	return differing
}
