package source

import (
	"fmt"
	"maps"
	"slices"

	"github.com/dustin/go-humanize"

	"systemscale/etl/internal/shape"
)

// Counts is the number of rows of one file by outcome. Release counts the used rows.
type Counts struct {
	File        string           `json:"file"`
	Source      string           `json:"source,omitempty"`      // name of the source that reads the file; earlier programs did not record it
	Bytes       int64            `json:"bytes"`                 // of the text, decompressed and in UTF-8
	Fingerprint string           `json:"fingerprint,omitempty"` // 64-bit xxh3 hash of these bytes, in hexadecimal
	Ending      *Ending          `json:"ending,omitempty"`      // nil before the end of the file, and if the file has no line
	Missing     []string         `json:"missing,omitempty"`     // declared columns that are not in the header; they are read as null
	Read        int64            `json:"read"`
	Used        int64            `json:"used"`
	Filtered    map[string]int64 `json:"filtered,omitempty"` // by the name of the filter
	Rejected    map[Reason]int64 `json:"rejected,omitempty"`

	// WithoutParent is the number of rows whose parent's key is null. They are neither used nor rejected.
	WithoutParent int64 `json:"without_parent,omitempty"`

	Repaired map[string]int64 `json:"repaired,omitempty"` // by the name of the repair; each row is also used, filtered or rejected
}

// Labels returns the name of the file of each source, with the name of the source where several sources read the file.
func Labels(counts []Counts) []string {
	sources := map[string]int{}
	for _, c := range counts {
		sources[c.File]++
	}
	labels := make([]string, len(counts))
	for i, c := range counts {
		labels[i] = shape.FileName(c.File)
		if sources[c.File] > 1 && c.Source != "" {
			labels[i] = fmt.Sprintf("%s (%s)", c.File, c.Source)
		}
	}
	return labels
}

// Reasons lists the rejected rows by reason, and the filtered ones by filter: "2 rejected: not money". It has no element if there are none.
func (c *Counts) Reasons() (rejected, filtered []string) {
	return reasons("rejected", c.Rejected), reasons("filtered", c.Filtered)
}

func reasons[K ~string](fate string, counts map[K]int64) (found []string) {
	for _, reason := range slices.Sorted(maps.Keys(counts)) {
		if n := counts[reason]; n > 0 {
			hint := ""
			if fate == "rejected" {
				hint = Reason(reason).Hint()
			}
			found = append(found, fmt.Sprintf("%s %s: %s%s", humanize.Comma(n), fate, reason, hint))
		}
	}
	return found
}

// Ending describes the end of a file.
type Ending struct {
	Line    int64 `json:"line"`            // number of the last line
	Newline bool  `json:"newline"`         // the last line ends with a line feed
	Fault   Fault `json:"fault,omitempty"` // evidence that the file is truncated; empty if there is none
}

// Fault is evidence in a file itself that the file is truncated. Its text is a clause.
type Fault string

// The Faults. The reason of the reject follows FaultRejected.
const (
	FaultHeader   Fault = "the file ends within its header"
	FaultQuotes   Fault = "the file ends within a quoted field"
	FaultLineEnd  Fault = "the file ends between the carriage return and the line feed of a line end"
	FaultRejected Fault = "the file ends within a line, which is rejected: "
)

// RepairedQuote is the key of closed quotes in Counts.Repaired.
const RepairedQuote = "closed quote"

// Unreconciled returns the difference between the rows read and the sum of the rows used, filtered, rejected and without a parent. It must
// be 0 after the end of the file.
func (c *Counts) Unreconciled() int64 {
	missing := c.Read - c.Used - Sum(c.Filtered) - Sum(c.Rejected) - c.WithoutParent
	return max(missing, -missing)
}

// Sum adds up the counts of a map.
func Sum[K comparable](counts map[K]int64) int64 {
	var sum int64
	for _, n := range counts {
		sum += n
	}
	return sum
}

// tally counts rows by outcome.
type tally struct {
	read     int64   // including rows that are decoded ahead
	used     int64   // released rows
	closed   int64   // rows with a closed quote
	filtered []int64 // by filter
	repaired []int64 // by repair
	rejected map[Reason]int64

	withoutParent int64
}
