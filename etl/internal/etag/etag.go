// Package etag hashes rendered documents. Two documents with the same etag count as equal, and clients get the etag as entity tag.
package etag

import (
	"errors"

	"github.com/minio/highwayhash"
	"github.com/zeebo/xxh3"
)

// Names of the hash functions, as in the column etag_hash of catalog.run.
const (
	NameKeyed   = "highwayhash" // 64-bit HighwayHash with the database's secret key
	nameUnkeyed = "xxh3"        // 64-bit xxh3, in generations of earlier builds
)

// KeySize is the size of a key in bytes.
const KeySize = highwayhash.Size

// Hash is a hash function of documents. The zero value is xxh3, for which anyone can construct two documents with the same etag. Hashes are
// comparable with ==, and safe for concurrent use.
type Hash struct {
	keyed bool
	key   [KeySize]byte
}

// Keyed returns the hash function with a secret key. Two documents with the same etag cannot be constructed without it.
func Keyed(key []byte) (Hash, error) {
	if len(key) != KeySize {
		return Hash{}, errors.New("the key of the etags has not 32 bytes")
	}
	return Hash{true, [KeySize]byte(key)}, nil
}

// Named returns the hash function with the name: keyed, or the zero value for xxh3 and for "".
func Named(name string, keyed Hash) (Hash, error) {
	switch name {
	case NameKeyed:
		return keyed, nil
	case "", nameUnkeyed:
		return Hash{}, nil
	}
	return Hash{}, errors.New("a later build has published the live documents: they have etags by " + name)
}

// Of returns the etag of a rendered document.
func (h *Hash) Of(body []byte) uint64 {
	if !h.keyed {
		return xxh3.Hash(body)
	}
	return highwayhash.Sum64(body, h.key[:])
}
