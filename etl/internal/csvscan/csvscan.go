// Package csvscan cuts a CSV file into records and fields, and says of each record where it
// stood and what is wrong with it. It knows the dialect, and nothing of anyone's columns.
//
// The dialect:
//
//   - A record is a line. It ends in LF or CRLF, or at the end of the file. A field never
//     spans lines, whatever its quotes say; this is what keeps one missing quote from
//     swallowing the rows up to the next.
//   - Fields are separated by one delimiter byte.
//   - A field that begins with a double quote ends at the next double quote; two double
//     quotes within it stand for one. Any other field is bare and may hold no quote.
//   - With TrimSpaces, spaces and tabs around a field, outside its quotes, are not part of it.
//   - A byte order mark before the first record is skipped, and so are empty lines.
//
// A record that breaks these rules is still handed out, cut as well as it can be, with the
// damage noted at the field: whether to mend it or to reject it is the caller's decision.
package csvscan

import (
	"bytes"
	"io"
)

// Damage is what is wrong with how a field is written.
type Damage uint8

const (
	Sound          Damage = iota
	Unclosed              // a quote is still open at the line's end; Text is what follows it
	TextAfterQuote        // something stands between the closing quote and the delimiter; Text is all of it, uncut
	BareQuote             // a field that does not begin with a quote holds one; Text is all of it, uncut
)

// Field is one field of a record. Text aliases the scanner's buffers and is valid until the next call to Scan.
type Field struct {
	Text      []byte // without the quotes around it, and with doubled quotes made one
	Quoted    bool
	Unescaped bool // doubled quotes were made one, so Text holds a quote
	Damage    Damage
}

// Dialect says how the file is written.
type Dialect struct {
	Delimiter  byte // 0 means a comma
	TrimSpaces bool
}

// MaxLine is the longest record, in bytes without its line end, that a Scanner hands out whole.
const MaxLine = 1 << 20

// readSize is how much is asked of the reader at a time. 256 KiB stay within a core's second-level
// cache; 1 MiB brought nothing (BenchmarkScan).
const readSize = 256 << 10

var byteOrderMark = []byte("\xef\xbb\xbf")

// Slack is how many bytes can be read behind the end of a Window, so that whoever cuts it may read whole words. They are zeros,
// which end whatever begins in the Window.
const Slack = 64

// Scanner reads records. It is used by one goroutine.
//
// A caller who knows what its records look like may cut them itself and faster: it looks at the
// Window and takes records with Take, or leaves the next one to Scan. What was read is kept from Hold's position on.
type Scanner struct {
	reader     io.Reader
	delimiter  byte
	trimSpaces bool

	// What was read and not yet handed out is buffer[start:end]. buffer[kept:start] is kept for the caller, and Slack
	// bytes behind end are always there.
	buffer     []byte
	kept       int // -1 while the caller keeps nothing
	start, end int
	origin     int64 // position of buffer[0]
	readErr    error

	fields  []Field
	scratch []byte // fields with doubled quotes, made single

	rawStart, rawEnd int // of the record, in buffer
	line             int64
	offset           int64
	nextOffset       int64
	tooLong          bool
	ended            bool // the line ended in a line feed
	halved           bool // the file ends between the two bytes of the line's CRLF
	err              error
}

// New returns a Scanner that reads from reader.
func New(reader io.Reader, dialect Dialect) *Scanner {
	if dialect.Delimiter == 0 {
		dialect.Delimiter = ','
	}
	return &Scanner{
		reader:     reader,
		delimiter:  dialect.Delimiter,
		trimSpaces: dialect.TrimSpaces,
		buffer:     make([]byte, readSize+Slack),
		kept:       -1,
		fields:     make([]Field, 0, 16),
	}
}

// Scan moves to the next record. It returns false at the end of the file or when the reader
// returned an error, which Err then tells.
func (s *Scanner) Scan() bool {
	for s.err == nil {
		if !s.nextLine() {
			return false
		}
		if s.line == 1 && bytes.HasPrefix(s.Raw(), byteOrderMark) {
			s.rawStart += len(byteOrderMark)
		}
		if raw := s.Raw(); len(raw) > 0 {
			s.cut(raw)
			return true
		}
	}
	return false
}

// Window returns what was read and not yet handed out, followed by Slack zeros. It is valid until the next call to Scan.
func (s *Scanner) Window() []byte { return s.buffer[s.start : s.end+Slack] }

// Position returns the position of the Window's first byte. Positions count the bytes that stay in the buffer: of an
// over-long line its beginning.
func (s *Scanner) Position() int64 { return s.origin + int64(s.start) }

// Take hands out the first size bytes of the Window, which are so many lines with their line feeds, in place of Scan. Of these
// records the Scanner knows nothing more.
func (s *Scanner) Take(size, lines int) {
	s.start += size
	s.line += int64(lines)
	s.nextOffset += int64(size)
}

