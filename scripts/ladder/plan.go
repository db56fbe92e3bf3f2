package main

import (
	"math"
	"time"

	"systemscale/scripts/ladder/report"
)

// plan contains the durations of one trial of a rung, and how much is compared before.
type plan struct {
	report.Plan
	warmUp     time.Duration
	warmUpRate float64
	random     int  // requests at random that are compared before a rung is measured for the first time
	quick      bool // the numbers show nothing
}

const (
	// limit is the duration of the default climb, including the preparation.
	limit = 30 * time.Minute
	// preparation is the time for the catalog, the documents, the normalized tables and the comparison, on two cores.
	preparation = 6 * time.Minute
	// startAndStop is the time of a trial in which nothing is measured: the start, the warm-up, the stop, and requests that have not ended.
	startAndStop = 4 * time.Second
	// peaks is the number of closed loops in a trial: three kinds of traffic, and four endpoints.
	peaks = 7
)

// fullPlan is the plan if there is time enough.
func fullPlan() plan {
	return plan{
		Plan: report.Plan{
			PeakSeconds: 2, Connections: 64,
			Steps: []float64{500, 1000, 2000, 4000, 8000, 16_000}, StepSeconds: 1.4, Hot: 1000,
		},
		warmUp: time.Second, warmUpRate: 500, random: 1000,
	}
}

// quickPlan is the plan of a test: it compares answers, and does not measure.
func quickPlan() plan {
	return plan{
		Plan:   report.Plan{Steps: []float64{100}, StepSeconds: 0.3, Hot: 20},
		warmUp: 100 * time.Millisecond, warmUpRate: 100, random: 100, quick: true,
	}
}

// fit returns the full plan, or a shorter one if that many trials would exceed the limit.
func fit(trials int) plan {
	p := fullPlan()
	each := (limit-preparation)/time.Duration(max(1, trials)) - startAndStop
	if share := each.Seconds() / p.duration().Seconds(); share < 1 {
		share = max(share, 0.3) // less is no measurement
		p.StepSeconds = round(p.StepSeconds * share)
		p.PeakSeconds = max(1, int(float64(p.PeakSeconds)*share))
	}
	return p
}

// round rounds seconds to tenths.
func round(seconds float64) float64 { return math.Round(seconds*10) / 10 }

// duration returns the longest duration of the measurements of a trial. Steps end when a rung falls over.
func (p plan) duration() time.Duration {
	seconds := float64(len(p.Steps))*p.StepSeconds + float64(peaks*p.PeakSeconds)
	return time.Duration(seconds * float64(time.Second))
}
