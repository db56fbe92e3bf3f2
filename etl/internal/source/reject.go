package source

import (
	"bufio"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"unicode/utf8"

	"github.com/goccy/go-json"

	"systemscale/etl/internal/regular"
	"systemscale/etl/internal/shape"
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
	NotUTF8        Reason = "not UTF-8"            // NotIn has the reasons for other encodings
	NULByte        Reason = "NUL byte"             // PostgreSQL cannot store it
	NotInt         Reason = "not an int"
	NotMoney       Reason = "not money"
	NotFlag        Reason = "not a flag"
	NotDecimal     Reason = "not a decimal"
	NotDate        Reason = "not a date" // or not in the declared format
	NotTime        Reason = "not a time"
	NotJSON        Reason = "not JSON"
	NullValue      Reason = "null" // in a column that is not nullable
	DuplicateKey   Reason = "duplicate key"
	NoTarget       Reason = "no target"        // a look-up that is required finds no row
	KeyLength      Reason = "key length"       // a text in a key is empty or longer than 512 bytes
	NoID           Reason = "no id"            // the key of the root source cannot be part of an address
	Ambiguous      Reason = "ambiguous parent" // several rows of the parent have the value
	Orphan         Reason = "orphan"           // the parent does not exist, or was rejected or filtered
)

// Reject is a rejected row.
type Reject struct {
	File   string
	Source string // name of the source that rejects it
	Shared bool   // other sources read the file, too
	Line   int64  // starts at 1, the header
	Offset int64  // offset of the line in the input, in bytes
	Column string // the faulty column, or empty; those of a key are separated by commas
	Reason Reason
	Detail string // more about the reason, or empty
	Raw    []byte // the raw line, in UTF-8, or the beginning of a line that is too long; valid only during the call

	// Whole opens a line that is too long, including its line end. It is nil for other lines, and valid only during the call.
	Whole func() (io.ReadCloser, error)

	// Encode returns a writer for the text of the line that writes it in the encoding of the file. It is nil for UTF-8.
	Encode func(io.Writer) io.Writer
}

// NotIn returns the reason to reject a line that has a sequence without meaning in the encoding of the file.
func NotIn(encoding string) Reason {
	if encoding == "" {
		return NotUTF8
	}
	return Reason("not " + encoding)
}

// Sink receives rejects.
type Sink interface {
	Reject(Reject) error
}

// Discard is a Sink that drops the rejects. Counts has how many there were.
type Discard struct{}

// Reject does nothing.
func (Discard) Reject(Reject) error { return nil }

// FirstRejects is a Sink that keeps the first rejects, as text, for a report.
type FirstRejects struct{ first []string }

// Reject keeps one row.
func (f *FirstRejects) Reject(reject Reject) error {
	if len(f.first) < kept {
		f.first = append(f.first, reject.String())
	}
	return nil
}

// First returns one line of text for each of the first rejects.
func (f *FirstRejects) First() []string { return f.first }

// RejectLog is the name of the file that lists the rejects.
const RejectLog = "rejects.ndjson"

// kept is the number of rejects that are kept in memory for a report.
const kept = 10

// RejectFiles writes the rejects of a run to Directory, which it creates at the first reject. rejects.ndjson has one
// object per row. A second file per CSV file, with the same name, has the raw rows. If the directory exists, such as from a run of
// another database, RejectFiles does not change it and uses the first free name that ends with -2, -3 and so on. It must be used by one
// goroutine.
type RejectFiles struct {
	Directory string

	created bool
	log     *bufio.Writer
	raw     map[string]*bufio.Writer
	files   []*os.File
	first   []string

	written map[string]struct{} // names of the created files
	shared  map[string]*bitset  // lines that have been written, of files that several sources read
}

// bitset is a set of line numbers.
type bitset []uint64

// add adds a line. It reports whether the set had it.
func (b *bitset) add(line int64) (found bool) {
	at, bit := int(line>>6), uint64(1)<<(line&63)
	if more := at + 1 - len(*b); more > 0 {
		*b = append(*b, make([]uint64, more)...)
	}
	found = (*b)[at]&bit != 0
	(*b)[at] |= bit
	return found
}

// First returns one line of text for each of the first rejects: file, line, column, reason and row.
func (f *RejectFiles) First() []string { return f.first }

// rejectLine is one line of rejects.ndjson. A row that is not UTF-8 is in RowBase64 instead of Row.
type rejectLine struct {
	File      string `json:"file"`
	Source    string `json:"source,omitempty"`
	Line      int64  `json:"line"`
	Offset    int64  `json:"offset"`
	Column    string `json:"column,omitempty"`
	Reason    Reason `json:"reason"`
	Detail    string `json:"detail,omitempty"`
	Cut       bool   `json:"cut,omitempty"` // the row is the beginning of a line that is too long; the file with the raw rows has all of it
	Row       string `json:"row,omitempty"`
	RowBase64 string `json:"row_base64,omitempty"`
}

