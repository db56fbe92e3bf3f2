package main

import (
	"bytes"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"systemscale/scripts/chart"
	"systemscale/scripts/growth/capacity"
	"systemscale/scripts/growth/size"
	ladder "systemscale/scripts/ladder/report"
	"systemscale/scripts/page"
)

const docs = "../../infra/docs"

// The page and its charts are those of the committed numbers.
func TestPageIsCurrent(t *testing.T) {
	n, err := readNumbers(filepath.Join(docs, "growth.json"))
	if err != nil {
		t.Fatal(err)
	}
	made, err := newContent(n)
	if err != nil {
		t.Fatal(err)
	}
	const remedy = "run ./scripts/task growth"
	text, err := os.ReadFile(filepath.Join(docs, "growth.md"))
	if err != nil {
		t.Fatal(err)
	}
	want, err := page.Fill(string(text), made.parts)
	if err != nil {
		t.Fatal(err)
	}
	if difference := cmp.Diff(want, string(text)); difference != "" {
		t.Errorf("growth.md is not current: %s\n%s", remedy, difference)
	}
	for name, c := range made.charts {
		if !strings.Contains(string(text), chart.Picture(pictures, name, "")[:40]) || !strings.Contains(string(text), name+"-dark.svg") {
			t.Errorf("growth.md does not show %s", name)
		}
		for _, theme := range []chart.Theme{chart.Light, chart.Dark} {
			svg, err := c.SVG(theme)
			if err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(docs, pictures, name+"-"+theme.String()+".svg")
			if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, svg) {
				t.Errorf("%s is not current (%v): %s", path, err, remedy)
			}
		}
	}
}

// climb returns a report of a ladder in which each rung costs what the map has, in microseconds.
func climb(cpu map[[2]string]map[string]float64) *ladder.Report {
	r := &ladder.Report{Date: "2026-01-02T03:04:05Z", Products: 1000, Rounds: 3}
	for _, key := range slices.SortedFunc(maps.Keys(cpu), func(a, b [2]string) int { return strings.Compare(a[0]+a[1], b[0]+b[1]) }) {
		window := ladder.Window{Kind: ladder.Peak, Traffic: key[1], Endpoint: ladder.All, CPU: map[string]ladder.Spread{}}
		for role, used := range cpu[key] {
			window.CPU[role] = ladder.Spread{Min: used / 2, Median: used, Max: 2 * used}
		}
		if found := r.Find(key[0]); found != nil {
			found.Windows = append(found.Windows, window)
			continue
		}
		r.Rungs = append(r.Rungs, ladder.Rung{Name: key[0], Windows: []ladder.Window{window}})
	}
	return r
}

func fullClimb() map[[2]string]map[string]float64 {
	return map[[2]string]map[string]float64{
		{rungJoins, ladder.Zipf}:         {rolePlain: 100, rolePostgres: 900},
		{rungJoinsBalanced, ladder.Zipf}: {rolePlain: 100, rolePostgres: 910, roleNGINX: 30},
		{rungAPI, ladder.Zipf}:           {roleAPI: 20, rolePostgres: 30},
		{rungAPIBalanced, ladder.Zipf}:   {roleAPI: 20, rolePostgres: 32, roleNGINX: 28},
		{rungAPICached, ladder.Zipf}:     {roleAPI: 5, rolePostgres: 8, roleNGINX: 18},
		{rungAPICached, ladder.Hot}:      {roleAPI: 1, rolePostgres: 2, roleNGINX: 12},
	}
}

