package source

import "systemscale/etl/internal/shape"

// textKeys are the keys of rows in their encoding. The strings are in chunks that are never modified.
type textKeys struct {
	own, parent []string
	references  [][]string
	chunk       []byte
}

// keyChunk is the size of a chunk of keys, in bytes.
const keyChunk = 64 << 10

func (t *textKeys) all(do func(keys *[]string)) {
	do(&t.own)
	do(&t.parent)
	for i := range t.references {
		do(&t.references[i])
	}
}

// reserve makes room for size bytes in the chunk.
func (t *textKeys) reserve(size int) {
	if cap(t.chunk)-len(t.chunk) < size {
		t.chunk = make([]byte, 0, max(keyChunk, size))
	}
}

// keyPart is a column of a key.
type keyPart struct {
	column int
	place  int // index of the cell
	kind   shape.Type
}

// keyParts are the columns of the keys of a source.
type keyParts struct {
	own, parent []keyPart
	references  [][]keyPart
}
