package command

import (
	"fmt"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"systemscale/etl/internal/plan"
	"systemscale/etl/internal/publish"
	"systemscale/etl/internal/shape"
	"systemscale/etl/internal/source"
)

// report is the result of a run for people: the fates of the rows of every file, the documents, the first rejects, and the gates unless
// all have passed.
type report struct {
	spec      *shape.Shape
	counts    []source.Counts
	changes   publish.Changes
	tables    []publish.Table
	rejects   *source.RejectFiles
	record    *publish.Record
	live      int64 // the live version before the run
	published int64 // the new version, or 0
	took      time.Duration
}

func (r *report) write(out *output) {
	w := out.stdout
	reasons := writeSources(w, r.counts)
	fmt.Fprintln(w)
	documents := [][]string{{"document", "rows", "size", "added", "changed", "removed", "unchanged", "at"}}
	for i, d := range r.changes.Endpoints {
		rows, bytes, at := int64(0), "0", "(no longer in the shape)"
		if i < len(r.spec.Endpoints) {
			rows, bytes, at = r.tables[i].Rows, size(r.tables[i].Bytes), plan.Address(r.spec, r.spec.Endpoints[i])
		}
		documents = append(documents, []string{
			d.Name, humanize.Comma(rows), bytes, humanize.Comma(d.Added), humanize.Comma(d.Changed), humanize.Comma(d.Removed),
			humanize.Comma(d.Unchanged), at,
		})
	}
	writeTable(w, documents)
	if len(reasons) > 0 {
		fmt.Fprintf(w, "\n%s\n", strings.Join(reasons, "\n"))
	}
	if first := r.rejects.First(); len(first) > 0 {
		fmt.Fprintf(w, "\nThe first rejected rows (all are in %s):\n  %s\n", r.rejects.Directory, strings.Join(first, "\n  "))
	}
	if r.record.Verdict != publish.Passed {
		writeGates(w, r.record.Gates)
	}
	if r.record.Verdict == publish.Failed {
		return
	}
	outcome := fmt.Sprintf("nothing changed, and version %d stays", r.live)
	if r.published != 0 {
		outcome = fmt.Sprintf("version %d is published", r.published)
	}
	fmt.Fprintf(w, "\n%s: %s. Every row is accounted for: read = used + filtered + rejected%s. %.1f s\n",
		r.spec.Collection, outcome, r.withoutParent(), r.took.Seconds())
}

// withoutParent returns the part of the sum of the rows that only few files have.
func (r *report) withoutParent() string {
	for _, c := range r.counts {
		if c.WithoutParent > 0 {
			return " + without a parent"
		}
	}
	return ""
}
