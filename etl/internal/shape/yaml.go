package shape

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"

	"systemscale/sql"
)

// reader walks the syntax tree of a shape file, which has lines, columns and order, unlike decoded values.
// Errors are panics with an *Error, which Parse recovers: every step can fail, and the first error ends the walk.
type reader struct {
	file    string
	format  *Dialect // of the source
	lookups lookups

	// parseBody parses a body for a row of the source with the index in.
	parseBody func(n ast.Node, sources []Source, in int) Node
}

// entry is one key of a mapping and its value.
type entry struct {
	key   string
	at    *token.Position
	value ast.Node
}

// longest is the maximal length of a name in a message, in bytes.
const longest = 200

// fail ends the walk with an error at a position; nil is the beginning of the file.
func (r *reader) fail(at *token.Position, format string, args ...any) {
	for i, arg := range args {
		if text, ok := arg.(string); ok && len(text) > longest {
			args[i] = text[:longest] + "..."
		}
	}
	mistake := &Error{File: r.file, Line: 1, Column: 1, Message: fmt.Sprintf(format, args...)}
	if at != nil {
		mistake.Line, mistake.Column = at.Line, at.Column
	}
	panic(mistake)
}

func position(n ast.Node) *token.Position {
	if m, ok := n.(ast.MapNode); ok {
		if entries := m.MapRange(); entries.Next() {
			return entries.Key().GetToken().Position
		}
	}
	return n.GetToken().Position
}

func place(n ast.Node) Position {
	at := position(n)
	return Position{at.Line, at.Column}
}

// mapping returns the entries of a mapping in order. If known keys are given, it rejects all others.
func (r *reader) mapping(n ast.Node, what string, known ...string) []entry {
	m, ok := n.(ast.MapNode)
	if !ok {
		r.fail(position(n), "%s must be a mapping of names to values", what)
	}
	var entries []entry
	for each := m.MapRange(); each.Next(); {
		key := each.Key()
		name := scalarText(key)
		if len(known) > 0 && !slices.Contains(known, name) {
			r.fail(key.GetToken().Position, "%s has no setting %q; it has %s", what, name, strings.Join(known, ", "))
		}
		entries = append(entries, entry{name, key.GetToken().Position, each.Value()})
	}
	return entries
}

func (r *reader) text(n ast.Node, what string) string {
	if scalar, ok := n.(ast.ScalarNode); ok && n.Type() != ast.NullType {
		return scalarText(scalar)
	}
	r.fail(position(n), "%s must be a string", what)
	return ""
}

func (r *reader) boolean(n ast.Node, what string) bool {
	if value, ok := n.(*ast.BoolNode); ok {
		return value.Value
	}
	r.fail(position(n), "%s must be true or false", what)
	return false
}

// number returns a whole number.
func (r *reader) number(n ast.Node, what string, least, most int) int {
	if _, ok := n.(*ast.IntegerNode); ok {
		if number, err := strconv.Atoi(scalarText(n)); err == nil && number >= least && number <= most {
			return number
		}
	}
	r.fail(position(n), "%s must be a whole number from %d to %d", what, least, most)
	return 0
}

// scalarText returns the text of a scalar, so that null, 1 and yes can be names of columns.
func scalarText(n ast.Node) string {
	if s, ok := n.(*ast.StringNode); ok {
		return s.Value
	}
	return strings.TrimSpace(n.GetToken().Value)
}

func (r *reader) checkName(at *token.Position, what, name string) {
	if !sql.IsName(name) {
		r.fail(at, "%q cannot name %s, because table names contain it: "+
			"use up to %d lower-case letters, digits and underscores, beginning with a letter", name, what, sql.MaxNameLength)
	}
}
