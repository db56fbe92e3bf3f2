package inspect

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/zeebo/xxh3"

	"systemscale/etl/internal/csvscan"
	"systemscale/etl/internal/dump"
	"systemscale/etl/internal/shape"
	"systemscale/etl/internal/source"
)

// mostColumns is the number of columns of a file from which on it is left out: each needs memory.
const mostColumns = 1000

// notation is the dialect of a file.
type notation struct {
	delimiter   string
	trim        bool
	closeQuotes bool
	openEnd     bool
	headerless  bool
	noQuotes    bool
	shortRows   bool
	multiline   bool
	encoding    string // "" is UTF-8, or that of the byte order mark
}

// table is a file and what its rows show.
type table struct {
	text     dump.Text
	source   string // name of the source
	notation notation
	columns  []*column
	problem  string // why the file is left out; "" if it is not

	bytes   int64 // of the rows that can be read
	rows    int64 // that can be read
	good    int64 // of them, so far
	damaged map[source.Reason]int64
	worst   sample // the first damaged row

	firstDamage source.Reason // of the first record

	closed   int64 // quotes that the line end closes
	accented int64 // rows in UTF-8 with other than ASCII letters
	windows  bool  // bytes that are letters in windows-1252 and not in latin1
	multiple int64 // records of several lines
	quoted   int64 // rows with a field in quotes
	short    int64 // rows that lack the last fields

	unsureHeader bool // whether the first record is a header

	strange map[int]bool // columns that may have numbers in another notation, dates or JSON

	key        int     // of columns, or -1
	pairs      []*pair // without a key, columns that have different values together; the first one is the best
	references []*reference
}

// errAgain means that the notation has changed, so the file must be read again from its beginning.
var errAgain = errors.New("the notation is another one")

// read reads the whole file, and fills t. tick is called after every few thousand records.
func (t *table) read(ctx context.Context, m *memory, tick func()) error {
	if err := t.sniff(ctx); err != nil || t.problem != "" {
		return err
	}
	for {
		err := t.readOnce(ctx, m, tick)
		if !errors.Is(err, errAgain) {
			return err
		}
		for _, c := range t.columns {
			if c.known != nil {
				c.known.free()
			}
		}
	}
}

func (t *table) readOnce(ctx context.Context, m *memory, tick func()) error {
	t.columns, t.rows, t.damaged, t.closed, t.multiple, t.accented = nil, 0, map[source.Reason]int64{}, 0, 0, 0
	t.firstDamage, t.bytes = "", 0
	t.worst, t.good, t.quoted, t.short = sample{}, 0, 0, 0
	var first []csvscan.Field
	err := t.records(ctx, tick, func(line int64, fields []csvscan.Field) error {
		if first == nil {
			first = t.begin(fields, m)
			if !t.notation.trim && slices.ContainsFunc(first, func(f csvscan.Field) bool { return f.Damage == csvscan.Sound && t.edged(&f) }) {
				t.notation.trim = true
				return errAgain
			}
			return nil
		}
		for i := range fields {
			t.bytes += int64(len(fields[i].Text)) + 1
		}
		for i, c := range t.columns {
			if i >= len(fields) {
				c.absent++
				continue
			}
			if !t.notation.trim && t.spaced(&fields[i]) {
				t.notation.trim = true
				return errAgain
			}
			c.observe(fields[i].Text, fields[i].Quoted, line)
		}
		t.good++
		return nil
	})
	if err != nil {
		return err
	}
	wrong := t.damaged[source.NotUTF8]
	if wrong > t.accented && wrong*damage > wrong+t.good && t.notation.encoding == "" {
		t.guessEncoding()
		return errAgain
	}
	if t.firstDamage == source.NotUTF8 && t.accented == 0 && t.notation.encoding == "" {
		t.guessEncoding()
		return errAgain
	}
	if t.amend() {
		return errAgain
	}
	if t.firstDamage != "" {
		// The names of the columns may be in it: the record after it must not be taken for them.
		t.problem = "its first record cannot be read: " + string(t.firstDamage)
		return nil
	}
	t.conclude(first)
	return nil
}

