package store

import (
	"log/slog"
	"runtime"
	"slices"
	"sync"
	"time"
)

// queue holds lookups between callers and connected workers. Without a connection, push fails at once instead of waiting for the
// timeout. A lookup joins a pending lookup of the same document, so any number of concurrent callers cost one lookup.
//
// The mutex also guards the fields of a lookup that callers and workers share: its links, joined and abandoned.
type queue struct {
	size    int
	timeout time.Duration
	logger  *slog.Logger
	metrics *metrics
	// yields makes a woken worker yield first. On one processor it would otherwise run before the requests that arrived together with the
	// first one have been pushed; on several processors, yielding only adds latency.
	yields bool

	mutex    sync.Mutex
	arrival  sync.Cond // signals lookups to fetch, or the end of the queue
	wakeup   sync.Cond // signals a suspended worker: it is notified or resumed
	waiting  []*lookup // to be fetched
	inFlight map[lookupKey]*lookup

	// Lookups whose callers wait, linked in the order of their arrival, which is that of their deadlines.
	oldest, newest *lookup
	pending        int

	slots   []*slot // of workers that are connected or reconnecting
	alive   int     // of these, workers that are available
	resting int     // of these, workers that wait for lookups
	woken   int     // of these, workers that have been signaled and do not run yet

	closed bool      // push fails; waiting lookups are still fetched
	ever   bool      // a worker has been connected
	lost   time.Time // when the last worker disconnected, if slots is empty and ever is true
}

// stallTimeout is how long a round trip may take before its lookups move to a worker with another host. A round trip takes about a
// hundredth of it.
const stallTimeout = 250 * time.Millisecond

func newQueue(size int, timeout time.Duration, logger *slog.Logger, metrics *metrics) *queue {
	q := &queue{
		size: size, timeout: timeout, logger: logger, metrics: metrics,
		inFlight: make(map[lookupKey]*lookup), yields: runtime.GOMAXPROCS(0) == 1,
	}
	q.arrival.L = &q.mutex
	q.wakeup.L = &q.mutex
	return q
}

// push queues l, or returns an error. l.done receives a token when l is finished or abandoned.
func (q *queue) push(l *lookup) error {
	q.mutex.Lock()
	defer q.mutex.Unlock()
	if q.closed || len(q.slots) == 0 {
		return ErrUnavailable
	}
	if l.key.endpoint != nil {
		if first := q.inFlight[l.key]; first != nil && first.text != l.text {
			l.key = lookupKey{}
		} else if first != nil {
			first.joined = append(first.joined, l)
			q.enlist(l)
			q.metrics.joined.Inc()
			return nil
		}
	}
	if len(q.waiting) >= q.size {
		return ErrOverloaded
	}
	if l.key.endpoint != nil {
		q.inFlight[l.key] = l
	}
	q.enlist(l)
	q.waiting = append(q.waiting, l)
	q.wake()
	return nil
}

// wakeThreshold is how many lookups may wait for busy workers before another worker is woken. A few large round trips take less CPU time
// than many small ones: with a gateway and two instances of two workers each, waking a free worker for each lookup gave 14,900 requests a
// second, against 18,500 with one worker each. See decision 13.
const wakeThreshold = 32

// wake wakes a resting worker unless a busy one can take the waiting lookups. The mutex is held.
func (q *queue) wake() {
	busy := q.alive - q.resting + q.woken
	if busy <= 0 || len(q.waiting) >= wakeThreshold {
		q.wakeOne()
	}
}

// wakeOne wakes a resting worker, if there is one that has not been woken. The mutex is held.
func (q *queue) wakeOne() {
	if q.resting > q.woken {
		q.woken++
		q.arrival.Signal()
	}
}

// enlist appends l to the list of pending lookups. The mutex is held.
func (q *queue) enlist(l *lookup) {
	l.pushed = time.Now()
	l.older = q.newest
	if q.newest == nil {
		q.oldest = l
	} else {
		q.newest.younger = l
	}
	q.newest = l
	q.pending++
}

// delist removes l from the list of pending lookups. The mutex is held.
func (q *queue) delist(l *lookup) {
	if l.older == nil {
		q.oldest = l.younger
	} else {
		l.older.younger = l.younger
	}
	if l.younger == nil {
		q.newest = l.older
	} else {
		l.younger.older = l.older
	}
	l.older, l.younger = nil, nil
	q.pending--
}

