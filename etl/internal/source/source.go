// Package source reads one CSV file as the shape file declares it. It maps the header to columns, applies repairs and filters, and
// converts the values to their types.
//
// Each row of the file has exactly one of three outcomes, and Counts counts them: Next returns it, a filter drops it, or it is
// rejected with a Reason. No part of a rejected row reaches a document.
package source

import (
	"bytes"
	"fmt"
	"io"
	"slices"

	"github.com/zeebo/xxh3"

	"systemscale/etl/internal/csvscan"
	"systemscale/etl/internal/shape"
	"systemscale/sql/printable"
)

// Reason is the reason for rejecting a row, as reports and reject files show it.
type Reason string

// The reasons for rejecting a row.
const (
	FieldCount     Reason = "field count"          // more or fewer fields than the header
	UnclosedQuote  Reason = "unclosed quote"       // with fields missing after it, or without close_quotes in the shape file
	TextAfterQuote Reason = "text after quote"     // text between a closing quote and the delimiter
	BareQuote      Reason = "bare quote"           // a quote within a field that does not begin with one
	LineTooLong    Reason = "line too long"        // longer than csvscan.MaxLine
	BrokenLine     Reason = "line break in quotes" // a line of a record of several lines
	Truncated      Reason = "truncated"            // the file ends within a quoted field
	NotUTF8        Reason = "not UTF-8"
	NULByte        Reason = "NUL byte" // PostgreSQL cannot store it
	NotInt         Reason = "not an int"
	NotMoney       Reason = "not money"
	NotFlag        Reason = "not a flag"
	NullValue      Reason = "null" // in a column that is not nullable
	DuplicateKey   Reason = "duplicate key"
	KeyNotPositive Reason = "key not positive" // in the root source, whose keys are the ids in URLs
	Orphan         Reason = "orphan"           // the parent does not exist, or was rejected or filtered
)

// Kind classifies the FileErrors that --accept can accept.
type Kind string

// The kinds of FileErrors.
const (
	MissingColumn Kind = "missing-column"
	Empty         Kind = "empty-file"
)

// FileError is an error that makes a whole file unusable.
type FileError struct {
	Kind    Kind // empty if it cannot be accepted
	File    string
	Line    int64 // 0 if the error is not in a line
	Message string
	Err     error // the error of the file system, or nil
}

func (e *FileError) Unwrap() error { return e.Err }

func (e *FileError) Error() string {
	if e.Line == 0 {
		return e.File + ": " + e.Message
	}
	return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Message)
}

// Origin is the place of a record in its file.
type Origin struct {
	Line   int64
	Offset int64
	Size   int64 // in bytes, with its line end
	Ended  bool  // it ends with a line feed
	Break  Break
	Item   int64 // the key of its item, if Origins.ByItem
}

// Total describes a whole file.
type Total struct {
	Bytes       int64
	Fingerprint uint64 // xxh3 hash of the bytes
	Lines       int64
	Ended       bool // the last line ends with a line feed
	Halved      bool // the last line ends with the first byte of a CRLF
}

// Origins returns the origins of the records of an input that has another order than the file.
type Origins interface {
	Next() Origin // returns the origin of the next record, the first of which is the header
	ByItem() bool // reports whether Origin.Item is set
	Total() Total
}

// Options are optional arguments of NewReader. The zero value is strict.
type Options struct {
	Origins        Origins                                         // nil if the input has the order of the file
	Duplicates     map[int64]struct{}                              // lines whose key is on an earlier line; nil if keys have not been checked
	Whole          func(offset, size int64) (io.ReadCloser, error) // reads a part of the file again
	MissingColumns bool                                            // read a column that is not in the header as null, unless it is a key
	NoHeader       bool                                            // read an empty file as one without rows
}

// Reader reads one CSV file. It must be used by one goroutine.
type Reader struct {
	spec    *shape.Source
	dialect *shape.Dialect
	options Options
	null    []byte
	input   *fingerprinted
	scanner *csvscan.Scanner
	rejects Sink

	delimiter byte
	filters   []filter
	breaks    *Breaks
	layout    layout
	fault     Fault // evidence so far that the file is truncated
	atEnd     bool

	rows    Rows
	shift   int64 // difference between a decoded record's position and its offset in the file
	pending bool  // the last row is the candidate
	current current

	growth growth
	tally  tally
	wide   wideInts
}

