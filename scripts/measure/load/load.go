// Package load requests documents from servers: with wrk (a closed model), at a constant rate (an open model), and with pgbench.
package load

import (
	"fmt"
	"time"
)

// Load is the result of one measurement of requests. Latencies are microseconds.
type Load struct {
	Requests     int64              `json:"requests"`
	Microseconds int64              `json:"microseconds"`
	Bytes        int64              `json:"bytes,omitempty"` // received, with headers
	P50          int64              `json:"p50,omitempty"`
	P99          int64              `json:"p99,omitempty"`
	P999         int64              `json:"p999,omitempty"`
	Errors       int64              `json:"errors"`
	Kinds        map[string]int64   `json:"kinds,omitempty"`           // number of errors by kind, if known
	Cache        map[string]int64   `json:"cache,omitempty"`           // number of responses by X-Cache
	CPU          map[string]float64 `json:"cpu,omitempty"`             // microseconds of processor time per request, by program
	Allocations  float64            `json:"allocations,omitempty"`     // in the API, per request
	Allocated    float64            `json:"allocated_bytes,omitempty"` // in the API, per request
}

// Charge adds the processor time that a program used for the requests. It does nothing if there were none.
func (l *Load) Charge(program string, used time.Duration) {
	if l.Requests == 0 || used <= 0 {
		return
	}
	if l.CPU == nil {
		l.CPU = map[string]float64{}
	}
	l.CPU[program] += used.Seconds() * 1e6 / float64(l.Requests)
}

// Rate returns the requests per second.
func (l Load) Rate() float64 { return float64(l.Requests) / (float64(l.Microseconds) / 1e6) }

// FromCache returns the share of the responses that came from the cache without waiting for the API.
func (l Load) FromCache() float64 {
	var all int64
	for _, count := range l.Cache {
		all += count
	}
	if all == 0 {
		return 0
	}
	return float64(l.Cache["HIT"]+l.Cache["STALE"]+l.Cache["UPDATING"]) / float64(all)
}

// Valid returns an error if requests failed, because the rate of errors is not a result.
func (l Load) Valid() error {
	if l.Errors > 0 || l.Requests == 0 {
		return fmt.Errorf("%d of %d requests failed %v", l.Errors, l.Requests, l.Kinds)
	}
	return nil
}