func TestRequestsOf(t *testing.T) {
	r, err := requestsOf(climb(fullClimb()))
	if err != nil {
		t.Fatal(err)
	}
	n := &numbers{Ladder: r, Size: &size.Report{Sizes: []size.Size{{
		Products: 100, Rows: 2000, Documents: 400, TableBytes: 50_000, IndexBytes: 4000, Load: size.Step{CPU: 0.01, Postgres: 0.02, Memory: 1 << 20},
		Delta: size.Step{CPU: 0.004, Postgres: 0.002}, Lookup: size.Lookup{API: []float64{1}, Postgres: []float64{2}, Bytes: 600},
	}}}}
	want := capacity.Costs{
		Products: 1000, API: 20, Postgres: 32, Proxy: 28, Hit: 12, Joins: 1000, ResponseBytes: 600,
		Rows: 20, Documents: 4, TableBytes: 500, IndexBytes: 40, Load: 15, Delta: 3, LoadMemory: 1 << 20,
	}
	if difference := cmp.Diff(want, n.costs(), cmp.Comparer(func(x, y float64) bool { return x-y < 1e-9 && y-x < 1e-9 })); difference != "" {
		t.Error(difference)
	}

	// 20 + 30 + 30 = 80 of 80; 1000 + 28 = 1028 of 1040; three quarters of hits: 9 + 80 / 4 = 29 of 31.
	for i, pair := range [][2]float64{{80, 80}, {1028, 1040}, {29, 31}} {
		if got := n.predictions()[i]; got.Predicted != pair[0] || got.Measured != pair[1] {
			t.Errorf("prediction %+v, want %v", got, pair)
		}
	}
}

func TestIncompleteReports(t *testing.T) {
	for key := range fullClimb() {
		part := fullClimb()
		delete(part, key)
		if _, err := requestsOf(climb(part)); err == nil || !strings.Contains(err.Error(), key[0]) {
			t.Errorf("without %s: error %v", key, err)
		}
	}
	if _, err := newContent(&numbers{}); err == nil {
		t.Error("a page without numbers")
	}
	if _, err := newContent(&numbers{Ladder: &requests{}, Size: &size.Report{Sizes: []size.Size{{
		Products: 1, Rows: 1, Lookup: size.Lookup{API: []float64{1}, Postgres: []float64{1}},
	}}}}); err == nil {
		t.Error("a page of costs that are all zero")
	}
}

// The whole command: numbers from two reports, and a page with its charts, in another directory.
func TestRun(t *testing.T) {
	directory := t.TempDir()
	text, err := os.ReadFile(filepath.Join(docs, "growth.md"))
	if err != nil {
		t.Fatal(err)
	}
	committed, err := readNumbers(filepath.Join(docs, "growth.json"))
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{"growth.md": text, "growth.json": []byte("{}")} {
		if err := os.WriteFile(filepath.Join(directory, name), content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(directory, pictures), 0o755); err != nil {
		t.Fatal(err)
	}
	a := arguments{Docs: directory}
	if err := a.run(&bytes.Buffer{}); err == nil {
		t.Error("a page without numbers was written")
	}
	a.Ladder, a.Size = filepath.Join(directory, "ladder.json"), filepath.Join(directory, "size.json")
	if err := climb(fullClimb()).Write(a.Ladder); err != nil {
		t.Fatal(err)
	}
	if err := committed.Size.Write(a.Size); err != nil {
		t.Fatal(err)
	}
	if err := a.run(&bytes.Buffer{}); err != nil {
		t.Fatal(err)
	}
	written, err := os.ReadFile(filepath.Join(directory, "growth.md"))
	if err != nil || !bytes.Contains(written, []byte("1,000 products, 3 rounds, 2026-01-02")) || bytes.Contains(written, []byte("made up")) {
		t.Errorf("the page (%v) has other numbers:\n%s", err, written)
	}
	if charts, err := filepath.Glob(filepath.Join(directory, pictures, "*.svg")); err != nil || len(charts) != 14 {
		t.Errorf("%d charts, %v; want 7, light and dark", len(charts), err)
	}
}

func TestDuration(t *testing.T) {
	for seconds, want := range map[float64]string{0.24: "0.2 s", 31: "31 s", 119: "119 s", 600: "10 min", 7300: "2 h"} {
		if got := duration(seconds); got != want {
			t.Errorf("duration(%v) = %q, want %q", seconds, got, want)
		}
	}
}
