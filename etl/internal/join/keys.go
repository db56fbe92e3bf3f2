package join

import (
	"encoding/binary"
	"fmt"
	"hash/maphash"
	"slices"
)

// Keys is what the joins of the same files have found out about their keys, each for the next one. It is used by one goroutine.
type Keys struct {
	seeds    [2]maphash.Seed
	recorded bool // the keys of all sources are recorded from the first on
	watched  map[int][]uint64
	count    int // of watched hashes
}

// NewKeys returns Keys without any knowledge.
func NewKeys() *Keys {
	return &Keys{seeds: [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}, watched: map[int][]uint64{}}
}

// isWatched reports whether keys of a source are watched.
func (k *Keys) isWatched(source int) bool { return len(k.watched[source]) > 0 }

// hashes are two independent hashes of a key. The first is not 0.
type hashes [2]uint64

// mostWatched is the number of keys that may come several times far from each other. They take up to 48 MiB in the next join.
const mostWatched = 1 << 20

var errMostWatched = fmt.Errorf("the keys of more than %d rows are also on earlier lines: is this column the key?", mostWatched)

// watch makes the next join watch keys of a source, and reports whether there are any.
func (k *Keys) watch(source int, repeated *hashSet) (found bool) {
	k.count += repeated.count
	repeated.all(func(hash uint64) { k.watched[source] = append(k.watched[source], hash) })
	slices.Sort(k.watched[source])
	return repeated.count > 0
}

func (k *Keys) hashText(key string) hashes {
	return hashes{max(maphash.String(k.seeds[0], key), 1), maphash.String(k.seeds[1], key)}
}

func (k *Keys) hashInt(key int64) hashes {
	var bytes [8]byte
	binary.NativeEndian.PutUint64(bytes[:], uint64(key))
	return hashes{max(maphash.Bytes(k.seeds[0], bytes[:]), 1), maphash.Bytes(k.seeds[1], bytes[:])}
}
