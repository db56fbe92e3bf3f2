// Package csvscan splits a CSV file into records and fields. It reports the position of each record and the damage of each field.
// It does not interpret columns.
//
// The dialect:
//
//   - A record is a line. It ends with LF or CRLF, or at the end of the file. A field never
//     spans lines, so a missing quote damages one record only.
//   - Fields are separated by a delimiter of one or more bytes.
//   - A field that begins with a double quote ends at the next double quote; two double
//     quotes within it mean one. Any other field is bare and must not contain a quote.
//   - With Multiline, a record may have several lines, as in RFC 4180. If its quote does not close within MaxLine, or if a field after
//     it is damaged, its first line is the record, and the scan continues in the next line.
//   - Without quotes, every field is bare, and a quote is a character like any other.
//   - With TrimSpaces, spaces and tabs around a field, outside its quotes, are not part of it.
//   - A byte order mark before the first record and empty lines are skipped.
//
// A record that breaks these rules is returned as well. Its fields are split as far as possible, and Field.Damage names the
// damage. The caller decides whether to repair or to reject the record.
package csvscan

import (
	"bytes"
	"io"
)

// MaxLine is the length of the longest record, in bytes without its line end, that a Scanner returns in full.
const MaxLine = 1 << 20

// readSize is the size of a read, in bytes. 256 KiB stay within a core's second-level
// cache; 1 MiB was no faster (BenchmarkScan).
const readSize = 256 << 10

var byteOrderMark = []byte("\xef\xbb\xbf")

// Slack is the number of zero bytes after the end of a Window. A caller may read whole words there, and a zero ends every field.
const Slack = 64

// Scanner reads records. It must be used by one goroutine.
//
// A caller that knows the format of its records can split them itself, which is faster: it parses the
// Window and consumes records with Take, or calls Scan for the next one. The Scanner keeps its input from Hold's position on.
type Scanner struct {
	reader    io.Reader
	cutter    Cutter
	multiline bool
	lines     func() int // see Lines

	// buffer[start:end] is the unread input, buffer[kept:start] is kept for the caller, and Slack zeros follow end.
	buffer     []byte
	kept       int // -1 if nothing is kept
	start, end int
	origin     int64 // position of buffer[0]
	readErr    error
	atEOF      bool // readErr is io.EOF

	rawStart, rawEnd int   // the record is buffer[rawStart:rawEnd]
	line             int64 // the last one of the record
	extra            int64 // lines of the record after the first one
	rest             Rest
	offset           int64
	nextOffset       int64
	tooLong          bool
	ended            bool // the line ended with a line feed
	halved           bool // the file ends between the two bytes of a CRLF
	err              error
}

// New returns a Scanner that reads from reader.
func New(reader io.Reader, dialect Dialect) *Scanner {
	return &Scanner{
		reader: reader, cutter: *NewCutter(dialect), multiline: dialect.Multiline, buffer: make([]byte, readSize+Slack), kept: -1,
	}
}

// Scan advances to the next record. It returns false at the end of the file and after an error, which Err returns.
func (s *Scanner) Scan() bool {
	s.extra = 0
	for s.err == nil {
		if !s.nextLine() {
			return false
		}
		if s.line == 1 && bytes.HasPrefix(s.Raw(), byteOrderMark) {
			s.rawStart += len(byteOrderMark)
		}
		if raw := s.Raw(); len(raw) > 0 {
			if s.cutter.long == nil {
				s.cutter.cut(raw) // a call of Cut would cost 1 ns per record
			} else {
				s.cutter.Cut(raw)
			}
			if s.multiline {
				s.extend()
			}
			return true
		}
	}
	return false
}

// Window returns the buffered input after the record, followed by Slack zeros. It is valid until the next call to Scan.
func (s *Scanner) Window() []byte { return s.buffer[s.start : s.end+Slack] }

// Position returns the position of the Window's first byte. Positions count the bytes that enter the buffer: of a line that is
// too long, only its beginning does.
func (s *Scanner) Position() int64 { return s.origin + int64(s.start) }

// Take consumes the first size bytes of the Window, which must be complete lines, as many as given. The methods that describe
// the current record do not apply to them, except Ended.
func (s *Scanner) Take(size, lines int) {
	s.start += size
	s.line += int64(lines)
	s.nextOffset += int64(size)
	s.extra, s.ended = 0, s.ended || lines > 0
}

// Hold keeps the input from position on until the next call to Hold. The position must not be before the previous one.
// Without Hold, only the current record is kept.
func (s *Scanner) Hold(position int64) { s.kept = int(position - s.origin) }

// Held returns a slice in which the byte at position p has the index p - origin. It is valid until the next call to Scan. At
// least Slack bytes follow the consumed input.
func (s *Scanner) Held() (buffer []byte, origin int64) { return s.buffer, s.origin }

// Fields returns the fields of the record. The slice and what it points to are valid until the next call to Scan.
func (s *Scanner) Fields() []Field { return s.cutter.fields }

// Raw returns the record's bytes without the line end and without a byte order mark. They are valid until the next call to
// Scan. If the record is TooLong, they are its beginning.
func (s *Scanner) Raw() []byte {
	raw := s.buffer[s.rawStart:s.rawEnd:s.rawEnd]
	if n := len(raw); n > 0 && raw[n-1] == '\r' && !s.tooLong {
		raw = raw[: n-1 : n-1]
	}
	return raw
}

