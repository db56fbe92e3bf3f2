package join

// hashSet is a set of hashes that are random, in a table with open addressing. The zero value is an empty set. 0 is no hash.
type hashSet struct {
	table []uint64 // at most three quarters full
	count int
}

const leastTable = 64

// add adds a hash, and reports whether the set contained it.
func (s *hashSet) add(hash uint64) (found bool) {
	if 4*(s.count+1) > 3*len(s.table) {
		s.grow()
	}
	if found = insert(s.table, hash); !found {
		s.count++
	}
	return found
}

func insert(table []uint64, hash uint64) (found bool) {
	mask := uint64(len(table) - 1)
	for at := hash & mask; ; at = (at + 1) & mask {
		switch table[at] {
		case 0:
			table[at] = hash
			return false
		case hash:
			return true
		}
	}
}

func (s *hashSet) grow() {
	old := s.table
	s.table = make([]uint64, max(2*len(old), leastTable))
	for _, hash := range old {
		if hash != 0 {
			insert(s.table, hash)
		}
	}
}

// clear removes all hashes, and keeps the memory.
func (s *hashSet) clear() {
	clear(s.table)
	s.count = 0
}

// all calls do with every hash.
func (s *hashSet) all(do func(hash uint64)) {
	for _, hash := range s.table {
		if hash != 0 {
			do(hash)
		}
	}
}
