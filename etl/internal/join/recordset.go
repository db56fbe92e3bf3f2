package join

import (
	"cmp"
	"slices"
)

// recordSet is a keySet for keys in any order, of any number. It finds a key at once that is the same as one of the last thousands, or that
// an earlier join of the same files has found several times. The hashes of all others go to a spool: at the end it has the keys that came
// several times far from each other, for the next join.
//
// Two hashes of a key with different random seeds are 128 bits: two keys among billions are not taken for one, and no dump can be
// made that has such keys. Keys whose first hash is the same only cause one more join.
type recordSet[K cmp.Ordered] struct {
	keys   *Keys
	source int
	hash   func(*Keys, K) hashes

	last    []hashes // the latest keys, each at a place that its first hash has
	watched []uint64 // the first hashes of the keys that came several times, in order
	seen    map[hashes]struct{}
	found   hashSet // the first hashes of keys that the next join watches
	spool   *spool  // nil if an earlier join found no other such keys

	largest K
	late    bool // some key was not larger than those before
	began   bool
	failure error
}

func newRecordSet[K cmp.Ordered](options *Options, source int, hash func(*Keys, K) hashes) *recordSet[K] {
	s := &recordSet[K]{
		keys: options.Keys, source: source, hash: hash, last: make([]hashes, options.bounds.last), watched: options.Keys.watched[source],
	}
	if len(s.watched) > 0 {
		s.seen = map[hashes]struct{}{}
	}
	if !options.Checked {
		s.spool = newSpool(options)
	}
	return s
}

// add adds a key, and reports whether it is known that the set contained it. full means that the key could not be added, for the reason
// that err returns.
func (s *recordSet[K]) add(key K) (found, full bool) {
	switch {
	case !s.began || key > s.largest:
		s.began, s.largest = true, key
	default:
		s.late = true
	}
	hash := s.hash(s.keys, key)
	if len(s.watched) > 0 {
		if s.isWatched(hash) {
			if _, found = s.seen[hash]; !found {
				s.seen[hash] = struct{}{}
			}
			return found, false
		}
	}
	last := &s.last[hash[0]%uint64(len(s.last))]
	if *last == hash {
		return true, false
	}
	*last = hash
	return false, s.keep(hash)
}

// mostSuspects is the number of keys of a source about which a join can be in doubt.
const mostSuspects = 1000

// put adds a key that differs from all before, and may be smaller. It is not one of the latest. The set has no watched keys.
func (s *recordSet[K]) put(key K) (failed bool) {
	s.late = true
	return s.keep(s.hash(s.keys, key))
}

func (s *recordSet[K]) keep(hash hashes) (failed bool) {
	if s.spool != nil && s.failure == nil {
		s.failure = s.spool.add(hash[0])
	}
	return s.failure != nil
}

// finish gives the keys that came several times to Keys.
func (s *recordSet[K]) finish() (repeated bool, err error) {
	if s.spool == nil || s.failure != nil {
		return false, s.failure
	}
	if s.late {
		if err := s.spool.repeated(&s.found, mostWatched-s.keys.count); err != nil {
			return false, err
		}
	}
	return s.keys.watch(s.source, &s.found), nil
}

// suspect implements keySet.
func (s *recordSet[K]) suspect(key K) bool {
	hash := s.hash(s.keys, key)
	if s.spool == nil || s.isWatched(hash) || s.found.count == mostSuspects {
		return false
	}
	s.found.add(hash[0])
	return true
}

func (s *recordSet[K]) isWatched(hash hashes) bool {
	_, watched := slices.BinarySearch(s.watched, hash[0])
	return watched
}

// recorder makes the recordSet of a source when it is needed. It lives to the end of the join.
type recorder[K cmp.Ordered] struct {
	newRecord func() *recordSet[K]
	set       *recordSet[K] // nil before begin
	recorded  bool          // set has the keys of all trees
}

func (r *recorder[K]) begin() *recordSet[K] {
	if r.set == nil {
		r.set = r.newRecord()
	}
	return r.set
}

func (r *recorder[K]) err() error {
	if r.set == nil {
		return nil
	}
	return r.set.failure
}

func (r *recorder[K]) finish() (repeated bool, err error) {
	if r.set == nil {
		return false, nil
	}
	return r.set.finish()
}

func (r *recorder[K]) close() {
	if r.set != nil && r.set.spool != nil {
		r.set.spool.close()
	}
}
