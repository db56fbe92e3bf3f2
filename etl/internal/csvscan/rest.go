package csvscan

import "bytes"

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
