package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
)

// kind selects the statement of a lookup.
type kind uint8

const (
	kindGet     kind = iota // documents; those of a round trip share a statement
	kindETag                // etags only; they share a statement, too
	kindList                // a page
	kindChanges             // a page of the change log
)

// shared reports whether lookups of this kind and of one endpoint share a statement.
func (k kind) shared() bool { return k == kindGet || k == kindETag }

// statements holds the query of each kind with its declared types. Parameters and results are in binary format. The first column of every
// row is the statement's identity; see statement.
var statements = [...]struct {
	query      string
	parameters []uint32
	results    []uint32
}{
	kindGet: {
		query:      "api/get_documents",
		parameters: []uint32{pgtype.Int8ArrayOID},
		results:    []uint32{pgtype.Int8OID, pgtype.Int8OID, pgtype.Int8OID, pgtype.JSONBOID},
	},
	kindETag: {
		query:      "api/get_etags",
		parameters: []uint32{pgtype.Int8ArrayOID},
		results:    []uint32{pgtype.Int8OID, pgtype.Int8OID, pgtype.Int8OID},
	},
	kindList: {
		query:      "api/list_documents",
		parameters: []uint32{pgtype.TextOID, pgtype.Int8OID, pgtype.Int8OID, pgtype.Int8OID, pgtype.Int8OID, pgtype.TextOID, pgtype.Int8OID},
		results:    []uint32{pgtype.Int8OID, pgtype.Int8OID, pgtype.Int8OID, pgtype.TimestamptzOID, pgtype.Int8OID, pgtype.JSONBArrayOID},
	},
	kindChanges: {
		query:      "api/list_changes",
		parameters: []uint32{pgtype.TextOID, pgtype.Int8OID, pgtype.Int8OID, pgtype.TextOID, pgtype.Int8OID, pgtype.Int8OID, pgtype.Int8OID},
		results:    []uint32{pgtype.Int8OID, pgtype.Int8OID, pgtype.Int8OID, pgtype.TimestamptzOID, pgtype.JSONBOID},
	},
}

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
	id       int64
	unless   Match
	anchor   int64  // of a page: number of the page anchor to start from
	offset   int64  // of a page: documents to skip after the anchor
	since    int64  // of changes: the version since which they are listed
	after    Cursor // of changes: the last one that was read
	limit    int64
	key      lookupKey // zero if the result cannot be shared
}

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
		a.integer(l.after.ID)
		a.integer(l.limit)
		a.integer(l.sequence)
	default:
		panic("BUG: this kind shares its statement")
	}
}

// errMalformed means that a row does not have the declared columns.
var errMalformed = errors.New("malformed row")

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
	if !l.unless.Any && !slices.Contains(l.unless.ETags, etag) {
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

// postgresEpoch is the epoch of timestamptz, 2000-01-01, in microseconds of Unix time.
const postgresEpoch = 946_684_800_000_000

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

// ids encodes the ids of members as a bigint array, in the format that appendArray describes.
func (a *arguments) ids(members []member) {
	start := len(a.buffer)
	for _, word := range [...]uint32{1, 0, pgtype.Int8OID, uint32(len(members)), 1} {
		a.buffer = binary.BigEndian.AppendUint32(a.buffer, word)
	}
	for _, member := range members {
		a.buffer = binary.BigEndian.AppendUint32(a.buffer, 8)
		a.buffer = binary.BigEndian.AppendUint64(a.buffer, uint64(member.id))
	}
	a.from(start)
}
