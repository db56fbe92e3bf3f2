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
// If the Scanner reads records of several lines itself, only those reach Breaks of which it has not found the end. Every line after them
// is read as any other.
//
// The zero value is not usable. A Breaks must be used by one goroutine.
type Breaks struct {
	width  int
	ints   []int // indices of the key fields
	cutter *csvscan.Cutter
	many   bool  // the Scanner reads records of several lines
	until  int64 // the last line of the current record; 0 with many
}

// NewBreaks returns a Breaks for a file with width fields per record. The fields with the indices ints are keys.
func NewBreaks(dialect csvscan.Dialect, width int, ints ...int) *Breaks {
	return &Breaks{width: width, ints: ints, cutter: csvscan.NewCutter(dialect), many: dialect.Multiline}
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
	if b.many {
		return b.lookFromFirst(s)
	}
	return b.look(s, len(fields))
}

// lookFromFirst reads ahead after the first line of a record of several lines, of which the Scanner has not found the end.
func (b *Breaks) lookFromFirst(s *csvscan.Scanner) Break {
	if s.Rest() == csvscan.Open {
		if _, plausible := b.nextPlausible(s); !plausible {
			return EndsInQuotes
		}
	}
	return MissingQuote
}

// look reads ahead after a line with the given number of fields, the last of which is open.
func (b *Breaks) look(s *csvscan.Scanner, fields int) Break {
	end, found := b.closing(s, fields)
	if found == csvscan.Closed {
		b.until = s.Line() + int64(end)
		return LineBreak
	}
	lines, plausible := b.nextPlausible(s)
	switch {
	case plausible && lines == 0:
		return MissingQuote
	case !plausible && found == csvscan.Open:
		b.until = math.MaxInt64
		return EndsInQuotes
	}
	b.until = s.Line() + int64(lines)
	return LineBreak
}

// maxAhead limits the reading ahead, in bytes: a record of several lines may be as long as a line.
const maxAhead = csvscan.MaxLine

// closing parses the lines after a record of so many fields, the last of which is open, as its continuation. It returns their number.
func (b *Breaks) closing(s *csvscan.Scanner, fields int) (lines int, found csvscan.Rest) {
	text, all := s.Ahead(0)
	for {
		size, more, found := b.cutter.Rest(text, all)
		switch {
		case found == csvscan.Closed && fields+more != b.width:
			return 0, csvscan.Malformed
		case found == csvscan.Closed:
			return countLines(text[:size]), found
		case found != csvscan.Incomplete:
			return 0, found
		case len(text) > maxAhead:
			return 0, csvscan.Malformed
		}
		text, all = s.Ahead(2*len(text) + 1)
	}
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
