package shape

import (
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// body parses the body n, or a part of one, for a row of the source with the index in.
func (r *reader) body(n ast.Node, sources []Source, in int) Node {
	if elements, ok := n.(*ast.SequenceNode); ok {
		return r.array(elements, sources, in)
	}
	if _, ok := n.(ast.MapNode); !ok {
		return r.value(n, sources, in, false)
	}
	entries := r.mapping(n, "a body")
	if len(entries) == 0 {
		r.fail(position(n), "an object in a body needs at least one field")
	}
	switch keyword := r.form(entries); keyword {
	case keywordEach:
		return r.each(n, sources, in)
	case keywordText:
		return r.value(entries[0].value, sources, in, true)
	case keywordObject:
		return r.object(r.mapping(entries[0].value, "object"), sources, in)
	case keywordConstant:
		return Constant{JSON: r.literal(entries[0].value)}
	case keywordArray:
		return r.arrayForm(entries, sources, in)
	case keywordJoin:
		return r.join(entries, sources, in)
	}
	return r.object(entries, sources, in)
}

// form returns the keyword of a mapping in a body, or "" if the mapping is an object with these fields. It rejects the settings that
// the keyword does not have.
func (r *reader) form(entries []entry) string {
	at := slices.IndexFunc(entries, func(e entry) bool { return e.key == keywordEach })
	if at < 0 {
		at = slices.IndexFunc(entries, func(e entry) bool { return formKeywords[e.key] != nil })
	}
	if at < 0 {
		return ""
	}
	keyword := entries[at].key
	for _, e := range entries {
		if slices.Contains(formKeywords[keyword], e.key) {
			continue
		}
		if len(formKeywords[keyword]) == 1 {
			r.fail(entries[at].at, "%s is a keyword of a body: write an object with a field of that name as {object: {...}}", keyword)
		}
		r.fail(e.at, "%s has no setting %q; it has %s. An object with a field %[1]s is written {object: {...}}",
			keyword, e.key, strings.Join(formKeywords[keyword], ", "))
	}
	return keyword
}

// use returns the index of a column that a body uses.
func (r *reader) use(n ast.Node, sources []Source, in int) int {
	column := r.column(n, sources[in])
	sources[in].Rendered = append(sources[in].Rendered, column)
	return column
}

func (r *reader) value(n ast.Node, sources []Source, in int, text bool) Node {
	return Value{Column: r.use(n, sources, in), Text: text}
}

func (r *reader) object(entries []entry, sources []Source, in int) Node {
	var object Object
	for _, e := range entries {
		object.Fields = append(object.Fields, Member{Name: e.key, Body: r.body(e.value, sources, in)})
	}
	return object
}

func (r *reader) array(n *ast.SequenceNode, sources []Source, in int) Array {
	var array Array
	for _, element := range n.Values {
		array.Elements = append(array.Elements, r.body(element, sources, in))
	}
	if len(array.Elements) == 0 {
		r.fail(position(n), "an array in a body needs at least one element: write an empty one as {constant: []}")
	}
	return array
}

func (r *reader) arrayForm(entries []entry, sources []Source, in int) Node {
	var array Array
	drop := false
	for _, e := range entries {
		switch e.key {
		case keywordArray:
			elements, ok := e.value.(*ast.SequenceNode)
			if !ok {
				r.fail(position(e.value), "array must be a list of bodies, such as {array: [image, thumb], nulls: drop}")
			}
			array = r.array(elements, sources, in)
		case "nulls":
			word := r.text(e.value, "nulls")
			if word != "drop" && word != "keep" {
				r.fail(position(e.value), "nulls must be keep or drop, not %q", word)
			}
			drop = word == "drop"
		}
	}
	array.DropNulls = drop
	return array
}

func (r *reader) join(entries []entry, sources []Source, in int) Node {
	var join Join
	for _, e := range entries {
		switch e.key {
		case keywordJoin:
			elements, ok := e.value.(*ast.SequenceNode)
			if !ok {
				r.fail(position(e.value), `join must be a list of columns, such as {join: [first, last], with: " "}`)
			}
			for _, element := range elements.Values {
				join.Parts = append(join.Parts, r.part(element, sources, in))
			}
		case "with":
			join.With = r.plainText(e.value, "with")
		}
	}
	if !slices.ContainsFunc(join.Parts, func(p Part) bool { return p.Column >= 0 }) {
		r.fail(entries[0].at, "join needs at least one column: write a text that is always the same as {constant: ...}")
	}
	return join
}

// part parses an element of a join.
func (r *reader) part(n ast.Node, sources []Source, in int) Part {
	if _, ok := n.(ast.MapNode); !ok {
		return Part{Column: r.use(n, sources, in)}
	}
	entries := r.mapping(n, "an element of join", keywordConstant)
	if len(entries) == 0 {
		r.fail(position(n), "an element of join must be a column or {constant: text}")
	}
	return Part{Column: -1, Text: r.plainText(entries[0].value, keywordConstant)}
}

// plainText returns a text that documents contain.
func (r *reader) plainText(n ast.Node, what string) string {
	text := r.text(n, what)
	r.quote(n, text)
	return text
}
