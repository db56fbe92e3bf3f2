// Package store answers "which document is this, and what are its bytes" from Postgres. It is the
// only package of the server that sees pgx.
//
// A lookup is one primary-key read. Requests that arrive together share a round trip: a few
// connections each take whatever is queued, up to a batch, and send it as one pipelined message, with one statement
// for each kind of document in it. Requests for one document that is being looked up share that lookup. Nothing is decoded. A body is copied once, out of the driver's buffer (which dies at the next
// read) and into the buffer that the caller handed over.
//
// What is live is a row per collection in catalog.version. The store follows it and hands out
// immutable snapshots. A run may change rows of a live table before the store has heard of it, always in one
// transaction: a document comes with its etag, and a page with the version that it was read from.
//
// The store never waits for a database that is not there: it opens without one, keeps connecting in
// the background, and answers ErrUnavailable at once in the meantime. Reads are idempotent, so one
// that was cut off by a dying connection is tried again before its caller hears of it.
package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"systemscale/sql"
)

// Errors of a lookup. Anything else that a lookup returns is a fault of this program or of its database.
var (
	ErrNotFound    = errors.New("no such document")
	ErrTimeout     = errors.New("the database did not respond in time")
	ErrOverloaded  = errors.New("too many lookups are waiting")
	ErrUnavailable = errors.New("no connection to the database")

	// ErrUnreadable means that something is published which the store's role may not read.
	ErrUnreadable = errors.New("the API's role cannot read the published version; see the log")

	// ErrBadCursor means that a cursor is not in the log after a version: it is before that, or after the live one.
	ErrBadCursor = errors.New("invalid cursor")

	// ErrHistoryTooShort means that the change log does not tell all that happened since a version.
	ErrHistoryTooShort = errors.New("the change log does not go back that far")
)

// Reasons why a store is not ready.
var (
	ErrNeverConnected = errors.New("no connection to the database yet")
	ErrNotPublished   = errors.New("no version is published")
	ErrDatabaseLost   = errors.New("the connection to the database is lost")
)

// lossGrace is how long a store stays ready without a connection. A restart of Postgres takes less,
// and pulling every instance out of the load balancer for it would turn a hiccup into an outage.
const lossGrace = 10 * time.Second

// Options says how a store reads. A zero field takes the default that is named beside it.
type Options struct {
	URL         string        // of the database; of several hosts, each connection prefers another, and goes to the others if that is down or behind
	Connections int           // that carry lookups, 2; the pointer rows have one more for each host, and notifications one
	Batch       int           // most lookups in one round trip, 64
	Queue       int           // most lookups waiting for a connection, 1024; beyond it is ErrOverloaded
	Timeout     time.Duration // of one lookup, from the call to its answer, 2 s
	Poll        time.Duration // between two looks at the pointer row, 1 s
	Logger      *slog.Logger  // slog.Default()

	Registerer prometheus.Registerer // for the store's metrics; one of its own that nobody reads
}

// expiryInterval is how often lookups are checked for having waited too long.
const expiryInterval = 20 * time.Millisecond

// Store looks documents up. All methods are safe for concurrent use.
type Store struct {
	follower *follower
	queue    *queue // of documents
	pages    *queue // of lists and changes, so that none of them keeps a document waiting
	metrics  *metrics
	lookups  sync.Pool     // of *lookup that are finished, never of one that was abandoned
	history  chan struct{} // holds a token while Runs has a connection

	stop    context.CancelFunc // ends connecting and polling, not the lookups under way
	running sync.WaitGroup
}

// Open starts a store. It fails only if the options make no sense: a database that is down is
// waited for in the background.
func Open(options Options) (*Store, error) {
	options = options.withDefaults()
	config, err := configure(options)
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	s := &Store{metrics: newMetrics(), history: make(chan struct{}, 1), stop: stop}
	s.queue = newQueue(options.Queue, options.Timeout, options.Logger, s.metrics)
	s.pages = newQueue(pageQueue, options.Timeout, options.Logger.With("lookups", "pages"), s.metrics)
	s.follower = newFollower(config, options)
	s.lookups.New = func() any { return newLookup() }
	if err := s.register(options.Registerer); err != nil {
		stop()
		return nil, err
	}

	s.running.Go(func() { s.follower.run(ctx, options.Poll) })
	s.running.Go(func() { s.follower.listen(ctx, options.Poll) })
	go s.expire(ctx, min(expiryInterval, max(options.Timeout/4, time.Millisecond)))
	// Where there are several hosts, a frozen one must not stop all pages.
	pageConnections := min(len(s.follower.watchers), 2)
	for i := range options.Connections + pageConnections {
		p := &pipeline{
			home:     i,
			seat:     seat{behind: true}, // until it is known what its server has
			queue:    s.queue,
			follower: s.follower,
			metrics:  s.metrics,
			limit:    options.Batch,
			timeout:  options.Timeout,
		}
		if i >= options.Connections {
			p.home, p.queue, p.limit, p.pages = i-options.Connections, s.pages, pageBatch, true
		}
		s.running.Go(func() { p.run(ctx) })
	}
	return s, nil
}

