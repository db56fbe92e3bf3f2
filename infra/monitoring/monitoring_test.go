// Package monitoring_test checks that the dashboard and the alert rules use only metrics that the programs export.
package monitoring_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/goccy/go-json"
	"github.com/goccy/go-yaml"

	"systemscale/sql/testdb"
)

// series are metrics by name, as they are scraped, each with the names of its labels.
type series map[string]map[string]bool

var (
	sample = regexp.MustCompile(`(?m)^([a-zA-Z_][a-zA-Z0-9_]*)(?:\{(.*)\})? \S+$`)
	label  = regexp.MustCompile(`([a-z_]+)="(?:[^"\\]|\\.)*"`)
)

// add parses the response to a scrape.
func (s series) add(text string) {
	for _, line := range sample.FindAllStringSubmatch(text, -1) {
		if s[line[1]] == nil {
			// Prometheus adds these two.
			s[line[1]] = map[string]bool{"job": true, "instance": true}
		}
		for _, pair := range label.FindAllStringSubmatch(line[2], -1) {
			s[line[1]][pair[1]] = true
		}
	}
}

var (
	quotedText = regexp.MustCompile(`"(?:[^"\\]|\\.)*"`)
	duration   = regexp.MustCompile(`\[[^\]]*\]|\b\d+[smhd]\b`)
	grouping   = regexp.MustCompile(`\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)`)
	selector   = regexp.MustCompile(`([a-zA-Z_][a-zA-Z0-9_]*)\s*(\{[^}]*\}|\()?`)
	matcher    = regexp.MustCompile(`([a-zA-Z_]+)\s*(?:=~|!~|!=|=)`)
	operators  = []string{"and", "or", "unless", "bool", "by", "without", "on", "ignoring", "group_left", "group_right", "offset"}
)

// check returns the metrics and labels in a PromQL expression that are not in s. It supports the part of PromQL that the files use.
func (s series) check(expression string) (missing []string) {
	text := duration.ReplaceAllString(quotedText.ReplaceAllString(expression, `""`), "")
	var grouped []string
	text = grouping.ReplaceAllStringFunc(text, func(clause string) string {
		for name := range strings.SplitSeq(grouping.FindStringSubmatch(clause)[1], ",") {
			grouped = append(grouped, strings.TrimSpace(name))
		}
		return ""
	})
	labels, metrics := map[string]bool{}, 0
	for _, found := range selector.FindAllStringSubmatch(text, -1) {
		name, tail := found[1], found[2]
		if tail == "(" || slices.Contains(operators, name) {
			continue
		}
		metrics++
		if s[name] == nil {
			missing = append(missing, name)
			continue
		}
		maps.Copy(labels, s[name])
		for _, match := range matcher.FindAllStringSubmatch(tail, -1) {
			if !s[name][match[1]] {
				missing = append(missing, name+"{"+match[1]+"}")
			}
		}
	}
	for _, name := range grouped {
		if !labels[name] {
			missing = append(missing, "by ("+name+")")
		}
	}
	if metrics == 0 {
		missing = append(missing, "no metric at all")
	}
	return missing
}

// runAPI publishes a catalog of one item and serves it. It returns clients of the two sockets.
func runAPI(t *testing.T) (public, admin *http.Client) {
	t.Helper()
	database := testdb.New(t)
	directory, err := os.MkdirTemp("", "monitoring-") // t.TempDir() is too long for the name of a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(directory) })
	for name, text := range map[string]string{
		"thing.csv": "id,name\n1,one\n",
		"things.yaml": "collection: things\nsources:\n  thing: {file: thing.csv, key: id, columns: {id: int, name: text}}\n" +
			"documents:\n  thing: {path: \"\", body: {id: id, name: name}}\n  summary: {list: true, body: {id: id}}\n",
	} {
		if err := os.WriteFile(filepath.Join(directory, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, program := range []string{"etl", "api"} {
		build := exec.CommandContext(t.Context(), "go", "build", "-o", filepath.Join(directory, program), "../../"+program)
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("build %s: %v\n%s", program, err, out)
		}
	}
	etl := exec.CommandContext(t.Context(), filepath.Join(directory, "etl"), "run", "--database", database.ETL, "--csv", directory,
		"--shape", filepath.Join(directory, "things.yaml"))
	if out, err := etl.CombinedOutput(); err != nil {
		t.Fatalf("etl run: %v\n%s", err, out)
	}
	api := exec.CommandContext(t.Context(), filepath.Join(directory, "api"), "--database", database.API, "--drain-pause", "0s", "--document-cache", "memory://8MiB",
		"--listen", "unix:"+filepath.Join(directory, "public"), "--admin", "unix:"+filepath.Join(directory, "admin"))
	api.Stderr = t.Output()
	api.Cancel = func() error { return api.Process.Signal(syscall.SIGTERM) }
	if err := api.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := api.Wait(); err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("api: %v", err)
		}
	})
	over := func(socket string) *http.Client {
		dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", filepath.Join(directory, socket))
		}
		return &http.Client{Timeout: time.Minute, Transport: &http.Transport{DialContext: dial}}
	}
	public, admin = over("public"), over("admin")
	await(t, admin, "http://admin/ready", "")
	return public, admin
}

