// Package shape parses a shape file, which declares the CSV files of a collection and the documents that are made from them.
// All other code is independent of the collection.
//
// Parse returns only valid shapes: the sources form one tree, every column that is named exists, and every endpoint has a unique
// address. It reports a mistake as an Error with file, line, column and a remedy. The format is described in
// infra/docs/shape-file.md and in shapes/schema.json.
package shape

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-json"
)

// Shape is a valid shape file. The fingerprint of a shape is a hash of its JSON; the json tags of this package keep it the same.
type Shape struct {
	Name       string // name of the file, for messages
	Collection string // first segment of the URLs and prefix of the table names
	Dialect    Dialect
	Sources    []Source   // the root first, and every parent before its children; then the look-up sources
	Endpoints  []Endpoint `json:"Documents"`  // in the file's order
	Tables     []Table    `json:",omitempty"` // of the look-ups
}

// Dialect is the notation of CSV files.
type Dialect struct {
	Delimiter   Delimiter
	Null        string   // the unquoted field that means null; "" if Nulls has several, or if no field does
	Nulls       []string `json:",omitempty"` // the unquoted fields that mean null, "" for an empty one
	Numbers     *Numbers `json:",omitempty"` // nil for the plain notation
	TrimSpaces  bool
	Encoding    string `json:",omitempty"` // of package charset; "" is UTF-8
	CloseQuotes bool   // close a quote that is open at the end of a line if the next line is a row, instead of rejecting the row

	Multiline bool `json:",omitempty"` // a quoted field may contain line ends
	NoQuotes  bool `json:",omitempty"` // a quote is a character like any other
	NoHeader  bool `json:",omitempty"` // the columns of the file are those of the source, in this order
	ShortRows bool `json:",omitempty"` // the last fields of a row may be missing: they are null
}

// Delimiter is the text between two fields, of one or more bytes.
type Delimiter string

// MarshalJSON writes a delimiter of one byte as a number, so that the fingerprints of shapes stay the same.
func (d Delimiter) MarshalJSON() ([]byte, error) {
	if len(d) == 1 {
		return strconv.AppendUint(nil, uint64(d[0]), 10), nil
	}
	return json.Marshal(string(d))
}

// Numbers is the notation of the ints, amounts and decimals in a file.
type Numbers struct {
	Decimal   string   // the character between the whole and the decimals
	Thousands string   `json:",omitempty"` // the character between groups of three digits, or "" for none; " " is any space
	Currency  []string `json:",omitempty"` // may be before or after an amount or a decimal
}

// Source is one CSV file.
type Source struct {
	Name      string
	File      string
	FileAt    Position `json:"-"` // position of File; positions do not affect the documents
	Columns   []Column
	Key       Indices // the columns that identify a row; none for a source without children whose rows need not differ
	Parent    int     // index in Shape.Sources, or -1 for the root and for a look-up source
	ParentKey Indices `json:"On"` // the columns that hold the parent's key; none for the root
	Children  []int   // indices in Shape.Sources

	// ParentColumns are the columns of the parent whose values ParentKey holds. If there are none, it holds the parent's key.
	ParentColumns Indices `json:",omitempty"`

	KeyForm    KeyForm   `json:"-"` // of Key
	ParentForm KeyForm   `json:"-"` // of ParentKey
	References []Indices `json:"-"` // the columns other than Key on which children are joined
	IDPaths    []string  `json:"-"` // of the root: the paths of the endpoints, which follow the ids in addresses, if Key is IDKeys
	Reference  int       `json:"-"` // index of ParentColumns in the parent's References, or -1

	Merge    bool `json:",omitempty"` // rows with the same key are one row; the first value that is not null counts for each column
	Repairs  []Repair
	Filters  []Filter
	Rendered []int // indices in Columns of the columns that documents contain or depend on, ascending

	OneToOne bool      `json:",omitempty"` // at most one row per row of the parent: Key is ParentKey
	IntLists []IntList `json:",omitempty"` // columns that contain lists of ints

	Lookups []Lookup `json:",omitempty"`
	Dialect *Dialect `json:",omitempty"` // of this file; nil if it has the dialect of the shape

	// OpenEnd accepts a file whose last line has no line end. It does not affect the documents.
	OpenEnd bool `json:"-"`
}

