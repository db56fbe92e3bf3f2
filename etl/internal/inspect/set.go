package inspect

// Memory of all sets of an inspection, and of one, in slots of eight bytes.
const (
	allSlots  = 1 << 25
	mostSlots = 1 << 22
)

// memory is what the sets of an inspection may still allocate, in slots.
type memory struct{ slots int }

// set holds the hashes of the values of a column in bounded memory. When it is full, it forgets every second hash, and from then on takes
// only hashes like the rest: what it knows is then true of a sample of the values, over all rows.
type set struct {
	memory *memory
	slots  []uint64 // 0 is free
	size   int
	thin   uint // only hashes that end in as many zero bits are kept
}

func newSet(m *memory) *set {
	const first = 64
	m.slots -= first
	return &set{memory: m, slots: make([]uint64, first)}
}

// free returns the memory of the set.
func (s *set) free() {
	s.memory.slots += len(s.slots)
	s.slots = nil
}

// sampled reports whether the set takes a hash.
func (s *set) sampled(hash uint64) bool { return hash&(1<<s.thin-1) == 0 }

// add adds a hash, and reports whether the set had it.
func (s *set) add(hash uint64) (found bool) {
	if !s.sampled(hash) {
		return false
	}
	at, found := s.find(hash)
	if found {
		return true
	}
	s.slots[at] = hash | nonzero(hash)
	if s.size++; s.size > len(s.slots)/4*3 {
		s.grow()
	}
	return false
}

// has reports whether the set has a hash that it takes.
func (s *set) has(hash uint64) bool {
	_, found := s.find(hash)
	return found
}

// nonzero is 0, but a bit for the hash 0, which marks free slots.
func nonzero(hash uint64) uint64 {
	if hash == 0 {
		return 1 << 63
	}
	return 0
}

// find returns the slot of a hash, or the free one for it.
func (s *set) find(hash uint64) (at int, found bool) {
	hash |= nonzero(hash)
	mask := len(s.slots) - 1
	// The low bits choose the sample, so the high ones the place.
	for at = int(hash>>40) & mask; s.slots[at] != 0; at = (at + 1) & mask {
		if s.slots[at] == hash {
			return at, true
		}
	}
	return at, false
}

// grow doubles the slots, or halves the sample if there is no memory for that.
func (s *set) grow() {
	old, size := s.slots, 2*len(s.slots)
	if size > mostSlots || s.memory.slots < len(old) {
		size = len(old)
		s.thin++
	}
	s.memory.slots -= size - len(old)
	s.slots, s.size = make([]uint64, size), 0
	for _, hash := range old {
		if hash != 0 && s.sampled(hash) {
			at, _ := s.find(hash)
			s.slots[at] = hash
			s.size++
		}
	}
}
