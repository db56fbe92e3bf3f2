package document

import (
	"math"
	"slices"

	"systemscale/etl/internal/shape"
)

// compile returns the steps of a body for the rows of a source, and whether they need a scratch.
func compile(sources []shape.Source, body shape.Node, of int) (steps []step, needsScratch bool) {
	c := compiler{sources: sources, shared: &shared{}}
	steps = c.finish(c.body(nil, body, of))
	return steps, c.shared.scratch
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
	aggregates sharing
}

// apart returns the steps of a body that are not executed after the steps before them.
func (c *compiler) apart(literal string, body shape.Node, of int) []step {
	inner := compiler{sources: c.sources, shared: c.shared, literal: literal}
	return inner.finish(inner.body(nil, body, of))
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

// body appends the steps of a body, for a row of the source with the index of.
func (c *compiler) body(steps []step, body shape.Node, of int) []step {
	switch body := body.(type) {
	case shape.Object:
		for i, member := range body.Fields {
			separator := ","
			if i == 0 {
				separator = "{"
			}
			c.literal += separator + string(appendString(nil, []byte(member.Name))) + ":"
			steps = c.body(steps, member.Body, of)
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

// array appends the steps of an array.
func (c *compiler) array(steps []step, array shape.Array, of int) []step {
	if array.DropNulls {
		form := &dropping{}
		for _, element := range array.Elements {
			form.elements = append(form.elements, c.apart("", element, of))
		}
		return c.add(steps, step{operation: writeForm, form: form})
	}
	for i, element := range array.Elements {
		separator := ","
		if i == 0 {
			separator = "["
		}
		c.literal += separator
		steps = c.body(steps, element, of)
	}
	c.literal += "]"
	return steps
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
	each.as = elements.finish(elements.body(each.as, body.As, body.Source))
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

func (c *compiler) selection(child, of int, declared *shape.Selection) selection {
	s := newSelection(c.sources, child, of, declared)
	c.shared.scratch = c.shared.scratch || s.needsScratch()
	return s
}

func (c *compiler) aggregate(a *shape.Aggregate, of int) *aggregate {
	f := newAggregate(c.sources, a, of, &c.shared.aggregates)
	c.shared.scratch = c.shared.scratch || f.needsScratch()
	return f
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
