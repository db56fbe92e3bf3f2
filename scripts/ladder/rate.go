package main

import (
	"context"
	"fmt"
	"time"

	"systemscale/scripts/ladder/report"
	"systemscale/scripts/ladder/rung"
	"systemscale/scripts/measure"
)

// rateSeed makes the requests at constant rates others than those of peaks.
const rateSeed = 1 << 21

// step measures the subject at a constant rate, with Zipf traffic.
func (t *trial) step(ctx context.Context, rate float64) error {
	seconds := t.plan.StepSeconds
	duration := time.Duration(seconds * float64(time.Second))
	seed := rateSeed + uint64(t.round)<<16 + uint64(rate)
	requests := t.traffic.trace(report.Zipf, report.All, seed, max(1, int(rate*seconds)))
	before, own := t.usage(), measure.OwnTime()
	got, err := constant{rate, duration, requests}.run(ctx, t.subject)
	if err != nil {
		return err
	}
	sample := got.sample(report.All, duration)
	if sample.Requests == 0 {
		return fmt.Errorf("rung %s: no request was sent in %s", t.Name, duration)
	}
	sample.CPU = t.perRequest(before, sample.Requests)
	sample.Load = float64((measure.OwnTime() - own).Microseconds()) / float64(sample.Requests)
	if sample.Checked, err = got.compare(ctx, t.subject); err != nil {
		return err
	}
	done := float64(got.done) / float64(max(1, got.offered))
	for _, endpoint := range append([]string{report.All}, endpointNames()...) {
		one := sample
		if endpoint != report.All {
			one = got.sample(endpoint, duration)
		}
		one.Kind, one.Traffic, one.Offered, one.Done = report.Step, report.Zipf, rate, done
		t.add(one)
	}
	return nil
}

func endpointNames() []string {
	var names []string
	for _, endpoint := range rung.Endpoints() {
		names = append(names, string(endpoint))
	}
	return names
}
