package cache

import "errors"

// maxValue is the maximum size of a stored document, in bytes. A larger one would delay the reads behind it in the same connection.
const maxValue = 1 << 20

// backend is where the documents are. Its methods are safe for concurrent use.
type backend interface {
	// get returns the value of a key, which must not be changed. The error is errAbsent, errLost, a timeout, or unexpected. It retains
	// nothing.
	get(key []byte) ([]byte, error)
	// put stores documents and returns how many were stored. It may retain them.
	put(fills []fill) (stored int, err error)
	up() bool
	bytes() int64 // that the documents take, or -1 if it is not known
	close()
}

var (
	errAbsent = errors.New("not in the cache")
	errLost   = errors.New("the cache does not respond")
)

// fill is a document to store. Both slices are the cache's.
type fill struct{ key, value []byte }

func (f fill) size() int64 { return int64(len(f.key) + len(f.value)) }
