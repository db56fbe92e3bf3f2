package monitoring_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/goccy/go-json"

	"systemscale/infra/port/porttest"
	"systemscale/infra/process"
	"systemscale/infra/program"
	"systemscale/sql/testdb"
)

// find returns the path of a program. If it is not installed, the test is skipped, or fails if REQUIRE_DB=1.
func find(t *testing.T, names ...string) string {
	t.Helper()
	path, err := program.FindInPath(names...)
	if err != nil {
		if os.Getenv("REQUIRE_DB") == "1" {
			t.Fatalf("%v, but REQUIRE_DB=1 requires it: run ./scripts/task test, or install %s", err, names[0])
		}
		t.Skip(err)
	}
	return path
}

// start starts a daemon, waits until url returns 200, and stops the daemon when the test ends.
func start(t *testing.T, url string, daemon process.Daemon) {
	t.Helper()
	daemon.Tied = true
	running, err := daemon.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := process.Stop(context.Background(), running.Identity, syscall.SIGTERM, time.Minute); err != nil {
			t.Error(err)
		}
	})
	if err := running.Await(t.Context(), time.Minute, func(context.Context) error { _, err := get(url); return err }); err != nil {
		t.Fatal(err)
	}
}

// get returns the body of a response with the status 200.
func get(url string) (string, error) {
	response, err := (&http.Client{Timeout: time.Minute}).Get(url)
	if err != nil {
		return "", err
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = errors.New(response.Status + " " + string(body))
	}
	return string(body), err
}

// publish publishes a catalog of one item twice, the second time with a change, and writes the metrics of the second run to a file. A fake
// gateway has no copy of anything.
func publish(t *testing.T, database testdb.Database, directory string) {
	t.Helper()
	gateway := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/status" && r.URL.Path != "/lists" {
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	defer gateway.Close()
	write(t, filepath.Join(directory, "things.yaml"), "collection: things\n"+
		"sources:\n  thing: {file: thing.csv, key: id, columns: {id: int, name: text}}\n"+
		"documents:\n  thing: {path: \"\", body: {id: id, name: name}}\n  summary: {list: true, body: {id: id}}\n")
	for _, name := range []string{"one", "two"} {
		write(t, filepath.Join(directory, "thing.csv"), "id,name\n1,"+name+"\n")
		etl := exec.CommandContext(t.Context(), filepath.Join(directory, "etl"), "run", "--database", database.ETL, "--csv", directory, "--accept", "changed",
			"--shape", filepath.Join(directory, "things.yaml"), "--gateway", gateway.URL, "--metrics", filepath.Join(directory, "etl.prom"))
		if out, err := etl.CombinedOutput(); err != nil {
			t.Fatalf("etl run: %v\n%s", err, out)
		}
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// prometheus is a running Prometheus with the example configuration. Its value is the address.
type prometheus string

// newPrometheus publishes a catalog, serves it with an API instance that gets some requests, and starts a Prometheus that scrapes the instance
// and a node exporter. The metrics of the ETL reach it through the node exporter, as in production.
func newPrometheus(t *testing.T) prometheus {
	t.Helper()
	path, nodePath := find(t, "prometheus"), find(t, "prometheus-node-exporter", "node_exporter")
	directory, database := t.TempDir(), testdb.New(t)
	for _, name := range []string{"etl", "api"} {
		build := exec.CommandContext(t.Context(), "go", "build", "-o", filepath.Join(directory, name), "../../"+name)
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("build %s: %v\n%s", name, err, out)
		}
	}
	publish(t, database, directory)
	public, admin, node, address := porttest.Address(t), porttest.Address(t), porttest.Address(t), porttest.Address(t)
	start(t, "http://"+admin+"/ready", process.Daemon{
		Name: "api", Path: filepath.Join(directory, "api"), Dir: directory, Log: filepath.Join(directory, "api.log"),
		Args: []string{
			"--database", twoHosts(t, database.API), "--drain-pause", "0s", "--document-cache", "memory://8MiB", "--listen", public, "--admin", admin,
		},
	})
	start(t, "http://"+node+"/metrics", process.Daemon{
		Name: "node exporter", Path: nodePath, Dir: directory, Log: filepath.Join(directory, "node.log"),
		Args: []string{
			"--web.listen-address=" + node, "--collector.disable-defaults", "--collector.textfile", "--collector.textfile.directory=" + directory,
			"--collector.filesystem", "--collector.filesystem.mount-points-exclude=" + mountPointsExclude(t),
		},
	})
	write(t, filepath.Join(directory, "prometheus.yml"), example(t, admin, node))
	rules, err := os.ReadFile("prometheus/systemscale.rules.yml")
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(directory, "systemscale.rules.yml"), string(rules))
	start(t, "http://"+address+"/-/ready", process.Daemon{
		Name: "Prometheus", Path: path, Dir: directory, Log: filepath.Join(directory, "prometheus.log"),
		Args: []string{
			"--config.file=prometheus.yml", "--storage.tsdb.path=data", "--web.listen-address=" + address,
		},
	})
	p := prometheus(address)
	// Counters have a rate when they were scraped with two values of the time.
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		for _, target := range []string{"/things/1", "/things/1", "/things/100000", "/things/x", "/nothing"} {
			_, _ = get("http://" + public + target) // some are errors on purpose
		}
		// The host of the database is polled on its own schedule.
		const scraped = `count(rate(systemscale_database_connects_total[1m])) and count(systemscale_database_host_lag_bytes) and
			count(rate(systemscale_http_request_duration_seconds_count{status="200"}[1m]) > 0) and count(systemscale_etl_rows)`
		if len(p.query(t, scraped)) > 0 {
			return p
		}
		if time.Now().After(deadline) {
			t.Fatalf("Prometheus has not scraped both programs%s", process.LogTail(filepath.Join(directory, "prometheus.log")))
		}
	}
}

