package source

import (
	"bytes"
	"math"

	"systemscale/etl/internal/csvscan"
)

// Break is what an open quote at a line's end means for the line.
type Break uint8

// The kinds of Break.
const (
	NoBreak      Break = iota // the line has no open quote at its end
	MissingQuote              // the record ends there, and its closing quote is missing
	LineBreak                 // the record goes on in the next line
	Continued                 // the line is the rest of such a record, or a part of the rest
	EndsInQuotes              // the file ends within the quotes
)

// Breaks tells a line whose last field lacks its closing quote from one whose last field goes on in the next line. Nothing but the lines
// behind it can show which it is:
//
//   - It is a part of a record of several lines when these lines are one, as RFC 4180 has it: when the next quote that is not
//     doubled ends a field, and the record that is read so has as many fields as the header.
//   - Otherwise its quote is missing when the next line is plausible: when it has as many fields as the header, and ints for its keys.
//   - Otherwise it and the lines up to the next plausible one are what is left of a record of several lines.
//
// The zero value is not ready for use. It is used by one goroutine.
type Breaks struct {
	width     int
	ints      []int // fields that hold keys
	delimiter byte
	trim      bool
	cutter    *csvscan.Cutter
	until     int64 // the last line of the record at hand
}

// NewBreaks returns the Breaks of a file with so many fields, of which some hold ints.
func NewBreaks(dialect csvscan.Dialect, width int, ints ...int) *Breaks {
	return &Breaks{width: width, ints: ints, delimiter: dialect.Delimiter, trim: dialect.TrimSpaces, cutter: csvscan.NewCutter(dialect)}
}

// Pending reports whether the line that follows one is known to be a part of a record of several lines.
func (b *Breaks) Pending(line int64) bool { return line < b.until }

// Of returns what the record that a Scanner has read is. It may read ahead, see csvscan.Scanner.Ahead. It must be called for every
// record, unless Pending has said of the line before that there is no need to.
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

// look reads ahead of a line whose last field, which is the last of so many, is open.
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

// most is how far is looked ahead, in bytes: a record of several lines may be as long as one of a single line.
const most = csvscan.MaxLine

// outcome is what was found of the end of a quoted field.
type outcome uint8

const (
	recordMalformed outcome = iota // no record of several lines, or one that is too long
	recordClosed                   // a record of several lines
	recordOpen                     // the file ends within it
	recordUnknown                  // more must be read
)

// closing reads the lines behind the record as the rest of it. It returns how many they are.
func (b *Breaks) closing(s *csvscan.Scanner, fields int) (lines int, found outcome) {
	text, all := s.Ahead(0)
	for {
		lines, found = b.record(text, all, fields)
		switch {
		case found != recordUnknown:
			return lines, found
		case all:
			return 0, recordOpen
		case len(text) > most:
			return 0, recordMalformed
		}
		text, all = s.Ahead(2*len(text) + 1)
	}
}

// record reads text as the rest of a record whose last field, of so many, is open. all says that nothing follows text.
func (b *Breaks) record(text []byte, all bool, fields int) (lines int, found outcome) {
	at := 0
	for { // at is in quotes
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
		for { // at is behind a field
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

// lineEnd reports whether text begins with a line end, or is empty and nothing follows it, and how long that is.
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

// countLines returns how many lines a text is, the last of which may lack its line end.
func countLines(text []byte) int {
	lines := bytes.Count(text, []byte{'\n'})
	if n := len(text); n > 0 && text[n-1] != '\n' {
		lines++
	}
	return lines
}

// nextPlausible looks for a plausible line behind the record. It returns how many lines stand before it that are not empty or, with
// those between them, before the first of them that is.
func (b *Breaks) nextPlausible(s *csvscan.Scanner) (lines int, plausible bool) {
	text, all := s.Ahead(0)
	at, seen := 0, 0 // lines before at
	for {
		size := bytes.IndexByte(text[at:], '\n')
		if size < 0 && !all && len(text) <= most {
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
