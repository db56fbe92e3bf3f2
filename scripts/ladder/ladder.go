package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"strings"
	"time"

	"systemscale/scripts/ladder/report"
	"systemscale/scripts/ladder/rung"
)

// ladder measures the rungs in turn.
type ladder struct {
	plan      plan
	rungs     []rung.Rung
	rounds    int
	reference *reference
	traffic   *traffic
	data      rung.Data
	out       io.Writer // progress

	samples  []report.Sample
	verified map[string]int
}

// errInterrupted is returned after a signal.
var errInterrupted = errors.New("interrupted: there is no report")

// climb measures every rung in every round. It ends with the first wrong answer.
func (l *ladder) climb(ctx context.Context) error {
	l.verified = map[string]int{}
	began, total := time.Now(), l.rounds*len(l.rungs)
	for round := 1; round <= l.rounds; round++ {
		for i, one := range l.rungs {
			done := (round-1)*len(l.rungs) + i
			fmt.Fprintf(l.out, "round %d of %d, rung %d of %d, %s: %s", round, l.rounds, i+1, len(l.rungs), one.Letter, one.Title)
			if done > 0 {
				left := time.Since(began) / time.Duration(done) * time.Duration(total-done)
				fmt.Fprintf(l.out, " (about %s left)", left.Round(time.Minute/4))
			}
			result, err := l.try(ctx, one, round)
			if ctx.Err() != nil {
				err = errInterrupted // and not what it led to
			}
			if err != nil {
				fmt.Fprintln(l.out)
				return err
			}
			fmt.Fprintf(l.out, ": %s\n", result)
		}
	}
	return nil
}

// try starts a rung, compares its answers, measures it and stops it. It returns a summary for the progress.
func (l *ladder) try(ctx context.Context, one rung.Rung, round int) (result string, err error) {
	running, err := one.Start(ctx, l.data)
	if err != nil {
		return "", fmt.Errorf("start rung %s: %w", one.Name, err)
	}
	defer func() {
		if stopErr := running.Stop(); stopErr != nil {
			fmt.Fprintf(l.out, "\nstop rung %s: %v", one.Name, stopErr) // an interruption hides the error
			err = errors.Join(err, fmt.Errorf("stop rung %s: %w", one.Name, stopErr))
		}
	}()
	t := &trial{
		subject: &subject{one, running.Address, l.reference}, plan: l.plan, round: round, traffic: l.traffic,
		roles: maps.Clone(running.Processes), directory: l.data.Directory,
	}
	t.roles["postgres"] = []int{l.reference.postgres}
	requests := l.traffic.verification(l.plan.random)
	if round > 1 { // the same program with the same data
		requests = requests[len(requests)-min(len(requests), l.plan.random):]
	}
	if err := t.verifyAll(ctx, requests); err != nil {
		return "", err
	}
	l.verified[one.Name] += len(requests)
	if err := t.run(ctx); err != nil {
		return "", err
	}
	l.samples = append(l.samples, t.samples...)
	if l.plan.quick {
		return fmt.Sprintf("%d answers are equal", len(requests)), nil
	}
	return describe(t.samples), nil
}

// describe summarizes a trial in a few words.
func describe(samples []report.Sample) string {
	var words []string
	for _, s := range samples {
		switch {
		case s.Endpoint != report.All:
		case s.Kind == report.Peak && s.Traffic == report.Zipf:
			total := 0.0
			for _, used := range s.CPU {
				total += used
			}
			words = append(words, fmt.Sprintf("%.0f µs per request", total), fmt.Sprintf("peak %.0f/s", s.Rate))
		case s.Kind == report.Step:
			if _, fell := s.Fell(); fell {
				words = append(words, fmt.Sprintf("fell over at %.0f/s", s.Offered))
			}
		}
	}
	return strings.Join(words, ", ")
}

// summary returns the rungs for the report.
func (l *ladder) summary() []report.Rung {
	rungs := make([]report.Rung, len(l.rungs))
	for i, one := range l.rungs {
		rungs[i] = report.Rung{Name: one.Name, Title: one.Title, Letter: one.Letter, Cached: one.Cached, Verified: l.verified[one.Name]}
	}
	return rungs
}
