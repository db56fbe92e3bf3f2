// Package store reads documents from Postgres. It is the only package of the server that imports pgx.
//
// A lookup is one primary-key read. Lookups that arrive together share a round trip: a few workers, each with a connection, take the
// queued lookups, up to a batch, and send them as one pipelined message with one statement per endpoint. Concurrent lookups of the same
// document are merged. Nothing is decoded. A body is copied once, from the driver's buffer, which is reused by the next read, to the
// caller's buffer.
//
// The live version of each collection is a row of catalog.version. The store follows these rows and publishes immutable snapshots. A
// run may change rows of a live table before the store has read the new version, always in one transaction: a document is read with its
// etag, and a page with its version.
//
// The store never blocks on an unavailable database: it opens without one, connects in the background, and returns ErrUnavailable until
// then. Reads are idempotent, so a lookup whose connection breaks is retried before the caller sees an error.
package store

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"systemscale/sql"
)

// lossGrace is how long a store stays ready without a connection. A restart of Postgres takes less, and removing every instance from
// the load balancer meanwhile would turn an interruption into an outage.
const lossGrace = 10 * time.Second

// expiryInterval is how often lookups are checked for their timeout.
const expiryInterval = 20 * time.Millisecond

// Store reads documents. All methods are safe for concurrent use.
type Store struct {
	follower *follower
	queue    *queue // of documents
	pages    *queue // of lists and changes, which must not delay documents
	metrics  *metrics
	lookups  sync.Pool     // of finished *lookup, never of an abandoned one
	history  chan struct{} // holds a token while Runs has a connection
	tier     *tier         // nil without a document cache

	stop    context.CancelFunc // ends connecting and polling, not the lookups in progress
	running sync.WaitGroup
}

// Open starts a store. It fails only if the options are invalid: the store connects in the background.
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
	s.follower = newFollower(config, options, s.metrics)
	if options.Cache != nil {
		s.tier = newTier(options.Cache, s.follower, options.Logger)
		s.running.Go(func() { s.tier.run(ctx, options.Poll) })
	}
	s.lookups.New = func() any { return newLookup() }
	if err := s.register(options.Registerer); err != nil {
		stop()
		return nil, err
	}

	s.running.Go(func() { s.follower.run(ctx, options.Poll) })
	s.running.Go(func() { s.follower.listen(ctx, options.Poll) })
	go s.expire(ctx, min(expiryInterval, max(options.Timeout/4, time.Millisecond)))
	// With several hosts, a frozen one must not block all pages.
	pageConnections := min(len(s.follower.watchers), 2)
	for i := range options.Connections + pageConnections {
		w := &worker{
			// Suspended until its server's versions are known.
			placement: placement{home: i, queue: s.queue, slot: slot{behind: true}},
			follower:  s.follower,
			metrics:   s.metrics,
			limit:     options.Batch,
			timeout:   options.Timeout,
			tier:      s.tier,
		}
		if i >= options.Connections {
			w.home, w.queue, w.limit, w.pages = i-options.Connections, s.pages, pageBatch, true
		}
		s.running.Go(func() { w.run(ctx) })
	}
	return s, nil
}

// Pages share one connection, or two with several hosts. A page may cost as much as a thousand documents, so the queue and the batch are
// small: one server process reads the pages one after the other, and excess requests get ErrOverloaded.
const (
	pageQueue = 64
	pageBatch = 4
)

// expire ends lookups whose timeout has passed. It returns once ctx has ended and no lookup is left.
func (s *Store) expire(ctx context.Context, interval time.Duration) {
	for now := range time.Tick(interval) {
		s.queue.expire(now)
		s.pages.expire(now)
		if s.pending() == 0 && ctx.Err() != nil {
			return
		}
	}
}

// pending returns the number of lookups whose callers wait.
func (s *Store) pending() int {
	documents, _ := s.queue.state()
	pages, _ := s.pages.state()
	return documents + pages
}

// Snapshot returns the published versions as last read. It is empty until a published version has been read.
func (s *Store) Snapshot() *Snapshot { return s.follower.snapshot.Load() }

