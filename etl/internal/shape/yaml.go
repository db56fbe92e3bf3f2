package shape

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// reader walks the syntax tree of a shape file, which, unlike decoded values, knows lines, columns and order.
// Mistakes are thrown as *Error and caught in Parse: every step of the walk can fail, and no step can go on.
type reader struct {
	file string
}

// entry is one key of a mapping and what stands behind it.
type entry struct {
	key   string
	at    *token.Position
	value ast.Node
}

func (r *reader) parse(text []byte) ast.Node {
	r.bound(text)
	file, err := parser.ParseBytes(text, 0)
	if err != nil {
		var syntax *yaml.SyntaxError
		if errors.As(err, &syntax) {
			r.fail(syntax.Token.Position, "%s", syntax.Message)
		}
		r.fail(nil, "%s", err)
	}
	if len(file.Docs) != 1 || file.Docs[0].Body == nil {
		r.fail(nil, "a shape file is one YAML document that names a collection, its sources and its documents; this one holds %d", len(file.Docs))
	}
	return file.Docs[0].Body
}

// longest is how much of a name is in a message, in bytes.
const longest = 200

// fail ends the walk with a mistake at a position; nil is the file's beginning.
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

// mapping returns the entries of a mapping in the file's order. With known keys, any other is a mistake.
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
	r.fail(position(n), "%s must be a word", what)
	return ""
}

func (r *reader) boolean(n ast.Node, what string) bool {
	if value, ok := n.(*ast.BoolNode); ok {
		return value.Value
	}
	r.fail(position(n), "%s must be true or false", what)
	return false
}

// scalarText returns a scalar as it is written, so that a column may be called null, 1 or yes.
func scalarText(n ast.Node) string {
	if s, ok := n.(*ast.StringNode); ok {
		return s.Value
	}
	return strings.TrimSpace(n.GetToken().Value)
}