// layout maps the fields of a record to columns.
type layout struct {
	width   int      // fields in the header
	columns []column // in the order of the shape file
	fields  []field  // in the order of the header, for decode; nil if decode cannot be used
	missing []string // names of columns that the header lacks
	absent  []int    // cells of columns that the header lacks
}

// column is a declared column, for convert.
type column struct {
	field    int // index in the record, or -1 if the header lacks the column
	kind     shape.Type
	nullable bool
	place    int // index of the cell in the row, or -1
}

// filter drops the rows with a number in an int column, or with the exact text in any other column.
type filter struct {
	column   int
	text     []byte
	number   int64
	isNumber bool
}

// fingerprinted hashes the bytes that are read through it.
type fingerprinted struct {
	io.Reader
	hash *xxh3.Hasher
}

func (f *fingerprinted) Read(p []byte) (int, error) {
	n, err := f.Reader.Read(p)
	_, _ = f.hash.Write(p[:n]) // never fails
	return n, err
}

// NewReader reads the header of input and returns a Reader for its rows. It returns a *FileError if there is no header or the
// header lacks a declared column. The Reader writes rejected rows to rejects.
func NewReader(input io.Reader, spec *shape.Source, dialect *shape.Dialect, rejects Sink, options Options) (*Reader, error) {
	r := &Reader{
		spec:      spec,
		dialect:   dialect,
		delimiter: dialect.Delimiter,
		options:   options,
		null:      []byte(dialect.Null),
		input:     &fingerprinted{Reader: input, hash: xxh3.New()},
		rejects:   rejects,
		layout:    layout{columns: make([]column, len(spec.Columns))},
		current:   current{values: make([]value, len(spec.Columns))},
		tally: tally{
			filtered: make([]int64, len(spec.Filters)),
			repaired: make([]int64, len(spec.Repairs)),
			rejected: map[Reason]int64{},
		},
		rows: Rows{width: len(spec.Rendered), spare: append(make([]byte, 0, releasedSpare+csvscan.Slack), statics...)},
	}
	r.scanner = csvscan.New(r.input, r.csvDialect())
	for _, declared := range spec.Filters {
		f := filter{column: declared.Column, text: []byte(declared.Drop)}
		if spec.Columns[f.column].Type == shape.Int {
			f.number, f.isNumber = parseInt(f.text)
		}
		r.filters = append(r.filters, f)
	}
	if err := r.header(); err != nil {
		return nil, err
	}
	if r.layout.width > 0 && options.Origins == nil && options.Duplicates == nil {
		r.layout.fields = r.plan()
	}
	r.hold(r.scanner.Position())
	r.growth.nextOver = grownBytes
	r.rows.held, r.rows.origin = r.scanner.Held()
	return r, nil
}

func (r *Reader) header() error {
	if !r.scanner.Scan() {
		if err := r.scanner.Err(); err != nil {
			return &FileError{File: r.spec.File, Message: "the file cannot be read: " + err.Error(), Err: err}
		}
		if r.options.NoHeader {
			return nil
		}
		return &FileError{Kind: Empty, File: r.spec.File, Message: "the file is empty: it has no header"}
	}
	if r.options.Origins != nil {
		r.current.origin = r.options.Origins.Next()
	}
	if !r.ended() {
		r.fault = FaultHeader
	}
	if form := Form(r.scanner.Raw()); form != "" {
		return &FileError{File: r.spec.File, Line: r.scanner.Line(), Message: form}
	}
	names := make([]string, 0, 16)
	for _, field := range r.scanner.Fields() {
		names = append(names, string(field.Text))
	}
	r.layout.width = len(names)
	for i, declared := range r.spec.Columns {
		at := slices.Index(names, declared.Name)
		place := slices.Index(r.spec.Rendered, i)
		r.layout.columns[i] = column{field: at, kind: declared.Type, nullable: declared.Nullable, place: place}
		if at < 0 && r.fault == FaultHeader {
			message := fmt.Sprintf("%s, which has no column %q", FaultHeader, declared.Name)
			return &FileError{File: r.spec.File, Line: r.scanner.Line(), Message: message}
		}
		if at < 0 && r.options.MissingColumns && i != r.spec.Key && i != r.spec.ParentKey {
			r.layout.missing = append(r.layout.missing, declared.Name)
			if place >= 0 {
				r.layout.absent = append(r.layout.absent, place)
			}
			continue
		}
		if at < 0 {
			return &FileError{Kind: MissingColumn, File: r.spec.File, Line: r.scanner.Line(), Message: fmt.Sprintf(
				"the header has no column %q; it has %s. Correct the header, or the columns of source %s in the shape file",
				declared.Name, abbreviate([]byte(printable.Names(names))), r.spec.Name)}
		}
		if slices.Contains(names[at+1:], declared.Name) {
			message := fmt.Sprintf("the header has the column %q twice", declared.Name)
			return &FileError{File: r.spec.File, Line: r.scanner.Line(), Message: message}
		}
	}
	r.breaks = NewBreaks(r.csvDialect(), r.layout.width, r.keyFields()...)
	return nil
}

