package monitoring_test

import (
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// series are metrics by name, as Prometheus has them, each with the names of its labels.
type series map[string]map[string]bool

// series returns all metrics that Prometheus has scraped.
func (p prometheus) series(t *testing.T) series {
	t.Helper()
	var scraped []map[string]string
	p.api(t, "series", url.Values{"match[]": {`{__name__=~".+"}`}}, &scraped)
	s := series{}
	for _, labels := range scraped {
		name := labels["__name__"]
		if s[name] == nil {
			s[name] = map[string]bool{}
		}
		for label := range labels {
			s[name][label] = true
		}
	}
	return s
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