// Hold keeps what has been read from a position on, which must not be before the last one held, until the next call to Hold.
// Without it, no more than the current record is kept.
func (s *Scanner) Hold(position int64) { s.kept = int(position - s.origin) }

// Held returns a slice in which the byte of position p is at index p - origin. It is valid until the next call to Scan. Slack
// bytes can be read behind whatever was handed out.
func (s *Scanner) Held() (buffer []byte, origin int64) { return s.buffer, s.origin }

// Fields returns the fields of the record. The slice and what it points to are valid until the next call to Scan.
func (s *Scanner) Fields() []Field { return s.fields }

// Raw returns the bytes of the record as they stand in the file, without the line end and without a byte
// order mark. They are valid until the next call to Scan. Of a record that is TooLong they are the beginning.
func (s *Scanner) Raw() []byte {
	raw := s.buffer[s.rawStart:s.rawEnd:s.rawEnd]
	if n := len(raw); n > 0 && raw[n-1] == '\r' && !s.tooLong {
		raw = raw[: n-1 : n-1]
	}
	return raw
}

// Line returns the record's line number, from 1. Behind Take it is that of the last line taken.
func (s *Scanner) Line() int64 { return s.line }

// Offset returns where the record's line begins, in bytes from the beginning of the file.
func (s *Scanner) Offset() int64 { return s.offset }

// BytesRead returns the position in bytes behind the record's line.
func (s *Scanner) BytesRead() int64 { return s.nextOffset }

// TooLong reports whether the record is longer than MaxLine. Its fields are then cut from its beginning and mean nothing.
func (s *Scanner) TooLong() bool { return s.tooLong }

// Ended reports whether the record ended in a line feed, which the last one of a file need not. At the end of the file it reports
// the same of the file's last line, be it empty or not.
func (s *Scanner) Ended() bool { return s.ended }

// Halved reports whether the line that did not end in a line feed ends in a carriage return.
func (s *Scanner) Halved() bool { return s.halved }

// Ahead returns what follows the record: as much as is in the buffer, and at least size bytes unless no more can be read, which it
// reports. All slices that the Scanner has handed out are invalid after it, as after Scan, but the record stays the same.
func (s *Scanner) Ahead(size int) (text []byte, all bool) {
	if s.end-s.start < size && s.readErr == nil {
		for s.end-s.start < size && s.readErr == nil {
			s.fill(s.rawStart)
		}
		s.cut(s.Raw())
	}
	return s.buffer[s.start:s.end], s.readErr != nil
}

// Cutter cuts lines that no Scanner has read.
type Cutter struct{ scanner Scanner }

// NewCutter returns a Cutter for a dialect.
func NewCutter(dialect Dialect) *Cutter {
	if dialect.Delimiter == 0 {
		dialect.Delimiter = ','
	}
	return &Cutter{Scanner{delimiter: dialect.Delimiter, trimSpaces: dialect.TrimSpaces, fields: make([]Field, 0, 16)}}
}

// Cut returns the fields of a line, given without its line end. They are valid until the next call.
func (c *Cutter) Cut(line []byte) []Field {
	c.scanner.cut(line)
	return c.scanner.fields
}

// Err returns the error that ended the scan, or nil at the end of the file.
func (s *Scanner) Err() error { return s.err }

// nextLine makes the next line the record. It returns false at the end of the file, or after an error.
func (s *Scanner) nextLine() bool {
	searched := 0
	for {
		if at := bytes.IndexByte(s.buffer[s.start+searched:s.end], '\n'); at >= 0 {
			s.begin(searched+at, 1)
			return true
		}
		searched = s.end - s.start
		switch {
		case s.readErr != nil && s.readErr != io.EOF:
			s.err = s.readErr
			return false
		case s.readErr == io.EOF && searched == 0:
			return false
		case s.readErr == io.EOF:
			s.halved = s.buffer[s.end-1] == '\r'
			s.begin(searched, 0)
			return true
		case searched > MaxLine+1:
			return s.skipLongLine()
		}
		s.fill(s.start)
	}
}

// begin makes the next size bytes, which lineEnd bytes follow, the record.
func (s *Scanner) begin(size, lineEnd int) {
	s.rawStart, s.rawEnd = s.start, s.start+size
	s.start += size + lineEnd
	s.note(int64(size+lineEnd), lineEnd > 0)
	s.tooLong = false
	if len(s.Raw()) > MaxLine {
		s.tooLong = true
		s.rawEnd = s.rawStart + MaxLine
	}
}

func (s *Scanner) note(size int64, ended bool) {
	s.line++
	s.offset = s.nextOffset
	s.nextOffset += size
	s.ended = ended
}

