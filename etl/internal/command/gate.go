package command

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/dustin/go-humanize/english"

	"systemscale/etl/internal/publish"
	"systemscale/etl/internal/source"
)

// Names of the gates, which stand between what a run found and what it writes.
const (
	gateTruncatedFile = "truncated-file"
	gateUnreconciled  = "unreconciled"
	gateRejects       = "rejects"
	gateRemoved       = "removed"
	gateChanged       = "changed"
	gateMissingColumn = string(source.MissingColumn)
	gateEmptyFile     = string(source.Empty)
	gateDocumentSize  = "document-size"
)

// gates lists all of them. When several fail, the exit code is that of the first in this order.
var gates = []struct {
	name, flag string
	exit       int
}{
	{gateTruncatedFile, "", exitFiles},
	{gateUnreconciled, "--max-unreconciled", 20},
	{gateRejects, "--max-rejects", 21},
	{gateRemoved, "--max-removed", 22},
	{gateChanged, "--max-changed", 23},
	{gateMissingColumn, "", 24},
	{gateEmptyFile, "--min-rows", 25},
	{gateDocumentSize, "--max-document", 26},
}

// limits is the flags of the gates.
type limits struct {
	MaxUnreconciled int64      `default:"0" placeholder:"N" help:"Gate unreconciled: rows that were read and are neither used, filtered nor rejected. Default: ${default}."`
	MaxRejects      percent    `default:"1%" placeholder:"PERCENT" help:"Gate rejects: rejected rows of any one file. Default: ${default}."`
	MaxRemoved      percent    `default:"5%" placeholder:"PERCENT" help:"Gate removed: published items that the files no longer have. Default: ${default}."`
	MaxChanged      percent    `default:"50%" placeholder:"PERCENT" help:"Gate changed: published items of which a document differs. Default: ${default}."`
	MinRows         int64      `default:"1" placeholder:"N" help:"Gate empty-file: fewest rows of any one file. Default: ${default}."`
	MaxDocument     byteSize   `default:"1MiB" placeholder:"SIZE" help:"Gate document-size: largest document; an item whose rows need more ends the reading. Default: ${default}."`
	Accept          []gateName `placeholder:"GATE" help:"Go on although this gate fails: truncated-file, unreconciled, rejects, removed, changed, missing-column, empty-file or document-size. May be repeated. With document-size, all rows of an item are held in memory, some ten times their size in the files."`
}

func (l *limits) accepts(name string) bool { return slices.Contains(l.Accept, gateName(name)) }

// gateName is the name of a gate on the command line.
type gateName string

// UnmarshalText refuses what is no gate.
func (g *gateName) UnmarshalText(text []byte) error {
	var names []string
	for _, known := range gates {
		names = append(names, known.name)
	}
	if !slices.Contains(names, string(text)) {
		return fmt.Errorf("there is no gate %q; there are %s", text, strings.Join(names, ", "))
	}
	*g = gateName(text)
	return nil
}

// percent is a share on the command line, such as 0.5%, in percent.
type percent float64

// UnmarshalText reads a number from 0 to 100 with a percent sign.
func (p *percent) UnmarshalText(text []byte) error {
	number, found := strings.CutSuffix(string(text), "%")
	value, err := strconv.ParseFloat(number, 64)
	if !found || err != nil || !(value >= 0 && value <= 100) {
		return fmt.Errorf("%q is no share between 0%% and 100%%: write it as 5%% or 0.5%%", text)
	}
	*p = percent(value)
	return nil
}

func (p percent) String() string { return strconv.FormatFloat(float64(p), 'f', -1, 64) + "%" }

// of returns the share of whole, and 0 of nothing.
func (p percent) of(whole int64) int64 { return int64(float64(whole) * float64(p) / 100) }

// share returns part of whole in percent; some part of nothing is everything.
func share(part, whole int64) percent {
	switch {
	case part == 0:
		return 0
	case whole == 0:
		return 100
	}
	return percent(100 * float64(part) / float64(whole))
}

// byteSize is a number of bytes on the command line, such as 1MiB.
type byteSize int64

var byteUnits = []struct {
	name  string
	bytes int64
}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"B", 1}}

// UnmarshalText reads a whole number with a unit.
func (b *byteSize) UnmarshalText(text []byte) error {
	for _, unit := range byteUnits {
		if number, found := strings.CutSuffix(string(text), unit.name); found {
			value, err := strconv.ParseInt(number, 10, 32)
			if err != nil || value < 0 {
				break
			}
			*b = byteSize(value * unit.bytes)
			return nil
		}
	}
	return fmt.Errorf("%q is no size: write it as 1MiB, 512KiB or 2000B", text)
}

func (b byteSize) String() string {
	for _, unit := range byteUnits {
		if b != 0 && int64(b)%unit.bytes == 0 {
			return strconv.FormatInt(int64(b)/unit.bytes, 10) + unit.name
		}
	}
	return "0B"
}

// Verdicts of a gate, and of a run as the worst of its gates'.
const (
	verdictPassed   = "passed"
	verdictAccepted = "accepted"
	verdictFailed   = "failed"
)

// finding is what one gate says.
type finding struct {
	Gate    string `json:"name"`
	Value   string `json:"value"`
	Limit   string `json:"limit"`
	Verdict string `json:"verdict"`
	Message string `json:"message,omitempty"` // what is wrong and what to do; empty when the gate has passed
}

// largest is the largest document that was rendered.
type largest struct {
	bytes    int64
	document string
	id       int64
}