// fetch waits for lookups and appends at most limit of them to dst. It does not wait for a batch to fill. It returns none if the worker
// has been notified, and false at the end of the queue.
func (q *queue) fetch(s *slot, dst []*lookup, limit int) ([]*lookup, bool) {
	q.mutex.Lock()
	defer q.mutex.Unlock()
	q.update(s, func() { s.stalled, s.fetched = false, time.Time{} })
	for {
		for s.behind && !s.notified && !q.closed {
			q.wakeup.Wait()
		}
		if s.behind && q.closed {
			return dst, false
		}
		if s.notified {
			s.notified = false
			if len(q.waiting) > 0 { // this worker may have been woken for them
				q.wakeOne()
			}
			return dst, true
		}
		q.resting++
		for len(q.waiting) == 0 && !q.closed && !s.behind && !s.notified {
			q.arrival.Wait()
			q.woken = max(q.woken-1, 0)
			if q.yields {
				q.mutex.Unlock()
				runtime.Gosched()
				q.mutex.Lock()
			}
		}
		q.resting--
		if s.behind || s.notified {
			continue
		}
		if len(q.waiting) == 0 {
			return dst, false
		}
		taken := min(limit, len(q.waiting))
		now := time.Now()
		for _, l := range q.waiting[:taken] {
			if l.abandoned && len(l.joined) == 0 {
				continue
			}
			q.metrics.queueWait.Observe(now.Sub(l.pushed).Seconds())
			l.carrier = s
			dst = append(dst, l)
		}
		rest := copy(q.waiting, q.waiting[taken:])
		clear(q.waiting[rest:])
		q.waiting = q.waiting[:rest]
		if rest > 0 {
			q.wake()
		}
		if len(dst) > 0 {
			s.fetched = now
			return dst, true
		}
	}
}

// requeue returns lookups that a worker could not answer to the queue.
func (q *queue) requeue(lookups ...*lookup) {
	q.mutex.Lock()
	if q.closed || len(q.slots) == 0 {
		q.mutex.Unlock()
		fail(lookups, ErrUnavailable)
		q.finish(lookups)
		return
	}
	defer q.mutex.Unlock()
	q.waiting = append(q.waiting, lookups...)
	q.arrival.Broadcast()
}

func fail(lookups []*lookup, err error) {
	for _, l := range lookups {
		l.err = err
	}
}

// finish passes result and err of each lookup to its caller and to the callers of joined lookups. The lookups must not be used afterwards.
func (q *queue) finish(lookups []*lookup) {
	q.mutex.Lock()
	for _, l := range lookups {
		if q.inFlight[l.key] == l {
			delete(q.inFlight, l.key)
		}
		if !l.abandoned {
			q.delist(l)
		}
		for _, j := range l.joined {
			if !j.abandoned {
				q.delist(j)
			}
		}
	}
	q.mutex.Unlock()
	// A delisted lookup cannot be abandoned any more. Copies come first: a lookup whose done has a token belongs to its caller.
	for _, l := range lookups {
		for _, j := range l.joined {
			if !j.abandoned {
				j.copy(l)
			}
		}
	}
	for _, l := range lookups {
		for _, j := range l.joined {
			if !j.abandoned {
				j.done <- struct{}{}
			}
		}
		if !l.abandoned {
			l.done <- struct{}{}
		}
	}
}

// expire abandons the lookups whose timeout has passed and relieves those of stalled workers. It wakes all workers if lookups wait, in case
// the woken one has stalled.
func (q *queue) expire(now time.Time) {
	q.mutex.Lock()
	defer q.mutex.Unlock()
	if len(q.waiting) > 0 {
		q.arrival.Broadcast()
	}
	for q.oldest != nil && now.Sub(q.oldest.pushed) >= q.timeout {
		q.abandon(q.oldest)
	}
	q.relieve(now)
}

// update calls do, which may change whether the worker of s is available, and updates alive. The mutex is held.
func (q *queue) update(s *slot, do func()) {
	before := s.available()
	do()
	if after := s.available(); before != after && slices.Contains(q.slots, s) {
		if after {
			q.alive++
		} else {
			q.alive--
		}
	}
}