// KeyForm is the form in which keys are compared.
type KeyForm uint8

// The forms of keys.
const (
	IntKeys     KeyForm = iota // one int. Either all sources of a shape have this form, or none.
	EncodedKeys                // bytes in the order of the values
	IDKeys                     // the text of the item's id: of the root, unless its key is one int
)

// Indices are indices in Columns.
type Indices []int

// MarshalJSON encodes a single index as a number and none as -1, as they were when a key had one column: fingerprints stay the same.
func (i Indices) MarshalJSON() ([]byte, error) {
	switch len(i) {
	case 0:
		return []byte("-1"), nil
	case 1:
		return strconv.AppendInt(nil, int64(i[0]), 10), nil
	}
	return json.Marshal([]int(i))
}

// Names returns the names of the columns with the indices, separated by commas.
func (s *Source) Names(columns Indices) string {
	names := make([]string, len(columns))
	for i, column := range columns {
		names[i] = s.Columns[column].Name
	}
	return strings.Join(names, ", ")
}

// DialectOf returns the dialect of a source's file.
func (s *Shape) DialectOf(source *Source) *Dialect {
	if source.Dialect != nil {
		return source.Dialect
	}
	return &s.Dialect
}

// FileColumns returns the names of the columns that are read from the file, in the order of the shape file.
func (s *Source) FileColumns() []string {
	var names []string
	for _, c := range s.Columns {
		if !c.LookedUp {
			names = append(names, c.Name)
		}
	}
	return names
}

// Column is one declared column of a source.
type Column struct {
	Name     string
	At       Position `json:"-"` // see FileAt
	Type     Type
	Nullable bool
	Nulls    []string `json:",omitzero"`  // replace those of the dialect; nil if the column declares none
	Numbers  *Numbers `json:",omitempty"` // replaces that of the dialect
	Format   string   `json:",omitempty"` // of a Date or a Time, for package strftime; "" is ISO 8601
	LookedUp bool     `json:",omitempty"` // the values are those of another source, see Source.Lookups
}

// NullWords returns the unquoted fields that mean null in a column. An empty field of a text column without ? is a text, unless the column
// itself declares that it is null.
func (d *Dialect) NullWords(c *Column) []string {
	switch {
	case c.Nulls != nil:
		return c.Nulls
	case d.Null != "":
		return []string{d.Null}
	case c.Type == Text && !c.Nullable:
		return slices.DeleteFunc(slices.Clone(d.Nulls), func(word string) bool { return word == "" })
	}
	return d.Nulls
}

// IntList is a column of text in which every row has ints with At between them, or nothing.
type IntList struct {
	Column int
	At     string
}

// Position is a place in the shape file. Line and Column start at 1; Column counts characters.
type Position struct{ Line, Column int }

// Repair replaces Prefix at the beginning of a field by With, before the field is parsed. Prefix is compared with the field's text.
// If text follows the field's closing quote, Prefix is compared with the raw field, quotes included, and the result is parsed as a
// new field.
type Repair struct {
	Name   string // the counts use it
	Column int
	Prefix string
	With   string
}

// Filter drops rows by the value of Column: without a Test, those whose value is the int Drop, or whose field has the text Drop.
type Filter struct {
	Name   string // the counts use it
	Column int
	Drop   string
	Test   *Test `json:",omitempty"` // drops the rows that meet it
	Keep   bool  `json:",omitempty"` // drops the rows that do not meet Test instead
}

// Test is a condition on the value of a column. All of its Terms must hold. Package condition evaluates it.
type Test struct{ Terms []Term }

// Term compares a value. Of null, only Is and Not with Null can hold; Not without Null always holds.
type Term struct {
	Operator Operator
	Values   []string `json:",omitempty"` // in canonical form; any number for Is and Not, otherwise one
	Null     bool     `json:",omitempty"` // for Is and Not: null is one of the values
}

// Operator is the operator of a Term.
type Operator uint8

