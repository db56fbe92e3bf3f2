package main

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"systemscale/scripts/measure/load"
	"systemscale/scripts/measure/workspace"
)

func TestStaticFilesGetTheGatewaysHeaders(t *testing.T) {
	got := addHeaders(http.Header{
		"X-Cache": {"HIT"}, "Etag": {"1"}, "Date": {"today"}, "Cache-Control": {"public, max-age=5"}, "X-Special": {`a"$b`},
	})
	if want := "add_header Cache-Control \"public, max-age=5\";\n        add_header X-Cache \"HIT\";"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestLoadsAreMediansUnlessARoundFailed(t *testing.T) {
	r := &report{}
	for _, requests := range []int64{100, 900, 200} {
		r.addLoad("a", 64, load.Load{Requests: requests, Microseconds: 1_000_000, P50: requests * 10, P99: requests * 1000, P999: 1})
	}
	r.addLoad("a", 256, load.Load{Requests: 1, Microseconds: 1_000_000})
	if a := r.load("a", 64); a == nil || a.Rate != 200 || a.P50 != 2 || a.P99 != 200 || len(a.Rounds) != 3 {
		t.Errorf("%+v", a)
	}
	if r.load("b", 64) != nil || r.load("a", 1) != nil {
		t.Error("the report has a load that was not measured")
	}
	r.Failures = append(r.Failures, failure{"a", 64, "why"})
	if r.load("a", 64) != nil || r.load("a", 256) == nil {
		t.Error("a failure must remove only the loads of its subject and number of connections")
	}
	var text strings.Builder
	if err := r.write(&text, t.TempDir()); err == nil || !strings.Contains(err.Error(), "a, 64 connections: why") {
		t.Errorf("a failure is no error: %v", err)
	}
}

func TestFlagsOfBenchAPI(t *testing.T) {
	t.Setenv("TEST_DATABASE_URL", "")
	for _, test := range []struct{ args, want string }{
		{"--rounds 0", "at least 1"},
		{"--connections 64,0", "at least 1"},
		{"--only hits,misses", `must be one of "lookups"`},
		{"--rate 0", "--rate must be positive"},
		{"--warm-up=-1", "not negative"},
	} {
		args := append([]string{"api", "--admin", "postgres://127.0.0.1:1/"}, strings.Fields(test.args)...)
		if err := program.Execute(t.Context(), args, io.Discard, io.Discard); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", test.args, err, test.want)
		}
	}
}

func TestTargetsAreRatiosOfMedians(t *testing.T) {
	r, c := &report{}, &apiCommand{Connections: []int{64, 256}, Rate: 9000, Workspace: workspace.Workspace{Products: 1_000_011}}
	add := func(name string, connections int, requests ...int64) {
		for _, one := range requests {
			r.addLoad(name, connections, load.Load{Requests: one, Microseconds: 1_000_000, P99: 9_000, Allocations: 8, Allocated: 500})
		}
	}
	add(namePgbench, 64, 90, 100, 1000)
	add(nameAPI, 64, 120, 1, 300)
	add(namePool, 64, 100, 100, 100)
	add(nameConstant, 64, 9000)
	add(nameLast, 256, 94)
	add(nameFirst, 256, 100)
	for _, used := range []float64{30, 10, 20} {
		r.addLoad(nameHits, 64, load.Load{Requests: 1, Microseconds: 1, CPU: map[string]float64{"nginx": used, "load": 9}})
		r.addLoad(nameStatic, 64, load.Load{Requests: 1, Microseconds: 1, CPU: map[string]float64{"nginx": used - 4}})
	}
	c.addTargets(r, 2000)
	got := map[string]target{}
	for _, one := range r.Targets {
		got[one.Name] = one
	}
	for _, want := range []target{
		{"api / pgbench, 64 connections", 1.2, "≥ 1.1", true},
		{"api / Fiber + pgxpool, 64 connections", 1.2, "≥ 1.8", false},
		{"api / pgbench, 256 connections", 0, "≥ 1.1", false},
		{"page 200000 / page 1, 256 connections", 0.94, "≥ 0.95", false},
		{"constant 9000 requests/s, p99, ms", 9, "≤ 10", true},
		{"processor time of nginx, hit / static file, 64 connections", 1.25, "≤ 1.25", true},
		{"processor time of nginx, no cache / proxy only, 64 connections", 0, "≤ 1", false},
		{"api, allocations per 200", 8, "≤ 10", true},
		{"api, bytes allocated per 200 / size of a body", 0.25, "≤ 1", true},
	} {
		if got[want.Name] != want {
			t.Errorf("%+v, want %+v", got[want.Name], want)
		}
	}
	if len(got) != 2*(8+5)+3 {
		t.Errorf("%d targets, want eight rates and five processor times for two numbers of connections, and three others", len(got))
	}
	c.Only, r.Targets = []string{"hits"}, nil
	if c.addTargets(r, 2000); len(r.Targets) != 2*2 {
		t.Errorf("targets of hits: %+v", r.Targets)
	}
}
