package main

import (
	"io"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"systemscale/infra/nginx"
)

func TestParseWrk(t *testing.T) {
	got, err := parseWrk("Running 1s test @ http://127.0.0.1:1\n  2 threads\n" +
		`{"requests":3000,"microseconds":1500000,"bytes":9000,"p50":100,"p99":200,"p999":300,"errors":4}` + "\n")
	if err != nil {
		t.Fatal(err)
	}
	want := load{Requests: 3000, Microseconds: 1_500_000, Bytes: 9000, P50: 100, P99: 200, P999: 300, Errors: 4}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("parseWrk (-want +got):\n%s", diff)
	}
	if got.rate() != 2000 {
		t.Errorf("%g requests per second, want 2000", got.rate())
	}
	for _, out := range []string{"", "unable to connect to 127.0.0.1:1 Connection refused\n"} {
		if _, err := parseWrk(out); err == nil {
			t.Errorf("parseWrk(%q) returns no error", out)
		}
	}
}

func TestParsePgbench(t *testing.T) {
	const out = "transaction type: lookup.sql\nnumber of transactions actually processed: 186077\n" +
		"number of failed transactions: 3 (0.002%)\nlatency average = 1.719 ms\n" +
		"initial connection time = 69.122 ms\ntps = 37223.526182 (without initial connection time)\n"
	got, err := parsePgbench(out)
	if err != nil || got.Requests != 186_077 || got.Errors != 3 || math.Abs(got.rate()-37223.526) > 0.1 {
		t.Errorf("%+v, %v, rate %f", got, err, got.rate())
	}
	if _, err := parsePgbench("number of transactions actually processed: 0\n"); err == nil {
		t.Error("output without a rate returns no error")
	}
}

func TestErrorsMakeALoadInvalid(t *testing.T) {
	for _, l := range []load{{}, {Requests: 10, Errors: 1}, {Errors: 1}} {
		if l.valid() == nil {
			t.Errorf("%+v is valid", l)
		}
	}
	if err := (load{Requests: 1}).valid(); err != nil {
		t.Error(err)
	}
}

func TestFromCache(t *testing.T) {
	for _, test := range []struct {
		cache map[string]int64
		want  float64
	}{
		{nil, 0},
		{map[string]int64{"HIT": 3}, 1},
		{map[string]int64{"HIT": 1, "STALE": 1, "UPDATING": 1, "MISS": 1, "EXPIRED": 1, "REVALIDATED": 1}, 0.5},
	} {
		if got := (load{Cache: test.cache}).fromCache(); got != test.want {
			t.Errorf("fromCache of %v = %v, want %v", test.cache, got, test.want)
		}
	}
}

func TestMetric(t *testing.T) {
	const text = "# HELP go_memstats_mallocs_total x\ngo_memstats_mallocs_total_more 1\ngo_memstats_mallocs_total 1.5e+06\nsome{a=\"b\"} 2\n"
	if value, found := metric(text, "go_memstats_mallocs_total"); value != 1.5e6 || !found {
		t.Errorf("%v, %v", value, found)
	}
	for _, name := range []string{"some", "go_memstats", "x"} {
		if value, found := metric(text, name); found {
			t.Errorf("%s is %v", name, value)
		}
	}
}

func TestWithoutCache(t *testing.T) {
	without, err := withoutCache(nginx.Template)
	if err != nil || strings.Contains(without, "proxy_cache $cache;") || !strings.Contains(without, "\n    proxy_cache off;") {
		t.Errorf("the cache is still used, or %v", err)
	}
	if _, err := withoutCache(without); err == nil {
		t.Error("a template without a cache returns no error")
	}
}

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
		r.addLoad("a", 64, load{Requests: requests, Microseconds: 1_000_000, P50: requests * 10, P99: requests * 1000, P999: 1})
	}
	r.addLoad("a", 256, load{Requests: 1, Microseconds: 1_000_000})
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

func TestComplete(t *testing.T) {
	directory := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(directory, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, step := range []struct {
		name, file, text string
		want             bool
	}{
		{"no report", "a.csv", "id\n1\n", false},
		{"an empty report", "generated.json", `{"files":[]}`, false},
		{"a file missing", "generated.json", `{"files":[{"name":"a.csv","bytes":5},{"name":"b.csv","bytes":2}]}`, false},
		{"all files", "b.csv", "id", true},
		{"a truncated file", "a.csv", "id\n1", false},
	} {
		write(step.file, step.text)
		if got := complete(directory); got != step.want {
			t.Errorf("%s: complete = %v", step.name, got)
		}
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
		if err := execute(t.Context(), args, io.Discard, io.Discard); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", test.args, err, test.want)
		}
	}
}

func TestTargetsAreRatiosOfMedians(t *testing.T) {
	r, c := &report{}, &apiCommand{Connections: []int{64, 256}, Rate: 9000, environment: environment{Products: 1_000_011}}
	add := func(name string, connections int, requests ...int64) {
		for _, one := range requests {
			r.addLoad(name, connections, load{Requests: one, Microseconds: 1_000_000, P99: 9_000, Allocations: 8, Allocated: 500})
		}
	}
	add(namePgbench, 64, 90, 100, 1000)
	add(nameAPI, 64, 120, 1, 300)
	add(namePool, 64, 100, 100, 100)
	add(nameConstant, 64, 9000)
	add(nameLast, 256, 94)
	add(nameFirst, 256, 100)
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
		{"api, allocations per 200", 8, "≤ 10", true},
		{"api, bytes allocated per 200 / size of a body", 0.25, "≤ 1", true},
	} {
		if got[want.Name] != want {
			t.Errorf("%+v, want %+v", got[want.Name], want)
		}
	}
	if len(got) != 2*8+3 {
		t.Errorf("%d targets, want eight ratios for two numbers of connections and three others", len(got))
	}
	c.Only, r.Targets = []string{"hits"}, nil
	if c.addTargets(r, 2000); len(r.Targets) != 2 {
		t.Errorf("targets of hits: %+v", r.Targets)
	}
}
