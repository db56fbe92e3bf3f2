package main

import (
	"context"
	"fmt"

	"systemscale/scripts/ladder/report"
	"systemscale/scripts/ladder/rung"
)

// warmUpSeed makes the requests of a warm-up others than those that are measured.
const warmUpSeed = 1 << 20

// run measures the subject with all kinds of requests. Rates that it may not hold come last, because their requests may still be at work
// when the next would begin.
func (t *trial) run(ctx context.Context) error {
	if err := t.warmUp(ctx); err != nil {
		return err
	}
	if t.plan.PeakSeconds > 0 {
		for _, endpoint := range rung.Endpoints() {
			if err := t.peak(ctx, report.Zipf, string(endpoint)); err != nil {
				return err
			}
		}
		for _, kind := range []string{report.Zipf, report.Hot, report.Uniform} {
			if err := t.peak(ctx, kind, report.All); err != nil {
				return err
			}
		}
	}
	for _, rate := range t.plan.Steps {
		if err := t.step(ctx, rate); err != nil {
			return err
		}
		if t.fell() {
			break
		}
	}
	return nil
}

// warmUp sends requests that are not measured: connections are opened, statements prepared, and caches filled.
func (t *trial) warmUp(ctx context.Context) error {
	if t.Cached {
		if err := t.verifyAll(ctx, t.traffic.allHot()); err != nil {
			return fmt.Errorf("warm up: %w", err)
		}
	}
	_, err := constant{t.plan.warmUpRate, t.plan.warmUp, t.traffic.trace(report.Zipf, report.All, warmUpSeed, 10_000)}.run(ctx, t.subject)
	return err
}

// fell reports whether the subject fell over in the last step.
func (t *trial) fell() bool {
	for i := len(t.samples) - 1; i >= 0; i-- {
		if s := &t.samples[i]; s.Kind == report.Step && s.Endpoint == report.All {
			_, fell := s.Fell()
			return fell
		}
	}
	return false
}
