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

	"github.com/goccy/go-json"
)

// mendedAs has the names in the ETL's shape for the kinds of dirt that it repairs or filters.
var mendedAs = map[string]string{"missing_closing_quote": "closed quote", "uhttps": "uhttps", "zero_related_product_id": "no such product"}

// compareWithSpoiled returns how many rows the last run on a database rejected. It is an error unless these are exactly the rows that
// the generator spoiled for good, each for the reason that it names, and the run's counts agree. program is the ETL, csv the directory
// that was read, rejects the one that the run's rejects are in.
func compareWithSpoiled(ctx context.Context, program, url, csv, rejects string) (int, error) {
	spoiled, wanted, err := readSpoiled(filepath.Join(csv, "generated.json"))
	if err != nil {
		return 0, err
	}
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

// readSpoiled returns a line for every row that is to be rejected, and one for every count that a run should come to.
func readSpoiled(path string) (rows, counts []string, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, nil, err
	}
	var made struct {
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
	if err := json.Unmarshal(text, &made); err != nil {
		return nil, nil, fmt.Errorf("read %s: %w", path, err)
	}
	for _, file := range made.Files {
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
				counts = appendCounts(counts, file.Name, dirt.Fate, map[string]int64{mendedAs[dirt.Kind]: dirt.Rows})
			}
		}
		counts = appendCounts(counts, file.Name, "rejected", rejected)
	}
	return rows, counts, nil
}

// readLastRun returns the last run of the history, and a line for every count of it.
func readLastRun(ctx context.Context, program, url string) (run int64, counts []string, err error) {
	took, err := measure(ctx, program, "history", "--database", url, "--json", "--limit", "1")
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
	if err := json.Unmarshal([]byte(took.out), &runs); err != nil {
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

// readRejects returns a line for every row that a run rejected.
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

// compareLines returns an error that shows some of the lines that only one of two lists has. Their order means nothing.
func compareLines(what string, got, want []string) error {
	slices.Sort(got)
	slices.Sort(want)
	if slices.Equal(got, want) {
		return nil
	}
	return fmt.Errorf("%s: %d, want %d; unexpected: %s; missing: %s", what, len(got), len(want), onlyIn(got, want), onlyIn(want, got))
}

// onlyIn lists the first lines of one sorted list that another one lacks, or has less often.
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