// await polls an address until it returns 200 with want in the body, and returns the body.
func await(t *testing.T, client *http.Client, url, want string) (body string) {
	t.Helper()
	status, err := 0, error(nil)
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if status, body, err = get(client, url); err == nil && status == http.StatusOK && strings.Contains(body, want) {
			return body
		}
	}
	t.Fatalf("%s: %d %s, %v, want %q in it", url, status, body, err, want)
	return ""
}

func get(client *http.Client, url string) (status int, body string, err error) {
	response, err := client.Get(url)
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	return response.StatusCode, string(text), err
}

// scraped returns all metrics of an instance that has served requests, and of a run of the ETL.
func scraped(t *testing.T) series {
	t.Helper()
	public, admin := runAPI(t)
	for _, target := range []string{"/things/1", "/things/1", "/things/100000", "/things/x", "/nothing"} {
		if _, _, err := get(public, "http://api"+target); err != nil {
			t.Fatal(err)
		}
	}
	// The host of the database is polled on its own schedule.
	text := await(t, admin, "http://admin/metrics", "systemscale_database_host_version{")
	s := series{"up": {"job": true, "instance": true}}
	s.add(text)
	// Metrics of the node exporter.
	for _, name := range []string{"avail_bytes", "size_bytes", "files", "files_free"} {
		s.add("node_filesystem_" + name + `{device="tmpfs",fstype="tmpfs",mountpoint="/dev/shm"} 6.7108864e+07` + "\n")
	}
	file, err := os.ReadFile("prometheus/etl.prom")
	if err != nil {
		t.Fatal(err)
	}
	s.add(string(file))
	return s
}

type dashboard struct {
	Panels []struct {
		Type, Title, Description string
		FieldConfig              struct{ Defaults struct{ Unit string } }
		Targets                  []struct{ Expr, LegendFormat string }
		GridPos                  struct{ X, Y, W, H int }
	}
	Templating struct {
		List []struct{ Name, Type, Query string }
	}
	Annotations struct{ List []struct{ Name, Expr string } }
}

