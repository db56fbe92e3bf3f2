package join

import "github.com/zeebo/xxh3"

// textSet is a keySet that has a hash of 128 bits of each key: two keys among billions are not taken for one. While the keys ascend, as
// they often do, they are all different, and after the first ones none is stored. The zero value is an empty set.
type textSet struct {
	table  []xxh3.Uint128 // a hash table with open addressing, at most three quarters full
	count  int
	last   string // the last key, while the keys ascend
	random bool   // the keys do not ascend
	gap    bool   // some key is not stored
}

// mostHashes bounds the set to 32 MiB, and mostAscending what is stored of keys that ascend, which stays in a core's cache.
const (
	leastTable    = 64
	mostHashes    = 3 << 19
	mostAscending = 1 << 14
)

// add adds a key, and reports whether the set contained it. full means that the key could not be added, or may have been there.
func (s *textSet) add(key string) (found, full bool) {
	if !s.random && s.count > 0 && key == s.last {
		return true, false
	}
	if !s.random && (key > s.last || s.count == 0) {
		s.last = key
		if s.count >= mostAscending {
			s.gap = true
			return false, false
		}
	} else if s.random = true; s.gap || s.count >= mostHashes {
		return false, true
	}
	if 4*(s.count+1) > 3*len(s.table) {
		s.grow()
	}
	hash := xxh3.HashString128(key)
	if hash == (xxh3.Uint128{}) {
		hash.Lo = 1 // zero is a free place
	}
	found = s.insert(hash)
	if !found {
		s.count++
	}
	return found, false
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
	*s = textSet{table: s.table}
}
