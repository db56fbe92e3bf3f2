// Package source reads one CSV as its shape declares it: header mapped to columns, values typed,
// declared repairs made and declared filters applied.
//
// Every row that the file holds has exactly one of three fates, and Counts has them all: it is
// handed out by Next, it is filtered, or it is rejected with a reason. A row is rejected whole;
// nothing of it reaches a document. Reasons are the Reason constants.
package source

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"

	"systemscale/etl/internal/csvscan"
	"systemscale/etl/internal/shape"
)

// Reason says why a row was rejected. Its text is what reports and files of rejects show.
type Reason string

// The reasons for which a row is rejected.
const (
	FieldCount     Reason = "field count"      // more or fewer fields than the header has
	UnclosedQuote  Reason = "unclosed quote"   // and the shape does not say to close it, or it swallowed other fields
	TextAfterQuote Reason = "text after quote" // something stands between a closing quote and the comma
	BareQuote      Reason = "bare quote"       // a quote inside a field that does not begin with one
	LineTooLong    Reason = "line too long"    // longer than csvscan.MaxLine
	Truncated      Reason = "truncated"        // the file ends inside a quoted field
	NotUTF8        Reason = "not UTF-8"
	NULByte        Reason = "NUL byte" // which neither JSON in Postgres nor text can hold
	NotInt         Reason = "not an int"
	NotMoney       Reason = "not money"
	NotFlag        Reason = "not a flag"
	NullValue      Reason = "null" // in a column that does not admit it
	DuplicateKey   Reason = "duplicate key"
	KeyNotPositive Reason = "key not positive" // of the root, whose keys are the ids in URLs
	Orphan         Reason = "orphan"           // its parent does not exist, or was itself rejected or filtered
)

// Value is one typed value of a row. Which field holds it follows from the column's type.
type Value struct {
	Text  []byte // of text
	Int   int64  // of int; of money in hundredths; of flag 0 or 1
	Null  bool
	Plain bool // Text holds nothing that a JSON string must escape
}

// Row is one good row. It and what it points to are valid until the next call to Next.
type Row struct {
	Key    int64
	On     int64 // the parent's key; 0 for the root
	Values []Value
}

// Counts is what became of the rows of one file. Used is for the reader's user to count.
type Counts struct {
	File     string           `json:"file"`
	Bytes    int64            `json:"bytes"`
	Read     int64            `json:"read"`
	Used     int64            `json:"used"`
	Filtered map[string]int64 `json:"filtered,omitempty"` // by the filter's name
	Rejected map[Reason]int64 `json:"rejected,omitempty"`
	Repaired map[string]int64 `json:"repaired,omitempty"` // by the repair's name; these rows are used, filtered or rejected too
}

// RepairedQuote is the name under which closed quotes are counted.
const RepairedQuote = "closed quote"

