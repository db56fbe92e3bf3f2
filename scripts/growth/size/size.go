// Package size describes what catalogs of several sizes cost: a lookup, a load, a plan and a nightly run. It decides whether a cost grows
// with the size as it may: a lookup with the logarithm of the rows, everything else with the rows.
package size

import (
	"fmt"

	"systemscale/scripts/measure"
)

// Report is the content of size.json.
type Report struct {
	Date    string          `json:"date"` // RFC 3339, UTC
	Command string          `json:"command"`
	Machine measure.Machine `json:"machine"`
	Sizes   []Size          `json:"sizes"` // in ascending order
	Checks  []Check         `json:"checks"`
}

// Size is what was measured with one catalog. Sizes in bytes are sums over the tables of all endpoints.
type Size struct {
	Products    int    `json:"products"`
	Rows        int64  `json:"rows"`         // of all CSV files
	CSVBytes    int64  `json:"csv_bytes"`    // of all CSV files
	Documents   int64  `json:"documents"`    // of all endpoints
	TableBytes  int64  `json:"table_bytes"`  // with documents that are stored outside of their rows, and their indexes
	IndexBytes  int64  `json:"index_bytes"`  // of the primary keys
	IndexLevels int    `json:"index_levels"` // of the highest primary key, above its leaves
	Load        Step   `json:"load"`         // the first run
	Plan        Step   `json:"plan"`         // nothing has changed
	Delta       Step   `json:"delta"`        // one product in a hundred has changed
	Lookup      Lookup `json:"lookup"`
}

// Step is one run of the ETL.
type Step struct {
	Wall     float64 `json:"wall"`         // seconds
	CPU      float64 `json:"cpu"`          // seconds, of the ETL
	Postgres float64 `json:"postgres_cpu"` // seconds
	Memory   int64   `json:"memory"`       // peak of the ETL, in bytes
}

// Lookup is what one lookup of a document costs, with uniform traffic. The processor times are microseconds, one of each round.
type Lookup struct {
	API      []float64 `json:"api_cpu"`
	Postgres []float64 `json:"postgres_cpu"`
	Index    float64   `json:"index_blocks"` // blocks of the primary key that are visited
	Heap     float64   `json:"heap_blocks"`  // blocks of the table, with those of documents that are stored outside of their rows
	Read     float64   `json:"blocks_read"`  // of these, from outside of PostgreSQL's memory
	Bytes    float64   `json:"bytes"`        // of a response, with headers
}

// CPU returns the median of the processor time of a lookup, of both programs, in microseconds.
func (l Lookup) CPU() float64 { return measure.Median(l.API) + measure.Median(l.Postgres) }

// Blocks is how many blocks of 8 KiB a lookup visits.
func (l Lookup) Blocks() float64 { return l.Index + l.Heap }

// Write writes the report as JSON.
func (r *Report) Write(path string) error {
	if err := measure.WriteJSON(path, r); err != nil {
		return fmt.Errorf("write a report on sizes: %w", err)
	}
	return nil
}

// Read reads a report that Write has written.
func Read(path string) (*Report, error) {
	var r Report
	if err := measure.ReadJSON(path, &r); err != nil {
		return nil, fmt.Errorf("read a report on sizes: %w", err)
	}
	if len(r.Sizes) == 0 {
		return nil, fmt.Errorf("%s has no sizes", path)
	}
	return &r, nil
}
