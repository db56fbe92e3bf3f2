// Package document renders a tree of joined rows to a JSON document and hashes it. The same shape and rows always give the same
// bytes.
//
// A Renderer compiles the body of an endpoint once to a flat list of steps. Rendering executes them. It uses no map and no
// reflection, and does not allocate once the destination is large enough.
package document

import (
	"encoding/binary"
	"math"
	"slices"
	"sync/atomic"

	"github.com/zeebo/xxh3"

	"systemscale/etl/internal/join"
	"systemscale/etl/internal/shape"
	"systemscale/etl/internal/source"
)

// Renderer renders the documents of one endpoint. It is safe for concurrent use.
type Renderer struct {
	steps   []step
	scratch *atomic.Pointer[scratch] // one that is not in use; nil if no step needs one
}

type operation uint8

const (
	writeNothing operation = iota
	writeBare              // a number, a flag or null
	writeInside            // a JSON string that is never null; its quotes are part of the literals before and after it
	writeQuoted            // a JSON string or null
	writeEach
	writeForm // what form describes
)

// step appends a literal, and then a column of the current row or one element per child row.
type step struct {
	literal   text
	operation operation
	place     int // index of the column in the source's Rendered

	// for writeEach only
	child       int    // index of the child source
	slot        int    // index in the current source's Children
	as          []step // an element, beginning with a comma; open replaces the first comma
	empty       text
	open, close byte

	form any // for writeForm only: see writer.form
}

// New returns a Renderer for the documents of an endpoint.
func New(spec *shape.Shape, endpoint *shape.Endpoint) *Renderer {
	return newRenderer(spec, endpoint.Body, 0)
}

// NewFragment returns a Renderer for the fragments of a table.
func NewFragment(spec *shape.Shape, table *shape.Table) *Renderer {
	return newRenderer(spec, table.Body, table.Source)
}

// newRenderer returns a Renderer of a body for the rows of a source.
func newRenderer(spec *shape.Shape, body shape.Node, of int) *Renderer {
	c := compiler{sources: spec.Sources, shared: &shared{}}
	r := &Renderer{steps: c.finish(c.compile(nil, body, of))}
	if c.shared.scratch {
		r.scratch = new(atomic.Pointer[scratch])
	}
	return r
}

// compiler accumulates the literal before the next step.
type compiler struct {
	sources []shape.Source
	literal string
	shared  *shared
}

// shared is what the compilers of one Renderer share.
type shared struct {
	scratch    bool // whether a step needs a scratch
	groups     int
	aggregates map[groupKey]*aggregate // the first of each key
}

// apart returns the steps of a body that are not executed after the steps before them.
func (c *compiler) apart(literal string, body shape.Node, of int) []step {
	inner := compiler{sources: c.sources, shared: c.shared, literal: literal}
	return inner.finish(inner.compile(nil, body, of))
}

// add appends a step with the accumulated literal.
func (c *compiler) add(steps []step, s step) []step {
	s.literal = newText(c.literal)
	c.literal = ""
	return append(steps, s)
}

// finish appends a step for the rest of the literal.
func (c *compiler) finish(steps []step) []step {
	if c.literal == "" {
		return steps
	}
	return c.add(steps, step{})
}

// compile appends the steps of a body, for a row of the source with the index of.
func (c *compiler) compile(steps []step, body shape.Node, of int) []step {
	switch body := body.(type) {
	case shape.Object:
		for i, member := range body.Fields {
			separator := ","
			if i == 0 {
				separator = "{"
			}
			c.literal += separator + string(appendString(nil, []byte(member.Name))) + ":"
			steps = c.compile(steps, member.Body, of)
		}
		c.literal += "}"
		return steps
	case shape.Value:
		return c.value(steps, &c.sources[of], body)
	case shape.Constant:
		c.literal += body.JSON
		return steps
	case shape.Array:
		return c.array(steps, body, of)
	case shape.Join:
		return c.add(steps, step{operation: writeForm, form: newJoined(body, &c.sources[of])})
	case shape.Split:
		return c.add(steps, step{operation: writeForm, form: newSplit(body, &c.sources[of])})
	case shape.Aggregate:
		return c.add(steps, step{operation: writeForm, form: c.aggregate(&body, of)})
	case shape.One:
		form := &single{
			selection: c.selection(body.Source, of, &body.Selection), as: c.apart("", body.As, body.Source), empty: newText(body.Empty),
			atMostOne: c.sources[body.Source].OneToOne,
		}
		return c.add(steps, step{operation: writeForm, form: form})
	case shape.LookedUp:
		return c.add(steps, step{operation: writeBare, place: len(c.sources[of].Rendered) + body.Lookup})
	case shape.Each:
		return c.each(steps, body, of)
	}
	panic("BUG: unknown kind of body")
}

