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

// load is what one measurement found. Latencies are microseconds.
type load struct {
	Requests     int64              `json:"requests"`
	Microseconds int64              `json:"microseconds"`
	Bytes        int64              `json:"bytes,omitempty"` // received, with headers
	P50          int64              `json:"p50,omitempty"`
	P99          int64              `json:"p99,omitempty"`
	P999         int64              `json:"p999,omitempty"`
	Errors       int64              `json:"errors"`
	Kinds        map[string]int64   `json:"kinds,omitempty"`           // of errors, where that is known
	Cache        map[string]int64   `json:"cache,omitempty"`           // answers by X-Cache
	Cores        map[string]float64 `json:"cores,omitempty"`           // busy for whom, on average
	Allocations  float64            `json:"allocations,omitempty"`     // in the API, per request
	Allocated    float64            `json:"allocated_bytes,omitempty"` // in the API, per request
}

// rate is requests per second.
func (l load) rate() float64 { return float64(l.Requests) / (float64(l.Microseconds) / 1e6) }

// fromCache returns the share of the answers that no client had to wait for the API for.
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

// valid returns an error if something was answered otherwise than it should be: a rate of errors means nothing.
func (l load) valid() error {
	if l.Errors > 0 || l.Requests == 0 {
		return fmt.Errorf("%d of %d requests failed %v", l.Errors, l.Requests, l.Kinds)
	}
	return nil
}

//go:embed requests.lua
var requestsScript []byte

// wrk measures a closed model: every connection asks again when it has its answer. what is the arguments of requests.lua. Answers above
// 399 are errors.
func (c *apiCommand) wrk(ctx context.Context, address string, connections int, what ...string) (load, error) {
	script := filepath.Join(c.Work, "requests.lua")
	if err := os.WriteFile(script, requestsScript, 0o644); err != nil {
		return load{}, err
	}
	took, err := measure(ctx, "wrk", append([]string{
		"-t2", "-c", strconv.Itoa(connections), "-d", strconv.Itoa(c.Seconds) + "s", "-s", script,
		"http://" + address, "--",
	}, what...)...)
	if err != nil {
		return load{}, err
	}
	got, err := parseWrk(took.out)
	if err != nil {
		return load{}, err
	}
	got.Cores = map[string]float64{"load": took.cpu.Seconds() / took.wall.Seconds()}
	if got.Errors == 0 {
		got.Kinds = nil
	}
	return got, got.valid()
}

// parseWrk reads the line that requests.lua writes, which is wrk's last.
func parseWrk(out string) (load, error) {
	out = strings.TrimSpace(out)
	var got load
	if err := json.Unmarshal([]byte(out[strings.LastIndex(out, "\n")+1:]), &got); err != nil {
		return load{}, fmt.Errorf("parse the output of wrk: %w: %q", err, out)
	}
	return got, nil
}

// pgbench measures the select alone, prepared, each client on a connection of its own. Its time includes connecting, though its rate
// does not, and a hundred passwords take a second.
func (c *apiCommand) pgbench(ctx context.Context, script string, t trial) (load, error) {
	took, err := measure(ctx, "pgbench", "-n", "-M", "prepared", "-c", strconv.Itoa(t.connections), "-j", "2", "-T", strconv.Itoa(c.Seconds+1+t.connections/128),
		"--random-seed", strconv.Itoa(t.round+1), "-f", script, c.apiURL())
	if err != nil {
		return load{}, err
	}
	got, err := parsePgbench(took.out)
	if err != nil {
		return load{}, err
	}
	got.Cores = map[string]float64{"load": took.cpu.Seconds() / took.wall.Seconds()}
	return got, got.valid()
}

var (
	pgbenchRate   = regexp.MustCompile(`tps = ([0-9.]+) \(without initial connection time\)`)
	pgbenchDone   = regexp.MustCompile(`number of transactions actually processed: (\d+)`)
	pgbenchFailed = regexp.MustCompile(`number of failed transactions: (\d+)`)
)

// parsePgbench takes pgbench's own rate, which leaves out the time that connecting took.
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
