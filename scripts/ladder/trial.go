package main

import (
	"systemscale/scripts/ladder/report"
	"systemscale/scripts/measure"
)

// trial is one measurement of a rung that runs, in one round.
type trial struct {
	*subject
	plan      plan
	round     int // from 1
	traffic   *traffic
	roles     map[string][]int
	directory string // for traces
	samples   []report.Sample
}

func (t *trial) add(s report.Sample) {
	s.Rung, s.Round = t.Name, t.round
	t.samples = append(t.samples, s)
}

// usage returns the processor time of the subject's processes and of PostgreSQL.
func (t *trial) usage() measure.Usage { return measure.ReadUsage(t.roles) }

// perRequest returns the processor time since before, in microseconds for each request.
func (t *trial) perRequest(before measure.Usage, requests int64) map[string]float64 {
	used := map[string]float64{}
	for role, time := range t.usage().Since(before) {
		used[role] = float64(time.Microseconds()) / float64(max(1, requests))
	}
	return used
}