// Pages share one connection, or two where there are several hosts. One of them may cost as much as a thousand documents, so few wait, and few go together: they
// are answered one after the other by one process of a server, and what is more than it can do gets ErrOverloaded.
const (
	pageQueue = 64
	pageBatch = 4
)

// expire gives up lookups that have waited too long, until the last of them is gone after ctx has ended.
func (s *Store) expire(ctx context.Context, interval time.Duration) {
	for now := range time.Tick(interval) {
		s.queue.expire(now)
		s.pages.expire(now)
		if s.pending() == 0 && ctx.Err() != nil {
			return
		}
	}
}

// pending returns how many lookups there are whose callers wait.
func (s *Store) pending() int {
	documents, _ := s.queue.state()
	pages, _ := s.pages.state()
	return documents + pages
}

func (o Options) withDefaults() Options {
	if o.Connections <= 0 {
		o.Connections = 2
	}
	if o.Batch <= 0 {
		o.Batch = 64
	}
	if o.Queue <= 0 {
		o.Queue = 1024
	}
	if o.Timeout <= 0 {
		o.Timeout = 2 * time.Second
	}
	if o.Poll <= 0 {
		o.Poll = time.Second
	}
	if o.Registerer == nil {
		o.Registerer = prometheus.NewRegistry()
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	return o
}

// Snapshot returns what is published, as last seen. Before the first sight of a published version it is empty.
func (s *Store) Snapshot() *Snapshot { return s.follower.snapshot.Load() }

// Ready returns nil if lookups can be expected to succeed, and otherwise the reason why not.
func (s *Store) Ready() error {
	lost, ever := s.queue.disconnected()
	lostPages, everPages := s.pages.disconnected()
	lost, ever = max(lost, lostPages), ever && everPages
	// Without any traffic only the follower, which asks every second, finds out.
	lost = max(lost, s.follower.lostFor())
	switch {
	case s.follower.denied.Load() && (s.Snapshot() == nil || lost == 0 || lost > lossGrace):
		return ErrUnreadable
	case !ever:
		return ErrNeverConnected
	case lost > lossGrace:
		return ErrDatabaseLost
	case s.Snapshot().Empty():
		return ErrNotPublished
	}
	return nil
}

// Match is the condition of a lookup: the etags that the caller's client already holds.
// The zero value holds none, and the body is always read.
type Match struct {
	Any   bool     // whatever the etag is, it is held
	ETags []uint64 // must not change until the lookup has returned
}

func (m Match) none() bool { return !m.Any && len(m.ETags) == 0 }

// Result is the answer to a lookup.
type Result struct {
	Run         int64     // the data version: of a page and of changes the one that they were read from, of a document the one that is followed
	PublishedAt time.Time // when that version went live
	ETag        uint64    // of the document; 0 for anything else
	NotModified bool      // the etag is one of those that the caller held, and Body was not read
	Total       int64     // of a page: how many documents its list has; -1 where the run did not record it
	Body        []byte    // dst with the JSON text appended
}

// Get reads the document with an id. Where the etag is one that unless holds, only the index is read.
//
// The text is appended to dst, which belongs to the store until Get returns. On an error Body is dst as it
// was, or nil if the caller must forget dst because the lookup was abandoned and may still be writing to it.
//
// The error is ErrNotFound, which comes with Run and PublishedAt, ErrTimeout, ErrOverloaded, ErrUnavailable, ErrUnreadable or unexpected. There
// is no context: a lookup ends by itself after Options.Timeout, and a fasthttp handler has none that ends earlier.
//
// If the document's generation was dropped in the meantime, the live one is read, and Run says so.
func (s *Store) Get(endpoint *Endpoint, id int64, unless Match, dst []byte) (Result, error) {
	l := s.lookups.Get().(*lookup)
	l.kind = kindGet
	l.endpoint, l.id, l.unless = endpoint, id, unless
	if unless.none() {
		l.flight = flight{endpoint, id}
	} else {
		l.kind = kindETag
	}
	return s.look(l, dst)
}

// MaxPage is the largest number of documents in one page of a list.
const MaxPage = 1000

// List reads a page of documents by ascending id, as one JSON array: at most limit documents after the
// first skip. Past the end it is "[]". limit is at most MaxPage.
//
// Buffers and errors are as for Get. A page has no ETag: Run and PublishedAt identify its content.
func (s *Store) List(endpoint *Endpoint, skip, limit int64, dst []byte) (Result, error) {
	l := s.lookups.Get().(*lookup)
	l.kind = kindList
	l.endpoint, l.limit = endpoint, limit
	l.anchor, l.offset = skip/sql.AnchorEvery, skip%sql.AnchorEvery
	return s.lookAhead(l, dst)
}

// Cursor is a place in the change log: a change that is known already. The zero Cursor is before the first.
type Cursor struct {
	Run      int64
	Document string
	ID       int64
}

// Changes reads what changed in the collection since a version, in the order of the runs that changed it: at most limit
// changes after a cursor, as a JSON object that also says where to go on.
//
// Buffers and errors are as for Get, and there is ErrHistoryTooShort, with Run and PublishedAt, and ErrBadCursor. Since the version
// that is followed nothing has changed, which is known without a lookup.
func (s *Store) Changes(collection *Collection, since int64, after Cursor, limit int64, dst []byte) (Result, error) {
	if after != (Cursor{}) && after.Run <= since {
		return Result{Body: dst}, ErrBadCursor
	}
	if since == collection.Run && after == (Cursor{}) {
		return Result{Run: collection.Run, PublishedAt: collection.PublishedAt, Body: appendNoChanges(dst, collection.Version)}, nil
	}
	first := after
	if after == (Cursor{}) && since < math.MaxInt64 {
		first.Run = since + 1 // where the scan of the log begins; no change is before its document's name
	}
	l := s.lookups.Get().(*lookup)
	l.kind = kindChanges
	l.endpoint, l.since, l.after, l.limit = collection.log, since, first, limit
	result, err := s.lookAhead(l, dst)
	if err == nil && after.Run > result.Run { // which another instance may have followed before this one
		return Result{Body: result.Body[:len(dst)]}, ErrBadCursor
	}
	return result, err
}

// appendNoChanges appends what api/list_changes.sql answers where nothing has changed.
func appendNoChanges(dst []byte, version Version) []byte {
	return fmt.Appendf(dst, `{"next": null, "since": %d, "changes": [], "version": %d, "collection": %q}`, version.Run, version.Run, version.Collection)
}

// lookAhead looks up what comes with a version of its own. Should that be newer than the one that is followed, it is
// followed before anybody hears of it: versions never go backwards for a client.
func (s *Store) lookAhead(l *lookup, dst []byte) (Result, error) {
	endpoint := l.endpoint
	result, err := s.look(l, dst)
	if result.Run > endpoint.Run {
		s.follower.reach(endpoint, result.Run)
	}
	return result, err
}

// look hands l to a connection and waits for it, but no longer than the timeout.
func (s *Store) look(l *lookup, dst []byte) (Result, error) {
	queue := s.queue
	if !l.kind.shared() {
		queue = s.pages
	}
	wanted, base := l.request, len(dst)
	for l.begin(dst); ; l.begin(dst) {
		if err := queue.push(l); err != nil {
			second := l.second
			s.recycle(l)
			s.metrics.count(false, err)
			if second {
				return Result{}, err
			}
			return Result{Body: dst}, err
		}
		<-l.done
		if !l.relieved {
			break
		}
		// The pipeline that has l may write to it, and to its buffer beyond what was there.
		s.metrics.relieved.Inc()
		l, dst = s.lookups.Get().(*lookup), slices.Clone(dst[:base])
		l.request, l.second = wanted, true
	}
	if l.abandoned {
		s.metrics.count(false, ErrTimeout)
		return Result{}, ErrTimeout
	}
	result, err := l.result, l.err
	s.recycle(l)
	s.metrics.count(result.NotModified, err)
	switch err {
	case nil:
	case ErrNotFound, ErrHistoryTooShort:
		result = Result{Run: result.Run, PublishedAt: result.PublishedAt, Body: dst}
	default:
		result = Result{Body: dst}
	}
	return result, err
}

// recycle keeps l for another lookup. Nobody else may hold it.
func (s *Store) recycle(l *lookup) {
	l.clear()
	s.lookups.Put(l)
}

// Close lets the lookups that are waiting finish, then closes the connections. New lookups get
// ErrUnavailable. It returns ctx's error if that ends first; connections are then left to the process's end.
func (s *Store) Close(ctx context.Context) error {
	s.queue.close()
	s.pages.close()
	s.stop()
	finished := make(chan struct{})
	go func() {
		s.running.Wait()
		close(finished)
	}()
	select {
	case <-finished:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
