package store

import (
	"log/slog"
	"runtime"
	"slices"
	"sync"
	"time"
)

// queue is where callers leave lookups and connected pipelines fetch them. It takes none that nobody would fetch: without a
// live connection a lookup fails at once instead of waiting for its deadline. A lookup of a document that is being looked up
// already joins that one, so that any number of callers of one document cost one lookup.
//
// Its mutex also guards what callers and pipelines both touch of a lookup: its place in the list, joined and abandoned.
type queue struct {
	size    int
	timeout time.Duration
	logger  *slog.Logger
	metrics *metrics
	// yields says that a pipeline that is woken lets others run first. On one processor it is the next to run, before the requests that
	// arrived together with the first one and are about to be pushed; on several it would only be late.
	yields bool

	mutex   sync.Mutex
	arrival sync.Cond // there is something to fetch, or never will be again
	errand  sync.Cond // a pipeline that is behind is summoned, or need not be behind any more
	waiting []*lookup // to be fetched
	flights map[flight]*lookup

	// Lookups whose callers wait, linked in the order of their deadlines, which is that of their arrival.
	oldest, newest *lookup
	pending        int

	seats   []*seat // of pipelines that are connected, or about to be again
	alive   int     // of these, those whose server is not behind, and who are not held up
	resting int     // of these, pipelines that wait for something to fetch
	called  int     // of these, pipelines that have been called and are not there yet

	closed bool      // no more lookups; those that wait are still fetched
	ever   bool      // a pipeline has been alive
	lost   time.Time // when the last one died, if alive is 0 and ever is true
}

// seat is a pipeline's place at the queue. The queue's mutex guards it.
type seat struct {
	behind   bool      // the pipeline is to fetch nothing
	summoned bool      // it is to come back without lookups
	host     string    // that it is connected to
	fetched  time.Time // when it fetched what it is at work on, or zero
	held     bool      // it is held up: nothing is to be left to it
}

// heldUp is how long a pipeline may be at work until its lookups are given to one with another host. A lookup takes a hundredth of it.
const heldUp = 250 * time.Millisecond

// flight is what lookups have in common that can share an answer. A document stands for one version, so nobody gets an answer that
// is older than the version that was asked for.
type flight struct {
	endpoint *Endpoint
	id       int64
}

func newQueue(size int, timeout time.Duration, logger *slog.Logger, metrics *metrics) *queue {
	q := &queue{size: size, timeout: timeout, logger: logger, metrics: metrics, flights: make(map[flight]*lookup), yields: runtime.GOMAXPROCS(0) == 1}
	q.arrival.L = &q.mutex
	q.errand.L = &q.mutex
	return q
}

// push leaves l to the pipelines, or says why it cannot. l.done receives a token when l is finished or its time is up.
func (q *queue) push(l *lookup) error {
	q.mutex.Lock()
	defer q.mutex.Unlock()
	if q.closed || len(q.seats) == 0 {
		return ErrUnavailable
	}
	if l.flight.endpoint != nil {
		if first := q.flights[l.flight]; first != nil {
			first.joined = append(first.joined, l)
			q.enlist(l)
			q.metrics.joined.Inc()
			return nil
		}
	}
	if len(q.waiting) >= q.size {
		return ErrOverloaded
	}
	if l.flight.endpoint != nil {
		q.flights[l.flight] = l
	}
	q.enlist(l)
	q.waiting = append(q.waiting, l)
	q.call()
	return nil
}

// crowd is how many lookups may wait for a pipeline that is busy while another one rests. A few large round trips cost the
// processors less than many small ones do: behind NGINX, two instances with two pipelines each answered 14,900 requests a second when
// each lookup called whoever was free, 18,500 with one pipeline each. See decision 13.
const crowd = 32

// call wakes a resting pipeline, unless a busy one will do. The mutex is held.
func (q *queue) call() {
	busy := q.alive - q.resting + q.called
	if busy <= 0 || len(q.waiting) >= crowd {
		q.callOne()
	}
}

// callOne wakes a resting pipeline, if there is one that has not been called. The mutex is held.
func (q *queue) callOne() {
	if q.resting > q.called {
		q.called++
		q.arrival.Signal()
	}
}

// enlist appends l to those whose callers wait. The mutex is held.
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

// delist takes l out of those whose callers wait. The mutex is held.
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

// fetch waits for lookups and appends at most limit of them to dst. It does not wait for more to come. Where there are none, the
// pipeline has been summoned. At the end of the queue it reports false.
func (q *queue) fetch(s *seat, dst []*lookup, limit int) ([]*lookup, bool) {
	q.mutex.Lock()
	defer q.mutex.Unlock()
	q.change(s, func() { s.held, s.fetched = false, time.Time{} })
	for {
		for s.behind && !s.summoned && !q.closed {
			q.errand.Wait()
		}
		if s.behind && q.closed {
			return dst, false
		}
		if s.summoned {
			s.summoned = false
			if len(q.waiting) > 0 { // for which this pipeline may have been called
				q.callOne()
			}
			return dst, true
		}
		q.resting++
		for len(q.waiting) == 0 && !q.closed && !s.behind && !s.summoned {
			q.arrival.Wait()
			q.called = max(q.called-1, 0)
			if q.yields {
				q.mutex.Unlock()
				runtime.Gosched()
				q.mutex.Lock()
			}
		}
		q.resting--
		if s.behind || s.summoned {
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
			q.call()
		}
		if len(dst) > 0 {
			s.fetched = now
			return dst, true
		}
	}
}

