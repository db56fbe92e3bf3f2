package shape

import (
	"github.com/goccy/go-yaml/scanner"
	"github.com/goccy/go-yaml/token"
)

// MaxSize is the largest shape file, in bytes.
const MaxSize = 1 << 20

// Limits of the input of the YAML library. The library is recursive, compares all keys of a mapping with each other, and stores the
// path of every value, which contains all keys above it. A shape of a hundred sources with fifty columns each has 30,000 tokens.
const (
	maxDepth  = 100
	maxTokens = 40_000
	maxPaths  = 32 << 20 // total size of all paths, in bytes
)

// bound rejects a text for which the YAML library would need too much memory or time. It reads one token at a time.
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
			return // the end of the text, or an error that the parser reports
		}
	}
}

// bounds measures the depth and the size of a text. A bracket and an indentation each begin a level.
type bounds struct {
	*reader
	flow   []int // length of the path before each open bracket
	block  []level
	path   int // upper bound of the current path's length, in bytes
	tokens int
	paths  int // total length of the paths of all tokens
	line   int
	last   int // length of the last token
}

// level is an enclosing level of indentation.
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
	if t.Type != token.MappingValueType { // a colon; the key before it is part of the next level's path
		b.last = len(t.Value) + 1
	}
	b.tokens++
	b.paths += b.path + b.last
	switch {
	case len(b.flow)+len(b.block) > maxDepth:
		b.fail(t.Position, "the shape file has more than %d levels", maxDepth)
	case b.tokens > maxTokens:
		b.fail(t.Position, "the shape file has more than %d tokens: is it another file?", maxTokens)
	case b.paths > maxPaths:
		b.fail(t.Position, "the names in the shape file are too long for their depth")
	}
}

// indent begins a value at a column.
func (b *bounds) indent(column int) {
	for top := len(b.block) - 1; top >= 0 && b.block[top].column >= column; top-- {
		b.path, b.block = b.block[top].path, b.block[:top]
	}
	b.block = append(b.block, level{column, b.path})
	b.path += b.last
}
