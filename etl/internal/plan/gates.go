package plan

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/dustin/go-humanize"
	"github.com/dustin/go-humanize/english"

	"systemscale/etl/internal/publish"
	"systemscale/etl/internal/source"
	"systemscale/sql"
)

// Gate is the name of a gate: a check of a run before it publishes.
type Gate string

// The gates.
const (
	TruncatedFile Gate = "truncated-file"
	Unreconciled  Gate = "unreconciled"
	Rejects       Gate = "rejects"
	Removed       Gate = "removed"
	Changed       Gate = "changed"
	MissingColumn Gate = Gate(source.MissingColumn)
	EmptyFile     Gate = Gate(source.Empty)
	DocumentSize  Gate = "document-size"
	FewerRows     Gate = "fewer-rows"
)

// Gates returns all gates, in the order in which they are evaluated.
func Gates() []Gate {
	return []Gate{TruncatedFile, Unreconciled, Rejects, Removed, Changed, MissingColumn, EmptyFile, DocumentSize, FewerRows}
}

// UnmarshalText accepts only the name of a gate.
func (g *Gate) UnmarshalText(text []byte) error {
	if !slices.Contains(Gates(), Gate(text)) {
		var names []string
		for _, gate := range Gates() {
			names = append(names, string(gate))
		}
		return fmt.Errorf("there is no gate %q; there are %s", text, strings.Join(names, ", "))
	}
	*g = Gate(text)
	return nil
}

// Limits are the limits of the gates. The tags are the command line's.
type Limits struct {
	MaxUnreconciled int64    `default:"0" placeholder:"N" help:"Gate unreconciled: rows that were read and are neither used, filtered, rejected nor without a parent. Default: ${default}."`
	MaxRejects      Percent  `default:"1%" placeholder:"PERCENT" help:"Gate rejects: rejected rows of any one file. Default: ${default}."`
	MaxRemoved      Percent  `default:"5%" placeholder:"PERCENT" help:"Gate removed: published items that the files no longer have. Default: ${default}."`
	MaxChanged      Percent  `default:"50%" placeholder:"PERCENT" help:"Gate changed: published items of which a document differs. Default: ${default}."`
	MinRows         int64    `default:"1" placeholder:"N" help:"Gate empty-file: fewest rows of any one file. Default: ${default}."`
	MaxDocument     ByteSize `default:"1MiB" placeholder:"SIZE" help:"Gate document-size: largest document; reading stops at an item whose rows need more. Default: ${default}."`
	MaxFewerRows    Percent  `default:"10%" placeholder:"PERCENT" help:"Gate fewer-rows: rows that any one file has less than in the last published run. Default: ${default}."`
	Accept          []Gate   `placeholder:"GATE" help:"Publish although this gate fails: truncated-file, unreconciled, rejects, removed, changed, missing-column, empty-file, document-size or fewer-rows. May be repeated. With document-size, all rows of an item are held in memory, about ten times their size in the files."`
}

// Accepts reports whether a run may continue although the gate fails.
func (l *Limits) Accepts(gate Gate) bool { return slices.Contains(l.Accept, gate) }

// Largest is the largest document of a pass.
type Largest struct {
	Bytes    int64
	Document string // its endpoint
	ID       sql.ID
}

// Evaluate compares the findings of a pass with the limits and returns a result for each gate, in the order of Gates. cut has a line for
// each file that ends early, and before has the counts of the last published run. Values and limits are for programs too, and have no separators; messages have.
func Evaluate(
	limits *Limits, counts, before []source.Counts, cut []string, changes publish.Changes, largest Largest,
) []publish.GateResult {
	var results []publish.GateResult
	add := func(gate Gate, value, limit string, failed bool, format string, arguments ...any) {
		r := publish.GateResult{Gate: string(gate), Value: value, Limit: limit, Verdict: publish.Passed}
		if failed {
			r.Message = fmt.Sprintf(format, arguments...)
			r.Verdict = publish.Failed
			if limits.Accepts(gate) {
				r.Verdict = publish.Accepted
			}
		}
		results = append(results, r)
	}
	rows := examine(limits, counts)
	most, shrunk := shrunkFiles(limits.MaxFewerRows, counts, before)
	items := changes.Items
	removed, changed := share(items.Removed, items.Published), share(items.Changed, items.Published)

	add(TruncatedFile, strconv.Itoa(len(cut)), "0", len(cut) > 0,
		"%s cut off: %s. Run again when the dump is complete", english.Plural(len(cut), "file is", "files are"), strings.Join(cut, "; "))
	add(Unreconciled, strconv.FormatInt(rows.lost, 10), strconv.FormatInt(limits.MaxUnreconciled, 10), rows.lost > limits.MaxUnreconciled,
		"more than %s rows were read and are neither used, filtered, rejected nor without a parent (%s): "+
			"this is a defect of etl, please report it",
		humanize.Comma(limits.MaxUnreconciled), strings.Join(rows.losing, ", "))
	add(Rejects, fmt.Sprintf("%.3g%%", float64(rows.worst)), limits.MaxRejects.String(), len(rows.rejecting) > 0,
		"more than %s of the rows are rejected: %s. Correct the files, or raise --max-rejects",
		limits.MaxRejects, strings.Join(rows.rejecting, ", "))
	add(Removed, fmt.Sprintf("%.3g%%", float64(removed)), limits.MaxRemoved.String(), removed > limits.MaxRemoved,
		"%s would be removed, more than %s. Is the dump complete? If it is, raise --max-removed",
		publishedItems(items.Removed, items.Published), limits.MaxRemoved)
	add(Changed, fmt.Sprintf("%.3g%%", float64(changed)), limits.MaxChanged.String(), changed > limits.MaxChanged,
		"%s would change, more than %s. etl plan shows how; if that is right, raise --max-changed",
		publishedItems(items.Changed, items.Published), limits.MaxChanged)
	add(MissingColumn, strconv.Itoa(len(rows.missing)), "0", len(rows.missing) > 0,
		"columns are missing and were read as null: %s", strings.Join(rows.missing, ", "))
	add(EmptyFile, strconv.FormatInt(rows.fewest, 10), strconv.FormatInt(limits.MinRows, 10), len(rows.short) > 0,
		"files have fewer rows than %s: %s. Is the dump complete? If it is, lower --min-rows",
		humanize.Comma(limits.MinRows), strings.Join(rows.short, ", "))
	add(DocumentSize, ByteSize(largest.Bytes).String(), limits.MaxDocument.String(), largest.Bytes > int64(limits.MaxDocument),
		"%s %s has %s bytes, more than %s. Look at its rows, or raise --max-document",
		largest.Document, largest.ID, humanize.Comma(largest.Bytes), limits.MaxDocument)
	add(FewerRows, fmt.Sprintf("%.3g%%", float64(most)), limits.MaxFewerRows.String(), len(shrunk) > 0,
		"files have over %s fewer rows than in the last published run: %s. Is the dump complete? If it is, raise --max-fewer-rows",
		limits.MaxFewerRows, strings.Join(shrunk, ", "))
	return results
}

