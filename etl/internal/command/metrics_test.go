package command

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"systemscale/etl/internal/cacherefresh/gatewaytest"
	"systemscale/sql/testdb"
)

// readMetrics returns the samples of a file of metrics, such as `name{label="value"}` and what follows it, and the names in it, such as
// name{label}.
func readMetrics(t *testing.T, file string) (samples map[string]string, names []string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	samples = map[string]string{}
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		space := strings.LastIndexByte(line, ' ')
		samples[line[:space]] = strings.TrimSpace(line[space+1:])
		names = append(names, labelValue.ReplaceAllString(line[:space], ""))
	}
	slices.Sort(names)
	return samples, slices.Compact(names)
}

var labelValue = regexp.MustCompile(`="[^"]*"`)

// measured runs etl with a file of metrics.
type measured struct {
	t        *testing.T
	database testdb.Database
	gateway  *gatewaytest.Gateway
	file     string // alone in its directory
}

func newMeasured(t *testing.T) *measured {
	return &measured{
		t: t, database: testdb.New(t), gateway: gatewaytest.New(t),
		file: filepath.Join(t.TempDir(), "etl.prom"),
	}
}

// run publishes a shop of 20 items, and returns the samples.
func (m *measured) run(want int, names map[int]string, args ...string) map[string]string {
	m.t.Helper()
	args = append([]string{"--metrics", m.file, "--gateway", m.gateway.URL}, args...)
	code, stdout, stderr := at(m.t, m.database, shopFiles(m.t, 20, names), "run", args...)
	must(m.t, want, code, stdout, stderr)
	samples, _ := readMetrics(m.t, m.file)
	return samples
}

// wantSamples compares the samples whose names are in want.
func wantSamples(t *testing.T, samples, want map[string]string) {
	t.Helper()
	got := map[string]string{}
	for name := range want {
		if value, found := samples[name]; found {
			got[name] = value
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("samples (-want +got):\n%s", diff)
	}
}

func TestMetrics(t *testing.T) {
	m := newMeasured(t)
	m.run(exitOK, nil)
	m.gateway.Publish(2)
	m.gateway.Hold(1, gatewaytest.Copy{Path: "/shop/3", Encoding: "gzip"})
	samples := m.run(exitOK, map[int]string{3: "three", 4: "four\"", 9: ""}, "--max-rejects", "100%", "--max-removed", "100%")
	wantSamples(t, samples, map[string]string{
		`systemscale_etl_last_run_success{collection="shop"}`:                                            "1",
		`systemscale_etl_last_run_exit_code{collection="shop"}`:                                          "0",
		`systemscale_etl_rows{collection="shop",fate="used",file="item.csv"}`:                            "18",
		`systemscale_etl_rows{collection="shop",fate="rejected",file="item.csv"}`:                        "1",
		`systemscale_etl_rows{collection="shop",fate="filtered",file="tag.csv"}`:                         "0",
		`systemscale_etl_documents_changed{collection="shop",document="item",kind="changed"}`:            "1",
		`systemscale_etl_documents_changed{collection="shop",document="item",kind="removed"}`:            "2",
		`systemscale_etl_documents_changed{collection="shop",document="item",kind="added"}`:              "0",
		`systemscale_etl_cache_urls{collection="shop",node="` + m.gateway.URL + `",outcome="refreshed"}`: "1",
		`systemscale_etl_cache_told{collection="shop",node="` + m.gateway.URL + `"}`:                     "1",
		`systemscale_etl_cache_urls{collection="shop",node="` + m.gateway.URL + `",outcome="absent"}`:    "9",
	})
	before := samples[`systemscale_etl_last_run_timestamp_seconds{collection="shop"}`]
	if !regexp.MustCompile(`^1\.[0-9]+e\+09$`).MatchString(before) {
		t.Errorf("the time is %s", before)
	}
	// The dashboard and the alerts are tested with the example.
	_, got := readMetrics(t, m.file)
	_, want := readMetrics(t, "../../../infra/monitoring/prometheus/etl.prom")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("names and labels (-infra/monitoring/prometheus/etl.prom +run):\n%s", diff)
	}
	if entries, err := os.ReadDir(filepath.Dir(m.file)); err != nil || len(entries) != 1 {
		t.Errorf("the directory of the metrics has %v (%v), want one file", entries, err)
	}
	if info, err := os.Stat(m.file); err != nil || info.Mode().Perm()&0o044 != 0o044 {
		t.Errorf("node_exporter may not read the file: %v (%v)", info.Mode(), err)
	}
}

func TestMetricsOfFailedRuns(t *testing.T) {
	m := newMeasured(t)
	m.run(exitOK, nil)
	samples := m.run(22, map[int]string{1: "", 2: "", 3: "", 4: "", 5: ""})
	wantSamples(t, samples, map[string]string{
		`systemscale_etl_last_run_success{collection="shop"}`:                                 "0",
		`systemscale_etl_last_run_exit_code{collection="shop"}`:                               "22",
		`systemscale_etl_rows{collection="shop",fate="used",file="item.csv"}`:                 "15",
		`systemscale_etl_documents_changed{collection="shop",document="item",kind="removed"}`: "5",
	})

	empty := t.TempDir()
	missing := filepath.Join(empty, "missing")
	code, _, _ := etl(t.Context(), "run", "--database", m.database.ETL, "--csv", missing, "--metrics", m.file)
	samples, _ = readMetrics(t, m.file)
	if code != exitFiles || samples[`systemscale_etl_last_run_exit_code{collection="products"}`] != "3" {
		t.Errorf("without a dump: exit code %d, metrics %v", code, samples)
	}
	code, _, _ = etl(t.Context(), "run", "--database", m.database.ETL, "--csv", empty, "--shape", missing+".yaml", "--metrics", m.file)
	samples, _ = readMetrics(t, m.file)
	if code != exitUsage || samples[`systemscale_etl_last_run_exit_code{collection=""}`] != "2" {
		t.Errorf("without a shape: exit code %d, metrics %v", code, samples)
	}
}

func TestMetricsOfRollback(t *testing.T) {
	m := newMeasured(t)
	m.run(exitOK, nil)
	m.run(exitOK, map[int]string{4: "", 9: ""}, "--max-removed", "100%")
	code, stdout, stderr := etl(t.Context(), "rollback", "--no-hold", "--database", m.database.ETL, "--collection", "shop", "--metrics", m.file)
	must(t, exitOK, code, stdout, stderr)
	samples, _ := readMetrics(t, m.file)
	wantSamples(t, samples, map[string]string{
		`systemscale_etl_last_run_success{collection="shop"}`:                               "1",
		`systemscale_etl_documents_changed{collection="shop",document="item",kind="added"}`: "2",
	})
}

func TestMetricsOfFailedRefresh(t *testing.T) {
	m := newMeasured(t)
	m.gateway.Spoil(forbid)
	wantSamples(t, m.run(exitOK, nil), map[string]string{
		`systemscale_etl_last_run_success{collection="shop"}`:                        "1",
		`systemscale_etl_cache_told{collection="shop",node="` + m.gateway.URL + `"}`: "0",
	})
}

// TestRunSucceedsWithoutMetrics gives a run a file of metrics that it cannot create.
func TestRunSucceedsWithoutMetrics(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "missing", "etl.prom")
	code, stdout, stderr := at(t, testdb.New(t), shopFiles(t, 20, nil), "run", "--metrics", missing)
	if must(t, exitOK, code, stdout, stderr); !strings.Contains(stderr, "the metrics are not written") {
		t.Errorf("stderr %q", stderr)
	}
}
