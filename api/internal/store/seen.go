package store

import (
	"sync/atomic"
	"time"
)

// seen is the newest version of a collection that a lookup has met. It is safe for concurrent use.
type seen struct{ newest atomic.Pointer[sighting] }

// sighting is a version; see Version.atLeast.
type sighting struct {
	run int64
	at  time.Time
}

func (s sighting) atLeast(other sighting) bool {
	return s.run > other.run || s.run == other.run && !s.at.Before(other.at)
}

// observe records that a lookup has met a version.
func (s *seen) observe(run int64, at time.Time) {
	met := &sighting{run, at}
	for {
		newest := s.newest.Load()
		if newest != nil && newest.atLeast(*met) || s.newest.CompareAndSwap(newest, met) {
			return
		}
	}
}

// passed reports whether a lookup has met a newer version.
func (s *seen) passed(run int64, at time.Time) bool {
	newest := s.newest.Load()
	return newest != nil && !sighting{run, at}.atLeast(*newest)
}
