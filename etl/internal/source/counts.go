package source

import (
	"fmt"

	"github.com/dustin/go-humanize/english"
)

// Counts is what became of the rows of one file. Used is for the reader's user to count.
type Counts struct {
	File        string           `json:"file"`
	Bytes       int64            `json:"bytes"`
	Fingerprint string           `json:"fingerprint,omitempty"` // xxh3 with 64 bits, in hexadecimal, of the bytes
	Ending      *Ending          `json:"ending,omitempty"`      // nil until the file is read to its end, and of a file without a line
	Missing     []string         `json:"missing,omitempty"`     // declared columns that the header lacks, which are read as null
	Read        int64            `json:"read"`
	Used        int64            `json:"used"`
	Filtered    map[string]int64 `json:"filtered,omitempty"` // by the filter's name
	Rejected    map[Reason]int64 `json:"rejected,omitempty"`
	Repaired    map[string]int64 `json:"repaired,omitempty"` // by the repair's name; these rows are used, filtered or rejected too
}

// Ending is how a file ends.
type Ending struct {
	Line    int64 `json:"line"`            // number of its last line
	Newline bool  `json:"newline"`         // that line ends in a line feed
	Fault   Fault `json:"fault,omitempty"` // what shows that the file was cut off; empty when nothing does
}

// Fault is what shows, without any knowledge of other files, that a file was cut off. Its text completes a sentence.
type Fault string

// The Faults. FaultRejected is followed by the reason of the reject.
const (
	FaultHeader   Fault = "the file ends within its header"
	FaultQuotes   Fault = "the file ends within a quoted field"
	FaultLineEnd  Fault = "the file ends between the carriage return and the line feed of a line end"
	FaultRejected Fault = "the file ends within a line, which is rejected: "
)

// RepairedQuote is the name under which closed quotes are counted.
const RepairedQuote = "closed quote"

// Reconcile returns an error unless every row read was used, filtered or rejected.
func (c *Counts) Reconcile() error {
	if accounted := c.Used + Sum(c.Filtered) + Sum(c.Rejected); accounted != c.Read {
		return fmt.Errorf("%s: %s read, and %d used, filtered or rejected: rows were lost, so nothing is published", c.File, english.Plural(int(c.Read), "row", ""), accounted)
	}
	return nil
}

// Sum adds up the counts of a map.
func Sum[K comparable](counts map[K]int64) int64 {
	var sum int64
	for _, n := range counts {
		sum += n
	}
	return sum
}

// Counts returns what became of the rows so far.
func (r *Reader) Counts() Counts {
	total := r.total()
	counts := Counts{
		File: r.spec.File, Bytes: total.Bytes, Fingerprint: fmt.Sprintf("%016x", total.Fingerprint), Ending: r.ending(total),
		Missing: r.missing, Read: r.read - int64(r.rows.ahead-r.rows.end), Used: r.used,
		Filtered: map[string]int64{}, Rejected: map[Reason]int64{}, Repaired: map[string]int64{},
	}
	for i, n := range r.filtered {
		counts.Filtered[r.spec.Filters[i].Name] = n
	}
	for reason, n := range r.rejected {
		counts.Rejected[reason] = n
	}
	for i, n := range r.repaired {
		if n > 0 {
			counts.Repaired[r.spec.Repairs[i].Name] = n
		}
	}
	if r.closed > 0 {
		counts.Repaired[RepairedQuote] = r.closed
	}
	return counts
}

// total returns what has been read of the file; in another order than the file's, all that there is in it.
func (r *Reader) total() Total {
	if r.options.Origins != nil {
		return r.options.Origins.Total()
	}
	return Total{
		Bytes: r.scanner.BytesRead(), Fingerprint: r.input.hash.Sum64(), Lines: r.scanner.Line(), Ended: r.scanner.Ended(), Halved: r.scanner.Halved(),
	}
}

// ending returns how the file ends, or nil when that is not known yet.
func (r *Reader) ending(total Total) *Ending {
	if !r.atEnd || total.Lines == 0 {
		return nil
	}
	e := &Ending{Line: total.Lines, Newline: total.Ended, Fault: r.fault}
	if e.Fault == "" && total.Halved {
		e.Fault = FaultLineEnd
	}
	return e
}