func TestExpressionsUseExportedMetrics(t *testing.T) {
	known := scraped(t)
	check := func(where, expression string) {
		t.Helper()
		for _, missing := range known.check(expression) {
			t.Errorf("%s: there is no %s, as in %s", where, missing, expression)
		}
	}

	var d dashboard
	text, err := os.ReadFile("grafana/systemscale.json")
	if err == nil {
		err = json.Unmarshal(text, &d)
	}
	if err != nil {
		t.Fatal(err)
	}
	legend := regexp.MustCompile(`\{\{\s*(\w+)\s*\}\}`)
	titles := map[string]bool{}
	for _, panel := range d.Panels {
		if panel.Type == "row" {
			continue
		}
		if panel.Title == "" || titles[panel.Title] || panel.Description == "" ||
			panel.FieldConfig.Defaults.Unit == "" || len(panel.Targets) == 0 {
			t.Errorf("panel %q lacks a title of its own, a description, a unit or an expression", panel.Title)
		}
		titles[panel.Title] = true
		if g := panel.GridPos; g.W <= 0 || g.H <= 0 || g.X < 0 || g.X+g.W > 24 {
			t.Errorf("panel %q is out of the grid: %+v", panel.Title, g)
		}
		for _, target := range panel.Targets {
			check(fmt.Sprintf("panel %q", panel.Title), target.Expr)
			for _, name := range legend.FindAllStringSubmatch(target.LegendFormat, -1) {
				check("legend of "+panel.Title, "sum by ("+name[1]+") ("+target.Expr+")")
			}
		}
	}
	if len(titles) < 20 {
		t.Errorf("there are %d panels", len(titles))
	}
	for _, variable := range d.Templating.List {
		if inner, ok := strings.CutPrefix(variable.Query, "label_values("); ok {
			metric, name, _ := strings.Cut(strings.TrimSuffix(inner, ")"), ",")
			check("variable "+variable.Name, "sum by ("+strings.TrimSpace(name)+") ("+metric+")")
		}
	}
	for _, annotation := range d.Annotations.List {
		check("annotation "+annotation.Name, annotation.Expr)
	}

	var rules struct {
		Groups []struct {
			Name  string
			Rules []struct {
				Alert, Expr, For    string
				Labels, Annotations map[string]string
			}
		}
	}
	readYAML(t, "systemscale.rules.yml", &rules)
	alerts := map[string]bool{}
	for _, group := range rules.Groups {
		for _, rule := range group.Rules {
			if rule.Alert == "" || alerts[rule.Alert] || rule.Annotations["summary"] == "" || rule.Annotations["description"] == "" ||
				!slices.Contains([]string{"page", "ticket"}, rule.Labels["severity"]) {
				t.Errorf("alert %q lacks a name of its own, a summary, a description or a severity", rule.Alert)
			}
			alerts[rule.Alert] = true
			check("alert "+rule.Alert, rule.Expr)
			for _, name := range regexp.MustCompile(`\$labels\.(\w+)`).FindAllStringSubmatch(rule.Annotations["summary"], -1) {
				check("summary of "+rule.Alert, "sum by ("+name[1]+") ("+rule.Expr+")")
			}
		}
	}
	if len(alerts) < 8 {
		t.Errorf("there are %d alerts", len(alerts))
	}
}

func readYAML(t *testing.T, name string, into any) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("prometheus", name))
	if err == nil {
		err = yaml.UnmarshalWithOptions(text, into, yaml.Strict())
	}
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}

func TestScrapeExample(t *testing.T) {
	var config struct {
		Global        map[string]string
		RuleFiles     []string `yaml:"rule_files"`
		ScrapeConfigs []struct {
			JobName        string                       `yaml:"job_name"`
			ScrapeInterval string                       `yaml:"scrape_interval"`
			StaticConfigs  []struct{ Targets []string } `yaml:"static_configs"`
		} `yaml:"scrape_configs"`
	}
	readYAML(t, "prometheus.yml", &config)
	for _, file := range config.RuleFiles {
		if _, err := os.Stat(filepath.Join("prometheus", file)); err != nil {
			t.Error(err)
		}
	}
	job := config.ScrapeConfigs[0]
	if job.JobName != "systemscale-api" || !slices.Contains(job.StaticConfigs[0].Targets, "127.0.0.1:8181") {
		t.Errorf("the default of --admin is not scraped: %+v", job)
	}
}

func TestSeriesCheck(t *testing.T) {
	known := series{"a_total": {"job": true, "x": true}, "b_bucket": {"le": true}}
	f := func(expression string, want ...string) {
		t.Helper()
		if got := known.check(expression); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", expression, got, want)
		}
	}
	f(`rate(a_total{x=~"1|c_total", job!="}"}[5m]) > 0.5`)
	f(`histogram_quantile(0.99, sum by (le) (rate(b_bucket[$__rate_interval])))`)
	f(`max by (x) (a_total) - on (x) group_right a_total and a_total offset 5m`)
	f(`sum by (x, y) (a_total)`, "by (y)")
	f(`sum(rate(a_totl[5m]))`, "a_totl")
	f(`a_total{y="1"} / c_total`, "a_total{y}", "c_total")
	f(`time() - 5`, "no metric at all")
}