// guessEncoding takes a file that is not UTF-8 for one with a byte per character.
func (t *table) guessEncoding() {
	t.notation.encoding = "latin1"
	if t.windows {
		t.notation.encoding = "windows-1252"
	}
}

// amend changes the notation if that explains the damage of many rows, and reports whether it did.
func (t *table) amend() bool {
	n := t.notation
	switch {
	case !n.noQuotes && t.damaged[source.BareQuote]+t.damaged[source.TextAfterQuote] > t.quoted:
		t.notation.noQuotes, t.notation.multiline = true, false
	case !n.shortRows && t.short*20 > t.good:
		t.notation.shortRows = true
	case !n.multiline && t.multiple*damage > t.good:
		t.notation.multiline = true
	default:
		return t.amendColumns()
	}
	return t.notation != n
}

// amendColumns notes the columns that may have numbers in another notation, dates or JSON, and reports whether there are more than before.
func (t *table) amendColumns() (more bool) {
	for i, c := range t.columns {
		if c.strange > 0 && c.strange == c.other && !t.strange[i] {
			if t.strange == nil {
				t.strange = map[int]bool{}
			}
			t.strange[i], more = true, true
		}
	}
	return more
}

// begin takes the first record, and returns a copy of it. Only the others show whether it is a header.
func (t *table) begin(fields []csvscan.Field, m *memory) []csvscan.Field {
	first := make([]csvscan.Field, len(fields))
	for i, f := range fields {
		f.Text = bytes.Clone(f.Text)
		first[i] = f
		c := newColumn("", m)
		c.above = xxh3.Hash(f.Text)
		if t.strange[i] {
			c.numerals, c.forms = newNumerals(), newForms()
		}
		t.columns = append(t.columns, c)
	}
	return first
}

// edged reports whether a field without quotes has a space at its beginning or end.
func (t *table) edged(f *csvscan.Field) bool {
	return !f.Quoted && len(f.Text) > 0 && (f.Text[0] == ' ' || f.Text[len(f.Text)-1] == ' ')
}

// spaced reports whether a field is a value of its column only without the spaces around it.
func (t *table) spaced(f *csvscan.Field) bool {
	if !t.edged(f) {
		return false
	}
	trimmed := bytes.Trim(f.Text, " \t")
	return f.Damage == csvscan.BareQuote && len(trimmed) > 0 && trimmed[0] == '"' ||
		source.Fits(shape.Money, trimmed) && !source.Fits(shape.Money, f.Text)
}

// records calls take with each record that can be read, and counts the others.
func (t *table) records(ctx context.Context, tick func(), take func(line int64, fields []csvscan.Field) error) error {
	text, err := t.text.Open(ctx, t.notation.encoding)
	if err != nil {
		return err
	}
	defer func() { _ = text.Close() }() // only read
	n := t.notation
	dialect := csvscan.Dialect{Delimiter: n.delimiter, TrimSpaces: n.trim, NoQuotes: n.noQuotes, Multiline: n.multiline}
	scanner := csvscan.New(text, dialect)
	var breaks *source.Breaks
	width := 0
	for n := 0; scanner.Scan(); n++ {
		if n%4096 == 0 {
			tick()
		}
		if breaks == nil {
			width = len(scanner.Fields())
			if width > mostColumns {
				t.problem = fmt.Sprintf("it has %s, and etl init compares at most %d", count(int64(width), "column"), mostColumns)
				return nil
			}
			breaks = source.NewBreaks(dialect, width)
		}
		broken := breaks.Of(scanner)
		if reason := t.damage(scanner, broken, width); reason != "" {
			if n == 0 {
				t.firstDamage = reason
			}
			if t.damaged[reason]++; t.worst.line == 0 {
				t.worst = sample{text: string(reason), line: scanner.Line()}
			}
			spaced := func(f csvscan.Field) bool { return t.spaced(&f) }
			if !t.notation.trim && reason == source.BareQuote && slices.ContainsFunc(scanner.Fields(), spaced) {
				t.notation.trim = true
				return errAgain
			}
			continue
		}
		if broken == source.MissingQuote {
			t.closed++
		}
		if t.notation.encoding == "" && utf8.RuneCount(scanner.Raw()) < len(scanner.Raw()) {
			t.accented++
		}
		if err := take(scanner.Line(), scanner.Fields()); err != nil {
			return err
		}
	}
	t.notation.openEnd = !scanner.Ended()
	if err := scanner.Err(); err != nil {
		return &source.FileError{
			File: t.text.Name, Line: scanner.Line(), Message: "the file cannot be read after this line: " + err.Error(), Err: err,
		}
	}
	return nil
}

