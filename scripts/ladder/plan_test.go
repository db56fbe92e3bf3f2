package main

import (
	"testing"
	"time"
)

func TestTheDefaultClimbFitsIntoItsLimit(t *testing.T) {
	for _, trials := range []int{1, 30, 60, 75} {
		p := fit(trials)
		if took := preparation + time.Duration(trials)*(startAndStop+p.duration()); took > limit+limit/20 {
			t.Errorf("%d trials take %s, want at most %s", trials, took, limit)
		}
		if p.StepSeconds <= 0 || p.PeakSeconds < 1 {
			t.Errorf("%d trials measure nothing: %+v", trials, p)
		}
	}
	if full := fullPlan(); fit(1).duration() != full.duration() {
		t.Errorf("a single trial takes %s, want %s", fit(1).duration(), full.duration())
	}
}
