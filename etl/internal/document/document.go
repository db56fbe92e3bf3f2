// Package document renders a tree of joined rows to the JSON of a response body and takes its
// fingerprint. It is pure: the same shape and rows always give the same bytes.
//
// A document's body is compiled once to a flat list of steps. Rendering walks them and appends:
// no map, no reflection, and no allocation once the destination has grown.
package document

import (
	"slices"
	"strconv"

	"github.com/zeebo/xxh3"

	"systemscale/etl/internal/join"
	"systemscale/etl/internal/shape"
)

// Renderer renders one document of a shape. It is safe for concurrent use.
type Renderer struct {
	steps []step
}

type operation uint8

const (
	writeLiteral operation = iota
	writeBare              // a number or a flag
	writeQuoted            // a text that may need escapes, or an int or an amount as a JSON string
	writeEach
)

// step appends one piece of the body: a literal, a column of the current row, or an element for each child row.
type step struct {
	operation operation
	place     int // of the column among the source's Rendered
	literal   string

	// of writeEach
	child       int // the child source
	slot        int // its place among the children of the current source
	keyed       bool
	as          []step
	empty       string
	open, close byte
}

// New returns a Renderer for the body of a document of the shape.
func New(spec *shape.Shape, document *shape.Document) *Renderer {
	c := compiler{sources: spec.Sources}
	return &Renderer{steps: c.compile(nil, document.Body, 0)}
}

type compiler struct{ sources []shape.Source }

// compile appends the steps of a body that stands in a row of the source.
func (c *compiler) compile(steps []step, body shape.Node, of int) []step {
	switch body := body.(type) {
	case shape.Object:
		for i, member := range body.Fields {
			separator := ","
			if i == 0 {
				separator = "{"
			}
			steps = literal(steps, separator+string(appendString(nil, []byte(member.Name)))+":")
			steps = c.compile(steps, member.Body, of)
		}
		return literal(steps, "}")
	case shape.Value:
		return append(steps, valueStep(&c.sources[of], body))
	case shape.Each:
		each := step{
			operation: writeEach, child: body.Source, slot: slices.Index(c.sources[of].Children, body.Source),
			keyed: body.Keyed >= 0, as: c.compile(nil, body.As, body.Source), empty: body.Empty, open: '[', close: ']',
		}
		if each.keyed {
			each.open, each.close = '{', '}'
		}
		return append(steps, each)
	}
	panic("BUG: a body of a kind that the shape file does not have")
}

// literal appends a literal, joined with the one before it.
func literal(steps []step, text string) []step {
	if n := len(steps); n > 0 && steps[n-1].operation == writeLiteral {
		steps[n-1].literal += text
		return steps
	}
	return append(steps, step{operation: writeLiteral, literal: text})
}

func valueStep(of *shape.Source, value shape.Value) step {
	kind := writeQuoted
	if t := of.Columns[value.Column].Type; t == shape.Flag || t == shape.Int && !value.Text {
		kind = writeBare
	}
	return step{operation: kind, place: slices.Index(of.Rendered, value.Column)}
}

// Append renders the tree's document behind dst and returns the extended slice.
func (r *Renderer) Append(dst []byte, tree *join.Tree) []byte {
	return appendSteps(dst, r.steps, tree, 0, 0)
}

// Etag returns the fingerprint of a rendered document, xxh3 with 64 bits. It says whether two documents
// are the same; it is no defence against somebody who wants them to seem so.
func Etag(body []byte) uint64 { return xxh3.Hash(body) }

func appendSteps(dst []byte, steps []step, tree *join.Tree, of int, row int32) []byte {
	rows := tree.Rows(of)
	cells := rows.Row(row)
	for i := range steps {
		s := &steps[i]
		switch s.operation {
		case writeLiteral:
			dst = append(dst, s.literal...)
			continue
		case writeEach:
			dst = appendEach(dst, s, tree, of, row)
			continue
		}
		cell := &cells[s.place]
		switch {
		case cell.Null:
			dst = append(dst, "null"...)
		case s.operation == writeBare:
			dst = append(dst, rows.Text(cell)...)
		case cell.Plain:
			dst = append(append(append(dst, '"'), rows.Text(cell)...), '"')
		default:
			dst = appendString(dst, rows.Text(cell))
		}
	}
	return dst
}

func appendEach(dst []byte, s *step, tree *join.Tree, of int, row int32) []byte {
	child := tree.First(of, row, s.slot)
	if child == join.None {
		return append(dst, s.empty...)
	}
	keys := tree.Rows(s.child).Keys()
	dst = append(dst, s.open)
	for {
		if s.keyed {
			dst = append(strconv.AppendInt(append(dst, '"'), keys[child], 10), '"', ':')
		}
		dst = appendSteps(dst, s.as, tree, s.child, child)
		if child = tree.Next(s.child, child); child == join.None {
			return append(dst, s.close)
		}
		dst = append(dst, ',')
	}
}
