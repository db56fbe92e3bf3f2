// Package cache keeps documents in Redis or in the memory of the process, in front of the database. It is optional.
//
// A cached document is a statement about the past: in this version, the document with this key had this etag and this text. Such a statement
// never becomes false, so nothing is invalidated. Whether the document is still the same in the version that is served is for the caller
// to decide: see Stamp.
//
// The cache makes nothing fail and nothing wait for long. A read ends within a few milliseconds, documents are stored in the background, and
// a cache that does not respond is left out until it does. What it returns is verified: a value that another program or another build has
// written, or that is damaged, counts as absent.
package cache

import (
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Options configure a cache. A zero field selects the default in its comment.
type Options struct {
	URL     string        // see Open
	Timeout time.Duration // of a read, 5 ms
	TTL     time.Duration // after which a document is removed although there is room for it; 0: never
	Logger  *slog.Logger  // slog.Default()

	Registerer prometheus.Registerer // for the cache's metrics; a private one
}

func (o Options) withDefaults() Options {
	if o.Timeout <= 0 {
		o.Timeout = 5 * time.Millisecond
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Registerer == nil {
		o.Registerer = prometheus.NewRegistry()
	}
	return o
}

// Cache is a cache of documents. All methods are safe for concurrent use.
type Cache struct {
	backend backend
	kind    string
	address string
	metrics *metrics

	fills   chan fill
	waiting atomic.Int64 // bytes in fills
	stop    chan struct{}
	running sync.WaitGroup
}

const (
	// maxWaiting bounds the documents that wait to be stored, in bytes; further ones are not stored.
	maxWaiting = 8 << 20
	// fillQueue bounds their number, and fillBatch the number of those stored in one round trip.
	fillQueue, fillBatch = 1024, 64
)

// Open starts a cache. Its URL is one of
//
//	redis://[user:password@]host[:port][/database]    Redis or Valkey
//	rediss://[user:password@]host[:port][/database]   with TLS; ?ca=FILE names the certificates to trust, in PEM
//	unix:///path[?db=database]                        through a unix socket
//	memory://256MiB                                   in this process, at most this size
//
// Open fails only if the options are invalid: it connects in the background. Its errors do not contain the URL, which may have a password.
func Open(options Options) (*Cache, error) {
	options = options.withDefaults()
	where, err := parse(options.URL)
	if err != nil {
		return nil, err
	}
	c := &Cache{
		kind: where.kind, address: where.address, metrics: newMetrics(),
		fills: make(chan fill, fillQueue), stop: make(chan struct{}),
	}
	if where.kind == "memory" {
		c.backend, err = newMemory(where.size, options.TTL)
	} else {
		c.backend, err = newRedis(where, options.Timeout, options.TTL, options.Logger)
	}
	if err != nil {
		return nil, err
	}
	if err := c.register(options.Registerer); err != nil {
		c.backend.close()
		return nil, err
	}
	c.running.Go(c.store)
	return c, nil
}

// Get returns the document with a key. Its Body must not be changed. The caller counts what it does with it: see Count.
func (c *Cache) Get(key []byte) (Entry, bool) {
	if !c.backend.up() {
		c.Count(Down)
		return Entry{}, false
	}
	began := time.Now()
	value, err := c.backend.get(key)
	c.metrics.seconds.Observe(time.Since(began).Seconds())
	switch {
	case err == nil:
		entry, ok := decode(key, value)
		if !ok {
			c.Count(corrupt)
		}
		return entry, ok
	case errors.Is(err, errAbsent):
		c.Count(miss)
	case isTimeout(err):
		c.Count(timeout)
	case errors.Is(err, errForeign):
		c.Count(corrupt)
	default:
		c.Count(failed)
	}
	return Entry{}, false
}

// Put stores a document soon, or not at all if too many wait to be stored. It retains neither key nor Body.
func (c *Cache) Put(key []byte, entry Entry) {
	switch {
	case !c.backend.up():
		return
	case len(entry.Body) > maxValue:
		c.metrics.fill(tooLarge, 1)
		return
	case c.waiting.Load() > maxWaiting || len(c.fills) == cap(c.fills):
		c.metrics.fill(dropped, 1)
		return
	}
	both := make([]byte, 0, len(key)+headerSize+len(entry.Body))
	both = append(both, key...)
	next := fill{key: both[:len(key):len(key)], value: encode(both[len(key):], key, entry)}
	c.waiting.Add(next.size())
	select {
	case c.fills <- next:
	default:
		c.waiting.Add(-next.size())
		c.metrics.fill(dropped, 1)
	}
}

// store stores the waiting documents until the cache is closed.
func (c *Cache) store() {
	batch := make([]fill, 0, fillBatch)
	for {
		select {
		case <-c.stop:
			return
		case next := <-c.fills:
			batch = append(batch[:0], next)
		}
	more:
		for len(batch) < fillBatch {
			select {
			case next := <-c.fills:
				batch = append(batch, next)
			default:
				break more
			}
		}
		stored, err := c.backend.put(batch)
		c.metrics.fill(done, stored)
		if err != nil {
			c.metrics.fill(refused, len(batch)-stored)
		}
		for _, f := range batch {
			c.waiting.Add(-f.size())
		}
		clear(batch)
	}
}

// Status describes a cache, without passwords.
type Status struct {
	Kind    string `json:"kind"` // redis or memory
	Address string `json:"address"`
	Up      bool   `json:"up"` // false if it is left out because it does not respond
}

// Status returns the status of c, or nil if c is nil.
func (c *Cache) Status() *Status {
	if c == nil {
		return nil
	}
	return &Status{Kind: c.kind, Address: c.address, Up: c.backend.up()}
}

// Close closes the connections. Documents that wait are not stored. Get and Put must not be called any more.
func (c *Cache) Close() {
	close(c.stop)
	c.backend.close()
	c.running.Wait()
}

// Count counts a read.
func (c *Cache) Count(outcome Outcome) { c.metrics.outcomes[outcome].Inc() }

// register registers the cache's metrics.
func (c *Cache) register(registerer prometheus.Registerer) error {
	up := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "systemscale_document_cache_up", Help: "1 if the document cache is used, 0 if it is left out because it does not respond.",
	}, func() float64 {
		if c.backend.up() {
			return 1
		}
		return 0
	})
	collectors := []prometheus.Collector{c.metrics.reads, c.metrics.fills, c.metrics.seconds, up}
	if c.backend.bytes() >= 0 {
		collectors = append(collectors, prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "systemscale_document_cache_bytes", Help: "Memory of this process that the document cache takes, in bytes.",
		}, func() float64 { return float64(c.backend.bytes()) }))
	}
	for _, collector := range collectors {
		if err := registerer.Register(collector); err != nil {
			return err
		}
	}
	return nil
}
