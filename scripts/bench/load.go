package main

import (
	"context"
	_ "embed"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/goccy/go-json"
)

// trial is one measurement of a subject.
type trial struct{ connections, round int }

// load is the result of one measurement of requests. Latencies are microseconds.
type load struct {
	Requests     int64              `json:"requests"`
	Microseconds int64              `json:"microseconds"`
	Bytes        int64              `json:"bytes,omitempty"` // received, with headers
	P50          int64              `json:"p50,omitempty"`
	P99          int64              `json:"p99,omitempty"`
	P999         int64              `json:"p999,omitempty"`
	Errors       int64              `json:"errors"`
	Kinds        map[string]int64   `json:"kinds,omitempty"`           // number of errors by kind, if known
	Cache        map[string]int64   `json:"cache,omitempty"`           // number of responses by X-Cache
	Cores        map[string]float64 `json:"cores,omitempty"`           // mean number of busy processors by program
	Allocations  float64            `json:"allocations,omitempty"`     // in the API, per request
	Allocated    float64            `json:"allocated_bytes,omitempty"` // in the API, per request
}

// rate returns the requests per second.
func (l load) rate() float64 { return float64(l.Requests) / (float64(l.Microseconds) / 1e6) }

// fromCache returns the share of the responses that came from the cache without waiting for the API.
func (l load) fromCache() float64 {
	var all int64
	for _, count := range l.Cache {
		all += count
	}
	if all == 0 {
		return 0
	}
	return float64(l.Cache["HIT"]+l.Cache["STALE"]+l.Cache["UPDATING"]) / float64(all)
}

// valid returns an error if requests failed, because the rate of errors is not a result.
func (l load) valid() error {
	if l.Errors > 0 || l.Requests == 0 {
		return fmt.Errorf("%d of %d requests failed %v", l.Errors, l.Requests, l.Kinds)
	}
	return nil
}

//go:embed requests.lua
var requestsScript []byte

// wrk measures a closed model: each connection sends the next request when it has received a response. args are the arguments of
// requests.lua. Statuses above 399 are errors.
func (c *apiCommand) wrk(ctx context.Context, address string, connections int, args ...string) (load, error) {
	script := filepath.Join(c.Work, "requests.lua")
	if err := os.WriteFile(script, requestsScript, 0o644); err != nil {
		return load{}, err
	}
	took, err := measure(ctx, "wrk", append([]string{
		"-t2", "-c", strconv.Itoa(connections), "-d", strconv.Itoa(c.Seconds) + "s", "-s", script,
		"http://" + address, "--",
	}, args...)...)
	if err != nil {
		return load{}, err
	}
	got, err := parseWrk(took.out)
	if err != nil {
		return load{}, err
	}
	got.Cores = map[string]float64{"load": took.cores()}
	if got.Errors == 0 {
		got.Kinds = nil
	}
	return got, got.valid()
}

// parseWrk reads the last line of wrk's output, which requests.lua writes.
func parseWrk(out string) (load, error) {
	out = strings.TrimSpace(out)
	var got load
	if err := json.Unmarshal([]byte(out[strings.LastIndex(out, "\n")+1:]), &got); err != nil {
		return load{}, fmt.Errorf("parse the output of wrk: %w: %q", err, out)
	}
	return got, nil
}

// pgbench measures only the prepared select, with one connection per client. The duration includes connecting, which the rate does not
// include; a hundred password checks take a second.
func (c *apiCommand) pgbench(ctx context.Context, script string, t trial) (load, error) {
	seconds := c.Seconds + 1 + t.connections/128
	took, err := measure(ctx, "pgbench", "-n", "-M", "prepared", "-c", strconv.Itoa(t.connections), "-j", "2", "-T", strconv.Itoa(seconds),
		"--random-seed", strconv.Itoa(t.round+1), "-f", script, c.apiURL())
	if err != nil {
		return load{}, err
	}
	got, err := parsePgbench(took.out)
	if err != nil {
		return load{}, err
	}
	got.Cores = map[string]float64{"load": took.cores()}
	return got, got.valid()
}

var (
	pgbenchRate   = regexp.MustCompile(`tps = ([0-9.]+) \(without initial connection time\)`)
	pgbenchDone   = regexp.MustCompile(`number of transactions actually processed: (\d+)`)
	pgbenchFailed = regexp.MustCompile(`number of failed transactions: (\d+)`)
)

// parsePgbench reads pgbench's own rate, which excludes the time for connecting.
func parsePgbench(out string) (load, error) {
	rate, done := pgbenchRate.FindStringSubmatch(out), pgbenchDone.FindStringSubmatch(out)
	if rate == nil || done == nil {
		return load{}, fmt.Errorf("no rate in the output of pgbench: %q", out)
	}
	perSecond, err := strconv.ParseFloat(rate[1], 64)
	if err != nil {
		return load{}, fmt.Errorf("parse the output of pgbench: %w", err)
	}
	var got load
	if got.Requests, err = strconv.ParseInt(done[1], 10, 64); err != nil {
		return load{}, fmt.Errorf("parse the output of pgbench: %w", err)
	}
	if failed := pgbenchFailed.FindStringSubmatch(out); failed != nil {
		if got.Errors, err = strconv.ParseInt(failed[1], 10, 64); err != nil {
			return load{}, fmt.Errorf("parse the output of pgbench: %w", err)
		}
	}
	if perSecond > 0 {
		got.Microseconds = int64(float64(got.Requests) / perSecond * 1e6)
	}
	return got, nil
}