// twoHosts returns a URL that has the server twice, by address and by name: some metrics need several hosts.
func twoHosts(t *testing.T, databaseURL string) string {
	t.Helper()
	parsed, err := url.Parse(databaseURL)
	if err != nil {
		t.Fatal(err)
	}
	parsed.Host += ",localhost:" + parsed.Port()
	return parsed.String()
}

// example returns the example configuration with other addresses and short intervals.
func example(t *testing.T, admin, node string) string {
	t.Helper()
	text, err := os.ReadFile("prometheus/prometheus.yml")
	if err != nil {
		t.Fatal(err)
	}
	replaced := string(text)
	for _, pair := range [][2]string{
		{"127.0.0.1:8181", admin},
		{"          - 127.0.0.1:8182\n", ""},
		{"127.0.0.1:9100", node},
		{"scrape_interval: 5s", "scrape_interval: 200ms"},
		{"scrape_interval: 15s", "scrape_interval: 200ms"},
		{"evaluation_interval: 15s", "evaluation_interval: 200ms"},
	} {
		if strings.Count(replaced, pair[0]) != 1 {
			t.Fatalf("prometheus.yml has %q %d times, want once", pair[0], strings.Count(replaced, pair[0]))
		}
		replaced = strings.Replace(replaced, pair[0], pair[1], 1)
	}
	return replaced
}

// api calls Prometheus' API and decodes the data of the response.
func (p prometheus) api(t *testing.T, path string, parameters url.Values, data any) {
	t.Helper()
	body, err := get("http://" + string(p) + "/api/v1/" + path + "?" + parameters.Encode())
	if err != nil {
		t.Fatalf("%s %v: %v", path, parameters, err)
	}
	var response struct{ Data json.RawMessage }
	if err = json.Unmarshal([]byte(body), &response); err == nil {
		err = json.Unmarshal(response.Data, data)
	}
	if err != nil {
		t.Fatalf("%s: %v\n%s", path, err, body)
	}
}

// query returns the labels of each series that an expression returns. A scalar is one series without labels.
func (p prometheus) query(t *testing.T, expression string) []map[string]string {
	t.Helper()
	var data struct {
		ResultType string
		Result     json.RawMessage
	}
	p.api(t, "query", url.Values{"query": {expression}}, &data)
	if data.ResultType == "scalar" {
		return []map[string]string{{}}
	}
	var result []struct{ Metric map[string]string }
	if err := json.Unmarshal(data.Result, &result); err != nil {
		t.Fatalf("%s: %v", expression, err)
	}
	var found []map[string]string
	for _, series := range result {
		found = append(found, series.Metric)
	}
	return found
}