// requeue leaves lookups that a pipeline could not answer to the others.
func (q *queue) requeue(lookups ...*lookup) {
	q.mutex.Lock()
	if q.closed || len(q.seats) == 0 {
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

// finish hands result and err of each lookup to its caller and to those who joined it. No lookup may be touched afterwards.
func (q *queue) finish(lookups []*lookup) {
	q.mutex.Lock()
	for _, l := range lookups {
		if q.flights[l.flight] == l {
			delete(q.flights, l.flight)
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
	// What is off the list is abandoned already or never will be. Copies come first: once its caller is told, a lookup is
	// the caller's.
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

// expire gives up the lookups whose time is over and tells their callers. If some are still waiting, whoever was to fetch them is held
// up, and everybody is called.
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

// change does what changes whether the pipeline of s counts. The mutex is held.
func (q *queue) change(s *seat, do func()) {
	before := s.counts()
	do()
	if after := s.counts(); before != after && slices.Contains(q.seats, s) {
		if after {
			q.alive++
		} else {
			q.alive--
		}
	}
}

// counts reports whether the pipeline fetches, or will when it is done.
func (s *seat) counts() bool { return !s.behind && !s.held }

// relieve takes the lookups away from pipelines that have been at work for too long, if there is another with another host, and
// has their callers look up again. The mutex is held.
func (q *queue) relieve(now time.Time) {
	for _, s := range q.seats {
		if s.held || s.fetched.IsZero() || now.Sub(s.fetched) < heldUp {
			continue
		}
		if !slices.ContainsFunc(q.seats, func(other *seat) bool { return other.counts() && other.host != s.host }) {
			continue
		}
		q.change(s, func() { s.held = true })
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
	// Later callers do better with a lookup of their own.
	if q.flights[l.flight] == l {
		delete(q.flights, l.flight)
	}
	l.abandoned = true
	l.done <- struct{}{} // it has room for one, and finish leaves it alone
}

// suspend keeps a pipeline from fetching, as its server is behind.
func (q *queue) suspend(s *seat) {
	q.mutex.Lock()
	defer q.mutex.Unlock()
	if s.behind {
		return
	}
	q.change(s, func() { s.behind = true })
	q.arrival.Broadcast() // it may have been called for what waits
}

// resume lets a pipeline fetch again.
func (q *queue) resume(s *seat) {
	q.mutex.Lock()
	defer q.mutex.Unlock()
	if !s.behind {
		return
	}
	q.change(s, func() { s.behind = false })
	q.errand.Broadcast()
}

// place notes the host that a pipeline is connected to.
func (q *queue) place(s *seat, host string) {
	q.mutex.Lock()
	defer q.mutex.Unlock()
	s.host = host
}

// summon has a pipeline come back from fetch without lookups.
func (q *queue) summon(s *seat) {
	q.mutex.Lock()
	defer q.mutex.Unlock()
	if s.summoned {
		return
	}
	s.summoned = true
	if s.behind {
		q.errand.Broadcast()
	} else {
		q.arrival.Broadcast()
	}
}

// connected counts one more pipeline.
func (q *queue) connected(s *seat) {
	q.mutex.Lock()
	defer q.mutex.Unlock()
	q.seats = append(q.seats, s)
	if s.counts() {
		q.alive++
	}
	if len(q.seats) == 1 {
		q.logger.Info("database connected")
	}
	q.ever = true
}

// lose counts one pipeline less, because of cause. The last one takes what is still waiting with it.
func (q *queue) lose(s *seat, cause error) {
	q.mutex.Lock()
	if s.counts() {
		q.alive--
	}
	q.seats = slices.DeleteFunc(q.seats, func(other *seat) bool { return other == s })
	if len(q.seats) > 0 {
		q.arrival.Broadcast() // it may have been the one that the others left the rest to
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

// state returns how many lookups are pending and how many pipelines alive.
func (q *queue) state() (pending, alive int) {
	q.mutex.Lock()
	defer q.mutex.Unlock()
	return q.pending, len(q.seats)
}

// disconnected returns for how long no pipeline has been alive, and whether one ever was.
func (q *queue) disconnected() (lost time.Duration, ever bool) {
	q.mutex.Lock()
	defer q.mutex.Unlock()
	if len(q.seats) == 0 && q.ever {
		lost = time.Since(q.lost)
	}
	return lost, q.ever
}

// close refuses new lookups. Pipelines see the end of the queue once they have fetched what is in it.
func (q *queue) close() {
	q.mutex.Lock()
	defer q.mutex.Unlock()
	q.closed = true
	q.arrival.Broadcast()
	q.errand.Broadcast()
}
