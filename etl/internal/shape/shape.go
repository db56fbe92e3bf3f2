// Package shape reads a shape file: the declaration of a collection's CSVs and of the documents
// that are made of them. It is the only place where it is said what a product is.
//
// A shape that Parse returns is sound: its sources form one tree, every column that is named
// exists, and every document has an address of its own. A mistake is reported as an Error with
// file, line, column and a remedy. The file's format is described at the top of
// shapes/products.yaml.
package shape

import (
	"fmt"
	"regexp"

	"github.com/goccy/go-json"

	"systemscale/sql"
)

// Shape is a sound shape file.
type Shape struct {
	Name       string // of the file, for messages
	Collection string // first segment of the URLs and beginning of the tables' names
	Dialect    Dialect
	Sources    []Source   // the root first, and every parent before its children
	Documents  []Document // in the file's order
}

// Dialect says how the CSVs are written.
type Dialect struct {
	Delimiter   byte
	Null        string // the bare field that stands for no value; "" when there is none
	TrimSpaces  bool
	CloseQuotes bool // take the quote for closed where it is open at the line's end and the next line is a row, in place of rejecting the row
}

// Source is one CSV.
type Source struct {
	Name     string
	File     string
	FileAt   Position `json:"-"` // of File; where a shape says something makes no other documents
	Columns  []Column
	Key      int // index in Columns of the column that identifies a row
	Parent   int // index in Shape.Sources, or -1 for the root
	On       int // index in Columns of the column that holds the parent's key; -1 for the root
	Children []int
	Repairs  []Repair
	Filters  []Filter
	Rendered []int // indices in Columns of those that some document shows, ascending

	// OpenEnd says that a file whose last line has no line end is complete. It makes no other documents.
	OpenEnd bool `json:"-"`
}

// Column is one declared column of a source.
type Column struct {
	Name     string
	At       Position `json:"-"` // as FileAt
	Type     Type
	Nullable bool
}

// Position is where something is written in the shape file. Both are from 1; Column counts characters.
type Position struct{ Line, Column int }

// Type is what a column holds.
type Type uint8

// The types of columns, and how a value of each looks in a document.
const (
	Int   Type = iota // a whole number of 64 bits; a JSON number
	Money             // an amount with at most two decimals; a JSON string with exactly two
	Text              // a JSON string
	Flag              // 0 or 1, false or true; a JSON boolean
)

var typeNames = map[string]Type{"int": Int, "money": Money, "text": Text, "flag": Flag}

// Repair replaces the beginning of a field where it is Prefix, before the field is read as its column's type. Prefix is
// compared with the field's text; if something stands behind the field's closing quote, with the field as it stands in the file,
// quotes and all, since such a field has no text otherwise. What the repair makes is a bare field.
type Repair struct {
	Name   string // under which it is counted
	Column int
	Prefix string
	With   string
}

// Filter drops the rows in which a column reads Drop.
type Filter struct {
	Name   string // under which it is counted
	Column int
	Drop   string
}

// Document is one response body of each item.
type Document struct {
	Name string
	Path string
	List bool
	Body Node
}

// Node is a part of a document's body: an Object, a Value or an Each.
type Node interface{ node() }

// Object is a JSON object with fixed fields.
type Object struct{ Fields []Member }

// Member is one field of an Object.
type Member struct {
	Name string
	Body Node
}

// Value is one column of the source that the Node stands in.
type Value struct {
	Column int
	Text   bool // write the number as a JSON string
}

// Each is a JSON array with one element for each row of a child source, or an object when it is keyed.
type Each struct {
	Source int    // index in Shape.Sources
	Keyed  int    // index of the column that names the object's fields, or -1 for an array
	As     Node   // one element
	Empty  string // JSON that stands for no rows
}

func (Object) node() {}
func (Value) node()  {}
func (Each) node()   {}

// Published returns the documents as the pointer row names them.
func (s *Shape) Published() []sql.Document {
	documents := make([]sql.Document, len(s.Documents))
	for i, d := range s.Documents {
		schema, err := json.Marshal(s.Schema(&d))
		if err != nil {
			panic("BUG: a schema cannot be written as JSON: " + err.Error())
		}
		documents[i] = sql.Document{Name: d.Name, Path: d.Path, List: d.List, Schema: string(schema)}
	}
	return documents
}

// Error is a mistake in a shape file.
type Error struct {
	File         string
	Line, Column int // from 1
	Message      string
}

func (e *Error) Error() string {
	return fmt.Sprintf("%s:%d:%d: %s", e.File, e.Line, e.Column, e.Message)
}

var pathForm = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]*$`)
