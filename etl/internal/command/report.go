package command

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

// report prints what the run did: the fate of every row of every file, the documents, the first rejects, and the gates unless all have passed.
// published.Run is 0 when nothing was published.
func (j *job) report(published publish.Published, took time.Duration) {
	w, spec, counts := j.out.stdout, j.in.spec, j.in.counts()
	notes := writeSources(w, counts)
	fmt.Fprintln(w)
	documents := [][]string{{"document", "rows", "size", "added", "changed", "removed", "unchanged", "at"}}
	for i, d := range j.survey.comparison.Changes().Documents {
		row := []string{d.Name, "0", "0", count(d.Added), count(d.Changed), count(d.Removed), count(d.Unchanged), "(no longer in the shape)"}
		if i < len(spec.Endpoints) {
			row[1], row[2], row[7] = count(j.survey.tables[i].Rows), size(j.survey.tables[i].Bytes), address(spec, spec.Endpoints[i])
		}
		documents = append(documents, row)
	}
	writeTable(w, documents)
	if len(notes) > 0 {
		fmt.Fprintf(w, "\n%s\n", strings.Join(notes, "\n"))
	}
	if first := j.rejects.First(); len(first) > 0 {
		fmt.Fprintf(w, "\nThe first rejected rows (all are in %s):\n  %s\n", j.rejects.Directory, strings.Join(first, "\n  "))
	}
	switch {
	case j.record.Verdict == verdictFailed:
		writeGates(w, j.record.Gates.([]finding))
		return
	case j.record.Verdict == verdictAccepted:
		writeGates(w, j.record.Gates.([]finding))
	}
	outcome := fmt.Sprintf("nothing changed, and version %d stays", j.session.Live().Run)
	if published.Run != 0 {
		outcome = fmt.Sprintf("version %d is published", published.Run)
	}
	fmt.Fprintf(w, "\n%s: %s. Every row is accounted for: read = used + filtered + rejected. %.1f s\n", spec.Collection, outcome, took.Seconds())
}

// writeSources writes what became of the rows of every file, and returns the reasons, a line each.
func writeSources(w io.Writer, counts []source.Counts) (notes []string) {
	files := [][]string{{"file", "read", "used", "filtered", "rejected", "repaired"}}
	for _, c := range counts {
		files = append(files, []string{c.File, count(c.Read), count(c.Used), count(source.Sum(c.Filtered)), count(source.Sum(c.Rejected)), count(source.Sum(c.Repaired))})
		notes = append(notes, reasons(c.File, "filtered", c.Filtered)...)
		notes = append(notes, reasons(c.File, "rejected", c.Rejected)...)
		notes = append(notes, reasons(c.File, "repaired", c.Repaired)...)
	}
	writeTable(w, files)
	return notes
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
func address(spec *shape.Shape, d shape.Endpoint) string {
	switch {
	case d.List:
		return "/" + spec.Collection + "?page={page}&count={count}"
	case d.Path == "":
		return "/" + spec.Collection + "/{id}"
	}
	return "/" + spec.Collection + "/{id}/" + d.Path
}