// The operators. Numbers are compared as numbers, texts by their bytes.
const (
	Is  Operator = iota // one of the values
	Not                 // none of the values
	Below
	AtMost
	Above
	AtLeast
	Matches // the value contains a match of a regular expression
)

// Table is what look-ups find by the key of a row of a source: the row's fragment, or the value of one of its columns.
type Table struct {
	Source int
	Body   Node // the fragment; nil for a value
	Column int  // index in Source.Columns; -1 for a fragment

	// Needs has the indices in Shape.Tables of those that must be complete before the source is read for this one, and Reads the sources
	// of the tree that must be read with it. Both follow from the other fields.
	Needs []int `json:"-"`
	Reads []int `json:"-"`
}

// Lookup is a look-up by the rows of a source. Those of a source are in an order in which each finds its By.
type Lookup struct {
	Table    int     // index in Shape.Tables
	By       Indices // the columns that hold the key, in its order
	Column   int     // index in Source.Columns of the column that gets the value; -1 for a fragment
	Required bool    // reject rows whose key is not in the table
	Empty    string  // the JSON if the key is null, or is not in the table; "" for null
}

// LookedUp is the fragment that a look-up by the enclosing source's row finds.
type LookedUp struct{ Lookup int } // index in Source.Lookups

// Endpoint declares one document of each item, or one element of a list.
type Endpoint struct {
	Name string
	Path string // follows /{collection}/{id}/ in the URL; empty for /{collection}/{id}
	List bool   // served in pages at /{collection}; Path is not used
	Body Node
}

// Node is a part of a body: an Object, a Value, an Each, a Constant, an Array or a Join.
type Node interface{ node() }

// Object is a JSON object with fixed fields.
type Object struct{ Fields []Member }

// Member is one field of an Object.
type Member struct {
	Name string
	Body Node
}

// Value is the value of one column of the enclosing source's row.
type Value struct {
	Column int  // index in Source.Columns
	Text   bool // a cast: write the number as a JSON string
}

// Each is a JSON array with one element per row of a child source, or an object with one field per row.
type Each struct {
	Source int    // index in Shape.Sources
	Keyed  int    // index of the column whose values are the object's field names, or -1 for an array
	As     Node   // one element
	Empty  string // the JSON for no rows
	Selection
	Limit int `json:",omitempty"` // number of rows, or 0 for all
}

// One is the body of the first row of a child source.
type One struct {
	Source int // index in Shape.Sources
	As     Node
	Empty  string // the JSON for no rows
	Selection
}

// Selection says which rows of a child source are used, and in which order.
type Selection struct {
	Where []Where `json:",omitempty"` // all must hold
	Order []Sort  `json:",omitempty"`
}

// Where is a test that a row must pass.
type Where struct {
	Column int
	Test   *Test
}

// Sort orders rows by a column: numbers as numbers, texts by their bytes, null as the largest value.
type Sort struct {
	Column     int
	Descending bool
}

// Constant is the same JSON value in every document.
type Constant struct{ JSON string }

// Array is a JSON array with one element per body.
type Array struct {
	Elements  []Node
	DropNulls bool // leave out the elements that are null
}

// Join is a JSON string of several texts. The columns that are null are left out; if all are, it is null.
type Join struct {
	Parts []Part
	With  string // between the parts
}

// Part is a part of a Join: a column of the enclosing source's row, or a constant.
type Part struct {
	Column int // index in Source.Columns, or -1 for Text
	Text   string
}

// Split is a JSON array of the elements of a list in one column.
type Split struct {
	Column int
	At     string // between the elements
	Ints   bool   // write JSON numbers instead of strings
}

func (Object) node()   {}
func (One) node()      {}
func (Split) node()    {}
func (LookedUp) node() {}
func (Value) node()    {}
func (Each) node()     {}
func (Constant) node() {}
func (Array) node()    {}
func (Join) node()     {}

// Error is a mistake in a shape file.
type Error struct {
	File         string
	Line, Column int // start at 1
	Message      string
}

func (e *Error) Error() string {
	return fmt.Sprintf("%s:%d:%d: %s", e.File, e.Line, e.Column, e.Message)
}

var pathForm = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]*$`)
