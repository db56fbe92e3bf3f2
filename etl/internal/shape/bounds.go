package shape

import (
	"github.com/goccy/go-yaml/scanner"
	"github.com/goccy/go-yaml/token"
)

// MaxSize is the largest shape file, in bytes.
const MaxSize = 1 << 20

// What the YAML library is given at most. It descends by recursion, compares the keys of a mapping with each other, and keeps with every
// value the path to it, which is as long as all keys above. A shape of a hundred sources with fifty columns each has 30,000 tokens.
const (
	maxDepth  = 100
	maxTokens = 40_000
	maxPaths  = 32 << 20 // bytes of all paths
)

// bound rejects a text that the YAML library would need too much memory or time for. It reads token by token, and holds no more than the text.
func (r *reader) bound(text []byte) {
	if len(text) > MaxSize {
		r.fail(nil, "the shape file has more than %d KiB: is it another file?", MaxSize>>10)
	}
	var s scanner.Scanner
	s.Init(string(text))
	b := bounds{reader: r}
	for {
		tokens, err := s.Scan()
		for _, t := range tokens {
			b.add(t)
		}
		if err != nil {
			return // the end, or a mistake that the parser reports
		}
	}
}

// bounds is how deep and how large the text is so far. A level is a bracket, or a column to the right of the line above.
type bounds struct {
	*reader
	flow   []int // path's length before each open bracket
	block  []level
	path   int // bytes of the path to here, at most
	tokens int
	paths  int // bytes of the paths to all tokens
	line   int
	last   int // bytes of the last text
}

// level is a column at which a line of an outer level begins.
type level struct{ column, path int }

func (b *bounds) add(t *token.Token) {
	begins := t.Position.Line != b.line || t.Type == token.SequenceEntryType || t.Type == token.MappingKeyType ||
		t.Type == token.AnchorType || t.Type == token.TagType
	b.line = t.Position.Line
	switch {
	case t.Type == token.MappingStartType || t.Type == token.SequenceStartType:
		b.flow = append(b.flow, b.path)
		b.path += b.last
	case t.Type == token.MappingEndType || t.Type == token.SequenceEndType:
		if top := len(b.flow) - 1; top >= 0 {
			b.path, b.flow = b.flow[top], b.flow[:top]
		}
	case begins && len(b.flow) == 0:
		b.indent(t.Position.Column)
	}
	if t.Type != token.MappingValueType { // a colon: what it follows names the next level
		b.last = len(t.Value) + 1
	}
	b.tokens++
	b.paths += b.path + b.last
	switch {
	case len(b.flow)+len(b.block) > maxDepth:
		b.fail(t.Position, "the shape file is nested more than %d levels deep", maxDepth)
	case b.tokens > maxTokens:
		b.fail(t.Position, "the shape file has more than %d words and signs: is it another file?", maxTokens)
	case b.paths > maxPaths:
		b.fail(t.Position, "the names in the shape file are too long for how deep they are nested")
	}
}

// indent notes that a value begins at a column.
func (b *bounds) indent(column int) {
	for top := len(b.block) - 1; top >= 0 && b.block[top].column >= column; top-- {
		b.path, b.block = b.block[top].path, b.block[:top]
	}
	b.block = append(b.block, level{column, b.path})
	b.path += b.last
}