// damage returns the reason for which a run would reject the record whatever its types are.
func (t *table) damage(scanner *csvscan.Scanner, broken source.Break, width int) source.Reason {
	fields := scanner.Fields()
	switch {
	case scanner.TooLong():
		return source.LineTooLong
	case broken == source.LineBreak:
		t.multiple++
		return source.BrokenLine
	case broken == source.Continued:
		return source.BrokenLine
	case bytes.IndexByte(scanner.Raw(), 0) >= 0:
		return source.NULByte
	case !utf8.Valid(scanner.Raw()):
		t.windows = t.windows || slices.ContainsFunc(scanner.Raw(), func(b byte) bool { return b >= 0x80 && b < 0xa0 })
		return source.NotUTF8
	case broken == source.EndsInQuotes:
		return source.Truncated
	case broken == source.MissingQuote && len(fields) != width:
		return source.UnclosedQuote
	case len(fields) < width && t.notation.shortRows:
	case len(fields) != width:
		if len(fields) < width {
			t.short++
		}
		return source.FieldCount
	}
	quoted := int64(0)
	for i := range fields {
		if fields[i].Quoted {
			quoted = 1
		}
		switch fields[i].Damage {
		case csvscan.BareQuote:
			return source.BareQuote
		case csvscan.TextAfterQuote:
			return source.TextAfterQuote
		}
	}
	t.quoted += quoted
	return ""
}

// conclude decides what the rows show together.
func (t *table) conclude(first []csvscan.Field) {
	t.notation.closeQuotes = t.closed > 0 && !t.notation.multiline
	if first == nil {
		t.problem = "it has no row"
		return
	}
	for _, c := range t.columns {
		c.decide()
	}
	header, sure := isHeader(t.columns, first)
	t.unsureHeader = !sure
	if !header {
		t.notation.headerless = true
		for i, c := range t.columns {
			c.observe(first[i].Text, first[i].Quoted, 1)
			c.own, c.nullable = nil, false
			c.decide()
		}
	}
	seen := map[string]bool{}
	for i, c := range t.columns {
		c.settle()
		c.name = fmt.Sprintf("column_%d", i+1)
		if !t.notation.headerless {
			c.name = string(first[i].Text)
		}
		if seen[c.name] || c.name == "" {
			t.problem = fmt.Sprintf("its header has no name for column %d", i+1)
			if c.name != "" {
				t.problem = fmt.Sprintf("its header has the column %s twice", show(c.name))
			}
			return
		}
		seen[c.name] = true
		if t.rows = c.values + c.allNulls(); t.rows == 0 {
			t.problem = "it has a header and no row"
		}
	}
	for _, c := range t.columns { // the name is evidence, too
		c.own, c.nullable = nil, false
		c.decide()
	}
	t.missing()
}

// missing leaves the file out if it needs what a shape file cannot declare, instead of rejecting its rows.
func (t *table) missing() {
	share := func(reason source.Reason) bool { return t.damaged[reason]*20 > t.rows }
	switch {
	case t.problem != "":
	case share(source.FieldCount):
		t.problem = comma(t.damaged[source.FieldCount]) + " of " + count(t.rows+t.damaged[source.FieldCount], "row") +
			" with more or fewer fields than the header"
	case share(source.BareQuote) || share(source.TextAfterQuote):
		t.problem = "its fields have quotes that are no quotes: double each, and put quotes around the field"
	}
}

// sampleSize is the size of the beginning of a file in which the delimiter is looked for, in bytes.
const sampleSize = 256 << 10

