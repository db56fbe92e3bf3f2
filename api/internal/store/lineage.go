package store

import (
	"strconv"

	"systemscale/api/internal/cache"
	"systemscale/sql"
)

// lineage tells which cached documents of an endpoint are current. It is immutable.
//
// A document that was read from a version of the endpoint's generation is the same in the served version unless a run since has changed it.
// The lineage has these runs, as far back as the change log is complete and the memory is limited: a document from an earlier version, or
// from one that is not in the lineage, may be out of date.
type lineage struct {
	key   []byte // beginning of the keys in the cache
	seen  *seen
	steps []step // the newest, which is the served version, first
}

// step is a version, and the ids that it changed, each as hashed returns it. The ids of the last step are not known.
type step struct {
	stamp   cache.Stamp
	changed map[int64]struct{}
}

// judge reports whether a document that was read from a version is the same in the served one, and how many versions there were since.
func (l *lineage) judge(from cache.Stamp, id int64) (age int, current bool) {
	for i := range l.steps {
		if l.steps[i].stamp == from {
			return i, true
		}
		if _, changed := l.steps[i].changed[id]; changed {
			return 0, false
		}
	}
	return 0, false
}

// old reports whether a document of this age is to be put into the cache again, with the served version, because its version will leave the
// lineage soon.
func (l *lineage) old(age int) bool { return age > 0 && 2*age >= len(l.steps)-1 }

// appendKey appends the key of a document in the cache.
func (l *lineage) appendKey(dst []byte, id sql.ID) []byte {
	dst = append(dst, l.key...)
	if id.IsText() {
		return append(dst, id.Text()...)
	}
	return strconv.AppendInt(dst, id.Int(), 10)
}

// keyPrefix returns the beginning of the keys of an endpoint. The time of a generation's creation, in microseconds of Unix time,
// distinguishes databases that share a cache.
func keyPrefix(collection, endpoint string, generation, created int64) []byte {
	prefix := []byte("systemscale:" + collection + ":" + endpoint + ":")
	prefix = strconv.AppendInt(prefix, generation, 10)
	prefix = append(prefix, '@')
	prefix = strconv.AppendInt(prefix, created, 36)
	return append(prefix, ':')
}
