package main

import (
	"bytes"
	"slices"
	"strconv"
	"strings"
)

// malformedOfEach is how many rows of each malformed kind each file has at full size.
const malformedOfEach = 24

// firstMalformedID is the id of a file's first malformed row, far above those of good ones.
const firstMalformedID = 1_000_000_000

// malformedLine is the length of the line that is too long, in bytes: twice what the ETL takes.
const malformedLine = 2 << 20

// leaf says what a row of a file without children looks like behind its id and its parent's. Fields without quotes are ints.
type leaf struct {
	fields   []string
	nullable bool // the last field may be null
	rows     int64
	long     bool // one line of the file is too long
}

var leaves = map[purpose]leaf{
	purposeFeatureFile: {fields: []string{`"Fabric"`, `"Canvas"`}, nullable: true, rows: realFeatures, long: true},
	purposePhotoFile:   {fields: []string{`"https://images.example/1.jpg"`, `"https://images.example/1-small.jpg"`}, rows: realPhotos},
	purposeSKUFile:     {fields: []string{`"M"`, `7`}, rows: realSKUs},
	purposeRelatedFile: {fields: []string{`1`}, rows: realRelated},
}

// malformed adds rows to a file that a reader must reject. Between the good rows, which stay as they are, nothing comes of them: each
// has an id of its own, unless that is what is wrong with it, and the file stays in the order of the parents.
type malformed struct {
	leaf
	slots           // of the rows behind which one is added
	random  stream  // for how a row is spoiled
	kinds   []*dirt // all of them, first those in the order of spoilings
	order   []*dirt // what is still to be added between the good rows
	orphans *dirt   // at the beginning and at the end of the file: between the good rows no parent is missing
	most    int64   // orphans at the beginning, and as many at the end
	added   int64   // rows

	seen    int64  // the good row that look has seen last
	parent  string // of that row
	id      string // of the row that it took for one whose id is never free again
	earlier string // the same of the row before; or id, when there was none
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
		fields[last-1], fields[last] = `"12`, `12` // the quote has swallowed the last field
		return fields
	}},
}

const (
	kindDuplicate = "duplicate_key"
	kindBreak     = "line_break"
	kindLong      = "line_too_long"
)

// malformedRows returns what adds the malformed rows to a file, or nil when it is to have none.
func (c catalog) malformedRows(file purpose) *malformed {
	l, found := leaves[file]
	if !c.malformed || !found {
		return nil
	}
	each := c.expected(malformedOfEach)
	h := &malformed{leaf: l, most: max(1, each/2)}
	note := func(kind, reason string) *dirt {
		d := &dirt{Kind: kind, Fate: fateRejected, Reason: reason}
		h.kinds = append(h.kinds, d)
		return d
	}
	for _, spoiling := range spoilings {
		note(spoiling.kind, spoiling.reason)
	}
	note(kindDuplicate, "duplicate key")
	note(kindBreak, "line break in quotes")
	h.order = slices.Repeat(h.kinds, int(each))
	if l.long {
		h.order = slices.Insert(h.order, len(h.order)/2, note(kindLong, "line too long"))
	}
	h.orphans = note("orphan", "orphan")
	h.random.restart(c.seed, purposeMalformedRow, int64(file))
	h.spread(c.seed, purposeMalformed, int64(file), int64(len(h.order)), c.expected(l.rows)*98/100)
	return h
}

// begin adds the rows that stand before the first good one: their parents are below all that exist.
func (h *malformed) begin(w *writer) {
	for n := range h.most {
		h.add(w, h.orphans, h.row(strconv.FormatInt(n+1-h.most, 10)))
	}
}

// behind adds a row behind the good one that the writer has just been given, if there is to be one.
func (h *malformed) behind(w *writer) {
	if h.take(w.rows) {
		h.look(w)
		h.addNext(w)
	}
}

// look takes note of the last row of the file, which must be a good one.
func (h *malformed) look(w *writer) {
	row := w.buffer[bytes.LastIndexByte(w.buffer, '\n')+1:]
	id, behind, _ := bytes.Cut(row, []byte(","))
	parent, _, _ := bytes.Cut(behind, []byte(","))
	h.seen, h.parent = w.rows, string(parent)
	if bytes.HasSuffix(row, []byte(",0")) {
		return // of a related product 0, the row is filtered, and its id may come again
	}
	h.earlier, h.id = h.id, string(id)
	if h.earlier == "" {
		h.earlier = h.id
	}
}

// end adds the rows that found no place between the good ones, orphans whose parents are above all that exist, and a line end, without
// which a malformed last row would look like a file that was cut off.
func (h *malformed) end(w *writer) {
	if w.rows > h.seen {
		h.look(w)
	}
	for len(h.order) > 0 {
		h.addNext(w)
	}
	for n := range h.most {
		h.add(w, h.orphans, h.row(strconv.FormatInt(firstMalformedID+n, 10)))
	}
	w.buffer = append(w.buffer, '\n')
}

// addNext adds the row that is next in order, as a sibling of the last good row.
func (h *malformed) addNext(w *writer) {
	d := h.order[0]
	h.order = h.order[1:]
	fields := h.row(h.parent)
	switch d.Kind {
	case kindDuplicate:
		if h.earlier == "" {
			return // the file has no row whose id could come again
		}
		fields[0] = h.earlier
	case kindBreak:
		fields[len(fields)-1] = `"12`
		h.add(w, d, fields)
		fields = []string{`12"`}
	case kindLong:
		fields[len(fields)-1] = `"` + strings.Repeat("a", malformedLine) + `"`
	default:
		fields = spoilings[slices.Index(h.kinds, d)].spoil(&h.random, h.leaf, fields)
	}
	h.add(w, d, fields)
}

// row returns the fields of a new row, with nothing wrong in it but perhaps its parent.
func (h *malformed) row(parent string) []string {
	return append([]string{strconv.FormatInt(firstMalformedID+h.added, 10), parent}, h.fields...)
}

func (h *malformed) add(w *writer, d *dirt, fields []string) {
	h.added++
	d.Rows++
	d.Lines = append(d.Lines, w.line())
	w.buffer = append(append(w.buffer, '\n'), strings.Join(fields, ",")...)
}
