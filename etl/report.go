package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"systemscale/etl/internal/publish"
	"systemscale/etl/internal/shape"
	"systemscale/etl/internal/source"
)

// report prints what a run did: the fate of every row of every file, the documents, and the first rejects.
func report(w io.Writer, spec *shape.Shape, published publish.Published, counts []source.Counts, rejects *source.RejectFiles, took time.Duration) {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "file\tread\tused\tfiltered\trejected\trepaired\t")
	var notes []string
	for _, c := range counts {
		fmt.Fprintf(table, "%s\t%d\t%d\t%d\t%d\t%d\t\n", c.File, c.Read, c.Used, source.Sum(c.Filtered), source.Sum(c.Rejected), source.Sum(c.Repaired))
		notes = append(notes, reasons(c.File, "filtered", c.Filtered)...)
		notes = append(notes, reasons(c.File, "rejected", c.Rejected)...)
		notes = append(notes, reasons(c.File, "repaired", c.Repaired)...)
	}
	fmt.Fprintln(table)
	fmt.Fprintln(table, "document\trows\tsize\tat\t")
	for i, d := range published.Documents {
		fmt.Fprintf(table, "%s\t%d\t%s\t%s\t\n", d.Name, d.Rows, megabytes(d.Bytes), address(spec, spec.Documents[i]))
	}
	_ = table.Flush()
	if len(notes) > 0 {
		fmt.Fprintf(w, "\n%s\n", strings.Join(notes, "\n"))
	}
	if first := rejects.First(); len(first) > 0 {
		fmt.Fprintf(w, "\nThe first rejected rows (all are in %s):\n  %s\n", rejects.Directory, strings.Join(first, "\n  "))
	}
	fmt.Fprintf(w, "\n%s: version %d is published. Every row is accounted for: read = used + filtered + rejected. %.1f s\n",
		spec.Collection, published.Run, took.Seconds())
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
