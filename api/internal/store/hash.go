package store

import (
	"hash/maphash"

	"systemscale/sql"
)

// hashed returns an id that is an integer, or the hash of a text.
func hashed(id sql.ID) int64 {
	if id.IsText() {
		return int64(maphash.String(textSeed, id.Text()))
	}
	return id.Int()
}

var textSeed = maphash.MakeSeed()