// sniff finds the delimiter. Whether it fits, and everything else, only the whole file shows.
func (t *table) sniff(ctx context.Context) error {
	text, err := t.text.Open(ctx, t.notation.encoding)
	if err != nil {
		return err
	}
	defer func() { _ = text.Close() }() // only read
	begin, err := io.ReadAll(io.LimitReader(text, sampleSize))
	if err != nil {
		return &source.FileError{File: t.text.Name, Message: "the file cannot be read: " + err.Error(), Err: err}
	}
	begin = bytes.TrimPrefix(begin, []byte("\xef\xbb\xbf"))
	if nul := bytes.IndexByte(begin, 0); t.notation.encoding == "" && (nul == 0 || nul == 1) {
		t.notation.encoding = map[int]string{0: "utf-16be", 1: "utf-16le"}[nul]
		return t.sniff(ctx)
	}
	if form := source.Form(begin); form != "" {
		t.problem = form
		return nil
	}
	lines := bytes.Split(begin, []byte{'\n'})
	if len(lines) > 1 {
		lines = lines[:len(lines)-1] // perhaps cut
	}
	lines = slices.DeleteFunc(lines, func(line []byte) bool { return len(bytes.TrimSpace(line)) == 0 })
	switch {
	case len(lines) == 0:
		t.problem = "the file is empty"
	case len(lines) == 1 && bytes.Count(bytes.TrimSpace(lines[0]), []byte{'\r'}) > 0:
		t.problem = `its lines end with a carriage return alone: convert it with tr '\r' '\n'`
	default:
		t.notation.delimiter = delimiter(lines)
	}
	return nil
}

// delimiters are looked for in this order.
var delimiters = []string{",", ";", "\t", "|", "::", "^", "~", "\x01"}

// delimiter returns the text that splits most lines into as many fields as the first one.
func delimiter(lines [][]byte) string {
	best, bestFields, bestLines := ",", 1, 0
	for _, candidate := range delimiters {
		if fields, alike := split(lines, candidate); fields > 1 &&
			(bestFields == 1 || alike > bestLines || alike == bestLines && fields > bestFields) {
			best, bestFields, bestLines = candidate, fields, alike
		}
	}
	if bestFields > 1 && len(best) == 1 {
		wide := widened(lines[0], best[0])
		if fields, alike := split(lines, wide); fields == bestFields && alike >= bestLines {
			return wide
		}
	}
	return best
}

// split returns the number of fields of the first line, and of how many lines.
func split(lines [][]byte, delimiter string) (fields, alike int) {
	cutter := csvscan.NewCutter(csvscan.Dialect{Delimiter: delimiter, TrimSpaces: true})
	for i, line := range lines {
		n := len(cutter.Cut(bytes.TrimSuffix(line, []byte{'\r'})))
		if i == 0 {
			fields = n
		}
		if n == fields {
			alike++
		}
	}
	return fields, alike
}

// widened returns the delimiter with the mark before or after it, if that is the same everywhere in a line, as in id+|name.
func widened(line []byte, delimiter byte) string {
	const marks = "+|~^:;*#$%&!=/"
	var before, after []byte
	for i, b := range line {
		if b == delimiter {
			before = append(before, append([]byte{0}, line...)[i])
			after = append(after, append(line[i+1:len(line):len(line)], 0)[0])
		}
	}
	alike := func(found []byte) bool {
		return strings.IndexByte(marks, found[0]) >= 0 && bytes.Count(found, found[:1]) == len(found)
	}
	switch {
	case alike(before):
		return string([]byte{before[0], delimiter})
	case alike(after):
		return string([]byte{delimiter, after[0]})
	}
	return string(delimiter)
}

// base returns the name of the file without its extension.
func (t *table) base() string {
	name := t.text.Name
	return name[:strings.LastIndexByte(name, '.')]
}

// reference is a column whose values may be keys of a file.
type reference struct {
	column int
	to     *table
	key    int // of to's columns
	like   likeness
	values bool // the values show it, since the columns have no names

	checked   int64 // values that the key's set can answer for
	contained int64 // of them
	zeros     int64 // values 0 that are no key
	missing   sample
	dropped   bool
}

// pair is two columns that may identify a row together.
type pair struct {
	first, second int
	known         *set // nil once the values of two rows are the same
	joined        []byte
}