// Hosts returns the state of each host, in the order of the URL.
func (s *Store) Hosts() []Host { return s.follower.hosts() }

// Ready returns nil if lookups can be expected to succeed, and otherwise the reason.
func (s *Store) Ready() error {
	lost, ever := s.queue.disconnected()
	lostPages, everPages := s.pages.disconnected()
	lost, ever = max(lost, lostPages), ever && everPages
	// Without traffic, only the follower, which polls every second, notices.
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

// Get reads a document by id, whose kind is that of the collection. If the etag matches unless, only the index is read.
//
// Get appends the text to dst, which belongs to the store until Get returns. On an error, Body is dst unchanged, or nil if the caller must
// discard dst because the lookup was abandoned and may still be writing to it.
//
// The error is ErrNotFound, which comes with Run and PublishedAt, ErrTimeout, ErrOverloaded, ErrUnavailable, ErrUnreadable or unexpected.
// There is no context: a lookup ends after Options.Timeout, and a fasthttp handler has no context that ends earlier.
//
// If the endpoint's generation has been dropped, the live one is read, and Run is that of the live one.
//
// With a document cache, Get returns the document from there if it is current; see tier.
func (s *Store) Get(endpoint *Endpoint, id sql.ID, unless Match, dst []byte) (Result, error) {
	if s.tier != nil {
		return s.getCached(endpoint, id, unless, dst)
	}
	l := s.lookups.Get().(*lookup)
	l.kind = kindGet
	l.endpoint, l.id, l.text, l.unless = endpoint, id.Int(), id.Text(), unless
	switch {
	case !unless.none():
		l.kind = kindETag
	case l.text != "":
		l.key = lookupKey{endpoint, hashed(id)}
	default:
		l.key = lookupKey{endpoint, l.id}
	}
	return s.lookUp(l, dst)
}

// longestKey is the size of a buffer for keys that does not have to grow.
const longestKey = 160

// getCached is Get with a document cache.
func (s *Store) getCached(endpoint *Endpoint, id sql.ID, unless Match, dst []byte) (Result, error) {
	var buffer [longestKey]byte
	if result, found := s.tier.get(endpoint, id, unless, dst, buffer[:0]); found {
		return result, nil
	}
	l := s.lookups.Get().(*lookup)
	// Also for a conditional request: the version has to be read in any case, and the document fills the cache.
	l.kind = kindVersioned
	l.endpoint, l.id, l.text = endpoint, id.Int(), id.Text()
	l.key = lookupKey{endpoint, hashed(id)}
	result, err := s.lookUp(l, dst)
	if err != nil {
		return result, err
	}
	s.tier.put(&result, id, result.Body[len(dst):], buffer[:0])
	if unless.matches(result.ETag) {
		result.NotModified, result.Body = true, result.Body[:len(dst)]
	}
	return result, nil
}

// MaxPage is the maximum number of documents in one page of a list.
const MaxPage = 1000

// List reads a page of documents in ascending order of id, as one JSON array: at most limit documents after the first skip. Past the end
// it is "[]". limit is at most MaxPage.
//
// Buffers and errors are those of Get. A page has no ETag: Run and PublishedAt identify its content.
func (s *Store) List(endpoint *Endpoint, skip, limit int64, dst []byte) (Result, error) {
	l := s.lookups.Get().(*lookup)
	l.kind = kindList
	l.endpoint, l.limit = endpoint, limit
	l.anchor, l.offset = skip/sql.AnchorEvery, skip%sql.AnchorEvery
	return s.lookUpPage(l, dst)
}

// Changes reads the changes to the collection since a version, in the order of the runs: at most limit changes after a cursor, as a JSON
// object that includes the next cursor.
//
// Buffers and errors are those of Get, and also ErrHistoryTooShort, with Run and PublishedAt, and ErrBadCursor. If since is the served
// version, the result is empty and takes no lookup.
func (s *Store) Changes(collection *Collection, since int64, after Cursor, limit int64, dst []byte) (Result, error) {
	if after != (Cursor{}) && after.Run <= since {
		return Result{Body: dst}, ErrBadCursor
	}
	if since == collection.Run && after == (Cursor{}) {
		return Result{Run: collection.Run, PublishedAt: collection.PublishedAt, Body: appendNoChanges(dst, collection.Version)}, nil
	}
	first := after
	if after == (Cursor{}) && since < math.MaxInt64 {
		first.Run = since + 1 // where the scan of the log begins: an empty name sorts before every endpoint
	}
	l := s.lookups.Get().(*lookup)
	l.kind = kindChanges
	l.endpoint, l.since, l.after, l.limit = collection.log, since, first, limit
	result, err := s.lookUpPage(l, dst)
	if err == nil && after.Run > result.Run { // another instance may already serve that run
		return Result{Body: result.Body[:len(dst)]}, ErrBadCursor
	}
	return result, err
}

// appendNoChanges appends what api/list_changes.sql returns if there are no changes.
func appendNoChanges(dst []byte, version Version) []byte {
	return fmt.Appendf(dst, `{"next": null, "since": %[1]d, "changes": [], "version": %[1]d, "collection": %[2]q}`,
		version.Run, version.Collection)
}

// lookUpPage looks up a page or changes, which come with their version. If it is newer than the served version, lookUpPage waits until it
// is served: for a client, versions never go backwards.
func (s *Store) lookUpPage(l *lookup, dst []byte) (Result, error) {
	endpoint := l.endpoint
	result, err := s.lookUp(l, dst)
	if result.Run > endpoint.Run {
		if s.tier != nil {
			s.tier.observe(endpoint.Collection, result.Run, result.PublishedAt)
		}
		s.follower.awaitRun(endpoint, result.Run)
	}
	return result, err
}

// lookUp queues l and waits for the result, at most for the timeout.
func (s *Store) lookUp(l *lookup, dst []byte) (Result, error) {
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
		// The worker that has l may still write to it and to its buffer.
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
	switch {
	case err == nil:
	case errors.Is(err, ErrNotFound) || errors.Is(err, ErrHistoryTooShort):
		result = Result{Run: result.Run, PublishedAt: result.PublishedAt, Body: dst}
	default:
		result = Result{Body: dst}
	}
	return result, err
}

// recycle returns l to the pool. There must be no other reference to it.
func (s *Store) recycle(l *lookup) {
	l.clear()
	s.lookups.Put(l)
}

// Close waits for the pending lookups and closes the connections. New lookups get ErrUnavailable. If ctx ends first, Close returns its
// error and leaves the connections open.
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

// Describe implements prometheus.Collector.
func (s *Store) Describe(descriptions chan<- *prometheus.Desc) {
	for _, description := range []*prometheus.Desc{
		inFlight, connections, dataVersion, hostVersion, hostUp, hostStandby, hostLag, publishedAt,
	} {
		descriptions <- description
	}
}

// Collect implements prometheus.Collector.
func (s *Store) Collect(metrics chan<- prometheus.Metric) {
	_, alive := s.queue.state()
	metrics <- prometheus.MustNewConstMetric(inFlight, prometheus.GaugeValue, float64(s.pending()))
	metrics <- prometheus.MustNewConstMetric(connections, prometheus.GaugeValue, float64(alive))
	for _, host := range s.Hosts() {
		host.collect(metrics)
	}
	for _, collection := range s.Snapshot().Collections() {
		at := float64(collection.PublishedAt.UnixMicro()) / 1e6
		metrics <- prometheus.MustNewConstMetric(dataVersion, prometheus.GaugeValue, float64(collection.Run), collection.Collection)
		metrics <- prometheus.MustNewConstMetric(publishedAt, prometheus.GaugeValue, at, collection.Collection)
	}
}

// register registers the store's metrics.
func (s *Store) register(registerer prometheus.Registerer) error {
	m := s.metrics
	for _, collector := range []prometheus.Collector{s, m.lookups, m.joined, m.relieved, m.batchSize, m.queueWait, m.connects, m.sent} {
		if err := registerer.Register(collector); err != nil {
			return err
		}
	}
	return nil
}