func (c *compiler) each(steps []step, body shape.Each, of int) []step {
	each := step{
		operation: writeEach, child: body.Source, slot: slices.Index(c.sources[of].Children, body.Source),
		empty: newText(body.Empty), open: '[', close: ']',
	}
	elements := compiler{sources: c.sources, shared: c.shared, literal: ","}
	if body.Keyed >= 0 {
		each.open, each.close = '{', '}'
		each.as = elements.value(nil, &c.sources[body.Source], shape.Value{Column: body.Keyed, Text: true})
		elements.literal += ":"
	}
	each.as = elements.finish(elements.compile(each.as, body.As, body.Source))
	if len(body.Order) > 0 || len(body.Where) > 0 || body.Limit > 0 {
		form := &chosen{
			selection: c.selection(body.Source, of, &body.Selection), limit: int32(body.Limit),
			as: each.as, empty: each.empty, open: each.open, close: each.close,
		}
		if form.limit == 0 {
			form.limit = math.MaxInt32
		}
		return c.add(steps, step{operation: writeForm, form: form})
	}
	return c.add(steps, each)
}

func (c *compiler) value(steps []step, of *shape.Source, value shape.Value) []step {
	column := of.Columns[value.Column]
	s := step{operation: writeQuoted, place: slices.Index(of.Rendered, value.Column)}
	switch {
	case column.Type == shape.Flag || column.Type.IsBare() && !value.Text:
		s.operation = writeBare
	case !column.Nullable:
		s.operation = writeInside
		c.literal += `"`
		steps = c.add(steps, s)
		c.literal = `"`
		return steps
	}
	return c.add(steps, s)
}

// Etag returns the 64-bit xxh3 hash of a rendered document. It detects changes, but it is not a cryptographic hash.
func Etag(body []byte) uint64 { return xxh3.Hash(body) }

// Append renders the tree's document, appends it to dst and returns the extended slice.
func (r *Renderer) Append(dst []byte, tree *join.Tree) []byte {
	return r.AppendRow(dst, tree, tree.Rows(0), 0, 0)
}

// AppendRow is Append for a row of a source without parent. tree is nil unless the source is the root.
func (r *Renderer) AppendRow(dst []byte, tree *join.Tree, rows *source.Rows, of int, row int32) []byte {
	w := writer{buffer: dst[:cap(dst)], end: len(dst)}
	if r.scratch != nil {
		// Not a sync.Pool, which loses its content at times: nearly always one goroutine renders.
		if w.scratch = r.scratch.Swap(nil); w.scratch == nil {
			w.scratch = &scratch{}
		}
		w.scratch.document++
	}
	w.steps(r.steps, tree, rows, of, row)
	if w.scratch != nil {
		r.scratch.Store(w.scratch)
	}
	return w.buffer[:w.end]
}

// steps executes steps for one row of the source with the index of.
func (w *writer) steps(steps []step, tree *join.Tree, rows *source.Rows, of int, row int32) {
	cells := rows.Row(row)
	for i := w.shortSteps(steps, rows, cells); i < len(steps); i += 1 + w.shortSteps(steps[i+1:], rows, cells) {
		s := &steps[i]
		w.text(&s.literal)
		switch s.operation {
		case writeNothing:
			continue
		case writeEach:
			w.each(s, tree, of, row)
			continue
		case writeForm:
			w.form(s.form, place{tree, rows, cells, of, row})
			continue
		}
		cell := &cells[s.place]
		switch text := rows.Text(cell); {
		case cell.Null:
			w.text(&nullText)
		case s.operation == writeBare || s.operation == writeInside && cell.Plain:
			w.bytes(text)
		case s.operation == writeInside:
			w.buffer = appendEscaped(w.buffer[:w.end], text)
			w.adopt()
		case cell.Plain:
			w.byte('"')
			w.bytes(text)
			w.byte('"')
		default:
			w.buffer = appendString(w.buffer[:w.end], text)
			w.adopt()
		}
	}
}

// shortSteps executes steps while the literals and texts are short and need no escaping, as most are. It returns their number. It
// calls no function, so that its variables stay in registers.
func (w *writer) shortSteps(steps []step, rows *source.Rows, cells []source.Cell) int {
	buffer, end := w.buffer, w.end
	i := 0
	for ; i < len(steps); i++ {
		s := &steps[i]
		if len(s.literal.all) > short || s.operation > writeInside || end+3*short > len(buffer) {
			break
		}
		to := buffer[end : end+short]
		binary.LittleEndian.PutUint64(to, s.literal.words[0])
		binary.LittleEndian.PutUint64(to[8:], s.literal.words[1])
		binary.LittleEndian.PutUint64(to[16:], s.literal.words[2])
		if s.operation == writeNothing {
			end += len(s.literal.all)
			continue
		}
		cell := &cells[s.place]
		text := rows.Text(cell)
		if !cell.Short(short) {
			break
		}
		end += len(s.literal.all)
		from := text[:short]
		to = buffer[end : end+short]
		binary.LittleEndian.PutUint64(to, binary.LittleEndian.Uint64(from))
		binary.LittleEndian.PutUint64(to[8:], binary.LittleEndian.Uint64(from[8:]))
		binary.LittleEndian.PutUint64(to[16:], binary.LittleEndian.Uint64(from[16:]))
		end += len(text)
	}
	w.end = end
	return i
}

func (w *writer) each(s *step, tree *join.Tree, of int, row int32) {
	children := tree.Children(of, row, s.slot)
	if children.Begin == children.End {
		w.text(&s.empty)
		return
	}
	rows, begin := tree.Rows(s.child), w.end
	for place := children.Begin; place < children.End; place++ {
		w.steps(s.as, tree, rows, s.child, tree.At(s.child, place))
	}
	w.buffer[begin] = s.open
	w.byte(s.close)
}
