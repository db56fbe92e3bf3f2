// Package report describes what a climb of the ladder has measured: as JSON, as tables and sentences in Markdown, and as charts.
//
// Rates are requests per second, latencies milliseconds, and processor times microseconds per request. Latencies at a constant rate are
// measured from when a request was due, not from when it was sent.
package report

import (
	"fmt"

	"systemscale/scripts/measure"
)

// Report is the content of ladder.json.
type Report struct {
	Date     string          `json:"date"` // RFC 3339, UTC
	Commit   string          `json:"commit,omitempty"`
	Command  string          `json:"command"`
	Machine  measure.Machine `json:"machine"`
	Products int             `json:"products"`
	Rounds   int             `json:"rounds"`
	Plan     Plan            `json:"plan"`
	Rungs    []Rung          `json:"rungs"`   // in the order of the ladder
	Samples  []Sample        `json:"samples"` // what Rungs summarizes
}

// Plan contains the durations in seconds and the rates of one trial of a rung.
type Plan struct {
	PeakSeconds int       `json:"peak_seconds"`    // of each kind of traffic, and of each endpoint; 0: not measured
	Connections int       `json:"connections"`     // of a peak
	Steps       []float64 `json:"steps,omitempty"` // rates, ascending
	StepSeconds float64   `json:"step_seconds"`
	Hot         int       `json:"hot_products"` // number of products of hot traffic
}

// The limits of a step: a rung that exceeds one has fallen over.
const (
	MostP99    = 1000.0 // milliseconds
	MostErrors = 0.01   // share of the requests
	LeastDone  = 0.9    // share of the requests that have a response when the last one is due
)

// Kinds of windows.
const (
	Peak = "peak" // a closed loop
	Step = "step" // a constant rate, one of several
)

// Kinds of traffic. A single endpoint gets Zipf traffic.
const (
	Hot     = "hot"     // a few products and pages, all with the same probability
	Zipf    = "zipf"    // all products and pages, with the probability 1/rank
	Uniform = "uniform" // all products and pages, all with the same probability
)

// All is the endpoint of a window with requests to all endpoints, a quarter each.
const All = "all"

// Sample is what was measured in one window of a trial: a rung, in one round, with one kind of requests. A window of a constant rate is a
// sample for all endpoints, which has the processor times, and one for each endpoint.
type Sample struct {
	Rung     string             `json:"rung"`
	Round    int                `json:"round"` // from 1
	Kind     string             `json:"kind"`
	Traffic  string             `json:"traffic"`
	Endpoint string             `json:"endpoint"`
	Offered  float64            `json:"offered,omitempty"` // rate; 0 for a peak
	Rate     float64            `json:"rate"`              // of good responses
	Requests int64              `json:"requests"`
	Errors   float64            `json:"errors"`         // share of the requests
	Done     float64            `json:"done,omitempty"` // share of the offered requests that had a response when the last one was due
	P50      float64            `json:"p50"`
	P99      float64            `json:"p99"`
	CPU      map[string]float64 `json:"cpu,omitempty"`  // by role, such as "api", "nginx", "postgres"
	Load     float64            `json:"load,omitempty"` // processor time of the load generator, which CPU does not include
	Checked  int                `json:"checked"`        // bodies that were compared with the published ones meanwhile
}

// Fell reports whether a step shows that the rung has fallen over, and why.
func (s *Sample) Fell() (reason string, fell bool) {
	switch {
	case s.Errors > MostErrors:
		return fmt.Sprintf("%.1f %% of the requests failed", 100*s.Errors), true
	case s.P99 > MostP99:
		return fmt.Sprintf("p99 was %s ms", number(s.P99)), true
	case s.Done < LeastDone:
		return fmt.Sprintf("only %.0f %% of the requests had a response when the last one was due", 100*s.Done), true
	}
	return "", false
}

// Rung is the summary of all samples of a rung.
type Rung struct {
	Name     string   `json:"name"`
	Title    string   `json:"title"`
	Letter   string   `json:"letter"`
	Before   string   `json:"before,omitempty"` // name of the rung that it is compared with
	Cached   bool     `json:"cached,omitempty"`
	Verified int      `json:"verified"` // responses that were compared with the published documents before the rung was measured
	Windows  []Window `json:"windows"`
	// FellOver are the lowest offered rates at which the rung fell over, of all rounds. If it did not in a round, that is 0.
	FellOver []float64 `json:"fell_over,omitempty"`
	Reason   string    `json:"reason,omitempty"` // of the first fall
}

// Window summarizes the samples of one kind of window over all rounds.
type Window struct {
	Kind     string            `json:"kind"`
	Traffic  string            `json:"traffic"`
	Endpoint string            `json:"endpoint"`
	Offered  float64           `json:"offered,omitempty"`
	Rate     Spread            `json:"rate"`
	Errors   Spread            `json:"errors"`
	P50      Spread            `json:"p50"`
	P99      Spread            `json:"p99"`
	Total    Spread            `json:"cpu_total"` // processor time of all roles
	CPU      map[string]Spread `json:"cpu,omitempty"`
	Load     Spread            `json:"load"`
}

// Find returns the rung with the name, or nil.
func (r *Report) Find(name string) *Rung {
	for i := range r.Rungs {
		if r.Rungs[i].Name == name {
			return &r.Rungs[i]
		}
	}
	return nil
}

// Find returns the window, or nil. offered is 0 except for steps.
func (r *Rung) Find(kind, traffic, endpoint string, offered float64) *Window {
	for i := range r.Windows {
		w := &r.Windows[i]
		if w.Kind == kind && w.Traffic == traffic && w.Endpoint == endpoint && (kind != Step || w.Offered == offered) {
			return w
		}
	}
	return nil
}

// Read reads a report that Write has written.
func Read(path string) (*Report, error) {
	var r Report
	if err := measure.ReadJSON(path, &r); err != nil {
		return nil, err
	}
	return &r, nil
}

// Write writes the report as JSON.
func (r *Report) Write(path string) error { return measure.WriteJSON(path, r) }
