package cache

import "sync/atomic"

const (
	// failureWeight is how many reads that succeed make up for one that fails, so the breaker opens if more than a fifth of the reads fail.
	failureWeight = 4
	// openAt is where it opens: at the fifth failure in a row.
	openAt = 5 * failureWeight
)

// breaker decides whether a server is left out because it does not respond. It opens when too many reads have failed, and opened gets a
// token. It stays open until reset: no request is used to find out whether the server is back.
type breaker struct {
	open   atomic.Bool
	score  atomic.Int64
	opened chan struct{}
}

func newBreaker() *breaker { return &breaker{opened: make(chan struct{}, 1)} }

func (b *breaker) succeeded() {
	if b.score.Load() > 0 {
		b.score.Add(-1)
	}
}

func (b *breaker) failed() {
	if b.score.Add(failureWeight) >= openAt {
		b.trip()
	}
}

// trip opens the breaker.
func (b *breaker) trip() {
	if b.open.CompareAndSwap(false, true) {
		b.opened <- struct{}{} // there is room: one token for each reset
	}
}

// reset closes the breaker after its token has been received.
func (b *breaker) reset() {
	b.score.Store(0)
	b.open.Store(false)
}