// shrunkFiles returns the largest share of rows that a file has less than before, and a text for each file that exceeds the limit. Sources
// without an earlier count are not compared.
func shrunkFiles(limit Percent, counts, before []source.Counts) (most Percent, shrunk []string) {
	labels := source.Labels(counts)
	for i, c := range counts {
		at := slices.IndexFunc(before, func(b source.Counts) bool {
			return b.Source == c.Source || b.Source == "" && b.File == c.File // earlier builds recorded only the file
		})
		if at < 0 {
			continue
		}
		had := before[at].Read
		fewer := share(max(0, had-c.Read), had)
		most = max(most, fewer)
		if fewer > limit {
			shrunk = append(shrunk, fmt.Sprintf("%s has %s instead of %s", labels[i], humanize.Comma(c.Read), humanize.Comma(had)))
		}
	}
	return most, shrunk
}

// publishedItems formats a part of the published items, such as "2 of 100 published items".
func publishedItems(part, whole int64) string {
	return fmt.Sprintf("%s of %s %s", humanize.Comma(part), humanize.Comma(whole), english.PluralWord(int(whole), "published item", ""))
}

// rowFindings summarize the counts of all files for the gates. The lists have an entry for each file, or column, beyond a limit.
type rowFindings struct {
	lost                              int64   // rows without a fate
	worst                             Percent // share of rejected rows in a file
	fewest                            int64   // rows in a file
	losing, rejecting, missing, short []string
}

func examine(limits *Limits, counts []source.Counts) rowFindings {
	var f rowFindings
	labels := source.Labels(counts)
	for i, c := range counts {
		if lost := c.Unreconciled(); lost > 0 {
			f.lost += lost
			f.losing = append(f.losing, fmt.Sprintf("%s: %s", labels[i], humanize.Comma(lost)))
		}
		rejected := source.Sum(c.Rejected)
		of := share(rejected, c.Read)
		f.worst = max(f.worst, of)
		if of > limits.MaxRejects {
			reasons, _ := c.Reasons()
			f.rejecting = append(f.rejecting, fmt.Sprintf("%s %.3g%% (%s of %s; %s)",
				labels[i], float64(of), humanize.Comma(rejected), humanize.Comma(c.Read), strings.Join(reasons, ", ")))
		}
		if i == 0 || c.Read < f.fewest {
			f.fewest = c.Read
		}
		for _, column := range c.Missing {
			f.missing = append(f.missing, labels[i]+" "+column)
		}
		if c.Read < limits.MinRows {
			f.short = append(f.short, fmt.Sprintf("%s has %s", labels[i], humanize.Comma(c.Read)))
		}
	}
	return f
}

// VerdictOf returns the worst verdict.
func VerdictOf(results []publish.GateResult) publish.Verdict {
	worst := publish.Passed
	for _, r := range results {
		switch r.Verdict {
		case publish.Failed:
			return publish.Failed
		case publish.Accepted:
			worst = publish.Accepted
		}
	}
	return worst
}

// GateError is the error of gates that failed.
type GateError struct{ Results []publish.GateResult }

// Failed returns a *GateError with the gates that failed, or nil.
func Failed(results []publish.GateResult) error {
	var e GateError
	for _, r := range results {
		if r.Verdict == publish.Failed {
			e.Results = append(e.Results, r)
		}
	}
	if len(e.Results) == 0 {
		return nil
	}
	return &e
}

// Oversize returns the failure of the gate document-size at an item whose reading ended. message describes it.
func Oversize(limit int64, message string) *GateError {
	size := ByteSize(limit).String()
	return &GateError{[]publish.GateResult{
		{Gate: string(DocumentSize), Value: "over " + size, Limit: size, Verdict: publish.Failed, Message: message},
	}}
}

func (e *GateError) Error() string {
	lines := []string{"nothing is published, because a gate failed; the live version is unchanged"}
	for _, r := range e.Results {
		lines = append(lines, fmt.Sprintf("  %s: %s, or pass --accept %s", r.Gate, r.Message, r.Gate))
	}
	return strings.Join(lines, "\n")
}

// First returns the first gate that failed, which decides the exit code.
func (e *GateError) First() Gate { return Gate(e.Results[0].Gate) }
