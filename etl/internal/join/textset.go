package join

import "slices"

// textSet is a keySet for texts that mostly ascend. It keeps the latest keys only. A key that is larger than all before is a new one. A
// key that is larger than all that were left out can only be the same as one of the latest. For any other key, the set is full.
//
// If the first keys do not ascend at all, none is left out, and all are recorded.
type textSet struct {
	recorder[string]
	record  *recordSet[string] // of the keys since clear; nil as long as the latest ones are kept
	largest string             // no key is empty
	older   generation
	newer   generation
	bounds  bounds
}

// generation is a part of the latest keys.
type generation struct {
	floor     string   // the largest key before it
	ascending []string // the keys that were larger than all before
	others    map[string]struct{}
	size      int // of all keys, in bytes
}

// mostOthers is the share of keys, one of so many, that do not ascend in a file whose keys are recorded.
const mostOthers = 8

func newTextSet(bounds bounds, newRecord func() *recordSet[string], recorded bool) *textSet {
	s := &textSet{bounds: bounds, recorder: recorder[string]{newRecord: newRecord, recorded: recorded}}
	if recorded {
		s.record = s.begin()
	}
	return s
}

// add adds a key, and reports whether the set contained it. full means that the key could not be added, or may have been there.
func (s *textSet) add(key string) (found, full bool) {
	switch {
	case s.record != nil:
		return s.record.add(key)
	case key > s.largest:
		s.largest = key
		s.newer.ascending = append(s.newer.ascending, key)
	case s.newer.has(key) || s.older.has(key):
		return true, false
	case key <= s.older.floor:
		return false, true
	default:
		s.newer.addOther(key)
	}
	s.newer.size += len(key)
	if len(s.newer.ascending)+len(s.newer.others) < s.bounds.generation && s.newer.size < s.bounds.generationBytes {
		return false, false
	}
	return false, s.turn()
}

// suspect implements keySet.
func (s *textSet) suspect(key string) bool {
	if s.record == nil && key > s.older.floor {
		return false
	}
	return s.begin().suspect(key)
}

// turn begins a generation. It reports whether recording failed.
func (s *textSet) turn() (failed bool) {
	ascending, others := len(s.older.ascending)+len(s.newer.ascending), len(s.older.others)+len(s.newer.others)
	if s.older.size > 0 && s.older.floor == "" && mostOthers*others > ascending+others {
		return s.recordAll()
	}
	s.older, s.newer = s.newer, s.older
	s.newer.clear()
	s.newer.floor = s.largest
	return false
}

// recordAll begins to record, with the keys that are in memory. None has been left out.
func (s *textSet) recordAll() (failed bool) {
	s.record = s.begin()
	for _, g := range []*generation{&s.older, &s.newer} {
		for _, key := range g.ascending {
			failed = failed || s.record.put(key)
		}
		for key := range g.others {
			failed = failed || s.record.put(key)
		}
		*g = generation{}
	}
	return failed
}

// clear removes all keys, which no later key is the same as.
func (s *textSet) clear() {
	if s.recorded {
		return
	}
	s.record, s.largest = nil, ""
	for _, g := range []*generation{&s.older, &s.newer} {
		g.clear()
		g.floor = ""
	}
}

func (g *generation) has(key string) bool {
	if len(g.others) > 0 {
		if _, found := g.others[key]; found {
			return true
		}
	}
	_, found := slices.BinarySearch(g.ascending, key)
	return found
}

func (g *generation) addOther(key string) {
	if g.others == nil {
		g.others = map[string]struct{}{}
	}
	g.others[key] = struct{}{}
}

// clear removes all keys. It keeps little memory.
func (g *generation) clear() {
	const kept = 64
	if len(g.others) > kept {
		g.others = nil
	} else if len(g.others) > 0 {
		clear(g.others)
	}
	g.ascending, g.size = g.ascending[:0], 0
}
