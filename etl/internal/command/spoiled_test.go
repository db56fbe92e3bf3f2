package command

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/goccy/go-json"
	"github.com/google/go-cmp/cmp"

	"systemscale/etl/internal/source"
	"systemscale/sql/testdb"
)

// spoiledFiles is a part of the generator's report.
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
var mendedAs = map[string]string{
	"missing_closing_quote": source.RepairedQuote, "uhttps": "uhttps", "zero_related_product_id": "no such product",
}

// wanted returns the rejects and counts that a run of spoiled files must report: lines such as "photos.csv:7 bare quote" and
// "photos.csv: 287 read".
func (s spoiledFiles) wanted(t *testing.T) (rejects, counts []string) {
	t.Helper()
	reasons := map[string]bool{}
	for _, file := range s.Files {
		counts = append(counts, fmt.Sprintf("%s: %d read", file.Name, file.Rows))
		for _, dirt := range file.Dirt {
			if name := mendedAs[dirt.Kind]; dirt.Rows > 0 && (dirt.Fate == "repaired" || dirt.Fate == "filtered") {
				counts = append(counts, fmt.Sprintf("%s: %d %s, %s", file.Name, dirt.Rows, dirt.Fate, name))
			}
			if dirt.Fate != "rejected" {
				continue
			}
			if len(dirt.Lines) == 0 {
				t.Errorf("no row of %s is spoiled with %s", file.Name, dirt.Kind)
			}
			reasons[dirt.Reason] = true
			for _, line := range dirt.Lines {
				rejects = append(rejects, fmt.Sprintf("%s:%d %s", file.Name, line, dirt.Reason))
			}
		}
	}
	if len(reasons) != 12 {
		t.Errorf("rows are spoiled for %d reasons, want 12: %q", len(reasons), slices.Sorted(maps.Keys(reasons)))
	}
	return rejects, counts
}

// readRejects returns the rejects of a log in the form of wanted.
func readRejects(t *testing.T, path string) (rejects []string) {
	t.Helper()
	log, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(log) {
		var row struct {
			File   string
			Line   int64
			Reason string
		}
		if err := json.Unmarshal(line, &row); err != nil {
			t.Fatalf("%s has %q: %v", path, line, err)
		}
		rejects = append(rejects, fmt.Sprintf("%s:%d %s", row.File, row.Line, row.Reason))
	}
	return rejects
}

// recordedCounts returns the counts of the newest run in the form of wanted, and the number of its rejects.
func recordedCounts(t *testing.T, database testdb.Database) (recorded []string, rejected int64) {
	t.Helper()
	code, stdout, stderr := etl(t.Context(), "history", "--database", database.ETL, "--json", "--limit", "1")
	var runs []struct{ Sources []source.Counts }
	if err := json.Unmarshal([]byte(must(t, exitOK, code, stdout, stderr)), &runs); err != nil || len(runs) != 1 {
		t.Fatalf("history has %s (%v)", stdout, err)
	}
	for _, counts := range runs[0].Sources {
		recorded = append(recorded, fmt.Sprintf("%s: %d read", counts.File, counts.Read))
		for fate, byName := range map[string]map[string]int64{"repaired": counts.Repaired, "filtered": counts.Filtered} {
			for name, rows := range byName {
				if rows > 0 {
					recorded = append(recorded, fmt.Sprintf("%s: %d %s, %s", counts.File, rows, fate, name))
				}
			}
		}
		rejected += source.Sum(counts.Rejected)
	}
	return recorded, rejected
}

// TestRunReportsExactlyWhatWasSpoiled has the generator spoil rows in all its ways.
func TestRunReportsExactlyWhatWasSpoiled(t *testing.T) {
	database := testdb.New(t)
	binaries := build(t, "systemscale/scripts/generate")
	generate := func(t *testing.T, seed int, flags ...string) string {
		directory := filepath.Join(t.TempDir(), "csv")
		args := append([]string{"--products", "300", "--seed", fmt.Sprint(seed), "--dirt", "--out", directory}, flags...)
		if out, err := exec.CommandContext(t.Context(), filepath.Join(binaries, "generate"), args...).CombinedOutput(); err != nil {
			t.Fatalf("generate: %v\n%s", err, out)
		}
		return directory
	}
	rejects := t.TempDir()
	for seed := 1; seed <= 3; seed++ {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			mended, spoiled := generate(t, seed), generate(t, seed, "--malformed")
			code, stdout, stderr := etl(t.Context(), "run", "--csv", spoiled, "--database", database.ETL,
				"--rejects", rejects, "--accept", "rejects", "--accept", "changed")
			must(t, exitOK, code, stdout, stderr)

			var made spoiledFiles
			readJSON(t, filepath.Join(spoiled, "generated.json"), &made)
			wantRejects, wantCounts := made.wanted(t)
			wantSame(t, "rejects", readRejects(t, filepath.Join(rejects, fmt.Sprintf("products-%d", seed), "rejects.ndjson")), wantRejects)
			counts, rejected := recordedCounts(t, database)
			wantSame(t, "counts", counts, wantCounts)
			if rejected != int64(len(wantRejects)) {
				t.Errorf("%d rows are counted as rejected, want %d", rejected, len(wantRejects))
			}

			if got, want := rendered(t, spoiled), rendered(t, mended); !maps.Equal(got, want) {
				t.Error("rejected rows change the documents")
			}
			// Only the spoiled files end in a line feed.
			code, stdout, stderr = etl(t.Context(), "plan", "--csv", mended, "--database", database.ETL, "--accept", "truncated-file")
			if code != exitOK {
				t.Errorf("the published documents differ from the files without the spoiled rows: exit code %d\n%s%s", code, stdout, stderr)
			}
		})
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

// wantSame compares two lists without regard to order.
func wantSame(t *testing.T, what string, got, want []string) {
	t.Helper()
	slices.Sort(got)
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}
