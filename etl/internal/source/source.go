// Package source reads one CSV file as the shape file declares it. It maps the header to columns, applies repairs and filters, and
// converts the values to their types.
//
// Each row of the file has exactly one of four outcomes, and Counts counts them: Next returns it, a filter drops it, it has no parent
// because its parent's key is null, or it is rejected with a Reason. Only the rows that Next returns reach a document.
package source

import (
	"bytes"
	"fmt"
	"io"
	"slices"

	"github.com/zeebo/xxh3"

	"systemscale/etl/internal/condition"
	"systemscale/etl/internal/csvscan"
	"systemscale/etl/internal/shape"
)

// NewReader reads the header of input and returns a Reader for its rows. It returns a *FileError if there is no header or the
// header lacks a declared column. The Reader writes rejected rows to rejects.
func NewReader(input io.Reader, spec *shape.Source, dialect *shape.Dialect, rejects Sink, options Options) (*Reader, error) {
	r := &Reader{
		spec:      spec,
		dialect:   dialect,
		delimiter: dialect.Delimiter[0],
		options:   options,
		input:     &fingerprinted{Reader: input, hash: xxh3.New()},
		rejects:   rejects,
		layout:    layout{columns: make([]column, len(spec.Columns))},
		current:   current{values: make([]value, len(spec.Columns))},
		tally: tally{
			filtered: make([]int64, len(spec.Filters)),
			repaired: make([]int64, len(spec.Repairs)),
			rejected: map[Reason]int64{},
		},
		rows: Rows{width: len(spec.Rendered) + len(spec.Lookups), spare: append(make([]byte, 0, releasedSpare+csvscan.Slack), statics...)},
	}
	r.scanner = csvscan.New(r.input, Notation(r.dialect))
	if options.Origins != nil {
		r.scanner.Lines(options.Origins.Lines)
	}
	for _, declared := range spec.Filters {
		f := filter{column: declared.Column, text: []byte(declared.Drop), keep: declared.Keep, lookedUp: spec.Columns[declared.Column].LookedUp}
		switch kind := spec.Columns[f.column].Type; {
		case declared.Test != nil:
			f.test = condition.New(declared.Test, kind)
		case kind == shape.Int:
			f.number, f.isNumber = parseInt(f.text)
		}
		r.filters = append(r.filters, f)
	}
	r.planKeys()
	if err := r.header(); err != nil {
		return nil, err
	}
	r.LookUp(nil)
	if r.layout.width > 0 && options.Origins == nil {
		r.layout.fields = r.plan()
	}
	r.hold(r.scanner.Position())
	r.growth.nextOver = grownBytes
	r.rows.held, r.rows.origin = r.scanner.Held()
	return r, nil
}

// Missing returns the declared columns that the header lacks.
func (r *Reader) Missing() []string { return r.layout.missing }

// Rows returns the rows that have been read and not released. It always returns the same pointer.
func (r *Reader) Rows() *Rows { return &r.rows }

// Next reads the next good row and appends it to Rows. It returns false after the last row of the file. It returns an error if the
// file cannot be read to its end or a reject cannot be written.
func (r *Reader) Next() (bool, error) {
	if r.rows.end < r.rows.ahead {
		r.rows.end++
		r.pending = true
		return true, nil
	}
	return r.nextRecord()
}

// nextRecord implements Next if no row has been decoded ahead.
func (r *Reader) nextRecord() (bool, error) {
	if r.growth.grown != nil && (r.rows.Len() >= r.growth.nextRows || r.text() >= r.growth.nextBytes) {
		r.passOver() // free the parts of the rows that are not rendered
		r.growth.nextRows, r.growth.nextBytes = r.rows.Len()+grownRows, r.text()+grownBytes
		if err := r.growth.grown(); err != nil {
			return false, err
		}
	}
	for !r.decodeAhead() {
		if found, more, err := r.convertNext(); found || !more || err != nil {
			return found, err
		}
	}
	r.rows.end++
	r.pending, r.current.converted = true, false
	return true, nil
}

// decodeAhead decodes the next records. It returns false if the first of them is not plain.
func (r *Reader) decodeAhead() bool {
	if r.layout.fields == nil || r.breaks.Pending(r.scanner.Line()) {
		return false
	}
	r.shift = r.scanner.BytesRead() - r.scanner.Position()
	count := r.decode()
	r.tally.read += int64(count)
	return count > 0
}

