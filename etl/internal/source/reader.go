package source

import (
	"io"

	"github.com/zeebo/xxh3"

	"systemscale/etl/internal/csvscan"
	"systemscale/etl/internal/shape"
)

// Origin is the place of a record in its file.
type Origin struct {
	Line   int64
	Offset int64
	Size   int64 // in bytes, with its line end
	Ended  bool  // it ends with a line feed
	Break  Break
	Lines  int // see Origins.Lines

	Item     int64  // the key of its item, if Origins.ByItem and keys are ints
	ItemText string // the key of its item, if Origins.ByItem and keys are not ints

	Ambiguous bool // several items have a row that could be its parent
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
	Lines() int   // returns the number of lines of that record, once its first line has been read; for records of several lines
	ByItem() bool // reports whether Origin.Item is set
	Total() Total
}

// Options are optional arguments of NewReader. The zero value is strict.
type Options struct {
	Origins        Origins                                         // nil if the input has the order of the file
	Whole          func(offset, size int64) (io.ReadCloser, error) // reads a part of the file again
	Encoding       string                                          // of the file, of package charset; "" is UTF-8. The input is UTF-8
	MissingColumns bool                                            // read a column that is not in the header as null, unless it is a key
	NoHeader       bool                                            // read an empty file as one without rows
}

// Reader reads one CSV file. It must be used by one goroutine.
type Reader struct {
	spec    *shape.Source
	dialect *shape.Dialect
	options Options
	input   *fingerprinted
	scanner *csvscan.Scanner
	rejects Sink

	delimiter byte
	filters   []filter
	lookups   []rowLookup
	finding   *finding // nil without look-ups
	noTarget  []int    // after lookUp has found no value that is required, the columns with the key; otherwise nil
	breaks    *Breaks
	layout    layout
	keys      *keyParts // nil if keys are ints
	hidden    []int     // columns of the keys that are not rendered
	first     int       // index of the cell of the first hidden column
	fault     Fault     // evidence so far that the file is truncated
	atEnd     bool

	rows    Rows
	shift   int64 // difference between a decoded record's position and its offset in the file
	pending bool  // the last row is the candidate
	current current

	growth growth
	tally  tally
	wide   wideInts
}

// current is the scanner's current record.
type current struct {
	converted bool   // the last row is the current record, and not a decoded one
	origin    Origin // if the options have Origins
	broken    Break
	values    []value // by column
	applied   []int   // repairs
	scratch   []byte  // repaired texts
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

// Line returns the line number of the last record.
func (r *Reader) Line() int64 {
	if r.options.Origins != nil {
		return r.current.origin.Line
	}
	return r.scanner.Line() - int64(r.rows.ahead-r.rows.end)
}
