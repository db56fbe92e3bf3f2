package command

import (
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

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

// TestMetrics reads what runs of all outcomes leave for node_exporter.
func TestMetrics(t *testing.T) {
	database := testdb.New(t)
	gateway := gatewaytest.New(t)
	directory := t.TempDir()
	file := filepath.Join(directory, "etl.prom")
	run := func(want int, names map[int]string, args ...string) map[string]string {
		t.Helper()
		code, stdout, stderr := at(t, database, shopFiles(t, 20, names), "run", append([]string{"--metrics", file, "--gateway", gateway.URL}, args...)...)
		must(t, want, code, stdout, stderr)
		samples, _ := readMetrics(t, file)
		return samples
	}
	expect := func(samples map[string]string, want map[string]string) {
		t.Helper()
		for name, value := range want {
			if samples[name] != value {
				t.Errorf("%s is %q, want %s", name, samples[name], value)
			}
		}
	}
	run(exitOK, nil)
	gateway.Publish(2)
	gateway.Hold(1, gatewaytest.Copy{Path: "/shop/3", Encoding: "gzip"})
	samples := run(exitOK, map[int]string{3: "three", 4: "four\"", 9: ""}, "--max-rejects", "100%", "--max-removed", "100%")
	expect(samples, map[string]string{
		`systemscale_etl_last_run_success{collection="shop"}`:                                          "1",
		`systemscale_etl_last_run_exit_code{collection="shop"}`:                                        "0",
		`systemscale_etl_rows{collection="shop",fate="used",file="item.csv"}`:                          "18",
		`systemscale_etl_rows{collection="shop",fate="rejected",file="item.csv"}`:                      "1",
		`systemscale_etl_rows{collection="shop",fate="filtered",file="tag.csv"}`:                       "0",
		`systemscale_etl_documents_changed{collection="shop",document="item",kind="changed"}`:          "1",
		`systemscale_etl_documents_changed{collection="shop",document="item",kind="removed"}`:          "2",
		`systemscale_etl_documents_changed{collection="shop",document="item",kind="added"}`:            "0",
		`systemscale_etl_cache_urls{collection="shop",node="` + gateway.URL + `",outcome="refreshed"}`: "1",
		`systemscale_etl_cache_told{collection="shop",node="` + gateway.URL + `"}`:                     "1",
		`systemscale_etl_cache_urls{collection="shop",node="` + gateway.URL + `",outcome="absent"}`:    "9",
	})
	before := samples[`systemscale_etl_last_run_timestamp_seconds{collection="shop"}`]
	if !regexp.MustCompile(`^1\.[0-9]+e\+09$`).MatchString(before) {
		t.Errorf("the time is %s", before)
	}
	// The example, which the dashboard and the alerts are checked with, has the same names and labels.
	_, got := readMetrics(t, file)
	if _, want := readMetrics(t, "../../../infra/monitoring/prometheus/etl.prom"); !slices.Equal(got, want) {
		t.Errorf("a run writes\n%s\nand infra/monitoring/prometheus/etl.prom has\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}

	// Whatever ends a run, its file says so.
	expect(run(22, map[int]string{1: "", 2: "", 3: "", 4: "", 5: ""}), map[string]string{
		`systemscale_etl_last_run_success{collection="shop"}`:                                 "0",
		`systemscale_etl_last_run_exit_code{collection="shop"}`:                               "22",
		`systemscale_etl_rows{collection="shop",fate="used",file="item.csv"}`:                 "15",
		`systemscale_etl_documents_changed{collection="shop",document="item",kind="removed"}`: "4",
	})
	code, stdout, stderr := etl(t.Context(), "rollback", "--database", database.ETL, "--collection", "shop", "--metrics", file)
	must(t, exitOK, code, stdout, stderr)
	samples, _ = readMetrics(t, file)
	expect(samples, map[string]string{
		`systemscale_etl_last_run_success{collection="shop"}`:                               "1",
		`systemscale_etl_documents_changed{collection="shop",document="item",kind="added"}`: "2",
	})
	code, _, _ = etl(t.Context(), "run", "--database", database.ETL, "--csv", filepath.Join(directory, "missing"), "--metrics", file)
	samples, _ = readMetrics(t, file)
	if code != exitFiles || samples[`systemscale_etl_last_run_exit_code{collection="products"}`] != "3" {
		t.Errorf("without a dump: exit code %d, metrics %v", code, samples)
	}
	code, _, _ = etl(t.Context(), "run", "--database", database.ETL, "--csv", directory, "--shape", filepath.Join(directory, "missing.yaml"), "--metrics", file)
	samples, _ = readMetrics(t, file)
	if code != exitUsage || samples[`systemscale_etl_last_run_exit_code{collection=""}`] != "2" {
		t.Errorf("without a shape: exit code %d, metrics %v", code, samples)
	}
	if entries, err := os.ReadDir(directory); err != nil || len(entries) != 1 {
		t.Errorf("beside the file there are %v (%v)", entries, err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm()&0o044 != 0o044 {
		t.Errorf("node_exporter may not read the file: %v (%v)", info.Mode(), err)
	}

	gateway.Spoil(func(w http.ResponseWriter, _ *http.Request) bool { w.WriteHeader(http.StatusForbidden); return true })
	expect(run(exitOK, map[int]string{6: "six"}), map[string]string{
		`systemscale_etl_last_run_success{collection="shop"}`:                      "1",
		`systemscale_etl_cache_told{collection="shop",node="` + gateway.URL + `"}`: "0",
	})

	// Metrics that cannot be written are no reason for a run to fail.
	code, stdout, stderr = at(t, database, shopFiles(t, 20, nil), "run", "--metrics", filepath.Join(directory, "missing", "etl.prom"))
	if must(t, exitOK, code, stdout, stderr); !strings.Contains(stderr, "the metrics are not written") {
		t.Errorf("it says %s", stderr)
	}
}