// Line returns the number of the record's first line, starting at 1. After Take, it is that of the last line taken, and at the end of
// the file that of the last line.
func (s *Scanner) Line() int64 { return s.line - s.extra }

// Offset returns the offset of the record's first line in the file, in bytes.
func (s *Scanner) Offset() int64 { return s.offset }

// BytesRead returns the offset of the end of the record, with its line end, in the file, in bytes.
func (s *Scanner) BytesRead() int64 { return s.nextOffset }

// Rest describes, with Multiline, the text after a record whose last field is open.
func (s *Scanner) Rest() Rest { return s.rest }

// Lines sets a function that returns the number of lines of the record whose first line has been read, for an input in which lines do
// not follow each other as in the file. It is called for records whose last field is open there.
func (s *Scanner) Lines(count func() int) { s.lines = count }

// TooLong reports whether the record is longer than MaxLine. Its fields are then incomplete and must not be used.
func (s *Scanner) TooLong() bool { return s.tooLong }

// Ended reports whether the record ended with a line feed, which is optional for the last record. At the end of the file, Ended
// describes the file's last line, even if it is empty.
func (s *Scanner) Ended() bool { return s.ended }

// Halved reports whether the last line has a carriage return at its end, but no line feed.
func (s *Scanner) Halved() bool { return s.halved }

// Ahead returns the buffered input after the record, at least size bytes unless the input ends, and reports whether it is all of
// the rest. It invalidates all slices that the Scanner has returned, but does not change the record.
func (s *Scanner) Ahead(size int) (text []byte, all bool) {
	if s.end-s.start < size && s.readErr == nil {
		for s.end-s.start < size && s.readErr == nil {
			s.fill(s.rawStart)
		}
		s.cutter.Cut(s.Raw())
	}
	return s.buffer[s.start:s.end], s.readErr != nil
}

// Err returns the error that ended the scan, or nil at the end of the file.
func (s *Scanner) Err() error { return s.err }

// nextLine makes the next line the record. It returns false at the end of the file and after an error.
func (s *Scanner) nextLine() bool {
	searched := 0
	for {
		if at := bytes.IndexByte(s.buffer[s.start+searched:s.end], '\n'); at >= 0 {
			s.begin(searched+at, 1)
			return true
		}
		searched = s.end - s.start
		switch {
		case s.readErr != nil && !s.atEOF:
			s.err = s.readErr
			return false
		case s.atEOF && searched == 0:
			return false
		case s.atEOF:
			s.halved = s.buffer[s.end-1] == '\r'
			s.begin(searched, 0)
			return true
		case searched > MaxLine+1:
			return s.skipLongLine()
		}
		s.fill(s.start)
	}
}

// begin makes the next size bytes the record and skips the lineEnd bytes after it.
func (s *Scanner) begin(size, lineEnd int) {
	s.rawStart, s.rawEnd = s.start, s.start+size
	s.start += size + lineEnd
	s.ended = lineEnd > 0
	s.countLine(int64(size + lineEnd))
	s.tooLong = false
	if len(s.Raw()) > MaxLine {
		s.tooLong = true
		s.rawEnd = s.rawStart + MaxLine
	}
}

func (s *Scanner) countLine(size int64) {
	s.line++
	s.offset = s.nextOffset
	s.nextOffset += size
}

// skipLongLine makes the beginning of a line that is too long the record and discards the rest of the line.
func (s *Scanner) skipLongLine() bool {
	s.rawStart, s.rawEnd = s.start, s.start+MaxLine
	size := int64(s.end - s.start)
	s.tooLong = true
	for s.readErr == nil {
		s.start, s.end = s.rawEnd, s.rawEnd
		s.fill(s.rawStart)
		if at := bytes.IndexByte(s.buffer[s.start:s.end], '\n'); at >= 0 {
			s.ended = true
			s.countLine(size + int64(at) + 1)
			// The record and the input after it must be contiguous.
			s.end = s.start + copy(s.buffer[s.start:], s.buffer[s.start+at+1:s.end])
			clear(s.buffer[s.end : s.end+Slack])
			return true
		}
		size += int64(s.end - s.start)
	}
	s.start, s.end = s.rawEnd, s.rawEnd
	if !s.atEOF {
		s.err = s.readErr
		return false
	}
	s.ended = false
	s.countLine(size)
	return true
}

// fill reads more input. It first discards the buffer before from, except for the part that is kept. It stores the reader's
// error in readErr.
func (s *Scanner) fill(from int) {
	if s.kept >= 0 {
		from = min(from, s.kept)
		s.kept -= from
	}
	copy(s.buffer, s.buffer[from:s.end])
	s.origin += int64(from)
	s.start, s.end = s.start-from, s.end-from
	s.rawStart, s.rawEnd = max(0, s.rawStart-from), max(0, s.rawEnd-from)
	if s.end == len(s.buffer)-Slack {
		s.buffer = append(s.buffer, make([]byte, len(s.buffer)-Slack)...)
	}
	n := 0
	s.readErr = nil
	for tries := 0; n == 0 && s.readErr == nil; tries++ {
		if tries == 100 {
			s.readErr = io.ErrNoProgress
			break
		}
		var err error
		n, err = s.reader.Read(s.buffer[s.end : len(s.buffer)-Slack])
		s.readErr, s.atEOF = err, err == io.EOF
	}
	s.end += n
	clear(s.buffer[s.end : s.end+Slack])
}
