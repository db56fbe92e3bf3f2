package monitoring_test

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

type rule struct {
	Alert, Expr, For    string
	Labels, Annotations map[string]string
}

// rules returns the alerts in the order of the file.
func rules(t *testing.T) []rule {
	t.Helper()
	var file struct {
		Groups []struct {
			Name  string
			Rules []rule
		}
	}
	readYAML(t, "systemscale.rules.yml", &file)
	var all []rule
	for _, group := range file.Groups {
		all = append(all, group.Rules...)
	}
	return all
}

// checkAlerts checks that Prometheus evaluates every rule, and that it has the metrics and labels of the expressions.
func checkAlerts(t *testing.T, p prometheus, known series) {
	for _, rule := range rules(t) {
		for _, missing := range known.check(rule.Expr) {
			t.Errorf("alert %s: there is no %s, as in %s", rule.Alert, missing, rule.Expr)
		}
	}
	mounts, err := os.ReadFile("/proc/mounts") // on Linux
	for _, point := range []string{"/dev/shm", "/run"} {
		if err == nil && strings.Contains(string(mounts), " "+point+" tmpfs ") &&
			len(p.query(t, `node_filesystem_avail_bytes{mountpoint="`+point+`"}`)) == 0 {
			t.Errorf("alert CacheDiskFull: the node exporter leaves out %s", point)
		}
	}
	var loaded struct {
		Groups []struct {
			Rules []struct{ Name, Health, LastError, State string }
		}
	}
	p.api(t, "rules", nil, &loaded)
	names := map[string]bool{}
	for _, group := range loaded.Groups {
		for _, rule := range group.Rules {
			names[rule.Name] = true
			if rule.Health != "ok" && rule.Health != "unknown" { // not evaluated yet
				t.Errorf("alert %s: Prometheus reports %s %s", rule.Name, rule.Health, rule.LastError)
			}
			if rule.State == "firing" && rule.Name != "CacheDiskFull" { // this machine's disk may be full
				t.Errorf("alert %s fires while both programs work", rule.Name)
			}
		}
	}
	for _, rule := range rules(t) {
		if !names[rule.Alert] {
			t.Errorf("alert %s: Prometheus has not loaded it", rule.Alert)
		}
	}
}

// TestRunbook checks that each alert names its section in the page on operations, which has no section of an alert that does not exist.
func TestRunbook(t *testing.T) {
	page := read(t, "../docs/operations.md")
	_, section, found := strings.Cut(page, "\n## Alerts\n")
	if !found {
		t.Fatal("operations.md has no section Alerts")
	}
	section, _, _ = strings.Cut(section, "\n## ")
	sections := map[string]string{}
	for _, heading := range regexp.MustCompile(`(?m)^### (.+)$`).FindAllStringSubmatch(section, -1) {
		sections["infra/docs/operations.md#"+strings.ToLower(heading[1])] = heading[1]
	}
	used := map[string]bool{}
	for _, rule := range rules(t) {
		runbook := rule.Annotations["runbook"]
		if sections[runbook] != rule.Alert {
			t.Errorf("alert %s: the annotation runbook is %q, which is not the section of the alert in operations.md", rule.Alert, runbook)
		}
		used[runbook] = true
	}
	for anchor, heading := range sections {
		if !used[anchor] {
			t.Errorf("operations.md explains the alert %s, which no rule has", heading)
		}
	}
}

// TestAlerts runs the cases of every alert with promtool. An alert without cases is an error.
func TestAlerts(t *testing.T) {
	promtool := find(t, "promtool")
	type instance struct {
		Labels      map[string]string `yaml:"exp_labels"`
		Annotations map[string]string `yaml:"exp_annotations"`
	}
	type assertion struct {
		At        string     `yaml:"eval_time"`
		Alert     string     `yaml:"alertname"`
		Instances []instance `yaml:"exp_alerts"`
	}
	type input struct{ Series, Values string }
	type test struct {
		Name       string
		Interval   string
		Input      []input     `yaml:"input_series"`
		Assertions []assertion `yaml:"alert_rule_test"`
	}
	var tests []test
	add := func(name, alert string, s situation, instances ...instance) {
		var inputs []input
		for _, line := range s.series {
			name, values, found := strings.Cut(line, "  ")
			if !found {
				t.Fatalf("%q has no two spaces before the values", line)
			}
			inputs = append(inputs, input{name, values})
		}
		tests = append(tests, test{name, "15s", inputs, []assertion{{s.at, alert, instances}}})
	}
	seen := map[string]bool{}
	for _, rule := range rules(t) {
		if rule.Alert == "" || seen[rule.Alert] || rule.Annotations["summary"] == "" || rule.Annotations["description"] == "" ||
			!slices.Contains([]string{"page", "ticket"}, rule.Labels["severity"]) {
			t.Errorf("alert %q lacks a name of its own, a summary, a description or a severity", rule.Alert)
		}
		seen[rule.Alert] = true
		c := alertCases[rule.Alert]
		if c.fires.series == nil || len(c.quiet) == 0 {
			t.Errorf("alert %s lacks a case in which it fires, or one in which it does not", rule.Alert)
			continue
		}
		labels, annotations := maps.Clone(rule.Labels), maps.Clone(rule.Annotations)
		maps.Copy(labels, c.labels)
		annotations["summary"] = c.summary
		add(rule.Alert+" fires", rule.Alert, c.fires, instance{labels, annotations})
		for _, s := range c.quiet {
			add(rule.Alert+" does not fire", rule.Alert, s)
		}
	}
	for alert := range alertCases {
		if !seen[alert] {
			t.Errorf("there are cases of the alert %s, which no rule has", alert)
		}
	}
	path, err := filepath.Abs("prometheus/systemscale.rules.yml")
	if err != nil {
		t.Fatal(err)
	}
	text, err := yaml.Marshal(map[string]any{"rule_files": []string{path}, "evaluation_interval": "15s", "tests": tests})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "tests.yml")
	write(t, file, string(text))
	for _, arguments := range [][]string{{"check", "rules", path}, {"test", "rules", file}} {
		if out, err := exec.CommandContext(t.Context(), promtool, arguments...).CombinedOutput(); err != nil {
			t.Errorf("promtool %s: %v\n%s", strings.Join(arguments, " "), err, out)
		}
	}
}
