// Package store answers "which document is this, and what are its bytes" from Postgres. It is the
// only package of the server that sees pgx.
//
// A lookup is one primary-key read. Requests that arrive together share a round trip: a few
// connections each take whatever is queued, up to a batch, and send it as one pipelined message.
// Nothing is decoded. A body is copied once, out of the driver's buffer (which dies at the next
// read) and into the buffer that the caller handed over.
//
// What is live is a row per collection in catalog.version. The store follows it and hands out
// immutable snapshots. A run may change rows of a live table before the store has heard of it, always in one
// transaction: a document comes with its etag, and a page with the version that it was read from.
//
// The store never waits for a database that is not there: it opens without one, keeps connecting in
// the background, and answers ErrUnavailable at once in the meantime. Reads are idempotent, so one
// that was cut off by a dying connection is tried once more before its caller hears of it.
package store

import (
	"context"
	"errors"
	"log/slog"
	"strconv"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"systemscale/sql"
)

// Errors of a lookup. Anything else that a lookup returns is a fault of this program or of its database.
var (
	ErrNotFound    = errors.New("no such document")
	ErrTimeout     = errors.New("the database did not answer in time")
	ErrOverloaded  = errors.New("too many lookups are waiting")
	ErrUnavailable = errors.New("no connection to the database")
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
	URL         string        // of the database; several hosts are tried in order
	Connections int           // that carry lookups, 2; the pointer row has one more of its own
	Batch       int           // most lookups in one round trip, 64
	Queue       int           // most lookups waiting for a connection, 4096; beyond it is ErrOverloaded
	Timeout     time.Duration // of one lookup, from the call to its answer, 2 s
	Poll        time.Duration // between two looks at the pointer row, 1 s
	Logger      *slog.Logger  // slog.Default()
}

// Store looks documents up. All methods are safe for concurrent use.
type Store struct {
	follower *follower
	queue    *queue
	lookups  sync.Pool // of *lookup that are complete, never of one that its caller gave up
	timeout  time.Duration

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
	s := &Store{
		follower: &follower{config: config, logger: options.Logger, timeout: options.Timeout},
		queue:    newQueue(options.Queue, options.Logger),
		timeout:  options.Timeout,
		stop:     stop,
	}
	s.lookups.New = func() any { return newLookup() }

	s.running.Go(func() { s.follower.run(ctx, options.Poll) })
	for range options.Connections {
		p := &pipeline{
			config:   &config.Config,
			queue:    s.queue,
			follower: s.follower,
			limit:    options.Batch,
			timeout:  options.Timeout,
		}
		s.running.Go(func() { p.run(ctx) })
	}
	return s, nil
}

// configure returns how to connect.
func configure(options Options) (*pgx.ConnConfig, error) {
	config, err := pgx.ParseConfig(options.URL)
	if err != nil {
		// The parser's own message quotes the URL, password and all if it is badly mistyped.
		return nil, errors.New("the database must be a URL such as postgres://user@host:5432/name")
	}
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = connectTimeout
	}
	for name, value := range map[string]string{
		"application_name":              "systemscale-api",
		"default_transaction_read_only": "on",
		// A caller has given up by then; the server should too.
		"statement_timeout": strconv.FormatInt(options.Timeout.Milliseconds(), 10),
		// Each statement has one sensible plan, an index scan. Planning the list anew for every page costs more
		// than reading it does (37 µs against 23 µs), and a generic plan's estimates must not wake the JIT.
		"plan_cache_mode": "force_generic_plan",
		"jit":             "off",
	} {
		config.RuntimeParams[name] = value
	}
	return config, nil
}

func (o Options) withDefaults() Options {
	if o.Connections <= 0 {
		o.Connections = 2
	}
	if o.Batch <= 0 {
		o.Batch = 64
	}
	if o.Queue <= 0 {
		o.Queue = 4096
	}
	if o.Timeout <= 0 {
		o.Timeout = 2 * time.Second
	}
	if o.Poll <= 0 {
		o.Poll = time.Second
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
	// Without any traffic only the follower, which asks every second, finds out.
	lost = max(lost, s.follower.lostFor())
	switch {
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
	Run         int64     // the data version: of a page the one that it was read from, of a document the one that is followed
	PublishedAt time.Time // when that version went live
	ETag        uint64    // of the document; 0 for a page
	NotModified bool      // the etag is one of those that the caller held, and Body was not read
	Body        []byte    // dst with the JSON text appended
}

// Get reads the document with an id. Where the etag is one that unless holds, only the index is read.
//
// The text is appended to dst, which belongs to the store until Get returns. On an error Body is dst as it
// was, or nil if the caller must forget dst because the lookup was abandoned and may still be writing to it.
//
// The error is ErrNotFound, ErrTimeout, ErrOverloaded, ErrUnavailable or unexpected. There is no context:
// a lookup ends by itself after Options.Timeout, and a fasthttp handler has none that ends earlier.
//
// If the document's generation was dropped in the meantime, the live one is read, and Run says so.
func (s *Store) Get(document *Document, id int64, unless Match, dst []byte) (Result, error) {
	l := s.lookups.Get().(*lookup)
	l.kind = kindGet
	if !unless.none() {
		l.kind = kindGetUnlessMatch
	}
	l.document, l.id, l.unless = document, id, unless
	return s.look(l, dst)
}

// List reads a page of documents by ascending id, as one JSON array: at most limit documents after the
// first skip. Past the end it is "[]". limit is at most sql.AnchorEvery.
//
// Buffers and errors are as for Get. A page has no ETag: Run and PublishedAt identify its content.
func (s *Store) List(document *Document, skip, limit int64, dst []byte) (Result, error) {
	l := s.lookups.Get().(*lookup)
	l.kind = kindList
	l.document, l.limit = document, limit
	l.anchor, l.offset = skip/sql.AnchorEvery, skip%sql.AnchorEvery
	return s.look(l, dst)
}

// look hands l to a connection and waits for it, but no longer than the timeout.
func (s *Store) look(l *lookup, dst []byte) (Result, error) {
	l.begin(dst)
	if err := s.queue.push(l); err != nil {
		s.recycle(l)
		return Result{Body: dst}, err
	}
	l.deadline.Reset(s.timeout)
	select {
	case <-l.done:
		l.deadline.Stop()
	case <-l.deadline.C:
		if l.abandon() {
			return Result{}, ErrTimeout
		}
		<-l.done
	}
	result, err := l.result, l.err
	if err != nil {
		result = Result{Body: dst}
	}
	s.recycle(l)
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
