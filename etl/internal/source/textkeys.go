package source

import (
	"unsafe"

	"systemscale/etl/internal/shape"
)

// textKeys are the keys of rows in their encoding. The strings are in chunks that are never modified.
type textKeys struct {
	own, parent []string
	references  [][]string
	chunk       []byte
}

// maxKeyText is the length of the longest text in a key, in bytes.
const maxKeyText = 512

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

// copy returns a copy of a key, or "" if it is no key or there is no room in the chunk.
func (t *textKeys) copy(key []byte) string {
	from := len(t.chunk)
	if len(key) == 0 || len(key) > maxKeyText || len(key) > cap(t.chunk)-from {
		return ""
	}
	t.chunk = append(t.chunk, key...)
	return unsafe.String(&t.chunk[from], len(key))
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

	ownText, parentText int // the cells of keys that are one text; -1 for others
	references          [][]keyPart
}
