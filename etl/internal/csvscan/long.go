package csvscan

import "bytes"

// The functions of this file are those for a delimiter of several bytes, or without quotes: tests for them would slow down the others.

// cutBare is cut without quotes.
func (c *Cutter) cutBare(line []byte) {
	c.fields = c.fields[:0]
	for at := 0; ; at += len(c.long) {
		next := c.fieldEnd(line, c.skipSpaces(line, at))
		c.fields = append(c.fields, Field{Text: c.trim(line[at:next:next])})
		if at = next; at == len(line) {
			return
		}
	}
}

// cutLong is cut.
func (c *Cutter) cutLong(line []byte) {
	c.fields, c.scratch = c.fields[:0], c.scratch[:0]
	for at := 0; ; at += len(c.long) {
		at = c.skipSpaces(line, at)
		c.fields = append(c.fields, Field{})
		field := &c.fields[len(c.fields)-1]
		if at < len(line) && line[at] == '"' {
			at = c.quotedLong(field, line, at)
		} else {
			at = c.bareLong(field, line, at)
		}
		if at == len(line) {
			return
		}
	}
}

// quotedLong is quoted.
func (c *Cutter) quotedLong(field *Field, line []byte, at int) int {
	closing := c.closing(field, line, at+1)
	if closing < 0 {
		return len(line)
	}
	next := c.skipSpaces(line, closing+1)
	if next == len(line) || bytes.HasPrefix(line[next:], c.long) {
		return next
	}
	next = c.fieldEnd(line, next)
	*field = Field{Text: line[at:next:next], Quoted: true, Damage: TextAfterQuote}
	return next
}

// closing reads the quoted text that begins at line[open], and returns the index of its closing quote, or -1 if there is none.
func (c *Cutter) closing(field *Field, line []byte, open int) int {
	*field = Field{Quoted: true}
	closing := bytes.IndexByte(line[open:], '"')
	if closing < 0 {
		field.Text, field.Damage = line[open:], Unclosed
		return -1
	}
	closing += open
	field.Text = line[open:closing:closing]
	if closing+1 < len(line) && line[closing+1] == '"' {
		field.Unescaped = true
		if field.Text, closing = c.unescape(line, open, closing); closing < 0 {
			field.Damage = Unclosed
		}
	}
	return closing
}

// bareLong is bare.
func (c *Cutter) bareLong(field *Field, line []byte, at int) int {
	next := c.fieldEnd(line, at)
	text := line[at:next:next]
	for c.trimSpaces && len(text) > 0 && c.isSpace(text[len(text)-1]) {
		text = text[: len(text)-1 : len(text)-1]
	}
	*field = Field{Text: text}
	if bytes.IndexByte(text, '"') >= 0 {
		field.Damage = BareQuote
	}
	return next
}

// fieldEnd returns the index of the next delimiter from at on, or of the line's end.
func (c *Cutter) fieldEnd(line []byte, at int) int {
	if size := bytes.Index(line[at:], c.long); size >= 0 {
		return at + size
	}
	return len(line)
}

func (c *Cutter) skipSpaces(line []byte, at int) int {
	for c.trimSpaces && at < len(line) && c.isSpace(line[at]) {
		at++
	}
	return at
}

// trim returns the text of a bare field without the spaces around it.
func (c *Cutter) trim(text []byte) []byte {
	if !c.trimSpaces {
		return text
	}
	text = text[c.skipSpaces(text, 0):]
	for len(text) > 0 && c.isSpace(text[len(text)-1]) {
		text = text[: len(text)-1 : len(text)-1]
	}
	return text
}
