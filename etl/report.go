package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"systemscale/etl/internal/publish"
	"systemscale/etl/internal/shape"
	"systemscale/etl/internal/source"
)

// report prints what a run did: the fate of every row of every file, the documents, and the first rejects.
func report(w io.Writer, spec *shape.Shape, published publish.Published, counts []source.Counts, rejects *source.RejectFiles, took time.Duration) {
	files := [][]string{{"file", "read", "used", "filtered", "rejected", "repaired"}}
	var notes []string
	for _, c := range counts {
		files = append(files, []string{c.File, count(c.Read), count(c.Used), count(source.Sum(c.Filtered)), count(source.Sum(c.Rejected)), count(source.Sum(c.Repaired))})
		notes = append(notes, reasons(c.File, "filtered", c.Filtered)...)
		notes = append(notes, reasons(c.File, "rejected", c.Rejected)...)
		notes = append(notes, reasons(c.File, "repaired", c.Repaired)...)
	}
	writeTable(w, files)
	fmt.Fprintln(w)
	documents := [][]string{{"document", "rows", "size", "at"}}
	for i, d := range published.Documents {
		documents = append(documents, []string{d.Name, count(d.Rows), size(d.Bytes), address(spec, spec.Documents[i])})
	}
	writeTable(w, documents)
	if len(notes) > 0 {
		fmt.Fprintf(w, "\n%s\n", strings.Join(notes, "\n"))
	}
	if first := rejects.First(); len(first) > 0 {
		fmt.Fprintf(w, "\nThe first rejected rows (all are in %s):\n  %s\n", rejects.Directory, strings.Join(first, "\n  "))
	}
	fmt.Fprintf(w, "\n%s: version %d is published. Every row is accounted for: read = used + filtered + rejected. %.1f s\n",
		spec.Collection, published.Run, took.Seconds())
}

func count(n int64) string { return strconv.FormatInt(n, 10) }

// writeTable writes rows of cells, the first of which are headings: numbers to the right, and the first column and a
// last one of addresses to the left.
func writeTable(w io.Writer, rows [][]string) {
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], len(cell))
		}
	}
	for _, row := range rows {
		var line strings.Builder
		for i, cell := range row {
			switch {
			case i == 0:
				fmt.Fprintf(&line, "%-*s", widths[i], cell)
			case rows[0][i] == "at":
				fmt.Fprintf(&line, "  %s", cell)
			default:
				fmt.Fprintf(&line, "  %*s", widths[i], cell)
			}
		}
		fmt.Fprintln(w, line.String())
	}
}

func reasons[K ~string](file, what string, counts map[K]int64) []string {
	var lines []string
	for _, reason := range slices.Sorted(maps.Keys(counts)) {
		if counts[reason] > 0 {
			lines = append(lines, fmt.Sprintf("%s: %d %s: %s", file, counts[reason], what, reason))
		}
	}
	return lines
}

// address returns the document's place in the API, as an URI template.
func address(spec *shape.Shape, d shape.Document) string {
	switch {
	case d.List:
		return "/" + spec.Collection + "?page={page}&count={count}"
	case d.Path == "":
		return "/" + spec.Collection + "/{id}"
	}
	return "/" + spec.Collection + "/{id}/" + d.Path
}
