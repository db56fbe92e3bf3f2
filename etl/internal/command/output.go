package command

import (
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"unicode/utf8"

	"github.com/dustin/go-humanize"
	"github.com/dustin/go-humanize/english"

	"systemscale/etl/internal/plan"
	"systemscale/etl/internal/publish"
	"systemscale/etl/internal/source"
)

// output is the output of a command: results on stdout; progress, warnings and errors on stderr.
type output struct {
	stdout, stderr io.Writer
	logger         *slog.Logger // of warnings, to stderr
	metrics        *metrics     // nil without --metrics
}

func newOutput(stdout, stderr io.Writer) *output {
	return &output{stdout: stdout, stderr: stderr, logger: slog.New(slog.NewTextHandler(stderr, nil))}
}

// size formats a number of bytes, in powers of 1000.
func size(bytes int64) string { return humanize.Bytes(uint64(max(bytes, 0))) }

// plural formats a number with a noun, such as "1 document" and "2,000 documents".
func plural(n int64, noun string) string {
	return humanize.Comma(n) + " " + english.PluralWord(int(n), noun, "")
}

// writeTable writes rows of cells. The first row is the headings. All columns are aligned to the right, except the first one and a last one
// of addresses.
func writeTable(w io.Writer, rows [][]string) {
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, row := range rows {
		fmt.Fprint(table, row[0])
		for i, cell := range row[1:] {
			if rows[0][i+1] == "at" {
				fmt.Fprint(table, "\t", cell)
			} else {
				fmt.Fprintf(table, "\t%*s", widths[i+1], cell)
			}
		}
		fmt.Fprintln(table)
	}
	_ = table.Flush() // errors of stdout are ignored
}

// writeSources writes the fates of the rows of every file, and returns a line for each reason.
func writeSources(w io.Writer, counts []source.Counts) (reasons []string) {
	files := [][]string{{"file", "read", "used", "filtered", "rejected", "repaired"}}
	labels := source.Labels(counts)
	for i, c := range counts {
		files = append(files, []string{
			labels[i], humanize.Comma(c.Read), humanize.Comma(c.Used), humanize.Comma(source.Sum(c.Filtered)), humanize.Comma(source.Sum(c.Rejected)),
			humanize.Comma(source.Sum(c.Repaired)),
		})
		if c.WithoutParent > 0 {
			reasons = append(reasons, fmt.Sprintf("%s: %s without a parent", labels[i], humanize.Comma(c.WithoutParent)))
		}
		reasons = append(reasons, reasonLines(labels[i], "filtered", c.Filtered)...)
		reasons = append(reasons, reasonLines(labels[i], "rejected", c.Rejected)...)
		reasons = append(reasons, reasonLines(labels[i], "repaired", c.Repaired)...)
	}
	writeTable(w, files)
	return reasons
}

func reasonLines[K ~string](file, fate string, counts map[K]int64) []string {
	var lines []string
	for _, reason := range slices.Sorted(maps.Keys(counts)) {
		if counts[reason] > 0 {
			line := fmt.Sprintf("%s: %s %s: %s", file, humanize.Comma(counts[reason]), fate, reason)
			if fate == "rejected" {
				line += source.Reason(reason).Hint()
			}
			lines = append(lines, line)
		}
	}
	return lines
}

// writeGates writes the results of the gates, and the messages of those that did not pass.
func writeGates(w io.Writer, results []publish.GateResult) {
	table := [][]string{{"gate", "value", "limit", "verdict"}}
	var messages []string
	for _, r := range results {
		table = append(table, []string{r.Gate, r.Value, r.Limit, string(r.Verdict)})
		if r.Message != "" {
			messages = append(messages, fmt.Sprintf("%s: %s (or --accept %s)", r.Gate, r.Message, r.Gate))
		}
	}
	fmt.Fprintln(w)
	writeTable(w, table)
	if len(messages) > 0 {
		fmt.Fprintf(w, "\n%s\n", strings.Join(messages, "\n"))
	}
}

// writeBreakingChanges warns of the result of plan.BreakingChanges.
func writeBreakingChanges(w io.Writer, changes []string) {
	if len(changes) > 0 {
		fmt.Fprintf(w, "\nWARNING: the shape breaks clients of the published documents:\n  %s\n", strings.Join(changes, "\n  "))
	}
}

// writeDifferences writes the URLs and the samples of one endpoint of a plan.
func writeDifferences(w io.Writer, d *plan.Change) {
	if first := d.URLs.First; len(first) > 0 {
		more := ""
		if n := d.URLs.Count - int64(len(first)); n > 0 {
			more = fmt.Sprintf(" and %s more", humanize.Comma(n))
		}
		fmt.Fprintf(w, "\n%s, URLs that would be refreshed: %s%s\n", d.Name, strings.Join(first, " "), more)
	}
	orNothing := func(value string) string {
		if value == "" {
			return "nothing"
		}
		return value
	}
	for _, sample := range d.Samples {
		fmt.Fprintf(w, "  %s\n", sample.URL)
		for _, f := range sample.Fields {
			fmt.Fprintf(w, "    %s: %s → %s\n", f.Path, orNothing(f.Old), orNothing(f.New))
		}
		if sample.More > 0 {
			fmt.Fprintf(w, "    and %s more\n", plural(int64(sample.More), "field"))
		}
	}
}