// judge compares what was found with the limits: one finding for each gate, in their order. cut describes the files that end early.
func judge(limits *limits, counts []source.Counts, cut []string, changes publish.Changes, biggest largest) []finding {
	var findings []finding
	add := func(name, value, limit string, failed bool, format string, arguments ...any) {
		f := finding{Gate: name, Value: value, Limit: limit, Verdict: verdictPassed}
		if failed {
			f.Message = fmt.Sprintf(format, arguments...)
			f.Verdict = verdictFailed
			if limits.accepts(name) {
				f.Verdict = verdictAccepted
			}
		}
		findings = append(findings, f)
	}

	var lost int64
	var worstShare percent
	var losing, rejecting, missing, short []string
	fewest := int64(-1)
	for _, c := range counts {
		rejected := source.Sum(c.Rejected)
		if missing := max(c.Read-c.Used-source.Sum(c.Filtered)-rejected, -(c.Read - c.Used - source.Sum(c.Filtered) - rejected)); missing > 0 {
			lost += missing
			losing = append(losing, fmt.Sprintf("%s: %d", c.File, missing))
		}
		of := share(rejected, c.Read)
		worstShare = max(worstShare, of)
		if of > limits.MaxRejects {
			rejecting = append(rejecting, fmt.Sprintf("%s %.3g%% (%d of %d)", c.File, float64(of), rejected, c.Read))
		}
		if fewest < 0 || c.Read < fewest {
			fewest = c.Read
		}
		for _, column := range c.Missing {
			missing = append(missing, c.File+" "+column)
		}
		if c.Read < limits.MinRows {
			short = append(short, fmt.Sprintf("%s has %d", c.File, c.Read))
		}
	}
	items := changes.Items
	removed, changed := share(items.Removed, items.Published), share(items.Changed, items.Published)

	add(gateTruncatedFile, count(int64(len(cut))), "0", len(cut) > 0,
		"%s. Run again when the dump is complete", strings.Join(cut, "; "))
	add(gateUnreconciled, count(lost), count(limits.MaxUnreconciled), lost > limits.MaxUnreconciled,
		"rows were read and are neither used, filtered nor rejected (%s): this is a fault of etl, please report it", strings.Join(losing, ", "))
	add(gateRejects, fmt.Sprintf("%.3g%%", float64(worstShare)), limits.MaxRejects.String(), len(rejecting) > 0,
		"too many rows are rejected: %s; the reasons are in the report. Mend the files, or raise --max-rejects", strings.Join(rejecting, ", "))
	add(gateRemoved, fmt.Sprintf("%.3g%%", float64(removed)), limits.MaxRemoved.String(), removed > limits.MaxRemoved,
		"%d of %s would be removed. Is the dump whole? If it is, raise --max-removed", items.Removed, publishedItems(items.Published))
	add(gateChanged, fmt.Sprintf("%.3g%%", float64(changed)), limits.MaxChanged.String(), changed > limits.MaxChanged,
		"%d of %s would change. etl plan shows how; if that is right, raise --max-changed", items.Changed, publishedItems(items.Published))
	add(gateMissingColumn, count(int64(len(missing))), "0", len(missing) > 0,
		"columns are missing and were read as null: %s", strings.Join(missing, ", "))
	add(gateEmptyFile, count(max(fewest, 0)), count(limits.MinRows), len(short) > 0,
		"files have too few rows: %s. Is the dump whole? If it is, lower --min-rows", strings.Join(short, ", "))
	add(gateDocumentSize, byteSize(biggest.bytes).String(), limits.MaxDocument.String(), biggest.bytes > int64(limits.MaxDocument),
		"%s %d has %d bytes, which no client expects. Look at its rows, or raise --max-document", biggest.document, biggest.id, biggest.bytes)
	return findings
}

func publishedItems(n int64) string { return english.Plural(int(n), "published item", "") }

// verdictOf returns the worst verdict.
func verdictOf(findings []finding) string {
	worst := verdictPassed
	for _, f := range findings {
		switch {
		case f.Verdict == verdictFailed:
			return verdictFailed
		case f.Verdict == verdictAccepted:
			worst = verdictAccepted
		}
	}
	return worst
}

// gateError says which gates failed.
type gateError struct{ findings []finding }

// failedGates returns a *gateError with the gates that failed, or nil.
func failedGates(findings []finding) error {
	var e gateError
	for _, f := range findings {
		if f.Verdict == verdictFailed {
			e.findings = append(e.findings, f)
		}
	}
	if len(e.findings) == 0 {
		return nil
	}
	return &e
}

func (e *gateError) Error() string {
	lines := []string{"nothing is published, because a gate failed; what was live still is"}
	for _, f := range e.findings {
		lines = append(lines, fmt.Sprintf("  %s: %s is beyond %s: %s, or pass --accept %s", f.Gate, f.Value, f.Limit, f.Message, f.Gate))
	}
	return strings.Join(lines, "\n")
}

// exitOfGate returns the exit code of a gate.
func exitOfGate(name string) int {
	for _, g := range gates {
		if g.name == name {
			return g.exit
		}
	}
	panic("BUG: no gate " + name)
}

// exitOfFiles returns the exit code for files that cannot be used: a gate's only if every mistake is one that could be accepted.
func exitOfFiles(err error) int {
	code := 0
	for _, e := range fileErrors(err) {
		if e.Kind == "" {
			return exitFiles
		}
		if of := exitOfGate(string(e.Kind)); code == 0 || of < code {
			code = of
		}
	}
	return code
}

// fileErrors returns every FileError in a tree of errors.
func fileErrors(err error) []*source.FileError {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var all []*source.FileError
		for _, e := range joined.Unwrap() {
			all = append(all, fileErrors(e)...)
		}
		return all
	}
	if e, ok := err.(*source.FileError); ok {
		return []*source.FileError{e}
	}
	if inner := errors.Unwrap(err); inner != nil {
		return fileErrors(inner)
	}
	return nil
}
