package store

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

const (
	// Pause between two attempts to connect; it doubles.
	minPause = 100 * time.Millisecond
	maxPause = 2 * time.Second

	// A connection that breaks after this time is replaced at once, and its lookups are sent again: the cause has probably passed. After a
	// shorter time, the worker pauses.
	provenAge = 100 * time.Millisecond
	// repairTimeout bounds that attempt, during which the lookups wait, if there is one host. With several hosts, another one is probably
	// up, and the attempt may take as long as a lookup.
	repairTimeout = 500 * time.Millisecond

	// maxCuts is how often a lookup is sent again after its connection broke. When a server dies, each worker notices by itself, and a
	// lookup may pass from one broken connection to the next. The limit stops a lookup that crashes the server.
	maxCuts = 4
	// maxConflicts is how often a lookup is sent again after a replica canceled it because of a recovery conflict. A replica that has been
	// delayed for longer than max_standby_streaming_delay cancels conflicting statements at once.
	maxConflicts = 5

	// answerGrace is added to the timeout of a lookup to get the deadline of the connection: statement_timeout should end a slow statement,
	// and the deadline only a connection that does not respond.
	answerGrace = 500 * time.Millisecond
)

// group holds the lookups that share a statement in a round trip.
type group struct {
	endpoint *Endpoint
	kind     kind
	members  []member // in order of id
	sent     *prepared
}

// member is one lookup of a group.
type member struct {
	id     int64
	text   string  // of an id that is a text
	lookup *lookup // nil once it is settled
}

// handOver is how many settled lookups are finished together, with one lock of the queue's mutex, while the server executes the next ones.
const handOver = 8

// worker is a goroutine that answers lookups over one connection to the database, and replaces the connection when it breaks.
type worker struct {
	placement
	follower *follower
	metrics  *metrics
	limit    int // lookups in one round trip
	timeout  time.Duration
	tier     *tier // nil without a document cache

	conn      *connection
	sent      prometheus.Counter // of conn's host; nil in some tests
	known     *Snapshot          // view when it was last read, or nil
	covered   *Endpoint          // an endpoint whose version is in known
	arguments arguments
	waiting   []*lookup // to be sent
	again     []*lookup // to be sent in the next round trip
	settled   []*lookup // finished, and not yet passed to the queue
	groups    []group   // of the current round trip
	sequence  int64     // of the last unshared statement
}

// settle marks a lookup as answered or, if err is not nil, as failed.
func (w *worker) settle(l *lookup, err error) {
	l.err = err
	w.settled = append(w.settled, l)
	if len(w.settled) >= handOver {
		w.flush()
	}
}

// flush finishes the settled lookups.
func (w *worker) flush() {
	if len(w.settled) > 0 {
		w.queue.finish(w.settled)
		w.settled = w.settled[:0]
	}
}

// use makes next the connection.
func (w *worker) use(next *offer) {
	w.queue.setHost(&w.slot, next.conn.at.host.String())
	w.conn, w.sent = next.conn, w.metrics.sent.WithLabelValues(next.conn.at.host.String())
	w.setVersions(next.versions)
}

// setVersions records the versions of the server.
func (w *worker) setVersions(versions []Version) {
	w.known, w.covered = w.follower.report(&w.placement, w.conn.at, versions), nil
}

// handleNotice switches to the offered connection, if there is one, and reads the version rows. An error means that the connection is
// broken.
func (w *worker) handleNotice() error {
	if next := w.follower.offered(&w.placement); next != nil {
		go w.conn.close() // takes up to closeTimeout if the server does not respond
		w.use(next)
	}
	return w.refreshVersions()
}

// refreshVersions reads the version rows. An error means that the connection is broken.
func (w *worker) refreshVersions() error {
	if err := w.conn.setDeadline(w.timeout + answerGrace); err != nil {
		return err
	}
	versions, err := readVersions(context.Background(), w.conn.PgConn)
	if err == nil {
		w.setVersions(versions)
	} else if w.conn.IsClosed() {
		return err
	}
	return nil // after an error of the server, the next read may succeed
}

// redirect changes l to a version that the server has, and reports whether to send it. This concerns a lookup that was pushed before an
// older version became the snapshot.
func (w *worker) redirect(l *lookup) bool {
	if w.known == nil || w.known.has(l.endpoint) {
		w.covered = l.endpoint
		return true
	}
	live := w.follower.snapshot.Load().current(l.endpoint)
	switch {
	case live == nil:
		w.settle(l, ErrNotFound)
	case !w.known.has(live): // the version is back, on another server
		w.queue.requeue(l)
	default:
		l.endpoint = live
		return true
	}
	return false
}
