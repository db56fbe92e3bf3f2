package kubernetes_test

import (
	"flag"
	"os"
	"regexp"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

var update = flag.Bool("update", false, "rewrite components/monitoring/rules.yaml")

const (
	rulesOfPrometheus = "../monitoring/prometheus/systemscale.rules.yml"
	rulesOfOperator   = "components/monitoring/rules.yaml"
	rulesHeader       = "# Generated from infra/monitoring/prometheus/systemscale.rules.yml by: go test ./infra/kubernetes -run TestRules -update\n" +
		"apiVersion: monitoring.coreos.com/v1\nkind: PrometheusRule\nmetadata:\n  name: systemscale\nspec:\n"
)

// TestRules compares the rules for the operator with those for Prometheus. kustomize cannot include a file as part of an object.
func TestRules(t *testing.T) {
	indented := regexp.MustCompile(`(?m)^(.)`).ReplaceAllString(read(t, rulesOfPrometheus), "  $1")
	want := rulesHeader + indented
	if *update {
		if err := os.WriteFile(rulesOfOperator, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if read(t, rulesOfOperator) != want {
		t.Errorf("%s differs from %s. To write it again: go test ./infra/kubernetes -run TestRules -update", rulesOfOperator, rulesOfPrometheus)
	}
	// As the operator's type, the rules are the same rules.
	var plain struct{ Groups []any }
	if err := yaml.Unmarshal([]byte(read(t, rulesOfPrometheus)), &plain); err != nil {
		t.Fatal(err)
	}
	rule := render(t, "production").rules["systemscale"]
	if rule == nil || len(rule.Spec.Groups) != len(plain.Groups) || len(plain.Groups) == 0 {
		t.Fatalf("the object has other groups than the file, which has %d", len(plain.Groups))
	}
	alerts := 0
	for _, group := range rule.Spec.Groups {
		for _, one := range group.Rules {
			if one.Alert != "" && one.Expr.String() != "" && one.Labels["severity"] != "" {
				alerts++
			}
		}
	}
	if want := strings.Count(want, "- alert: "); alerts != want {
		t.Errorf("%d alerts with an expression and a severity, want %d", alerts, want)
	}
}
