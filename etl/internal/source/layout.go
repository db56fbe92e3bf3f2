package source

import (
	"bytes"

	"systemscale/etl/internal/condition"
	"systemscale/etl/internal/csvscan"
	"systemscale/etl/internal/lookup"
	"systemscale/etl/internal/shape"
)

// layout maps the fields of a record to columns.
type layout struct {
	width   int      // fields in the header
	columns []column // in the order of the shape file
	fields  []field  // in the order of the header, for decode; nil if decode cannot be used
	missing []string // names of columns that the header lacks
	absent  []int    // cells of columns that the header lacks
}

// column is a declared column, for convert.
type column struct {
	field     int // index in the record, or -1 if the header lacks the column
	converter converter
	nullable  bool
	place     int      // index of the cell in the row, or -1
	nulls     [][]byte // words for isNull
	tests     []*filter
	lists     [][]byte // texts between the ints of a list in the column
}

// isList reports whether a text is valid for the lists of ints that the column contains.
func (c *column) isList(text []byte) bool {
	for _, at := range c.lists {
		if !areInts(text, at) {
			return false
		}
	}
	return true
}

// isNull reports whether a field is one of the words that mean null. A word in quotes means the quoted field.
func isNull(words [][]byte, field *csvscan.Field) bool {
	for _, word := range words {
		if inner := unquoted(word); field.Quoted && inner != nil && bytes.Equal(field.Text, inner) || !field.Quoted && bytes.Equal(field.Text, word) {
			return true
		}
	}
	return false
}

// unquoted returns the text in the quotes of a word, or nil if it has none.
func unquoted(word []byte) []byte {
	if n := len(word); n >= 2 && word[0] == '"' && word[n-1] == '"' {
		return word[1 : n-1]
	}
	return nil
}

// field is one field of the records, for decode.
type field struct {
	kind      shape.Type
	key       bool   // it holds the row's key
	parentKey bool   // it holds the parent's key
	int       bool   // decodeInts decodes it, except for the value drop
	bare      bool   // a text without quotes needs no check, unless it begins with one of the next two, or ends with a space
	space     byte   // a space if spaces are trimmed, or 0
	nullByte  byte   // the first byte of the only word in nulls, or 0
	drop      uint64 // a value for which a filter drops the row
	special   bool   // drops, quoted, repairs, tests or lists is not empty
	nullable  bool
	nulls     [][]byte // unquoted fields that mean null
	quoted    [][]byte // quoted fields that mean null
	place     int      // index of the cell in the row, or -1 for a column that is not rendered
	drops     [][]byte // texts for which a filter drops the row
	repairs   [][]byte // prefixes that a repair replaces
	tests     []*filter
	lists     [][]byte   // as in column
	converter *converter // of the column, if the text may differ from the canonical form
}

// planBare sets how a text without quotes is decoded.
func (f *field) planBare(trimSpaces bool) {
	f.bare = f.kind == shape.Text && !f.special
	if trimSpaces {
		f.space = ' '
	}
	switch {
	case len(f.nulls) == 1 && len(f.nulls[0]) > 0:
		f.nullByte = f.nulls[0][0]
	case len(f.nulls) > 0:
		f.bare = false
	}
}

// filter drops rows: with a test, by the value's canonical form; without, those with a number in an int column, or with the exact text
// in any other column.
type filter struct {
	column   int
	text     []byte
	number   int64
	isNumber bool
	test     *condition.Condition
	keep     bool // drop the rows that do not meet the test, instead of those that do
	drops    bool // the test drops the current record
	lookedUp bool // the column is
}

// dropsValue reports whether the test drops the rows with a value. text is its canonical form.
func (f *filter) dropsValue(text []byte, null bool) bool { return f.test.Holds(text, null) != f.keep }

// value is a converted field, for filters and keys.
type value struct {
	number int64 // of an int
	null   bool
	text   []byte // the field's text; nil if the row lacks the field
}

// rowLookup copies the value that a row looks up to a cell of the row.
type rowLookup struct {
	table    *lookup.Table
	by       []int         // indices of the cells with the key
	place    int           // index of the cell for the value
	column   int           // index of the column that gets the value, or -1 for a fragment
	key      shape.Indices // the columns with the key
	required bool
	empty    []byte // the value if there is none; empty for null
	unused   int    // index of the cell for a fragment if the look-up has none, or -1
}

// finding is the search for the values of several rows.
type finding struct {
	finder lookup.Finder
	keys   [][]byte
	parts  []byte // the keys of several columns, which keys refers to
	rows   [lookup.Most]int
	values [lookup.Most]lookup.Value
	found  [lookup.Most]bool
}