// Reject writes one row. It returns the error of the file system.
func (f *RejectFiles) Reject(reject Reject) error {
	if f.log == nil {
		if err := f.claim(); err != nil {
			return err
		}
		log, err := f.create(RejectLog)
		if err != nil {
			return err
		}
		f.log, f.raw = log, map[string]*bufio.Writer{}
	}
	raw := f.raw[reject.File]
	if raw == nil {
		created, err := f.create(reject.File)
		if err != nil {
			return err
		}
		raw, f.raw[reject.File] = created, created
	}
	line := rejectLine{
		File: reject.File, Source: reject.Source, Line: reject.Line, Offset: reject.Offset, Column: reject.Column, Reason: reject.Reason,
		Detail: reject.Detail,
	}
	row := reject.Raw
	if line.Cut = reject.Whole != nil; line.Cut {
		row = row[:min(len(row), shownOfLong)]
	}
	if utf8.Valid(row) {
		line.Row = string(row)
	} else {
		line.RowBase64 = base64.StdEncoding.EncodeToString(row)
	}
	encoded, err := json.MarshalWithOption(line, json.DisableHTMLEscape())
	if err != nil {
		return err
	}
	if len(f.first) < kept {
		f.first = append(f.first, reject.String())
	}
	if _, err := f.log.Write(append(encoded, '\n')); err != nil {
		return err
	}
	if reject.Shared && f.has(reject) {
		return nil
	}
	return writeRaw(raw, reject)
}

// has reports whether the row has been written for another source, and notes that it is.
func (f *RejectFiles) has(reject Reject) bool {
	lines := f.shared[reject.File]
	if lines == nil {
		if f.shared == nil {
			f.shared = map[string]*bitset{}
		}
		lines = new(bitset)
		f.shared[reject.File] = lines
	}
	return lines.add(reject.Line)
}

// claim creates a directory for this run alone.
func (f *RejectFiles) claim() error {
	if f.created {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(f.Directory), 0o755); err != nil {
		return err
	}
	wanted := f.Directory
	for n := 2; ; n++ {
		err := os.Mkdir(f.Directory, 0o755)
		if err == nil {
			f.created = true
			return nil
		}
		if !errors.Is(err, os.ErrExist) {
			return err
		}
		f.Directory = fmt.Sprintf("%s-%d", wanted, n)
	}
}

// shownOfLong is the length of the beginning of a too long line in rejects.ndjson, in bytes.
const shownOfLong = 1 << 10

// writeRaw writes the raw row in full, and a line feed, in the encoding of the file.
func writeRaw(w io.Writer, reject Reject) error {
	if reject.Encode != nil {
		w = reject.Encode(w)
	}
	if reject.Whole == nil {
		_, err := w.Write(append(reject.Raw[:len(reject.Raw):len(reject.Raw)], '\n'))
		return err
	}
	line, err := reject.Whole()
	if err != nil {
		return err
	}
	defer func() { _ = line.Close() }() // only read
	last := lastByte{w: w}
	if _, err := io.Copy(&last, line); err != nil || last.byte == '\n' {
		return err
	}
	_, err = w.Write([]byte{'\n'})
	return err
}

// lastByte stores the last byte written through it.
type lastByte struct {
	w    io.Writer
	byte byte
}

func (l *lastByte) Write(p []byte) (int, error) {
	if len(p) > 0 {
		l.byte = p[len(p)-1]
	}
	return l.w.Write(p)
}

// Remove closes the files and removes them with the directory, because another RejectFiles will receive the rows again.
func (f *RejectFiles) Remove() error {
	errs := []error{f.Close()}
	for name := range f.written {
		errs = append(errs, os.Remove(filepath.Join(f.Directory, name)))
	}
	if f.created {
		errs = append(errs, os.Remove(f.Directory))
	}
	return errors.Join(errs...)
}

// String returns a line of text with file, line, column, reason and row.
func (r Reject) String() string {
	column, by := "", ""
	if r.Column != "" {
		column = " " + r.Column
	}
	if r.Shared {
		by = " (" + r.Source + ")"
	}
	return fmt.Sprintf("%s:%d:%s %s%s: %#q", shape.FileName(r.File), r.Line, column, r.Why(), by, abbreviate(r.Raw))
}

// Why returns the reason with its detail.
func (r *Reject) Why() string {
	if r.Detail == "" {
		return string(r.Reason)
	}
	return fmt.Sprintf("%s (%s)", r.Reason, r.Detail)
}

func (f *RejectFiles) create(name string) (*bufio.Writer, error) {
	file, err := regular.Create(filepath.Join(f.Directory, name))
	if err != nil {
		return nil, err
	}
	f.files = append(f.files, file)
	if f.written == nil {
		f.written = map[string]struct{}{}
	}
	f.written[name] = struct{}{}
	return bufio.NewWriterSize(file, 64<<10), nil
}

// Close flushes and closes the files. A second call does nothing.
func (f *RejectFiles) Close() error {
	var errs []error
	if f.log != nil {
		errs = append(errs, f.log.Flush())
	}
	for _, raw := range f.raw {
		errs = append(errs, raw.Flush())
	}
	for _, file := range f.files {
		errs = append(errs, file.Close())
	}
	f.log, f.raw, f.files = nil, nil, nil
	return errors.Join(errs...)
}

func abbreviate(text []byte) string {
	const most = 200
	if len(text) > most {
		return string(text[:most]) + "…"
	}
	return string(text)
}