// relieve abandons the lookups of stalled workers, if a worker with another host is available, and makes their callers look up again. The
// mutex is held.
func (q *queue) relieve(now time.Time) {
	for _, s := range q.slots {
		if s.stalled || s.fetched.IsZero() || now.Sub(s.fetched) < stallTimeout {
			continue
		}
		if !slices.ContainsFunc(q.slots, func(other *slot) bool { return other.available() && other.host != s.host }) {
			continue
		}
		q.update(s, func() { s.stalled = true })
		var theirs []*lookup
		for l := q.oldest; l != nil; l = l.younger {
			if l.carrier == s {
				theirs = append(append(theirs, l), l.joined...)
			}
		}
		for _, l := range theirs {
			if !l.abandoned && !l.second {
				l.relieved = true
				q.abandon(l)
			}
		}
	}
}

// abandon ends the wait of l's caller. The mutex is held.
func (q *queue) abandon(l *lookup) {
	q.delist(l)
	// Later callers must not join it.
	if q.inFlight[l.key] == l {
		delete(q.inFlight, l.key)
	}
	l.abandoned = true
	l.done <- struct{}{} // its buffer has room for one, and finish sends none
}

// suspend stops a worker, whose server is behind, from fetching.
func (q *queue) suspend(s *slot) {
	q.mutex.Lock()
	defer q.mutex.Unlock()
	if s.behind {
		return
	}
	q.update(s, func() { s.behind = true })
	q.arrival.Broadcast() // it may have been woken for the waiting lookups
}

// resume lets a worker fetch again.
func (q *queue) resume(s *slot) {
	q.mutex.Lock()
	defer q.mutex.Unlock()
	if !s.behind {
		return
	}
	q.update(s, func() { s.behind = false })
	q.wakeup.Broadcast()
}

// setHost records the host that a worker is connected to.
func (q *queue) setHost(s *slot, host string) {
	q.mutex.Lock()
	defer q.mutex.Unlock()
	s.host = host
}

// notify makes a worker's fetch return without lookups.
func (q *queue) notify(s *slot) {
	q.mutex.Lock()
	defer q.mutex.Unlock()
	if s.notified {
		return
	}
	s.notified = true
	if s.behind {
		q.wakeup.Broadcast()
	} else {
		q.arrival.Broadcast()
	}
}

// connected adds a worker.
func (q *queue) connected(s *slot) {
	q.mutex.Lock()
	defer q.mutex.Unlock()
	q.slots = append(q.slots, s)
	if s.available() {
		q.alive++
	}
	if len(q.slots) == 1 {
		q.logger.Info("database connected")
	}
	q.ever = true
}

// disconnect removes a worker, because of cause. If it was the last one, the waiting lookups fail.
func (q *queue) disconnect(s *slot, cause error) {
	q.mutex.Lock()
	if s.available() {
		q.alive--
	}
	q.slots = slices.DeleteFunc(q.slots, func(other *slot) bool { return other == s })
	if len(q.slots) > 0 {
		q.arrival.Broadcast() // it may have been the only busy one
		q.mutex.Unlock()
		return
	}
	q.lost = time.Now()
	waiting := q.waiting
	q.waiting = nil
	q.mutex.Unlock()
	q.logger.Error("database connection lost; lookups fail until it is back", "error", cause)
	fail(waiting, ErrUnavailable)
	q.finish(waiting)
}

// state returns the number of pending lookups and of connected workers.
func (q *queue) state() (pending, alive int) {
	q.mutex.Lock()
	defer q.mutex.Unlock()
	return q.pending, len(q.slots)
}

// disconnected returns for how long no worker has been connected, and whether one ever was.
func (q *queue) disconnected() (lost time.Duration, ever bool) {
	q.mutex.Lock()
	defer q.mutex.Unlock()
	if len(q.slots) == 0 && q.ever {
		lost = time.Since(q.lost)
	}
	return lost, q.ever
}

// close makes push fail. Workers reach the end of the queue once they have fetched the waiting lookups.
func (q *queue) close() {
	q.mutex.Lock()
	defer q.mutex.Unlock()
	q.closed = true
	q.arrival.Broadcast()
	q.wakeup.Broadcast()
}
