package command

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-json"

	"systemscale/etl/internal/source"
	"systemscale/sql/testdb"
)

// spoiledFiles is what the tests read of the generator's report.
type spoiledFiles struct {
	Files []struct {
		Name string
		Rows int64
		Dirt []struct {
			Kind, Fate, Reason string
			Rows               int64
			Lines              []int64
		}
	}
}

// mendedAs has the names in the shape for the kinds of dirt that are repaired or filtered.
var mendedAs = map[string]string{"missing_closing_quote": source.RepairedQuote, "uhttps": "uhttps", "zero_related_product_id": "no such product"}

// TestRunReportsExactlyWhatWasSpoiled has the generator spoil rows in every way it knows.
func TestRunReportsExactlyWhatWasSpoiled(t *testing.T) {
	database := testdb.New(t)
	binaries := build(t, "systemscale/scripts/generate")
	generate := func(seed int, flags ...string) string {
		directory := filepath.Join(t.TempDir(), "csv")
		args := append([]string{"--products", "300", "--seed", fmt.Sprint(seed), "--dirt", "--out", directory}, flags...)
		if out, err := exec.CommandContext(t.Context(), filepath.Join(binaries, "generate"), args...).CombinedOutput(); err != nil {
			t.Fatalf("generate: %v\n%s", err, out)
		}
		return directory
	}
	rejects := t.TempDir()
	for seed := 1; seed <= 3; seed++ {
		mended, spoiled := generate(seed), generate(seed, "--malformed")
		code, stdout, stderr := etl(t.Context(), "run", "--csv", spoiled, "--database", database.ETL, "--rejects", rejects, "--accept", "rejects", "--accept", "changed")
		must(t, exitOK, code, stdout, stderr)

		var made spoiledFiles
		readJSON(t, filepath.Join(spoiled, "generated.json"), &made)
		var wantRows, wantCounts []string
		reasons := map[string]bool{}
		for _, file := range made.Files {
			wantCounts = append(wantCounts, fmt.Sprintf("%s: %d read", file.Name, file.Rows))
			for _, dirt := range file.Dirt {
				if name := mendedAs[dirt.Kind]; dirt.Rows > 0 && (dirt.Fate == "repaired" || dirt.Fate == "filtered") {
					wantCounts = append(wantCounts, fmt.Sprintf("%s: %d %s, %s", file.Name, dirt.Rows, dirt.Fate, name))
				}
				if dirt.Fate != "rejected" {
					continue
				}
				if len(dirt.Lines) == 0 {
					t.Errorf("seed %d: no row of %s is spoiled with %s", seed, file.Name, dirt.Kind)
				}
				reasons[dirt.Reason] = true
				for _, line := range dirt.Lines {
					wantRows = append(wantRows, fmt.Sprintf("%s:%d %s", file.Name, line, dirt.Reason))
				}
			}
		}
		if len(reasons) != 12 {
			t.Errorf("seed %d: rows are spoiled for %d reasons, want 12: %q", seed, len(reasons), slices.Sorted(maps.Keys(reasons)))
		}

		log, err := os.ReadFile(filepath.Join(rejects, fmt.Sprintf("products-%d", seed), "rejects.ndjson"))
		if err != nil {
			t.Fatal(err)
		}
		var gotRows, gotCounts []string
		for line := range bytes.Lines(log) {
			var row struct {
				File   string
				Line   int64
				Reason string
			}
			if err := json.Unmarshal(line, &row); err != nil {
				t.Fatalf("rejects.ndjson has %q: %v", line, err)
			}
			gotRows = append(gotRows, fmt.Sprintf("%s:%d %s", row.File, row.Line, row.Reason))
		}
		same(t, fmt.Sprintf("seed %d, rejects", seed), gotRows, wantRows)

		code, stdout, stderr = etl(t.Context(), "history", "--database", database.ETL, "--json", "--limit", "1")
		var runs []struct{ Sources []source.Counts }
		if err := json.Unmarshal([]byte(must(t, exitOK, code, stdout, stderr)), &runs); err != nil || len(runs) != 1 {
			t.Fatalf("history has %s (%v)", stdout, err)
		}
		rejected := int64(0)
		for _, counts := range runs[0].Sources {
			gotCounts = append(gotCounts, fmt.Sprintf("%s: %d read", counts.File, counts.Read))
			for fate, byName := range map[string]map[string]int64{"repaired": counts.Repaired, "filtered": counts.Filtered} {
				for name, rows := range byName {
					if rows > 0 {
						gotCounts = append(gotCounts, fmt.Sprintf("%s: %d %s, %s", counts.File, rows, fate, name))
					}
				}
			}
			rejected += source.Sum(counts.Rejected)
		}
		same(t, fmt.Sprintf("seed %d, counts", seed), gotCounts, wantCounts)
		if rejected != int64(len(wantRows)) {
			t.Errorf("seed %d: %d rows are counted as rejected, want %d", seed, rejected, len(wantRows))
		}

		if got, want := rendered(t, spoiled), rendered(t, mended); !maps.Equal(got, want) {
			t.Errorf("seed %d: the rows that are rejected show in the documents", seed)
		}
		// The spoiled files end in a line feed, and the others do not.
		if code, stdout, stderr := etl(t.Context(), "plan", "--csv", mended, "--database", database.ETL, "--accept", "truncated-file"); code != exitOK {
			t.Errorf("seed %d: what was published differs from the files without the spoiled rows: exit code %d\n%s%s", seed, code, stdout, stderr)
		}
	}
}

func readJSON(t *testing.T, path string, into any) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(text, into)
	}
	if err != nil {
		t.Fatalf("read %s: %v", path, err)
	}
}

// same compares two lists, in whatever order, and shows what only one of them has.
func same(t *testing.T, what string, got, want []string) {
	t.Helper()
	slices.Sort(got)
	slices.Sort(want)
	if slices.Equal(got, want) {
		return
	}
	only := func(of, other []string) string {
		return strings.Join(slices.DeleteFunc(slices.Clone(of), func(line string) bool { return slices.Contains(other, line) }), "\n  ")
	}
	t.Errorf("%s: %d lines, want %d\nunexpected:\n  %s\nmissing:\n  %s", what, len(got), len(want), only(got, want), only(want, got))
}
