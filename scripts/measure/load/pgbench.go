package load

import (
	"context"
	"fmt"
	"regexp"
	"strconv"

	"systemscale/scripts/measure"
)

// Pgbench is the configuration of pgbench, which sends one query at a time on each connection.
type Pgbench struct {
	Database    string // its URL
	Connections int
	Seconds     int
	Seed        int // of the random numbers, at least 1
}

// Run executes only the prepared statements of a script, with one connection per client. The duration includes connecting, which the rate
// does not include; a hundred password checks take a second.
func (p Pgbench) Run(ctx context.Context, script string) (Load, error) {
	seconds := p.Seconds + 1 + p.Connections/128
	took, err := measure.Run(ctx, "pgbench", "-n", "-M", "prepared", "-c", strconv.Itoa(p.Connections), "-j", "2", "-T", strconv.Itoa(seconds),
		"--random-seed", strconv.Itoa(p.Seed), "-f", script, p.Database)
	if err != nil {
		return Load{}, err
	}
	got, err := parsePgbench(took.Out)
	if err != nil {
		return Load{}, err
	}
	got.Charge("load", took.CPU)
	return got, got.Valid()
}

var (
	pgbenchRate   = regexp.MustCompile(`tps = ([0-9.]+) \(without initial connection time\)`)
	pgbenchDone   = regexp.MustCompile(`number of transactions actually processed: (\d+)`)
	pgbenchFailed = regexp.MustCompile(`number of failed transactions: (\d+)`)
)

// parsePgbench reads pgbench's own rate, which excludes the time for connecting.
func parsePgbench(out string) (Load, error) {
	rate, done := pgbenchRate.FindStringSubmatch(out), pgbenchDone.FindStringSubmatch(out)
	if rate == nil || done == nil {
		return Load{}, fmt.Errorf("no rate in the output of pgbench: %q", out)
	}
	perSecond, err := strconv.ParseFloat(rate[1], 64)
	if err != nil {
		return Load{}, fmt.Errorf("parse the output of pgbench: %w", err)
	}
	var got Load
	if got.Requests, err = strconv.ParseInt(done[1], 10, 64); err != nil {
		return Load{}, fmt.Errorf("parse the output of pgbench: %w", err)
	}
	if failed := pgbenchFailed.FindStringSubmatch(out); failed != nil {
		if got.Errors, err = strconv.ParseInt(failed[1], 10, 64); err != nil {
			return Load{}, fmt.Errorf("parse the output of pgbench: %w", err)
		}
	}
	if perSecond > 0 {
		got.Microseconds = int64(float64(got.Requests) / perSecond * 1e6)
	}
	return got, nil
}