// convertNext reads the next record, plain or not. found reports whether it is a good row, more whether there was a record.
func (r *Reader) convertNext() (found, more bool, err error) {
	position := r.scanner.Position()
	more = r.scanner.Scan()
	r.rows.held, r.rows.origin = r.scanner.Held()
	r.pending, r.current.converted = false, true
	if !more {
		if err := r.scanner.Err(); err != nil {
			message := "the file cannot be read after this line: " + err.Error()
			return false, false, &FileError{File: r.spec.File, Line: r.Line(), Message: message, Err: err}
		}
		r.atEnd = true
		return false, false, nil
	}
	r.tally.read++
	if r.options.Origins != nil {
		r.current.origin = r.options.Origins.Next()
		r.current.broken = r.current.origin.Break
	} else if r.current.broken = r.breaks.Of(r.scanner); r.current.broken != NoBreak {
		r.rows.held, r.rows.origin = r.scanner.Held()
	}
	used, err := r.convertOrReject()
	if !used || err != nil {
		r.passOver()
		return false, true, err
	}
	r.rows.start[r.rows.ahead] = position
	r.rows.ahead++
	r.rows.end++
	r.pending = true
	r.wide.note(r.current.values, r.layout.columns, r.Line())
	return true, true, nil
}

// convertOrReject converts the scanner's current record, or filters or rejects it.
func (r *Reader) convertOrReject() (used bool, err error) {
	if reason, column := r.convert(); reason != "" {
		return false, r.reject(reason, column)
	}
	if r.drop() {
		return false, nil
	}
	for _, column := range r.spec.Key {
		if r.current.values[column].null {
			return false, r.reject(NullValue, column)
		}
	}
	if r.withoutParent() {
		r.tally.withoutParent++
		return false, nil
	}
	if r.looksUp() {
		if r.lookUp(r.rows.ahead, 1) == 0 && r.noTarget != nil {
			return false, r.reject(NoTarget, r.noTarget...)
		}
		if filter := r.lookedUpFilter(r.rows.ahead); filter >= 0 {
			r.tally.filtered[filter]++
			return false, nil
		}
	}
	if r.keys != nil {
		if reason, column := r.encodeKeys(); reason != "" {
			return false, r.reject(reason, column)
		}
	}
	return true, nil
}

// withoutParent reports whether the row that convert has read has null where the parent's key is.
func (r *Reader) withoutParent() bool {
	for _, column := range r.spec.ParentKey {
		if r.current.values[column].null {
			return true
		}
	}
	return false
}

// Release frees all rows except the last one that Next has read, unless that was rejected, and counts them as used.
func (r *Reader) Release() {
	row := r.rows.end
	if r.pending {
		row--
	}
	r.tally.used += int64(row - r.rows.first)
	if row < r.rows.ahead {
		r.hold(r.rows.start[row])
	} else {
		r.hold(r.scanner.Position())
	}
	r.rows.release(row)
	r.growth.nextRows, r.growth.nextBytes, r.growth.nextOver = grownRows, grownBytes, grownBytes
}

// Raw returns the raw record of the last row. It is valid until the next call to Next.
func (r *Reader) Raw() []byte {
	if r.current.converted {
		return r.scanner.Raw()
	}
	end := r.scanner.Position()
	if r.rows.end < r.rows.ahead {
		end = r.rows.start[r.rows.end]
	}
	return bytes.TrimSuffix(r.rows.held[r.rows.start[r.rows.end-1]-r.rows.origin:end-1-r.rows.origin], []byte{'\r'})
}

// ByItem reports whether Item is known.
func (r *Reader) ByItem() bool { return r.options.Origins != nil && r.options.Origins.ByItem() }

// Item returns the key of the last row's item. It is valid only if ByItem, and if keys are ints.
func (r *Reader) Item() int64 { return r.current.origin.Item }

// ItemText returns the key of the last row's item. It is valid only if ByItem, and if keys are not ints.
func (r *Reader) ItemText() string { return r.current.origin.ItemText }