// skipLongLine makes the beginning of a line that does not fit the record and drops the rest of it unseen.
func (s *Scanner) skipLongLine() bool {
	s.rawStart, s.rawEnd = s.start, s.start+MaxLine
	size := int64(s.end - s.start)
	s.tooLong = true
	for s.readErr == nil {
		s.start, s.end = s.rawEnd, s.rawEnd
		s.fill(s.rawStart)
		if at := bytes.IndexByte(s.buffer[s.start:s.end], '\n'); at >= 0 {
			s.note(size+int64(at)+1, true)
			// The record and what follows it stay in one piece.
			s.end = s.start + copy(s.buffer[s.start:], s.buffer[s.start+at+1:s.end])
			clear(s.buffer[s.end : s.end+Slack])
			return true
		}
		size += int64(s.end - s.start)
	}
	s.start, s.end = s.rawEnd, s.rawEnd
	if s.readErr != io.EOF {
		s.err = s.readErr
		return false
	}
	s.note(size, false)
	return true
}

// fill reads more behind what is buffered. It makes room first, by dropping what stands before from and is not
// kept, and leaves the reader's error in readErr.
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
		n, s.readErr = s.reader.Read(s.buffer[s.end : len(s.buffer)-Slack])
	}
	s.end += n
	clear(s.buffer[s.end : s.end+Slack])
}

// cut fills s.fields from line. The fields are written where they stay: they are what moves most often in a scan.
func (s *Scanner) cut(line []byte) {
	s.scratch = s.scratch[:0]
	count := 0
	for at := 0; ; count++ {
		if s.trimSpaces {
			for at < len(line) && s.isSpace(line[at]) {
				at++
			}
		}
		if count == cap(s.fields) {
			s.fields = append(s.fields[:count], Field{})
		}
		field := &s.fields[:cap(s.fields)][count]
		var next int
		if at < len(line) && line[at] == '"' {
			next = s.quoted(field, line, at)
		} else {
			next = s.bare(field, line, at)
		}
		if next == len(line) {
			s.fields = s.fields[:count+1]
			return
		}
		at = next + 1
	}
}

// quoted cuts the field whose opening quote is line[at], and returns the index of the delimiter or line end behind it.
func (s *Scanner) quoted(field *Field, line []byte, at int) int {
	*field = Field{Quoted: true}
	open := at + 1
	closing := bytes.IndexByte(line[open:], '"')
	if closing < 0 {
		field.Text, field.Damage = line[open:], Unclosed
		return len(line)
	}
	closing += open
	field.Text = line[open:closing:closing]
	if closing+1 < len(line) && line[closing+1] == '"' {
		field.Unescaped = true
		field.Text, closing = s.unescape(line, open, closing)
		if closing < 0 {
			field.Damage = Unclosed
			return len(line)
		}
	}
	next := closing + 1
	if s.trimSpaces {
		for next < len(line) && s.isSpace(line[next]) {
			next++
		}
	}
	if next == len(line) || line[next] == s.delimiter {
		return next
	}
	if more := bytes.IndexByte(line[next:], s.delimiter); more >= 0 {
		next += more
	} else {
		next = len(line)
	}
	*field = Field{Text: line[at:next:next], Quoted: true, Damage: TextAfterQuote}
	return next
}

// unescape copies the field that begins at open to the scratch buffer. closing is its first quote, which is
// doubled. It returns the text and the index of the closing quote, or -1 when there is none.
func (s *Scanner) unescape(line []byte, open, closing int) ([]byte, int) {
	from := len(s.scratch)
	for {
		s.scratch = append(s.scratch, line[open:closing+1]...)
		open = closing + 2
		next := bytes.IndexByte(line[open:], '"')
		if next < 0 {
			s.scratch = append(s.scratch, line[open:]...)
			return s.scratch[from:len(s.scratch):len(s.scratch)], -1
		}
		closing = open + next
		if closing+1 == len(line) || line[closing+1] != '"' {
			s.scratch = append(s.scratch, line[open:closing]...)
			return s.scratch[from:len(s.scratch):len(s.scratch)], closing
		}
	}
}

// bare cuts the field without quotes that begins at line[at], and returns the index of the delimiter or line end behind it.
func (s *Scanner) bare(field *Field, line []byte, at int) int {
	next, damage := at, Sound
	for next < len(line) && line[next] != s.delimiter {
		if line[next] == '"' {
			damage = BareQuote
		}
		next++
	}
	last := next
	if s.trimSpaces {
		for last > at && s.isSpace(line[last-1]) {
			last--
		}
	}
	*field = Field{Text: line[at:last:last], Damage: damage}
	return next
}

// isSpace reports whether b may stand around a field without being part of it. A delimiter may not, though it be a tab.
func (s *Scanner) isSpace(b byte) bool { return (b == ' ' || b == '\t') && b != s.delimiter }
