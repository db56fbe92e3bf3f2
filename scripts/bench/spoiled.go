package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"systemscale/scripts/measure"
	"systemscale/scripts/measure/workspace"

	"github.com/goccy/go-json"
)

// repairs contains the ETL's names for the kinds of dirt that it repairs or filters.
var repairs = map[string]string{"missing_closing_quote": "closed quote", "uhttps": "uhttps", "zero_related_product_id": "no such product"}

// compareWithSpoiled compares the rejects and counts of the last run with the generator's report. It returns the number of rejects, and
// an error if they differ. program is the ETL, csv the directory of the catalog, and rejects the directory of all runs' rejects.
func compareWithSpoiled(ctx context.Context, program, url, csv, rejects string) (int, error) {
	report, err := workspace.ReadGenerated(csv)
	if err != nil {
		return 0, err
	}
	spoiled, wanted := expected(report)
	run, counted, err := readLastRun(ctx, program, url)
	if err != nil {
		return 0, err
	}
	rejected, err := readRejects(filepath.Join(rejects, fmt.Sprintf("products-%d", run), "rejects.ndjson"))
	if err != nil {
		return 0, err
	}
	return len(rejected), errors.Join(compareLines("rejected rows", rejected, spoiled), compareLines("counts", counted, wanted))
}

// expected returns a line for each row that a run must reject, and a line for each count that it must have.
func expected(g workspace.Generated) (rows, counts []string) {
	for _, file := range g.Files {
		counts = append(counts, fmt.Sprintf("%s: %d read", file.Name, file.Rows))
		rejected := map[string]int64{}
		for _, dirt := range file.Dirt {
			switch dirt.Fate {
			case "rejected":
				rejected[dirt.Reason] += dirt.Rows
				for _, line := range dirt.Lines {
					rows = append(rows, fmt.Sprintf("%s:%d %s", file.Name, line, dirt.Reason))
				}
			case "repaired", "filtered":
				counts = appendCounts(counts, file.Name, dirt.Fate, map[string]int64{repairs[dirt.Kind]: dirt.Rows})
			}
		}
		counts = appendCounts(counts, file.Name, "rejected", rejected)
	}
	return rows, counts
}

// readLastRun returns the number of the last run in the history, and a line for each of its counts.
func readLastRun(ctx context.Context, program, url string) (run int64, counts []string, err error) {
	took, err := measure.Run(ctx, program, "history", "--database", url, "--json", "--limit", "1")
	if err != nil {
		return 0, nil, err
	}
	var runs []struct {
		Run     int64
		Sources []struct {
			File                         string
			Read                         int64
			Filtered, Rejected, Repaired map[string]int64
		}
	}
	if err := json.Unmarshal([]byte(took.Out), &runs); err != nil {
		return 0, nil, fmt.Errorf("read the history: %w", err)
	}
	if len(runs) == 0 {
		return 0, nil, errors.New("the history has no run")
	}
	for _, source := range runs[0].Sources {
		counts = append(counts, fmt.Sprintf("%s: %d read", source.File, source.Read))
		counts = appendCounts(counts, source.File, "filtered", source.Filtered)
		counts = appendCounts(counts, source.File, "rejected", source.Rejected)
		counts = appendCounts(counts, source.File, "repaired", source.Repaired)
	}
	return runs[0].Run, counts, nil
}

func appendCounts(lines []string, file, fate string, counts map[string]int64) []string {
	for name, rows := range counts {
		if rows > 0 {
			lines = append(lines, fmt.Sprintf("%s: %d %s, %s", file, rows, fate, name))
		}
	}
	return lines
}

// readRejects returns a line for each row that a run rejected.
func readRejects(path string) (rows []string, err error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }() // only read
	for decoder := json.NewDecoder(file); ; {
		var row struct {
			File   string
			Line   int64
			Reason string
		}
		if err := decoder.Decode(&row); errors.Is(err, io.EOF) {
			return rows, nil
		} else if err != nil {
			return nil, fmt.Errorf("read %s: %w", path, err)
		}
		rows = append(rows, fmt.Sprintf("%s:%d %s", row.File, row.Line, row.Reason))
	}
}

// compareLines returns an error with some of the lines that only one of two lists contains. It sorts both lists.
func compareLines(what string, got, want []string) error {
	slices.Sort(got)
	slices.Sort(want)
	if slices.Equal(got, want) {
		return nil
	}
	return fmt.Errorf("%s: %d, want %d; unexpected: %s; missing: %s", what, len(got), len(want), onlyIn(got, want), onlyIn(want, got))
}

// onlyIn returns the first lines of a sorted list that another list does not contain, or contains less often.
func onlyIn(list, other []string) string {
	const most = 5
	var only []string
	for _, line := range list {
		for len(other) > 0 && other[0] < line {
			other = other[1:]
		}
		switch {
		case len(other) > 0 && other[0] == line:
			other = other[1:]
		case len(only) == most:
			return strings.Join(only, ", ") + " …"
		default:
			only = append(only, line)
		}
	}
	if len(only) == 0 {
		return "none"
	}
	return strings.Join(only, ", ")
}
