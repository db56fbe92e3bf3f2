package join

import "math/bits"

// intSet is a keySet, as a bitmap in pieces of 65,536 keys: the ids of a dump are nearly dense, so
// eleven million of them take 1.4 MB. Keys that are spread more widely are recorded.
type intSet struct {
	recorder[int64]
	record *recordSet[int64] // of the keys since clear; nil as long as they are in the pieces

	pieces map[int64]*piece
	last   *piece // the piece of the last key, which the next one nearly always shares; nil while keys are recorded
	number int64  // of last
}

type piece [1 << 10]uint64

// mostPieces bounds the set to 32 MiB.
const mostPieces = 4096

func newIntSet(newRecord func() *recordSet[int64], recorded bool) *intSet {
	s := &intSet{recorder: recorder[int64]{newRecord: newRecord, recorded: recorded}}
	if recorded {
		s.record = s.begin()
	}
	return s
}

// add adds a key, and reports whether the set contained it. full means that the key could not be added.
func (s *intSet) add(key int64) (found, full bool) {
	if number := key >> 16; (s.last == nil || number != s.number) && !s.turn(number) {
		return s.addRecorded(key)
	}
	word, bit := &s.last[uint16(key)>>6], uint64(1)<<(key&63)
	found = *word&bit != 0
	*word |= bit
	return found, false
}

// suspect implements keySet.
func (s *intSet) suspect(key int64) bool { return s.record != nil && s.record.suspect(key) }

// clear removes all keys, which no later key is the same as.
func (s *intSet) clear() {
	if s.recorded {
		return
	}
	*s = intSet{recorder: s.recorder}
}

// turn makes the piece of a number the last one. It returns false if the set has no room for it.
func (s *intSet) turn(number int64) bool {
	if s.record != nil {
		return false
	}
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

// addRecorded implements add for a set without pieces. The first call records the keys of the pieces.
func (s *intSet) addRecorded(key int64) (found, full bool) {
	if s.record == nil {
		s.record = s.begin()
		for number, p := range s.pieces {
			if s.recordPiece(number, p) {
				return false, true
			}
		}
		s.pieces, s.last = nil, nil
	}
	return s.record.add(key)
}

// recordPiece records the keys of a piece. It reports whether that failed.
func (s *intSet) recordPiece(number int64, p *piece) (failed bool) {
	for at, word := range p {
		for ; word != 0; word &= word - 1 {
			if s.record.put(number<<16 | int64(at)<<6 | int64(bits.TrailingZeros64(word))) {
				return true
			}
		}
	}
	return false
}
