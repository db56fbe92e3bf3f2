package shape

import (
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// lookups collects the look-ups of a shape file.
type lookups struct {
	names    []string        // the sources that are looked up
	columns  []*columnLookup // as declared
	resolved []*columnLookup // each after those that it needs
	tables   []*draft
	current  *draft      // the fragment whose body is being parsed; nil outside of one
	rendered []rowColumn // columns that must be rendered, apart from those in the bodies of documents
}

// draft is a table with what it uses.
type draft struct {
	Table
	at      *token.Position
	columns []rowColumn
	uses    []rowLookup
	sources []int // children whose rows it uses
}

type (
	rowColumn struct{ source, column int }
	rowLookup struct{ source, lookup int }
)

// columnLookup is a column with values of another source.
type columnLookup struct {
	at        *token.Position
	source    string
	column    int
	target    ast.Node
	by, show  ast.Node
	required  bool
	state     resolution
	byColumns Indices
	shows     int
}

type resolution uint8

const (
	unresolved resolution = iota
	resolving
	resolved
)
