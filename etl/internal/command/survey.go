package command

import (
	"math/bits"

	"systemscale/etl/internal/publish"
	"systemscale/etl/internal/shape"
	"systemscale/sql"
)

// survey takes what a pass renders, and finds out all that is to be known before something is written.
type survey struct {
	spec       *shape.Shape
	comparison *publish.Comparison
	spool      *publish.Spool // nil when nothing is to be kept
	samples    int            // how many changed documents of each name are kept, and how many addresses

	found   []found // by document
	sums    []checksum
	tables  []publish.Table
	biggest largest
}

// found is what differs among the documents of one name.
type found struct {
	ids     []int64  // the first that differ
	samples []sample // the first that changed

	// of the document that is served in pages
	pages    int64   // whole pages up to the first shift that hold a changed document
	first    []int64 // the first pages that differ, from 1
	last     int64   // page that was counted last
	shifted  bool    // a document was added or removed, so every page from there on differs
	boundary int64   // page of the first shift
}

// sample is a changed document as it was rendered.
type sample struct {
	id   int64
	body []byte
}

func newSurvey(spec *shape.Shape, samples int) *survey {
	s := &survey{spec: spec, samples: samples}
	s.clear()
	return s
}

func (s *survey) clear() {
	n := len(s.spec.Endpoints)
	s.found, s.sums, s.tables = make([]found, n), make([]checksum, n), make([]publish.Table, n)
	for i, d := range s.spec.Endpoints {
		s.tables[i].Name = d.Name
		s.found[i].last = -1
	}
	s.biggest = largest{}
}

// reset forgets what it was given, because the pass begins anew.
func (s *survey) reset() error {
	s.clear()
	if s.spool != nil {
		if err := s.spool.Reset(); err != nil {
			return err
		}
	}
	return s.comparison.Reset()
}

// take is the pass's emit.
func (s *survey) take(document int, id int64, etag uint64, body []byte) error {
	kind, err := s.comparison.Compare(document, id, etag)
	if err != nil {
		return ofDatabase(err)
	}
	s.sums[document].add(id, etag)
	table := &s.tables[document]
	if kind != publish.Unchanged {
		if err := s.differs(kind, document, id, etag, body); err != nil {
			return err
		}
	}
	table.Rows++
	table.Bytes += int64(len(body))
	if int64(len(body)) > s.biggest.bytes {
		s.biggest = largest{bytes: int64(len(body)), document: s.spec.Endpoints[document].Name, id: id}
	}
	return nil
}

// differs takes a document that was added or changed. Its row is not counted yet.
func (s *survey) differs(kind publish.Kind, document int, id int64, etag uint64, body []byte) error {
	s.note(kind, document, id)
	f := &s.found[document]
	if kind == publish.Changed && len(f.samples) < s.samples {
		f.samples = append(f.samples, sample{id: id, body: append([]byte(nil), body...)})
	}
	if s.spool == nil {
		return nil
	}
	return s.spool.Put(document, id, etag, body)
}

// removed takes a document that is published and was not rendered.
func (s *survey) removed(document int, id int64) error {
	s.note(publish.Removed, document, id)
	if s.spool == nil {
		return nil
	}
	return s.spool.Remove(document, id)
}

// note keeps the first addresses that differ, and counts the pages.
func (s *survey) note(kind publish.Kind, document int, id int64) {
	f := &s.found[document]
	if len(f.ids) < s.samples {
		f.ids = append(f.ids, id)
	}
	if !s.spec.Endpoints[document].List || f.shifted {
		return
	}
	page := s.tables[document].Rows / sql.AnchorEvery
	if kind != publish.Changed {
		f.shifted, f.boundary = true, page
		if page == f.last { // counted already
			f.boundary++
		}
		return
	}
	if page != f.last {
		f.last = page
		f.pages++
		if len(f.first) < s.samples {
			f.first = append(f.first, page+1)
		}
	}
}

// finish is called behind the pass.
func (s *survey) finish() error {
	return ofDatabase(s.comparison.Finish())
}

// differingPages returns how many pages of 100 of the document differ, and the first of them, from 1.
func (s *survey) differingPages(document int, counts publish.Counts) (pages int64, first []int64) {
	f := &s.found[document]
	pages, first = f.pages, f.first
	if !f.shifted {
		return pages, first
	}
	before := counts.Changed + counts.Removed + counts.Unchanged
	all := (max(before, s.tables[document].Rows) + sql.AnchorEvery - 1) / sql.AnchorEvery
	for page := f.boundary; page < all && len(first) < s.samples; page++ {
		first = append(first, page+1)
	}
	return pages + max(all-f.boundary, 0), first
}

// checksum depends on every id and etag of a document and on their order.
type checksum struct {
	rows int64
	sum  uint64
}

func (c *checksum) add(id int64, etag uint64) {
	// Two odd constants of splitmix64: each step is a bijection of the sum so far.
	c.sum = bits.RotateLeft64(c.sum^uint64(id), 23) * 0xbf58476d1ce4e5b9
	c.sum = bits.RotateLeft64(c.sum^etag, 31) * 0x94d049bb133111eb
	c.rows++
}
