package store

import (
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// lookup is one read, from the caller to a connection and back. Its states:
//
//	        ErrUnavailable, ErrOverloaded
//	caller <------------------------------ push
//	                                        |
//	                   another lookup for   |   none
//	                   the key is pending   v
//	            joined <------------------- + ------> waiting <-------------+
//	              |                                      | fetch            |
//	              |                                      v                  | requeue: the connection broke,
//	              |                                   fetched --------------+ or its server is behind
//	              |                                      | the server answers, or the lookup fails
//	              |        the same result               v
//	              +----------------------------------> settled ---> finished: done has a token
//
// A fetched lookup is sent again, without leaving its worker, if its statement was out of date (retried, once), if a replica canceled
// it (conflicts), if its connection broke (cuts), if the etag did not match (kind becomes kindGet), or if a shared statement failed
// (alone). A joined, waiting or fetched lookup becomes abandoned when its timeout has passed, or relieved if its worker has stalled and
// the caller is to repeat the request with a new lookup (second).
//
// From push until done has a token, a lookup belongs to the queue or to one worker. An abandoned lookup and its buffer are never used
// again, because the worker may still be writing to them.
type lookup struct {
	request

	sequence int64 // number that the only row of an unshared statement repeats

	base      int  // length of the caller's buffer
	cuts      int  // number of connections that broke under it
	retried   bool // the statement was out of date, and was prepared again
	conflicts int  // number of cancellations by a replica
	alone     bool // must not share a statement: a shared one failed

	result Result
	err    error

	// The queue's.
	done           chan struct{} // receives one token
	pushed         time.Time
	older, younger *lookup
	joined         []*lookup // lookups that get the same result
	carrier        *slot     // of the worker that fetched it last
	abandoned      bool      // the timeout has passed; result and err are invalid
	relieved       bool      // abandoned because its worker has stalled; the caller repeats the request
	second         bool      // the request was relieved before
}

// request is the input of a lookup.
type request struct {
	kind     kind
	endpoint *Endpoint
	id       int64  // 0 if the id is a text
	text     string // empty if the id is an integer
	unless   Match
	anchor   int64  // of a page: number of the page anchor to start from
	offset   int64  // of a page: documents to skip after the anchor
	since    int64  // of changes: the version since which they are listed
	after    Cursor // of changes: the last one that was read
	limit    int64
	key      lookupKey // zero if the result cannot be shared
}

// lookupKey identifies lookups that can share a result. An endpoint belongs to one version, so no caller gets a result that is older than
// the version of its request. Texts with the same hash do not share a result.
type lookupKey struct {
	endpoint *Endpoint
	id       int64 // of a text, a hash
}

// slot is the queue's state of a worker. The queue's mutex guards it.
type slot struct {
	behind   bool      // the worker is suspended: its server lacks the served version
	notified bool      // fetch must return without lookups
	host     string    // of the connection
	fetched  time.Time // when it fetched its current lookups, or zero
	stalled  bool      // it exceeded stallTimeout: others must fetch
}

// available reports whether the worker fetches lookups, now or after its round trip.
func (s *slot) available() bool { return !s.behind && !s.stalled }

func newLookup() *lookup { return &lookup{done: make(chan struct{}, 1)} }

// begin prepares l for push. Its text will be appended to dst.
func (l *lookup) begin(dst []byte) {
	l.base = len(dst)
	l.result = Result{Body: dst}
}

// clear resets l and keeps its channel and buffers.
func (l *lookup) clear() {
	joined := l.joined
	clear(joined)
	*l = lookup{done: l.done, joined: joined[:0]}
}

// copy copies the result of first.
func (l *lookup) copy(first *lookup) {
	dst := l.result.Body[:l.base]
	l.err = first.err
	l.result = first.result
	l.result.from = nil // the document is put into the cache once
	l.result.Body = append(dst, first.result.Body[first.base:]...)
}

// bind appends the parameters of an unshared statement to a.
func (l *lookup) bind(a *arguments) {
	switch l.kind {
	case kindList:
		a.text(l.endpoint.Collection)
		a.integer(l.endpoint.Generation)
		a.integer(l.anchor)
		a.integer(l.offset)
		a.integer(l.limit)
		a.text(l.endpoint.Name)
		a.integer(l.sequence)
	case kindChanges:
		a.text(l.endpoint.Collection)
		a.integer(l.since)
		a.integer(l.after.Run)
		a.text(l.after.Document)
		if l.endpoint.idParts > 0 {
			a.text(l.after.ID.Text())
		} else {
			a.integer(l.after.ID.Int())
		}
		a.integer(l.limit)
		a.integer(l.sequence)
	default:
		panic("BUG: this kind shares its statement")
	}
}

// describe starts the result.
func (l *lookup) describe() {
	l.err = nil
	l.result = Result{Run: l.endpoint.Run, PublishedAt: l.endpoint.publishedAt, Body: l.result.Body[:l.base]}
}

// take reads a row of kindGet: identity, id, etag and body.
func (l *lookup) take(values [][]byte) {
	l.describe()
	l.result.ETag = binary.BigEndian.Uint64(values[2])
	l.appendText(values[3])
}

// held reads a row of kindETag, identity, id and etag, and reports whether the caller has the document.
func (l *lookup) held(values [][]byte) bool {
	etag := binary.BigEndian.Uint64(values[2])
	if !l.unless.matches(etag) {
		return false
	}
	l.describe()
	l.result.ETag, l.result.NotModified = etag, true
	return true
}

// missing is the result if there is no row.
func (l *lookup) missing() {
	l.describe()
	l.err = ErrNotFound
}

// read reads the only row of an unshared statement and closes rows: identity, sequence number, version and content. An error means that
// the row did not arrive, and the lookup has no result yet; it is errForeign if the row belongs to another statement.
//
// The version and the content are read together: a run may change live tables before the snapshot has its version. If the server has no
// version for a page, the page's tables are about to be dropped.
func (l *lookup) read(s *prepared, rows *pgconn.ResultReader) error {
	l.describe()
	l.err = fmt.Errorf("%w: no row where one is expected", errMalformed)
	for rows.NextRow() {
		values := rows.Values()
		if !s.owns(values) || len(values[1]) != 8 || int64(binary.BigEndian.Uint64(values[1])) != l.sequence {
			return errForeign
		}
		l.err = nil
		if run, at := values[2], values[3]; len(run) == 8 && len(at) == 8 {
			l.result.Run = int64(binary.BigEndian.Uint64(run))
			l.result.PublishedAt = time.UnixMicro(int64(binary.BigEndian.Uint64(at)) + postgresEpoch)
		}
		switch {
		case l.kind == kindList:
			l.result.Total = -1
			if total := values[4]; len(total) == 8 {
				l.result.Total = int64(binary.BigEndian.Uint64(total))
			}
			l.appendArray(values[5])
		case values[4] == nil:
			l.err = ErrHistoryTooShort
		default:
			l.appendText(values[4])
		}
	}
	_, err := rows.Close()
	return err
}

// appendArray appends a jsonb array in binary format as a JSON array. The format is: number of dimensions, null flag, element type; then,
// unless the array is empty, length and lower bound of the only dimension, and each element with its size (array_send in
// src/backend/utils/adt/arrayfuncs.c).
func (l *lookup) appendArray(array []byte) {
	const empty, head = 12, 20
	l.result.Body = append(l.result.Body, '[')
	if len(array) != empty && len(array) < head {
		l.err = errMalformed
		return
	}
	elements := array[min(head, len(array)):]
	for first := true; len(elements) > 0; first = false {
		if len(elements) < 4 {
			l.err = errMalformed
			return
		}
		size := int(int32(binary.BigEndian.Uint32(elements)))
		elements = elements[4:]
		if size < 0 || size > len(elements) {
			l.err = errMalformed
			return
		}
		if !first {
			l.result.Body = append(l.result.Body, ',')
		}
		l.appendText(elements[:size])
		elements = elements[size:]
	}
	l.result.Body = append(l.result.Body, ']')
}

// appendText appends the JSON text of a jsonb value in binary format: a version byte, 1 in every release of Postgres so far, and the text
// (jsonb_send in src/backend/utils/adt/jsonb.c).
func (l *lookup) appendText(value []byte) {
	if len(value) == 0 || value[0] != 1 {
		l.err = fmt.Errorf("%w: jsonb of an unknown version", errMalformed)
		return
	}
	l.result.Body = append(l.result.Body, value[1:]...)
}

// arguments encodes parameters in binary format. Values are valid until reset.
type arguments struct {
	values [][]byte
	buffer []byte
}

func (a *arguments) reset() {
	a.values, a.buffer = a.values[:0], a.buffer[:0]
}

// from adds the bytes of the buffer from start on as a value. If the buffer has been reallocated, earlier values keep the old one alive.
func (a *arguments) from(start int) { a.values = append(a.values, slices.Clip(a.buffer[start:])) }

func (a *arguments) integer(value int64) {
	start := len(a.buffer)
	a.buffer = binary.BigEndian.AppendUint64(a.buffer, uint64(value))
	a.from(start)
}

func (a *arguments) text(value string) {
	start := len(a.buffer)
	a.buffer = append(a.buffer, value...)
	a.from(start)
}
