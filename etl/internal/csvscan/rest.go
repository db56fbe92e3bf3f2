package csvscan

import (
	"bytes"
	"slices"
)

// extend adds the lines that continue the record to it, if its last field is open and they close it.
func (s *Scanner) extend() {
	fields := s.cutter.fields
	if fields[len(fields)-1].Damage != Unclosed {
		return
	}
	s.rest = Malformed
	if s.tooLong || slices.ContainsFunc(fields[:len(fields)-1], func(f Field) bool { return f.Damage != Sound }) {
		// Without the second condition, a file could be made of lines of which each is read to the limit.
		return
	}
	size, found := s.continuation()
	record := bytes.TrimSuffix(bytes.TrimSuffix(s.buffer[s.rawStart:s.start+size], []byte{'\n'}), []byte{'\r'})
	if found == Closed && len(record) > MaxLine {
		found = Malformed
	}
	if s.rest = found; found != Closed {
		return
	}
	text := s.buffer[s.start : s.start+size]
	s.extra = int64(bytes.Count(text, []byte{'\n'}))
	s.ended = text[size-1] == '\n'
	s.start += size
	s.rawEnd = s.start
	if s.ended {
		s.rawEnd--
	} else {
		s.extra++
		s.halved = text[size-1] == '\r'
	}
	s.line += s.extra
	s.nextOffset += int64(size)
	s.cutter.Cut(s.Raw())
}

// continuation returns the size of the text that continues the record, with its line end, if the result is Closed.
func (s *Scanner) continuation() (size int, found Rest) {
	if s.lines != nil {
		return s.nextLines(s.lines() - 1)
	}
	text, all := s.Ahead(0)
	for {
		size, _, found := s.cutter.Rest(text, all)
		switch {
		case found != Incomplete:
			return size, found
		case len(text) > MaxLine:
			return 0, Malformed
		}
		text, all = s.Ahead(2*len(text) + 1)
	}
}

// nextLines returns the size of a number of lines after the record. The result is Malformed for 0, as the record is then complete.
func (s *Scanner) nextLines(count int) (size int, found Rest) {
	for ; count > 0; count-- {
		text, all := s.Ahead(size + 1)
		for bytes.IndexByte(text[size:], '\n') < 0 && !all {
			text, all = s.Ahead(2*len(text) + 1)
		}
		size += bytes.IndexByte(text[size:], '\n') + 1
	}
	if size == 0 {
		return 0, Malformed
	}
	return size, Closed
}

// Rest describes the text after a line whose last field is open, as the continuation of its record.
type Rest uint8

// The kinds of Rest.
const (
	Malformed  Rest = iota // a later field is damaged, so it is no continuation
	Closed                 // the quote closes, and the record ends
	Open                   // the input ends before the record
	Incomplete             // more input is needed
)

// Rest parses text as the continuation of a record whose last field is open. all means that the input ends with text. If the result
// is Closed, it returns the size of the continuation with its line end, and the number of fields that begin in it.
func (c *Cutter) Rest(text []byte, all bool) (size, fields int, found Rest) {
	more := Incomplete
	if all {
		more = Open
	}
	at := 0
	for { // within quotes
		quote := bytes.IndexByte(text[at:], '"')
		if quote < 0 || at+quote+1 == len(text) && !all {
			return 0, 0, more
		}
		at += quote + 1
		if at < len(text) && text[at] == '"' {
			at++
			continue
		}
		at = c.skipSpaces(text, at)
		for { // after a field
			if size, ended := lineEnd(text[at:], all); ended {
				return at + size, fields, Closed
			}
			if !all && len(text)-at < max(2, len(c.long)) {
				return 0, 0, more // a line end or a delimiter may be incomplete
			}
			if !c.isDelimiter(text, at) {
				return 0, 0, Malformed
			}
			fields++
			at = c.skipSpaces(text, at+max(1, len(c.long)))
			if at < len(text) && text[at] == '"' {
				at++
				break
			}
			for at < len(text) && text[at] != '\n' && !c.isDelimiter(text, at) {
				if text[at] == '"' {
					return 0, 0, Malformed
				}
				at++
			}
		}
	}
}

func (c *Cutter) isDelimiter(text []byte, at int) bool {
	return text[at] == c.delimiter && (c.long == nil || bytes.HasPrefix(text[at:], c.long))
}

// lineEnd reports whether text begins with a line end, and its length. The end of the input is a line end of length 0.
func lineEnd(text []byte, all bool) (size int, found bool) {
	switch {
	case len(text) == 0:
		return 0, all
	case text[0] == '\n':
		return 1, true
	case text[0] == '\r' && len(text) > 1 && text[1] == '\n':
		return 2, true
	case text[0] == '\r' && len(text) == 1 && all:
		return 1, true
	}
	return 0, false
}
