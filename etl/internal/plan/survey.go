package plan

import (
	"bytes"
	"math/bits"

	"github.com/zeebo/xxh3"

	"systemscale/etl/internal/publish"
	"systemscale/etl/internal/shape"
	"systemscale/sql"
)

// Survey compares the documents of a pass with the published version. It must be used by one goroutine.
type Survey struct {
	spec       *shape.Shape
	comparison *publish.Comparison
	spool      *publish.Spool // nil if the differing documents are not written
	samples    int            // largest number of changed documents and addresses that are kept of each endpoint

	found   []found // by endpoint
	sums    []Checksum
	tables  []publish.Table
	largest Largest
}

// found lists differing documents of an endpoint.
type found struct {
	ids     []sql.ID // the first that differ
	samples []sample // the first that changed
	pages   pageCounter
}

// sample is a changed document as it was rendered.
type sample struct {
	id   sql.ID
	body []byte
}

// NewSurvey returns a Survey of the documents of one pass. It borrows the comparison and the spool. The differing documents are added to
// the spool, which may be nil. samples is the number of changed documents and addresses of each endpoint that are kept for a Plan.
func NewSurvey(spec *shape.Shape, comparison *publish.Comparison, spool *publish.Spool, samples int) *Survey {
	n := len(spec.Endpoints)
	s := &Survey{
		spec: spec, comparison: comparison, spool: spool, samples: samples,
		found: make([]found, n), sums: make([]Checksum, n), tables: make([]publish.Table, n),
	}
	for i, d := range spec.Endpoints {
		s.tables[i].Name = d.Name
		s.found[i].pages = newPageCounter(samples)
	}
	return s
}

// Take compares the next document of the pass. body is copied if it is kept.
func (s *Survey) Take(endpoint int, id sql.ID, etag uint64, body []byte) error {
	if err := s.removed(endpoint, func() (sql.ID, bool, error) { return s.comparison.NextRemoved(endpoint, id) }); err != nil {
		return err
	}
	if kind := s.comparison.Compare(endpoint, id, etag); kind != publish.Unchanged {
		if err := s.differs(kind, endpoint, id, etag, body); err != nil {
			return err
		}
	}
	size := int64(len(body))
	s.sums[endpoint].Add(id, etag)
	s.tables[endpoint].Rows++
	s.tables[endpoint].Bytes += size
	if size > s.largest.Bytes {
		s.largest = Largest{Bytes: size, Document: s.spec.Endpoints[endpoint].Name, ID: id}
	}
	return nil
}

// Finish must be called after the last document. The remaining published documents are removed.
func (s *Survey) Finish() error {
	for endpoint := range s.spec.Endpoints {
		if err := s.removed(endpoint, func() (sql.ID, bool, error) { return s.comparison.NextRemaining(endpoint) }); err != nil {
			return err
		}
	}
	return s.comparison.Finish()
}

// Tables returns the number and size of the documents of each endpoint.
func (s *Survey) Tables() []publish.Table { return s.tables }

// Checksums returns the checksum of the documents of each endpoint.
func (s *Survey) Checksums() []Checksum { return s.sums }

// Largest returns the largest document.
func (s *Survey) Largest() Largest { return s.largest }

// removed spools the removed documents that next returns.
func (s *Survey) removed(endpoint int, next func() (id sql.ID, found bool, err error)) error {
	for {
		id, found, err := next()
		if err != nil || !found {
			return err
		}
		s.note(publish.Removed, endpoint, id)
		if s.spool == nil {
			continue
		}
		if err := s.spool.Remove(endpoint, id); err != nil {
			return err
		}
	}
}

// differs spools a document that was added or changed. Its row is not counted yet.
func (s *Survey) differs(kind publish.Kind, endpoint int, id sql.ID, etag uint64, body []byte) error {
	s.note(kind, endpoint, id)
	f := &s.found[endpoint]
	if kind == publish.Changed && len(f.samples) < s.samples {
		f.samples = append(f.samples, sample{id: id, body: bytes.Clone(body)})
	}
	if s.spool == nil {
		return nil
	}
	return s.spool.Put(endpoint, id, etag, body)
}

// note keeps the first ids that differ, and counts the pages.
func (s *Survey) note(kind publish.Kind, endpoint int, id sql.ID) {
	f := &s.found[endpoint]
	if len(f.ids) < s.samples {
		f.ids = append(f.ids, id)
	}
	if s.spec.Endpoints[endpoint].List {
		f.pages.note(s.tables[endpoint].Rows, kind != publish.Changed)
	}
}

// Checksum depends on every id and etag of the documents of an endpoint and on their order. The zero value is the checksum of no documents.
type Checksum struct {
	Rows int64
	sum  uint64
}

// Add adds the next document to the checksum.
func (c *Checksum) Add(id sql.ID, etag uint64) {
	number := uint64(id.Int())
	if id.IsText() {
		number = xxh3.HashString(id.Text())
	}
	// Two odd constants of splitmix64: each step is a bijection of the sum so far.
	c.sum = bits.RotateLeft64(c.sum^number, 23) * 0xbf58476d1ce4e5b9
	c.sum = bits.RotateLeft64(c.sum^etag, 31) * 0x94d049bb133111eb
	c.Rows++
}
