// Package monitoring_test loads the alert rules and the scrape configuration into a real Prometheus that scrapes both programs, tests each
// alert with promtool, and checks the dashboard against what was scraped and against Grafana's types.
package monitoring_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-json"
	"github.com/goccy/go-yaml"
	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/cog/plugins"
	grafana "github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

// TestScrape runs both programs and checks that every expression of the dashboard and of the alerts is about what Prometheus scrapes.
func TestScrape(t *testing.T) {
	p := newPrometheus(t)
	known := p.series(t)
	t.Run("dashboard", func(t *testing.T) { checkDashboard(t, p) })
	t.Run("alerts", func(t *testing.T) { checkAlerts(t, p, known) })
	t.Run("example of the textfile", func(t *testing.T) { checkTextfile(t, known) })
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
	Annotations struct {
		List []struct{ Name, Expr, TitleFormat string }
	}
}

var legend = regexp.MustCompile(`\{\{\s*(\w+)\s*\}\}`)

// checkDashboard evaluates every expression of the dashboard. Each must return something, with the labels of its legend.
func checkDashboard(t *testing.T, p prometheus) {
	var d dashboard
	if err := json.Unmarshal([]byte(read(t, "grafana/systemscale.json")), &d); err != nil {
		t.Fatal(err)
	}
	check := func(where, expression, text string) {
		t.Helper()
		found := p.query(t, strings.NewReplacer("$__rate_interval", "1m", "$instance", ".*").Replace(expression))
		if len(found) == 0 {
			t.Errorf("%s: there is nothing for %s", where, expression)
		}
		for _, name := range legend.FindAllStringSubmatch(text, -1) {
			if slices.ContainsFunc(found, func(labels map[string]string) bool { return labels[name[1]] == "" }) {
				t.Errorf("%s: the series of %s have no label %s, which %q uses", where, expression, name[1], text)
			}
		}
	}
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
			check(fmt.Sprintf("panel %q", panel.Title), target.Expr, target.LegendFormat)
		}
	}
	if len(titles) < 20 {
		t.Errorf("there are %d panels", len(titles))
	}
	for _, variable := range d.Templating.List {
		if inner, ok := strings.CutPrefix(variable.Query, "label_values("); ok {
			metric, name, _ := strings.Cut(strings.TrimSuffix(inner, ")"), ",")
			check("variable "+variable.Name, metric, "{{"+strings.TrimSpace(name)+"}}")
		}
	}
	for _, annotation := range d.Annotations.List {
		// The expression returns something only after a publish.
		expression, _, _ := strings.Cut(annotation.Expr, " > 0")
		check("annotation "+annotation.Name, expression, annotation.TitleFormat)
	}
}

// TestDashboardHasGrafanasForm decodes the dashboard into the types that Grafana publishes for dashboards and for the options of panels. An
// unknown field, a missing one and one of another type are errors.
func TestDashboardHasGrafanasForm(t *testing.T) {
	plugins.RegisterDefaultPlugins()
	//lint:ignore SA1019 version 2 is another format, which Grafana before 12 cannot import
	var d grafana.Dashboard
	err := d.UnmarshalJSONStrict([]byte(read(t, "grafana/systemscale.json")))
	var errs cog.BuildErrors
	if errors.As(err, &errs) && len(errs) == 0 { // it returns an empty list if there are no errors
		return
	}
	if err != nil {
		t.Error(err)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func readYAML(t *testing.T, name string, into any) {
	t.Helper()
	if err := yaml.UnmarshalWithOptions([]byte(read(t, filepath.Join("prometheus", name))), into, yaml.Strict()); err != nil {
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

// mountPointsExclude returns the flag's value that prometheus.yml recommends.
func mountPointsExclude(t *testing.T) string {
	t.Helper()
	found := regexp.MustCompile(`(?m)# --collector.filesystem.mount-points-exclude=(.+)$`).FindStringSubmatch(read(t, "prometheus/prometheus.yml"))
	if found == nil {
		t.Fatal("prometheus.yml does not recommend a value for --collector.filesystem.mount-points-exclude")
	}
	return found[1]
}

var sample = regexp.MustCompile(`(?m)^([a-zA-Z_][a-zA-Z0-9_]*)\{(.*)\} \S+$`)

// checkTextfile compares etl.prom with the metrics of a real run.
func checkTextfile(t *testing.T, known series) {
	for _, line := range sample.FindAllStringSubmatch(read(t, "prometheus/etl.prom"), -1) {
		if missing := known.check(line[1] + "{" + line[2] + "}"); missing != nil {
			t.Errorf("etl.prom has %q, which etl run does not write", missing)
		}
	}
}
