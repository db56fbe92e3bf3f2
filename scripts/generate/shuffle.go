package main

import (
	"bytes"
	"slices"
)

// shuffled returns a file's text with its blocks in random order, and updates the lines of its dirt. A block consists of the rows of one
// parent, in their order; in the file of products, it is one row.
func (c catalog) shuffled(source source, text []byte) []byte {
	lines := bytes.Split(text, []byte("\n"))
	type block struct{ first, end int } // lines, from 0
	var blocks []block
	for line := 1; line < len(lines); {
		end := line + 1
		for source.purpose != purposeProductFile && end < len(lines) && bytes.Equal(parentOf(lines[line]), parentOf(lines[end])) {
			end++
		}
		blocks = append(blocks, block{line, end})
		line = end
	}
	var s stream
	s.restart(c.seed, purposeShuffle, int64(source.purpose))
	for i := len(blocks) - 1; i > 0; i-- {
		j := s.below(int64(i + 1))
		blocks[i], blocks[j] = blocks[j], blocks[i]
	}
	// The last line has no line feed. A missing quote there would look like a truncated file, so the last block must not be spoiled.
	spoiled := map[int]bool{}
	for _, dirt := range source.dirt {
		for _, line := range dirt.Lines {
			spoiled[int(line-1)] = true
		}
	}
	for i := len(blocks) - 1; i >= 0; i-- {
		if last := len(blocks) - 1; !spoiled[blocks[i].end-1] {
			blocks[i], blocks[last] = blocks[last], blocks[i]
			break
		}
	}

	moved := make([]int64, len(lines)) // from a line's index to its new line number
	result := append(make([]byte, 0, len(text)), lines[0]...)
	number := int64(1)
	for _, b := range blocks {
		for line := b.first; line < b.end; line++ {
			number++
			moved[line] = number
			result = append(append(result, '\n'), lines[line]...)
		}
	}
	for _, dirt := range source.dirt {
		for i, line := range dirt.Lines {
			dirt.Lines[i] = moved[line-1]
		}
		slices.Sort(dirt.Lines)
	}
	return result
}

// parentOf returns the second field of a row, which is the parent's id in every file except that of products.
func parentOf(row []byte) []byte {
	_, rest, _ := bytes.Cut(row, []byte(","))
	parent, _, _ := bytes.Cut(rest, []byte(","))
	return parent
}
