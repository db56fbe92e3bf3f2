package main

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"systemscale/scripts/ladder/report"
)

// root is the repository's top directory, relative to this package.
const root = "../.."

// measured returns a report of one rung.
func measured() *report.Report {
	return &report.Report{
		Products: 1000, Rounds: 1, Plan: report.Plan{Steps: []float64{500}},
		Rungs: []report.Rung{{Name: "joins", Title: "joins at request time", Letter: "a"}},
		Samples: []report.Sample{
			{Rung: "joins", Round: 1, Kind: report.Peak, Traffic: report.Zipf, Endpoint: report.All, CPU: map[string]float64{"postgres": 321}},
			{Rung: "joins", Round: 1, Kind: report.Step, Traffic: report.Zipf, Endpoint: report.All, Offered: 500, P50: 1, P99: 2, Done: 1},
		},
	}
}

// TestTheDocumentationHasAllPartsOfTheReport fills copies of the pages.
func TestTheDocumentationHasAllPartsOfTheReport(t *testing.T) {
	clone := t.TempDir()
	if err := os.MkdirAll(filepath.Join(clone, docsPath, picturesPath), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"README.md", docsPath + "/ladder.md"} {
		text, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(clone, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	file := filepath.Join(t.TempDir(), "ladder.json")
	if err := measured().Write(file); err != nil {
		t.Fatal(err)
	}
	if err := program.Execute(t.Context(), []string{"report", file, "--docs", clone}, io.Discard, io.Discard); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"README.md":             `src="infra/docs/pictures/ladder-cpu-light.svg"`,
		docsPath + "/ladder.md": `src="pictures/ladder-cpu-light.svg"`,
		docsPath + "/pictures/ladder-cpu-dark.svg":     "<svg",
		docsPath + "/pictures/ladder-errors-light.svg": "<svg",
	} {
		if text, err := os.ReadFile(filepath.Join(clone, name)); err != nil || !strings.Contains(string(text), want) {
			t.Errorf("%s has no %s, %v", name, want, err)
		}
	}
	page, err := os.ReadFile(filepath.Join(clone, docsPath, "ladder.md"))
	if err != nil || !strings.Contains(string(page), "- **joins at request time** (`joins`): 321 µs of processor time per request") {
		t.Errorf("the page has no sentence on the rung, %v", err)
	}
}
