package join

import "github.com/zeebo/xxh3"

// textSet is a keySet that has a hash of 128 bits of each key: two keys among billions are not taken for one. While the keys ascend, as
// they often do, they are all different, and after the first ones none is stored. The zero value is an empty set.
//
// Most keys are larger than all before, also in a file whose keys do not ascend. They are stored in batches, so that the waits for the
// memory overlap: only a key that may have been there must be looked up at once.
type textSet struct {
	table   []xxh3.Uint128 // a hash table with open addressing, at most three quarters full
	pending []xxh3.Uint128 // not yet in the table
	count   int            // with the pending ones
	largest string
	random  bool // some key was not larger than those before
	gap     bool // some key is not stored
}

// batch is the number of hashes that are stored at a time.
const batch = 256

// mostHashes bounds the set to 32 MiB, and mostAscending what is stored of keys that ascend, which stays in a core's cache.
const (
	leastTable    = 64
	mostHashes    = 3 << 19
	mostAscending = 1 << 14
)

// add adds a key, and reports whether the set contained it. full means that the key could not be added, or may have been there.
func (s *textSet) add(key string) (found, full bool) {
	larger := s.count == 0 || key > s.largest
	switch {
	case larger:
		s.largest = key
		if !s.random && s.count >= mostAscending {
			s.gap = true
			return false, false
		}
	case key == s.largest:
		return true, false
	default:
		s.random = true
	}
	if s.random && (s.gap || s.count >= mostHashes) {
		return false, true
	}
	hash := xxh3.HashString128(key)
	if hash == (xxh3.Uint128{}) {
		hash.Lo = 1 // zero is a free place
	}
	if s.count++; larger {
		if s.pending = append(s.pending, hash); len(s.pending) == batch {
			s.flush()
		}
		return false, false
	}
	s.flush()
	if found = s.insert(hash); found {
		s.count--
	}
	return found, false
}

// flush stores the pending hashes, and makes room for one more.
func (s *textSet) flush() {
	for 4*(s.count+1) > 3*len(s.table) {
		s.grow()
	}
	for _, hash := range s.pending {
		s.insert(hash)
	}
	s.pending = s.pending[:0]
}

// insert stores a hash, and reports whether it was there.
func (s *textSet) insert(hash xxh3.Uint128) (found bool) {
	mask := uint64(len(s.table) - 1)
	for at := hash.Lo & mask; ; at = (at + 1) & mask {
		switch s.table[at] {
		case xxh3.Uint128{}:
			s.table[at] = hash
			return false
		case hash:
			return true
		}
	}
}

func (s *textSet) grow() {
	old := s.table
	s.table = make([]xxh3.Uint128, max(2*len(old), leastTable))
	for _, hash := range old {
		if hash != (xxh3.Uint128{}) {
			s.insert(hash)
		}
	}
}

// clear removes all keys.
func (s *textSet) clear() {
	switch {
	case s.count == 0:
	case len(s.table) > leastTable && 8*s.count < len(s.table):
		s.table = nil
	default:
		clear(s.table)
	}
	*s = textSet{table: s.table, pending: s.pending[:0]}
}
