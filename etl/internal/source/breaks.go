package source

import (
	"bytes"
	"math"

	"systemscale/etl/internal/csvscan"
)

// Break classifies a line by the open quotes at its end and before it.
type Break uint8

// The kinds of Break.
const (
	NoBreak      Break = iota // no quote is open at the end of the line
	MissingQuote              // the record ends there; its closing quote is missing
	LineBreak                 // the record continues in the next line
	Continued                 // the line continues a record of an earlier line
	EndsInQuotes              // the file ends within the quotes
)

// Breaks distinguishes a missing closing quote from a line break within quotes. Only the lines after the open quote can show
// the difference:
//
//   - The line begins a record of several lines if they form one record as in RFC 4180: the next quote that is not doubled ends a
//     field, and the record has as many fields as the header.
//   - Otherwise, the closing quote is missing if the next line is plausible: it has as many fields as the header, and ints as keys.
//   - Otherwise, the line and all lines before the next plausible one are a damaged record of several lines.
//
// The zero value is not usable. A Breaks must be used by one goroutine.
type Breaks struct {
	width     int
	ints      []int // indices of the key fields
	delimiter byte
	trim      bool
	cutter    *csvscan.Cutter
	until     int64 // the last line of the current record
}

// NewBreaks returns a Breaks for a file with width fields per record. The fields with the indices ints are keys.
func NewBreaks(dialect csvscan.Dialect, width int, ints ...int) *Breaks {
	return &Breaks{width: width, ints: ints, delimiter: dialect.Delimiter, trim: dialect.TrimSpaces, cutter: csvscan.NewCutter(dialect)}
}

// Pending reports whether the line after the given one continues a record of several lines.
func (b *Breaks) Pending(line int64) bool { return line < b.until }

// Of classifies the current record of a Scanner. It may read ahead, see csvscan.Scanner.Ahead. It must be called for every record
// that may contain an open quote, and for every record after a line for which Pending is true.
func (b *Breaks) Of(s *csvscan.Scanner) Break {
	if s.Line() <= b.until {
		return Continued
	}
	fields := s.Fields()
	if fields[len(fields)-1].Damage != csvscan.Unclosed || s.TooLong() {
		return NoBreak
	}
	if !s.Ended() {
		return EndsInQuotes
	}
	return b.look(s, len(fields))
}

// look reads ahead after a line with the given number of fields, the last of which is open.
func (b *Breaks) look(s *csvscan.Scanner, fields int) Break {
	end, found := b.closing(s, fields)
	if found == recordClosed {
		b.until = s.Line() + int64(end)
		return LineBreak
	}
	lines, plausible := b.nextPlausible(s)
	switch {
	case plausible && lines == 0:
		return MissingQuote
	case !plausible && found == recordOpen:
		b.until = math.MaxInt64
		return EndsInQuotes
	}
	b.until = s.Line() + int64(lines)
	return LineBreak
}

// maxAhead limits the reading ahead, in bytes: a record of several lines may be as long as a line.
const maxAhead = csvscan.MaxLine

// outcome is the result of the search for the end of a quoted field.
type outcome uint8

const (
	recordMalformed outcome = iota // not a record of several lines, or one that is too long
	recordClosed                   // a record of several lines
	recordOpen                     // the file ends within the record
	recordUnknown                  // more input is needed
)

// closing parses the lines after the record as its continuation. It returns their number.
func (b *Breaks) closing(s *csvscan.Scanner, fields int) (lines int, found outcome) {
	text, all := s.Ahead(0)
	for {
		lines, found = b.record(text, all, fields)
		switch {
		case found != recordUnknown:
			return lines, found
		case all:
			return 0, recordOpen
		case len(text) > maxAhead:
			return 0, recordMalformed
		}
		text, all = s.Ahead(2*len(text) + 1)
	}
}

// record parses text as the rest of a record with the given number of fields, the last of which is open. all means that text ends
// with the file.
func (b *Breaks) record(text []byte, all bool, fields int) (lines int, found outcome) {
	at := 0
	for { // within quotes
		quote := bytes.IndexByte(text[at:], '"')
		if quote < 0 || at+quote+1 == len(text) && !all {
			return 0, recordUnknown
		}
		at += quote + 1
		if at < len(text) && text[at] == '"' {
			at++
			continue
		}
		at = b.skipSpaces(text, at)
		for { // after a field
			if size, ended := lineEnd(text[at:], all); ended {
				if fields != b.width {
					return 0, recordMalformed
				}
				return countLines(text[:at+size]), recordClosed
			}
			if at == len(text) || !all && at+1 == len(text) && text[at] == '\r' {
				return 0, recordUnknown
			}
			if text[at] != b.delimiter {
				return 0, recordMalformed
			}
			fields++
			at = b.skipSpaces(text, at+1)
			if at < len(text) && text[at] == '"' {
				at++
				break
			}
			for at < len(text) && text[at] != b.delimiter && text[at] != '\n' {
				if text[at] == '"' {
					return 0, recordMalformed
				}
				at++
			}
		}
	}
}

func (b *Breaks) skipSpaces(text []byte, at int) int {
	for b.trim && at < len(text) && (text[at] == ' ' || text[at] == '\t') && text[at] != b.delimiter {
		at++
	}
	return at
}

// lineEnd reports whether text begins with a line end, and its length. The end of the file is a line end of length 0.
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

// countLines returns the number of lines in text. The last line may lack its line end.
func countLines(text []byte) int {
	lines := bytes.Count(text, []byte{'\n'})
	if n := len(text); n > 0 && text[n-1] != '\n' {
		lines++
	}
	return lines
}

// nextPlausible looks for a plausible line after the record. It returns the number of lines before it, without the empty lines
// directly before it.
func (b *Breaks) nextPlausible(s *csvscan.Scanner) (lines int, plausible bool) {
	text, all := s.Ahead(0)
	at, seen := 0, 0 // seen is the number of lines before at
	for {
		size := bytes.IndexByte(text[at:], '\n')
		if size < 0 && !all && len(text) <= maxAhead {
			text, all = s.Ahead(2*len(text) + 1)
			continue
		}
		if size < 0 && (!all || at == len(text)) {
			return lines, false
		}
		line := text[at:]
		if size >= 0 {
			line = line[:size]
		}
		at += len(line) + 1
		seen++
		line = bytes.TrimSuffix(line, []byte{'\r'})
		if b.plausible(line) {
			return lines, true
		}
		if len(line) > 0 {
			lines = seen
		}
		if at >= len(text) && all {
			return lines, false
		}
	}
}

// plausible reports whether a line looks like a record of the file.
func (b *Breaks) plausible(line []byte) bool {
	if len(line) == 0 || len(line) > csvscan.MaxLine {
		return false
	}
	fields := b.cutter.Cut(line)
	if len(fields) != b.width {
		return false
	}
	for _, at := range b.ints {
		if at < 0 || at >= len(fields) || fields[at].Damage != csvscan.Sound {
			return false
		}
		if _, ok := parseInt(fields[at].Text); !ok {
			return false
		}
	}
	return true
}
