package main

import (
	"bytes"
	"slices"
	"strconv"
	"strings"
)

// malformedOfEach is the number of rows of each malformed kind in each file at full size.
const malformedOfEach = 24

// firstMalformedID is the id of a file's first malformed row, far above those of good ones.
const firstMalformedID = 1_000_000_000

// malformedLine is the length of the line that is too long, in bytes: twice the ETL's limit.
const malformedLine = 2 << 20

// leaf describes a file without children.
type leaf struct {
	fields   []string // of a good row, after its id and its parent's id; fields without quotes are ints
	nullable bool     // the last field may be null
	rows     int64    // of the real file
	long     bool     // one line of the file is too long
}

var leaves = map[purpose]leaf{
	purposeFeatureFile: {fields: []string{`"Fabric"`, `"Canvas"`}, nullable: true, rows: realFeatures, long: true},
	purposePhotoFile:   {fields: []string{`"https://images.example/1.jpg"`, `"https://images.example/1-small.jpg"`}, rows: realPhotos},
	purposeSKUFile:     {fields: []string{`"M"`, `7`}, rows: realSKUs},
	purposeRelatedFile: {fields: []string{`1`}, rows: realRelated},
}

// malformed adds rows to a file that a reader must reject. They do not affect the good rows: each has an id of its own, unless the id is
// its defect, and the file remains ordered by parent.
type malformed struct {
	leaf
	slots           // selects the good rows after which one is added
	random  stream  // selects how a row is spoiled
	kinds   []*dirt // all of them, first those in the order of spoilings
	pending []*dirt // the kinds of the rows still to add among the good rows, in this order
	orphans *dirt   // added at the beginning and at the end of the file: among the good rows no parent is missing
	most    int64   // number of orphans at the beginning, and of those at the end

	lastRow    int64  // number of the last good row that readLast has read
	parent     string // its parent's id
	lastID     string // the last id read that no other row may have
	previousID string // the one before it, or lastID if there is none
}

// spoilings are the ways to spoil the fields of a row.
var spoilings = []struct {
	kind, reason string
	spoil        func(s *stream, l leaf, fields []string) []string
}{
	{"not_an_int", "not an int", func(s *stream, _ leaf, fields []string) []string {
		ints := []int64{0, 1}
		for i := 2; i < len(fields); i++ {
			if fields[i][0] != '"' {
				ints = append(ints, int64(i))
			}
		}
		fields[pick(s, ints)] = pick(s, []string{`12a`, `1.5`, `""`, `twelve`, ``, `"1 2"`, `9223372036854775808`})
		return fields
	}},
	{"null", "null", func(s *stream, l leaf, fields []string) []string {
		if l.nullable {
			fields[s.below(int64(len(fields)-1))] = "null"
		} else {
			fields[s.below(int64(len(fields)))] = "null"
		}
		return fields
	}},
	{"not_utf8", "not UTF-8", func(s *stream, _ leaf, fields []string) []string {
		fields[s.below(int64(len(fields)))] = pick(s, []string{"\"caf\xe9\"", "\"\xff\"", "\"\xed\xa0\x80\"", "\"\xe2\x82\"", "\xc0\xb1"})
		return fields
	}},
	{"nul_byte", "NUL byte", func(s *stream, _ leaf, fields []string) []string {
		fields[s.below(int64(len(fields)))] = pick(s, []string{"\"a\x00b\"", "\x00", "\"\x00\"", "1\x00"})
		return fields
	}},
	{"field_too_many", "field count", func(s *stream, _ leaf, fields []string) []string {
		return append(fields, pick(s, []string{`1`, ``, `"more"`, `null`}))
	}},
	{"field_too_few", "field count", func(_ *stream, _ leaf, fields []string) []string {
		return fields[:len(fields)-1]
	}},
	{"text_after_quote", "text after quote", func(s *stream, _ leaf, fields []string) []string {
		fields[s.below(int64(len(fields)))] = pick(s, []string{`"12"x`, `"a" b`, `"a"b"`, `"" 1`})
		return fields
	}},
	{"bare_quote", "bare quote", func(s *stream, _ leaf, fields []string) []string {
		fields[s.below(int64(len(fields)))] = pick(s, []string{`5"`, `1"2`, `7""`})
		return fields
	}},
	{"unclosed_quote", "unclosed quote", func(_ *stream, _ leaf, fields []string) []string {
		last := len(fields) - 1
		fields[last-1], fields[last] = `"12`, `12` // the last field is inside the quotes
		return fields
	}},
}