func (r *Reader) csvDialect() csvscan.Dialect {
	return csvscan.Dialect{Delimiter: r.dialect.Delimiter, TrimSpaces: r.dialect.TrimSpaces}
}

// keyFields returns the indices of the fields that hold the row's key and the parent's key.
func (r *Reader) keyFields() []int {
	fields := []int{r.layout.columns[r.spec.Key].field}
	if r.spec.ParentKey >= 0 {
		fields = append(fields, r.layout.columns[r.spec.ParentKey].field)
	}
	return fields
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
	r.noteWide()
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
	if _, found := r.options.Duplicates[r.Line()]; found {
		return false, r.reject(DuplicateKey, r.spec.Key)
	}
	return true, nil
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

// offset returns the offset of the last record in the file.
func (r *Reader) offset() int64 {
	switch {
	case r.options.Origins != nil:
		return r.current.origin.Offset
	case r.current.converted:
		return r.scanner.Offset()
	}
	return r.rows.start[r.rows.end-1] + r.shift
}

// size returns the size of the scanner's current record in the file, with its line end.
func (r *Reader) size() int64 {
	if r.options.Origins != nil {
		return r.current.origin.Size
	}
	return r.scanner.BytesRead() - r.scanner.Offset()
}

// ended reports whether the scanner's current record ended with a line feed.
func (r *Reader) ended() bool {
	if r.options.Origins != nil {
		return r.current.origin.Ended
	}
	return r.scanner.Ended()
}

// KeysChecked reports whether the Reader rejects rows with duplicate keys.
func (r *Reader) KeysChecked() bool { return r.options.Duplicates != nil }

// ByItem reports whether Item is known.
func (r *Reader) ByItem() bool { return r.options.Origins != nil && r.options.Origins.ByItem() }

// Item returns the key of the last row's item. It is valid only if ByItem.
func (r *Reader) Item() int64 { return r.current.origin.Item }

// Line returns the line number of the last record.
func (r *Reader) Line() int64 {
	if r.options.Origins != nil {
		return r.current.origin.Line
	}
	return r.scanner.Line() - int64(r.rows.ahead-r.rows.end)
}

// Reject removes the last row, counts it as rejected and writes it to the sink. column is the index of the faulty column, or -1.
func (r *Reader) Reject(reason Reason, column int) error {
	err := r.reject(reason, column)
	if r.current.converted {
		r.forgetWide()
	}
	r.rows.remove()
	r.pending = false
	r.passOver()
	return err
}

func (r *Reader) reject(reason Reason, column int) error {
	r.tally.rejected[reason]++
	switch {
	case r.current.converted && r.current.broken == EndsInQuotes:
		r.fault = FaultQuotes
	case r.current.converted && !r.ended() && r.fault == "":
		r.fault = FaultRejected + Fault(reason)
	}
	reject := Reject{
		File: r.spec.File, Line: r.Line(), Offset: r.offset(), Reason: reason, Raw: r.Raw(),
	}
	if column >= 0 {
		reject.Column = r.spec.Columns[column].Name
	}
	if reason == LineTooLong && r.options.Whole != nil {
		reject.Whole = func() (io.ReadCloser, error) { return r.options.Whole(reject.Offset, r.size()) }
	}
	if err := r.rejects.Reject(reject); err != nil {
		return fmt.Errorf("write the reject of %s:%d: %w", r.spec.File, reject.Line, err)
	}
	return nil
}

func abbreviate(text []byte) string {
	const most = 200
	if len(text) > most {
		return string(text[:most]) + "…"
	}
	return string(text)
}
