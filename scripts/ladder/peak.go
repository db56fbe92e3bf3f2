package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"

	"systemscale/scripts/ladder/report"
	"systemscale/scripts/ladder/rung"
	"systemscale/scripts/measure/load"
)

const (
	// traceLength is the number of requests that wrk sends before it begins again.
	traceLength = 50_000
	// probeEvery is the interval between the requests whose answers are compared while wrk runs. They add less than 1 % to its requests.
	probeEvery = 50 * time.Millisecond
)

// peak measures how many requests the subject answers in a closed loop, with one kind of requests.
func (t *trial) peak(ctx context.Context, kind, endpoint string) error {
	requests := t.traffic.trace(kind, endpoint, uint64(t.round), traceLength)
	path := filepath.Join(t.directory, "trace.txt")
	if err := writeTrace(path, requests, t.path); err != nil {
		return err
	}
	probes := requests[:min(len(requests), 200)]
	for _, request := range probes { // read before, so that PostgreSQL has no other work meanwhile
		if _, err := t.reference.answer(ctx, request); err != nil {
			return err
		}
	}
	before := t.usage()
	got, checked, err := t.wrk(ctx, path, probes)
	if err != nil {
		return fmt.Errorf("rung %s, %s traffic, endpoint %s: %w", t.Name, kind, endpoint, err)
	}
	sample := report.Sample{
		Kind: report.Peak, Traffic: kind, Endpoint: endpoint, Requests: got.Requests, Rate: got.Rate(), Checked: checked,
		P50: float64(got.P50) / 1000, P99: float64(got.P99) / 1000, Errors: 1,
	}
	if got.Requests > 0 {
		sample.Errors = min(1, float64(got.Errors)/float64(got.Requests))
		sample.Rate *= 1 - sample.Errors
		sample.Load = got.CPU["load"]
	}
	sample.CPU = t.perRequest(before, got.Requests)
	t.add(sample)
	return nil
}

// wrk sends the requests of a trace, and meanwhile a few others whose answers it compares. It returns the number of those. Failed requests
// are no error, but a wrong answer is.
func (t *trial) wrk(ctx context.Context, path string, probes []rung.Request) (got load.Load, checked int, err error) {
	running, ended := context.WithCancel(ctx)
	defer ended()
	group, groupCtx := errgroup.WithContext(ctx)
	group.Go(func() error {
		defer ended()
		var err error
		w := load.Wrk{Directory: t.directory, Connections: t.plan.Connections, Seconds: t.plan.PeakSeconds}
		got, err = w.Run(groupCtx, t.address, "trace", strconv.Itoa(t.round), path)
		if got.Microseconds > 0 { // wrk has ended, and its errors are a result
			err = nil
		}
		return err
	})
	group.Go(func() error {
		tick := time.NewTicker(probeEvery)
		defer tick.Stop()
		for probe := 0; ; probe++ {
			select {
			case <-running.Done():
				return nil
			case <-tick.C:
			}
			// A subject with more load than it can bear may refuse requests, but not answer wrong.
			switch err := t.verify(running, probes[probe%len(probes)]); {
			case err == nil:
				checked++
			case errors.Is(err, errDiffers):
				return err
			}
		}
	})
	return got, checked, group.Wait()
}
