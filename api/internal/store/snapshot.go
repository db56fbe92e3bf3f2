package store

import (
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"systemscale/sql"
)

// Version is the version row of one collection.
type Version struct {
	Collection  string
	Generation  int64 // of the document tables
	Run         int64 // the data version
	PublishedAt time.Time
	Endpoints   []sql.Endpoint
}

// IDParts returns the number of parts of the items' ids; see sql.Endpoint.
func (v Version) IDParts() int {
	if len(v.Endpoints) == 0 {
		return 0
	}
	return v.Endpoints[0].IDParts
}

func (v Version) equal(other Version) bool {
	return v.Generation == other.Generation && v.Run == other.Run &&
		v.PublishedAt.Equal(other.PublishedAt) && slices.Equal(v.Endpoints, other.Endpoints)
}

// atLeast reports whether v is the run published at the given time, or a later one. A promoted server may reuse the ids of runs that it
// never received from its primary, so the time counts as well.
func (v Version) atLeast(run int64, at time.Time) bool {
	return v.Run > run || v.Run == run && !v.PublishedAt.Before(at)
}

// Snapshot is the set of versions that are published at one moment. It is immutable.
type Snapshot struct {
	collections map[string]*Collection
}

// Collection is one published collection of a snapshot. It is immutable.
type Collection struct {
	Version
	List *Endpoint // served in pages; nil if the collection has no such endpoint

	log    *Endpoint // the change log, as an endpoint without a name
	byPath map[string]*Endpoint
	byName map[string]*Endpoint
}

// Endpoint is one endpoint in one version: the name and the run of one table. It is immutable, and every snapshot that has it
// shares the same pointer. The rows of the table are not immutable: a later run may change some of them in place, and the
// table then belongs to another Endpoint.
type Endpoint struct {
	Collection string
	Name       string
	Generation int64
	Run        int64

	idParts     int // see sql.Endpoint
	publishedAt time.Time
	table       string
	statements  [len(statements)]atomic.Pointer[statement] // by kind, made on first use
	lineage     atomic.Pointer[lineage]                    // nil until it has been read, and without a document cache
}

// NewSnapshot returns the snapshot of versions. It reuses unchanged collections of previous, which may be nil. If all are unchanged, it
// returns previous.
func NewSnapshot(previous *Snapshot, versions ...Version) *Snapshot {
	s := &Snapshot{collections: make(map[string]*Collection, len(versions))}
	kept := 0
	for _, version := range versions {
		if previous != nil {
			if old := previous.collections[version.Collection]; old != nil && old.equal(version) {
				s.collections[version.Collection] = old
				kept++
				continue
			}
		}
		s.collections[version.Collection] = newCollection(version)
	}
	if previous != nil && kept == len(s.collections) && kept == len(previous.collections) {
		return previous
	}
	return s
}

// endpoint returns an endpoint of this version, without its table.
func (v Version) endpoint(name string) *Endpoint {
	return &Endpoint{
		Collection: v.Collection, Name: name, Generation: v.Generation, Run: v.Run, idParts: v.IDParts(), publishedAt: v.PublishedAt,
	}
}

func newCollection(version Version) *Collection {
	c := &Collection{
		Version: version,
		byPath:  make(map[string]*Endpoint, len(version.Endpoints)),
		byName:  make(map[string]*Endpoint, len(version.Endpoints)+1),
	}
	c.log = version.endpoint("")
	c.byName[""] = c.log
	for _, declared := range version.Endpoints {
		endpoint := version.endpoint(declared.Name)
		endpoint.table = sql.DocumentTable(version.Collection, declared.Name, version.Generation)
		c.byName[declared.Name] = endpoint
		if declared.List {
			c.List = endpoint
		} else {
			c.byPath[declared.Path] = endpoint
		}
	}
	return c
}

// Empty reports whether nothing is published.
func (s *Snapshot) Empty() bool { return s == nil || len(s.collections) == 0 }

// Collection returns the collection with a name, or nil. It does not retain name.
func (s *Snapshot) Collection(name []byte) *Collection {
	if s == nil {
		return nil
	}
	return s.collections[string(name)]
}

// Collections returns the published collections, sorted by name.
func (s *Snapshot) Collections() []*Collection {
	if s == nil {
		return nil
	}
	return slices.SortedFunc(maps.Values(s.collections), func(a, b *Collection) int {
		return strings.Compare(a.Collection, b.Collection)
	})
}

// Path returns the endpoint that is served under /{collection}/{id}/{path}, or under /{collection}/{id}
// for the empty path, or nil. It does not retain path.
func (c *Collection) Path(path []byte) *Endpoint { return c.byPath[string(path)] }

// current returns the endpoint of s with the collection, the name and the kind of ids of e, or nil.
func (s *Snapshot) current(e *Endpoint) *Endpoint {
	if s == nil {
		return nil
	}
	collection := s.collections[e.Collection]
	if collection == nil {
		return nil
	}
	live := collection.byName[e.Name]
	if live != nil && live.idParts != e.idParts {
		return nil
	}
	return live
}

// has reports whether s contains the version of e, or a later one.
func (s *Snapshot) has(e *Endpoint) bool {
	collection := s.collections[e.Collection]
	return collection != nil && collection.atLeast(e.Run, e.publishedAt)
}

// covers reports whether s contains all versions of other, or later ones.
func (s *Snapshot) covers(other *Snapshot) bool {
	if s == other || other == nil {
		return true
	}
	if s == nil {
		return false
	}
	for name, collection := range other.collections {
		if own := s.collections[name]; own == nil || !own.atLeast(collection.Run, collection.PublishedAt) {
			return false
		}
	}
	return true
}

// succeeds reports whether s is to replace old. Of two snapshots of replicas of one primary, one covers the other. Otherwise, as after the
// removal of a collection, the snapshot with the latest publication wins.
func (s *Snapshot) succeeds(old *Snapshot) bool {
	switch {
	case s == old || s == nil:
		return false
	case s.covers(old):
		return !old.covers(s)
	default:
		return !old.covers(s) && s.latest().After(old.latest())
	}
}

// latest returns the time of the latest publication.
func (s *Snapshot) latest() time.Time {
	var latest time.Time
	for _, collection := range s.collections {
		if collection.PublishedAt.After(latest) {
			latest = collection.PublishedAt
		}
	}
	return latest
}