const (
	kindDuplicate = "duplicate_key"
	kindBreak     = "line_break"
	kindLong      = "line_too_long"
)

// malformedRows returns the malformed rows to add to a file, or nil if there are none.
func (c catalog) malformedRows(file purpose) *malformed {
	l, found := leaves[file]
	if !c.malformed || !found {
		return nil
	}
	each := c.expected(malformedOfEach)
	m := &malformed{leaf: l, most: max(1, each/2)}
	add := func(kind, reason string) *dirt {
		d := &dirt{Kind: kind, Fate: fateRejected, Reason: reason}
		m.kinds = append(m.kinds, d)
		return d
	}
	for _, spoiling := range spoilings {
		add(spoiling.kind, spoiling.reason)
	}
	add(kindDuplicate, "duplicate key")
	add(kindBreak, "line break in quotes")
	m.pending = slices.Repeat(m.kinds, int(each))
	if l.long {
		m.pending = slices.Insert(m.pending, len(m.pending)/2, add(kindLong, "line too long"))
	}
	m.orphans = add("orphan", "orphan")
	m.random.restart(c.seed, purposeMalformedRow, int64(file))
	m.spread(c.seed, purposeMalformed, int64(file), int64(len(m.pending)), c.expected(l.rows)*98/100)
	return m
}

// begin adds the orphans that precede the first good row. The ids of their parents are below all that exist.
func (m *malformed) begin(w *writer) {
	for n := range m.most {
		m.add(w, m.orphans, m.row(w, strconv.FormatInt(n+1-m.most, 10)))
	}
}

// afterRow adds a row after the last good one if that is selected.
func (m *malformed) afterRow(w *writer) {
	if m.take(w.rows) {
		m.readLast(w)
		m.addNext(w)
	}
}

// readLast reads the ids of the last row of the file, which must be a good one.
func (m *malformed) readLast(w *writer) {
	row := w.buffer[bytes.LastIndexByte(w.buffer, '\n')+1:]
	id, rest, _ := bytes.Cut(row, []byte(","))
	parent, _, _ := bytes.Cut(rest, []byte(","))
	m.lastRow, m.parent = w.rows, string(parent)
	if bytes.HasSuffix(row, []byte(",0")) {
		return // a related product 0: the row is filtered, and another row may have its id
	}
	m.previousID, m.lastID = m.lastID, string(id)
	if m.previousID == "" {
		m.previousID = m.lastID
	}
}

// end adds the rows that are still pending, orphans whose parents' ids are above all that exist, and a line feed. Without the line feed, a
// malformed last row would look like a truncated file.
func (m *malformed) end(w *writer) {
	if w.rows > m.lastRow {
		m.readLast(w)
	}
	for len(m.pending) > 0 {
		m.addNext(w)
	}
	for n := range m.most {
		m.add(w, m.orphans, m.row(w, strconv.FormatInt(firstMalformedID+n, 10)))
	}
	w.buffer = append(w.buffer, '\n')
}

// addNext adds the next pending row, as a sibling of the last good row.
func (m *malformed) addNext(w *writer) {
	d := m.pending[0]
	m.pending = m.pending[1:]
	fields := m.row(w, m.parent)
	switch d.Kind {
	case kindDuplicate:
		if m.previousID == "" {
			return // the file has no row whose id could be duplicated
		}
		fields[0] = m.previousID
	case kindBreak:
		fields[len(fields)-1] = `"12`
		m.add(w, d, fields)
		fields = []string{`12"`}
	case kindLong:
		fields[len(fields)-1] = `"` + strings.Repeat("a", malformedLine) + `"`
	default:
		fields = spoilings[slices.Index(m.kinds, d)].spoil(&m.random, m.leaf, fields)
	}
	m.add(w, d, fields)
}

// row returns the fields of a new row that has no defect except perhaps its parent.
func (m *malformed) row(w *writer, parent string) []string {
	return append([]string{strconv.FormatInt(firstMalformedID+w.added, 10), parent}, m.fields...)
}

func (m *malformed) add(w *writer, d *dirt, fields []string) {
	d.Rows++
	d.Lines = append(d.Lines, w.addRow(strings.Join(fields, ",")))
}
