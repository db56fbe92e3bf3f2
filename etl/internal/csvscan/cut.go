package csvscan

import "bytes"

// Damage is a violation of the dialect in a field.
type Damage uint8

// The kinds of damage.
const (
	Sound          Damage = iota
	Unclosed              // the quote is open at the end of the line; Text is the text after the quote
	TextAfterQuote        // text between the closing quote and the delimiter; Text is the raw field
	BareQuote             // a quote within a bare field; Text is the raw field
)

// Field is one field of a record. Text aliases the scanner's buffers and is valid until the next call to Scan.
type Field struct {
	Text      []byte // without the enclosing quotes, and unescaped
	Quoted    bool
	Unescaped bool // the field had doubled quotes, so Text contains a quote
	Damage    Damage
}

// Dialect is the notation of a file.
type Dialect struct {
	Delimiter  string // one or more bytes; empty means a comma
	TrimSpaces bool   // with it, a delimiter of several bytes must not begin with a space or a tab
	NoQuotes   bool   // a quote is a character like any other: no field is quoted or damaged
	Multiline  bool   // a quoted field may contain line ends; for a Scanner
}

// Cutter splits lines into fields. A Scanner has one; others split lines that do not come from a Scanner.
type Cutter struct {
	delimiter  byte   // the first byte
	long       []byte // the delimiter, if the functions for the other dialects are used: it has several bytes, or there are no quotes
	trimSpaces bool
	noQuotes   bool

	fields  []Field
	scratch []byte // unescaped fields
}

// NewCutter returns a Cutter for a dialect.
func NewCutter(dialect Dialect) *Cutter {
	c := &Cutter{trimSpaces: dialect.TrimSpaces, noQuotes: dialect.NoQuotes, fields: make([]Field, 0, 16)}
	if dialect.Delimiter == "" {
		dialect.Delimiter = ","
	}
	c.delimiter = dialect.Delimiter[0]
	if len(dialect.Delimiter) > 1 || dialect.NoQuotes {
		c.long = []byte(dialect.Delimiter)
	}
	return c
}

// Cut returns the fields of a line without its line end. They are valid until the next call.
func (c *Cutter) Cut(line []byte) []Field {
	switch {
	case c.long == nil:
		c.cut(line)
	case c.noQuotes:
		c.cutBare(line)
	default:
		c.cutLong(line)
	}
	return c.fields
}

// cut splits line into c.fields. It writes each field in place: copying them was the most frequent copy of a scan.
func (c *Cutter) cut(line []byte) {
	c.scratch = c.scratch[:0]
	count := 0
	for at := 0; ; count++ {
		if c.trimSpaces {
			for at < len(line) && c.isSpace(line[at]) {
				at++
			}
		}
		if count == cap(c.fields) {
			c.fields = append(c.fields[:count], Field{})
		}
		field := &c.fields[:cap(c.fields)][count]
		var next int
		if at < len(line) && line[at] == '"' {
			next = c.quoted(field, line, at)
		} else {
			next = c.bare(field, line, at)
		}
		if next == len(line) {
			c.fields = c.fields[:count+1]
			return
		}
		at = next + 1
	}
}

// quoted reads the field whose opening quote is line[at], and returns the index of the delimiter or line end after it.
func (c *Cutter) quoted(field *Field, line []byte, at int) int {
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
		field.Text, closing = c.unescape(line, open, closing)
		if closing < 0 {
			field.Damage = Unclosed
			return len(line)
		}
	}
	next := closing + 1
	if c.trimSpaces {
		for next < len(line) && c.isSpace(line[next]) {
			next++
		}
	}
	if next == len(line) || line[next] == c.delimiter {
		return next
	}
	if more := bytes.IndexByte(line[next:], c.delimiter); more >= 0 {
		next += more
	} else {
		next = len(line)
	}
	*field = Field{Text: line[at:next:next], Quoted: true, Damage: TextAfterQuote}
	return next
}

// unescape copies the text that begins at open to the scratch buffer, with single quotes for doubled ones. closing is the index
// of its first quote, which is doubled. It returns the text and the index of the closing quote, or -1 if there is none.
func (c *Cutter) unescape(line []byte, open, closing int) ([]byte, int) {
	from := len(c.scratch)
	for {
		c.scratch = append(c.scratch, line[open:closing+1]...)
		open = closing + 2
		next := bytes.IndexByte(line[open:], '"')
		if next < 0 {
			c.scratch = append(c.scratch, line[open:]...)
			return c.scratch[from:len(c.scratch):len(c.scratch)], -1
		}
		closing = open + next
		if closing+1 == len(line) || line[closing+1] != '"' {
			c.scratch = append(c.scratch, line[open:closing]...)
			return c.scratch[from:len(c.scratch):len(c.scratch)], closing
		}
	}
}

// bare reads the bare field that begins at line[at], and returns the index of the delimiter or line end after it.
func (c *Cutter) bare(field *Field, line []byte, at int) int {
	next, damage := at, Sound
	for next < len(line) && line[next] != c.delimiter {
		if line[next] == '"' {
			damage = BareQuote
		}
		next++
	}
	last := next
	if c.trimSpaces {
		for last > at && c.isSpace(line[last-1]) {
			last--
		}
	}
	*field = Field{Text: line[at:last:last], Damage: damage}
	return next
}

// isSpace reports whether b is trimmed around a field: a space or a tab, except the delimiter itself, which may be a tab.
func (c *Cutter) isSpace(b byte) bool { return (b == ' ' || b == '\t') && b != c.delimiter }
