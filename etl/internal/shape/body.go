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
	switch keyword := r.form(entries, &sources[in]); keyword {
	case keywordEach:
		return r.each(entries, sources, in)
	case keywordOne:
		return r.one(entries, sources, in)
	case keywordText:
		return r.textForm(entries[0].value, sources, in)
	case keywordObject:
		return r.object(r.mapping(entries[0].value, "object"), sources, in)
	case keywordConstant:
		return Constant{JSON: r.literal(entries[0].value)}
	case keywordArray:
		return r.arrayForm(entries, sources, in)
	case keywordLookup:
		return r.lookup(n, sources, in)
	case keywordJoin:
		return r.join(entries, sources, in)
	case keywordSplit:
		return r.split(entries, sources, in)
	case keywordCount, keywordSum, keywordMin, keywordMax, keywordAverage, keywordCounts:
		return r.aggregate(keyword, entries, sources, in)
	}
	return r.object(entries, sources, in)
}

// form returns the keyword of a mapping in a body, or "" if the mapping is an object with these fields. It rejects settings that the
// keyword does not have.
func (r *reader) form(entries []entry, source *Source) string {
	for _, keyword := range []string{keywordEach, keywordText, keywordObject} {
		for _, e := range entries {
			if e.key == keyword {
				r.checkSettings(e, entries)
				return keyword
			}
		}
	}
	for _, e := range entries {
		if settings := formKeywords[e.key]; settings != nil && isForm(e) {
			others := slices.ContainsFunc(entries, func(other entry) bool { return !slices.Contains(settings, other.key) })
			if others && isField(e, source) {
				continue
			}
			r.checkSettings(e, entries)
			return e.key
		}
	}
	return ""
}

// isForm reports whether an entry has the value of a keyword, so that an object can have a field average: {average: ...}.
func isForm(e entry) bool {
	_, isMapping := e.value.(ast.MapNode)
	_, isSequence := e.value.(*ast.SequenceNode)
	switch e.key {
	case keywordConstant:
		return true
	case keywordArray, keywordJoin:
		return !isMapping
	}
	return !isMapping && !isSequence
}

// isField reports whether an entry beside others can be a field of an object although it has the name of a keyword.
func isField(e entry, source *Source) bool {
	if _, ok := e.value.(ast.MapNode); ok {
		return true
	}
	_, ok := e.value.(ast.ScalarNode)
	return ok && slices.ContainsFunc(source.Columns, func(c Column) bool { return c.Name == scalarText(e.value) })
}

// checkSettings rejects the entries beside a keyword that are no settings of it.
func (r *reader) checkSettings(keyword entry, entries []entry) {
	settings := formKeywords[keyword.key]
	for _, e := range entries {
		switch {
		case slices.Contains(settings, e.key):
		case len(settings) == 1:
			r.fail(keyword.at, "%s is a keyword of a body: write an object with a field of that name as {object: {...}}", keyword.key)
		default:
			r.fail(e.at, "%s has no setting %q; it has %s. An object with a field %[1]s is written {object: {...}}",
				keyword.key, e.key, strings.Join(settings, ", "))
		}
	}
}

func (r *reader) value(n ast.Node, sources []Source, in int, text bool) Node {
	return Value{Column: r.use(n, sources, in), Text: text}
}

// textForm parses a cast, of a column or of an aggregate that is a number.
func (r *reader) textForm(n ast.Node, sources []Source, in int) Node {
	if _, ok := n.(ast.MapNode); !ok {
		return r.value(n, sources, in, true)
	}
	a, ok := r.body(n, sources, in).(Aggregate)
	if !ok {
		r.fail(position(n), "text is a cast of a column or of an aggregate, such as {text: id} or {text: {average: stars, of: ratings}}")
	}
	a.Text = true
	return a
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
		column := r.use(n, sources, in)
		if c := sources[in].Columns[column]; !c.Type.hasOrder() {
			r.fail(position(n), "column %s has the type %s, so it cannot be a part of a text", c.Name, c.Type)
		}
		return Part{Column: column}
	}
	entries := r.mapping(n, "an element of join", keywordConstant)
	if len(entries) == 0 {
		r.fail(position(n), "an element of join must be a column or {constant: text}")
	}
	return Part{Column: -1, Text: r.plainText(entries[0].value, keywordConstant)}
}

// split parses a list in a column of text. If its elements are ints, the source's rows must have ints there.
func (r *reader) split(entries []entry, sources []Source, in int) Node {
	split := Split{Column: -1}
	for _, e := range entries {
		switch e.key {
		case keywordSplit:
			split.Column = r.use(e.value, sources, in)
			if c := sources[in].Columns[split.Column]; c.Type != Text {
				r.fail(position(e.value), "column %s of %s is not a text, so it cannot be split", c.Name, sources[in].Name)
			}
		case "at":
			if split.At = r.text(e.value, "at"); split.At == "" {
				r.fail(position(e.value), `at must be the text between the elements, such as at: "|"`)
			}
		case "as":
			word := r.text(e.value, "as")
			if word != "int" && word != "text" {
				r.fail(position(e.value), "the elements of a split list are text or int, not %q", word)
			}
			split.Ints = word == "int"
		}
	}
	if split.Column < 0 || split.At == "" {
		r.fail(entries[0].at, `split needs a column and the text between the elements, such as {split: genres, at: "|"}`)
	}
	list := IntList{Column: split.Column, At: split.At}
	if c := &sources[in].Columns[split.Column]; split.Ints && c.LookedUp {
		r.fail(entries[0].at, "column %s of %s is looked up: split it into ints where its rows are, as in "+
			"{lookup: source, by: column, as: {split: ...}}", c.Name, sources[in].Name)
	}
	if split.Ints && !slices.Contains(sources[in].IntLists, list) {
		sources[in].IntLists = append(sources[in].IntLists, list)
	}
	return split
}

// plainText returns a text that documents contain.
func (r *reader) plainText(n ast.Node, what string) string {
	text := r.text(n, what)
	r.quote(n, text)
	return text
}
