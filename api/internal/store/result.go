package store

import (
	"slices"
	"time"

	"systemscale/sql"
)

// Match is the condition of a lookup: the etags of the client's copies. With the zero value, the body is always read.
type Match struct {
	Any   bool     // matches every etag
	ETags []uint64 // must not change until the lookup has returned
}

func (m Match) none() bool { return !m.Any && len(m.ETags) == 0 }

// matches reports whether the client has the document with an etag.
func (m Match) matches(etag uint64) bool { return m.Any || slices.Contains(m.ETags, etag) }

// Result is the result of a lookup.
type Result struct {
	Run         int64     // the data version: of a page or of changes, the one they were read from; of a document, the one that is served
	PublishedAt time.Time // when that version went live
	ETag        uint64    // of the document; 0 for anything else
	NotModified bool      // the etag matches, and Body was not read
	Total       int64     // of a page: number of documents in the list; -1 if the run did not record it
	Body        []byte    // dst with the JSON text appended

	from *Endpoint // whose version the document was read from, if that was verified; otherwise nil
}

// Cursor is a position in the change log: the last change that was read. The zero Cursor is before the first change.
type Cursor struct {
	Run      int64
	Document string
	ID       sql.ID
}
