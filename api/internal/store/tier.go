package store

import (
	"encoding/binary"
	"log/slog"
	"sync"
	"time"

	"systemscale/api/internal/cache"
	"systemscale/sql"
)

// tier answers lookups of documents from a cache, and never with another document than that of the served version.
//
//   - A document enters the cache only if the statement that read it has also read the version row, and that is the endpoint's. The cached
//     document has this version as its stamp.
//   - A cached document is the response only if the lineage of the endpoint has its stamp, and no version since has changed its id. Until the
//     lineage of a new version has been read, the cache is not used.
//   - A run may change rows of a live table before the store has read the new version, so a lookup may return a newer document than that of
//     the served version. From then on the cache is not used until that version is served: for a client, documents never go backwards.
//
// Absent documents are not cached.
type tier struct {
	cache    *cache.Cache
	follower *follower
	logger   *slog.Logger
	changes  int // maximum number of changed documents in the lineages of a collection

	mutex sync.Mutex
	seen  map[string]*seen // by collection

	known map[string]*record // by collection; used by run only
}

func newTier(documents *cache.Cache, follower *follower, logger *slog.Logger) *tier {
	return &tier{
		cache: documents, follower: follower, logger: logger, changes: maxChanged, seen: make(map[string]*seen), known: make(map[string]*record),
	}
}

// of returns the newest version of a collection that a lookup has met.
func (t *tier) of(collection string) *seen {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	known := t.seen[collection]
	if known == nil {
		known = &seen{}
		t.seen[collection] = known
	}
	return known
}

// observe records that a lookup has met a version. It is called before the result of the lookup is returned.
func (t *tier) observe(collection string, run int64, at time.Time) {
	t.of(collection).observe(run, at)
}

// verify reads the first row of kindVersioned, and reports whether the rows after it are of the endpoint's version.
func (t *tier) verify(endpoint *Endpoint, values [][]byte) bool {
	run := int64(binary.BigEndian.Uint64(values[2]))
	at := time.UnixMicro(int64(binary.BigEndian.Uint64(values[4])) + postgresEpoch)
	if run == endpoint.Run && at.Equal(endpoint.publishedAt) {
		return true
	}
	t.observe(endpoint.Collection, run, at)
	return false
}

// get returns the document from the cache, if it is there and current. buffer is for the key.
func (t *tier) get(endpoint *Endpoint, id sql.ID, unless Match, dst, buffer []byte) (Result, bool) {
	known := endpoint.lineage.Load()
	if known == nil || known.seen.passed(endpoint.Run, endpoint.publishedAt) {
		t.cache.Count(cache.Skipped)
		return Result{}, false
	}
	key := known.appendKey(buffer, id)
	entry, found := t.cache.Get(key)
	if !found {
		return Result{}, false
	}
	age, current := known.judge(entry.Stamp, hashed(id))
	if !current {
		t.cache.Count(cache.Stale)
		return Result{}, false
	}
	t.cache.Count(cache.Hit)
	if known.old(age) {
		entry.Stamp = known.steps[0].stamp
		t.cache.Put(key, entry)
	}
	result := Result{Run: endpoint.Run, PublishedAt: endpoint.publishedAt, ETag: entry.ETag, Body: dst}
	if unless.matches(entry.ETag) {
		result.NotModified = true
	} else {
		result.Body = append(dst, entry.Body...)
	}
	return result, true
}

// put puts a document that was read from the database into the cache, if its version was verified.
func (t *tier) put(result *Result, id sql.ID, body, buffer []byte) {
	if result.from == nil {
		return
	}
	if known := result.from.lineage.Load(); known != nil {
		t.cache.Put(known.appendKey(buffer, id), cache.Entry{Stamp: known.steps[0].stamp, ETag: result.ETag, Body: body})
	}
}
