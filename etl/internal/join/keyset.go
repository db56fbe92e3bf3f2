package join

// intSet is a keySet, as a bitmap in pieces of 65,536 keys: the ids of a dump are nearly dense, so
// eleven million of them take 1.4 MB. The zero value is an empty set.
type intSet struct {
	pieces map[int64]*piece
	last   *piece // the piece of the last key, which the next one nearly always shares
	number int64  // of last
}

type piece [1 << 10]uint64

// mostPieces bounds the set to 32 MiB: keys that are spread more widely do not fit.
const mostPieces = 4096

// add adds a key, and reports whether the set contained it. full means that the key could not be added.
func (s *intSet) add(key int64) (found, full bool) {
	if number := key >> 16; (s.last == nil || number != s.number) && !s.turn(number) {
		return false, true
	}
	word, bit := &s.last[uint16(key)>>6], uint64(1)<<(key&63)
	found = *word&bit != 0
	*word |= bit
	return found, false
}

// clear removes all keys.
func (s *intSet) clear() { *s = intSet{} }

// turn makes the piece of a number the last one. It returns false if the set has no room for it.
func (s *intSet) turn(number int64) bool {
	p := s.pieces[number]
	if p == nil {
		if len(s.pieces) == mostPieces {
			return false
		}
		if s.pieces == nil {
			s.pieces = map[int64]*piece{}
		}
		p = new(piece)
		s.pieces[number] = p
	}
	s.last, s.number = p, number
	return true
}
