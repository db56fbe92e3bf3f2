package store

import (
	"log/slog"
	"sync"
	"time"
)

// queue is where callers leave lookups and connected pipelines fetch them. It takes none that nobody would
// fetch: without a live connection a lookup fails at once instead of waiting for its deadline.
type queue struct {
	lookups chan *lookup
	logger  *slog.Logger

	// mutex is held for reading while a lookup goes in, and for writing while the answer to "will
	// anybody fetch it" changes.
	mutex  sync.RWMutex
	alive  int  // pipelines that are connected, or about to be again
	closed bool // no more lookups; those that wait are still fetched

	ever bool      // a pipeline has been alive
	lost time.Time // when the last one died, if alive is 0 and ever is true
}

func newQueue(size int, logger *slog.Logger) *queue {
	return &queue{lookups: make(chan *lookup, size), logger: logger}
}

// push leaves l to the pipelines, or says why it cannot.
func (q *queue) push(l *lookup) error {
	q.mutex.RLock()
	defer q.mutex.RUnlock()
	if q.closed || q.alive == 0 {
		return ErrUnavailable
	}
	select {
	case q.lookups <- l:
		return nil
	default:
		return ErrOverloaded
	}
}

// connected counts one more pipeline that fetches.
func (q *queue) connected() {
	q.mutex.Lock()
	defer q.mutex.Unlock()
	q.alive++
	if q.alive == 1 {
		q.logger.Info("database connected")
	}
	q.ever = true
}

// lose counts one pipeline less, because of cause. The last one takes what is still waiting with it.
func (q *queue) lose(cause error) {
	q.mutex.Lock()
	defer q.mutex.Unlock()
	q.alive--
	if q.alive > 0 {
		return
	}
	q.lost = time.Now()
	q.logger.Error("database connection lost, lookups are refused until it is back", "error", cause)
	for {
		select {
		case l, open := <-q.lookups:
			if !open {
				return
			}
			l.complete(ErrUnavailable)
		default:
			return
		}
	}
}

// disconnected returns for how long no pipeline has been alive, and whether one ever was.
func (q *queue) disconnected() (lost time.Duration, ever bool) {
	q.mutex.RLock()
	defer q.mutex.RUnlock()
	if q.alive == 0 && q.ever {
		lost = time.Since(q.lost)
	}
	return lost, q.ever
}

// close refuses new lookups. Pipelines see the end of the queue once they have fetched what is in it.
func (q *queue) close() {
	q.mutex.Lock()
	defer q.mutex.Unlock()
	if !q.closed {
		q.closed = true
		close(q.lookups)
	}
}