// Reconcile returns an error unless every row read was used, filtered or rejected.
func (c *Counts) Reconcile() error {
	if accounted := c.Used + Sum(c.Filtered) + Sum(c.Rejected); accounted != c.Read {
		return fmt.Errorf("%s: %d rows read, and %d used, filtered or rejected: rows were lost, so nothing is published", c.File, c.Read, accounted)
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

// Kind tells the mistakes that somebody may decide to live with.
type Kind string

// The kinds of FileErrors that are told apart.
const (
	MissingColumn Kind = "missing-column"
	Empty         Kind = "empty-file"
)

// FileError is a mistake that makes a whole file unusable.
type FileError struct {
	Kind    Kind // empty for all others
	File    string
	Line    int64 // 0 when it is no line's fault
	Message string
	Err     error // what the file system said, or nil
}

func (e *FileError) Unwrap() error { return e.Err }

func (e *FileError) Error() string {
	if e.Line == 0 {
		return e.File + ": " + e.Message
	}
	return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Message)
}

// Reader reads one CSV. It is used by one goroutine.
type Reader struct {
	spec    *shape.Source
	dialect *shape.Dialect
	null    []byte
	scanner *csvscan.Scanner
	rejects Sink

	width        int      // fields in the header
	columns      []column // as in spec
	numberIsNull bool     // the bare field that stands for null is a number
	filters      []filter
	filtered     []int64 // by filter
	repaired     []int64 // by repair
	closed       int64   // quotes
	read         int64
	used         int64
	rejected     map[Reason]int64

	row     Row
	scratch []byte // repaired texts of the row
}

// column is what converting needs of a declared column, close together.
type column struct {
	field    int // index in the record
	kind     shape.Type
	nullable bool
}

// filter drops the rows that have a number in an int column, or a text, as it is written, in any other.
type filter struct {
	column   int
	text     []byte
	number   int64
	isNumber bool
}

// NewReader returns a Reader of the file behind input, after reading its header. A header that lacks a declared
// column, or no header at all, is a *FileError. Rejected rows go to rejects.
func NewReader(input io.Reader, spec *shape.Source, dialect *shape.Dialect, rejects Sink) (*Reader, error) {
	r := &Reader{
		spec:     spec,
		dialect:  dialect,
		scanner:  csvscan.New(input, csvscan.Dialect{Delimiter: dialect.Delimiter, TrimSpaces: dialect.TrimSpaces}),
		rejects:  rejects,
		columns:  make([]column, len(spec.Columns)),
		filtered: make([]int64, len(spec.Filters)),
		repaired: make([]int64, len(spec.Repairs)),
		rejected: map[Reason]int64{},
	}
	if dialect.Null != "" {
		r.null = []byte(dialect.Null)
		_, r.numberIsNull = parseInt(r.null)
	}
	r.row.Values = make([]Value, len(spec.Columns))
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
	return r, nil
}

func (r *Reader) header() error {
	if !r.scanner.Scan() {
		if err := r.scanner.Err(); err != nil {
			return &FileError{File: r.spec.File, Message: "the file cannot be read: " + err.Error(), Err: err}
		}
		return &FileError{Kind: Empty, File: r.spec.File, Message: "the file is empty: not even a header is there"}
	}
	names := make([]string, 0, 16)
	for _, field := range r.scanner.Fields() {
		names = append(names, string(field.Text))
	}
	r.width = len(names)
	for i, declared := range r.spec.Columns {
		at := slices.Index(names, declared.Name)
		if at < 0 {
			return &FileError{Kind: MissingColumn, File: r.spec.File, Line: r.scanner.Line(), Message: fmt.Sprintf("the header has no column %q; it has %s. Mend the header, or the columns of source %s in the shape file",
				declared.Name, abbreviate([]byte(strings.Join(names, ", "))), r.spec.Name)}
		}
		if slices.Contains(names[at+1:], declared.Name) {
			return &FileError{File: r.spec.File, Line: r.scanner.Line(), Message: fmt.Sprintf("the header has the column %q twice", declared.Name)}
		}
		r.columns[i] = column{field: at, kind: declared.Type, nullable: declared.Nullable}
	}
	return nil
}

// Next returns the next good row, or io.EOF behind the last one. Any other error means that the file could
// not be read to its end, or that a reject could not be written.
func (r *Reader) Next() (*Row, error) {
	for r.scanner.Scan() {
		r.read++
		reason, column := r.convert()
		if reason != "" {
			if err := r.Reject(reason, column); err != nil {
				return nil, err
			}
			continue
		}
		if r.drop() {
			continue
		}
		r.row.Key = r.row.Values[r.spec.Key].Int
		if r.spec.On >= 0 {
			r.row.On = r.row.Values[r.spec.On].Int
		}
		return &r.row, nil
	}
	if err := r.scanner.Err(); err != nil {
		return nil, &FileError{File: r.spec.File, Line: r.scanner.Line(), Message: "the file cannot be read behind this line: " + err.Error(), Err: err}
	}
	return nil, io.EOF
}

// Use counts the row that Next returned last as used.
func (r *Reader) Use() { r.used++ }

// Line returns the line number of the row that Next returned last.
func (r *Reader) Line() int64 { return r.scanner.Line() }

// BytesRead returns how far into the file the reader is.
func (r *Reader) BytesRead() int64 { return r.scanner.BytesRead() }

// Counts returns what became of the rows so far.
func (r *Reader) Counts() Counts {
	counts := Counts{
		File: r.spec.File, Bytes: r.scanner.BytesRead(), Read: r.read, Used: r.used,
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

// Reject counts the row that was read last as rejected and hands it to the sink. column is the index of the column at fault, or -1.
func (r *Reader) Reject(reason Reason, column int) error {
	r.rejected[reason]++
	reject := Reject{
		File: r.spec.File, Line: r.scanner.Line(), Offset: r.scanner.Offset(), Reason: reason, Raw: r.scanner.Raw(),
	}
	if column >= 0 {
		reject.Column = r.spec.Columns[column].Name
	}
	if err := r.rejects.Reject(reject); err != nil {
		return fmt.Errorf("write the reject of %s:%d: %w", r.spec.File, reject.Line, err)
	}
	return nil
}

// drop reports whether a filter drops the row, and counts it under the first one that does.
func (r *Reader) drop() bool {
	for i := range r.filters {
		f := &r.filters[i]
		value := &r.row.Values[f.column]
		drops := f.isNumber && !value.Null && value.Int == f.number
		if !f.isNumber {
			drops = bytes.Equal(r.scanner.Fields()[r.columns[f.column].field].Text, f.text)
		}
		if drops {
			r.filtered[i]++
			return true
		}
	}
	return false
}

// convert fills r.row from the record. It returns the reason for which the row is to be rejected, and the
// index of the column at fault or -1; or an empty reason.
func (r *Reader) convert() (Reason, int) {
	fields := r.scanner.Fields()
	if r.scanner.TooLong() {
		return LineTooLong, -1
	}
	reason, plain := checkText(r.scanner.Raw())
	if reason != "" {
		return reason, -1
	}
	last := &fields[len(fields)-1]
	if last.Damage == csvscan.Unclosed && (len(fields) != r.width || !r.dialect.CloseQuotes || !r.scanner.Ended()) {
		if !r.scanner.Ended() {
			return Truncated, -1
		}
		return UnclosedQuote, r.columnOf(len(fields) - 1)
	}
	if len(fields) != r.width {
		return FieldCount, -1
	}
	r.scratch = r.scratch[:0]
	for i := range r.columns {
		column := &r.columns[i]
		field, value := &fields[column.field], &r.row.Values[i]
		if field.Number && column.kind == shape.Int && !r.numberIsNull {
			value.Int, value.Null = field.Int, false
			continue
		}
		switch field.Damage {
		case csvscan.TextAfterQuote:
			return TextAfterQuote, i
		case csvscan.BareQuote:
			return BareQuote, i
		}
		if value.Null = !field.Quoted && r.isNull(field.Text); value.Null {
			if !column.nullable {
				return NullValue, i
			}
			value.Int, value.Text = 0, nil
			continue
		}
		value.Plain = plain && !field.Unescaped
		if reason := convert(column.kind, field.Text, value); reason != "" {
			return reason, i
		}
	}
	for i := range r.spec.Repairs {
		r.repair(i)
	}
	if last.Damage == csvscan.Unclosed {
		r.closed++
	}
	return "", -1
}

// isNull compares by hand before it calls: nearly every field differs in length or in the first byte.
func (r *Reader) isNull(text []byte) bool {
	return len(text) == len(r.null) && len(text) > 0 && text[0] == r.null[0] && bytes.Equal(text, r.null)
}

// columnOf returns the index of the column that is read from a field, or -1.
func (r *Reader) columnOf(field int) int {
	return slices.IndexFunc(r.columns, func(c column) bool { return c.field == field })
}

func (r *Reader) repair(i int) {
	repair := &r.spec.Repairs[i]
	value := &r.row.Values[repair.Column]
	// The comparison allocates nothing: the compiler does not make a string of the conversion.
	if len(value.Text) < len(repair.Prefix) || string(value.Text[:len(repair.Prefix)]) != repair.Prefix {
		return
	}
	from := len(r.scratch)
	r.scratch = append(append(r.scratch, repair.With...), value.Text[len(repair.Prefix):]...)
	value.Text = r.scratch[from:len(r.scratch):len(r.scratch)]
	value.Plain = false // who knows what the shape puts in
	r.repaired[i]++
}

// Unsorted returns the error for the row that Next returned last, which stands behind a row that should have come later.
func (r *Reader) Unsorted(column int, value, previous int64) error {
	name := r.spec.Columns[column].Name
	if value == previous {
		return &FileError{File: r.spec.File, Line: r.Line(), Message: fmt.Sprintf("%s %d was in an earlier item already: an id can belong to one only. Remove one of the two rows", name, value)}
	}
	return &FileError{File: r.spec.File, Line: r.Line(), Message: fmt.Sprintf("%s %d stands behind %s %d, and this file must be in ascending order of %s for its rows to be joined in one pass. Sort it by that column, keeping the order of equal rows",
		name, value, name, previous, name)}
}

func abbreviate(text []byte) string {
	const most = 200
	if len(text) > most {
		return string(text[:most]) + "…"
	}
	return string(text)
}