// Ambiguous reports whether rows of several items could be the last row's parent. It is valid only if ByItem.
func (r *Reader) Ambiguous() bool { return r.current.origin.Ambiguous }

// Reject removes the last row, counts it as rejected and writes it to the sink. columns are the faulty columns.
func (r *Reader) Reject(reason Reason, columns ...int) error {
	err := r.reject(reason, columns...)
	if r.current.converted {
		r.wide.forget()
	}
	r.rows.remove()
	r.pending = false
	r.passOver()
	return err
}

// Merge completes a row with the last row: where the row has null, it gets the other's value. The last row is removed and counts as used.
func (r *Reader) Merge(row int32) {
	r.rows.complete(row)
	r.tally.used++
	r.rows.remove()
	r.pending = false
	r.passOver()
}

// reject counts and writes the last record. A column of -1 is none.
func (r *Reader) reject(reason Reason, columns ...int) error {
	r.tally.rejected[reason]++
	switch {
	case r.current.converted && r.current.broken == EndsInQuotes:
		r.fault = FaultQuotes
	case r.current.converted && !r.ended() && r.fault == "":
		r.fault = FaultRejected + Fault(reason)
	}
	reject := Reject{
		File: r.spec.File, Source: r.spec.Name, Line: r.Line(), Offset: r.offset(), Reason: reason, Raw: r.Raw(),
	}
	if reason == FieldCount {
		reject.Detail = r.fieldCounts()
	}
	if len(columns) > 0 && columns[0] >= 0 {
		reject.Column = r.spec.Names(columns)
	}
	if reason == LineTooLong && r.options.Whole != nil {
		reject.Whole = func() (io.ReadCloser, error) { return r.options.Whole(reject.Offset, r.size()) }
	}
	if err := r.rejects.Reject(reject); err != nil {
		return fmt.Errorf("write the reject of %s:%d: %w", r.spec.File, reject.Line, err)
	}
	return nil
}

// fieldCounts compares the number of fields of the scanner's current record with that of the columns.
func (r *Reader) fieldCounts() string {
	fields := fmt.Sprintf("%d fields", len(r.scanner.Fields()))
	if len(r.scanner.Fields()) == 1 {
		fields = "1 field"
	}
	if r.dialect.NoHeader {
		return fmt.Sprintf("%s, and source %s has %d columns", fields, r.spec.Name, r.layout.width)
	}
	return fmt.Sprintf("%s, and the header has %d", fields, r.layout.width)
}

// Counts returns the counts of the rows read so far.
func (r *Reader) Counts() Counts {
	total := r.total()
	counts := Counts{
		File: r.spec.File, Source: r.spec.Name, Bytes: total.Bytes, Fingerprint: fmt.Sprintf("%016x", total.Fingerprint), Ending: r.ending(total),
		Missing: r.layout.missing, Read: r.tally.read - int64(r.rows.ahead-r.rows.end), Used: r.tally.used,
		Filtered: map[string]int64{}, Rejected: map[Reason]int64{}, Repaired: map[string]int64{},
		WithoutParent: r.tally.withoutParent,
	}
	for i, n := range r.tally.filtered {
		counts.Filtered[r.spec.Filters[i].Name] = n
	}
	for reason, n := range r.tally.rejected {
		counts.Rejected[reason] = n
	}
	for i, n := range r.tally.repaired {
		if n > 0 {
			counts.Repaired[r.spec.Repairs[i].Name] = n
		}
	}
	if r.tally.closed > 0 {
		counts.Repaired[RepairedQuote] = r.tally.closed
	}
	return counts
}

// total returns the totals of the input so far; of an input in another order, those of the whole file.
func (r *Reader) total() Total {
	if r.options.Origins != nil {
		return r.options.Origins.Total()
	}
	return Total{
		Bytes: r.scanner.BytesRead(), Fingerprint: r.input.hash.Sum64(), Lines: r.scanner.Line(),
		Ended: r.scanner.Ended(), Halved: r.scanner.Halved(),
	}
}

// ending returns the end of the file, or nil if it has not been reached.
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

// Wide returns the columns with ints beyond ±(2^53 - 1) in the rows read so far.
func (r *Reader) Wide() []Wide {
	return slices.DeleteFunc(slices.Clone(r.wide.columns), func(w Wide) bool { return w.Rows == 0 })
}
