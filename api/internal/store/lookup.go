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

// kind is the statement that a lookup runs.
type kind uint8

const (
	kindGet     kind = iota // the documents of a round trip in one statement
	kindETag                // the same, but only their etags
	kindList                // a page
	kindChanges             // a page of the change log
)

// shared reports whether lookups of this kind in one document go into one statement.
func (k kind) shared() bool { return k == kindGet || k == kindETag }

// statements holds, by kind, the query and the types that it is declared with. Parameters and results
// travel in binary. The first column of every row is the statement's identity, see statement.
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

// lookup is one read on its way from a caller to a connection and back.
//
// From push until done has a token it belongs to the queue or to one pipeline. If it is abandoned then, it is never used again,
// nor is its buffer, because the pipeline may be writing to it at that very moment.
type lookup struct {
	request

	question int64 // number that the one row of an unshared statement repeats

	base      int  // length of the caller's buffer as handed over
	cuts      int  // times that it was cut off
	retried   bool // sent again because its statement was out of date
	conflicts int  // times that it was cancelled by a replica
	alone     bool // not to share a statement, because one that it shared was refused

	result Result
	err    error

	// The queue's.
	done           chan struct{} // receives one token
	pushed         time.Time
	older, younger *lookup
	joined         []*lookup // that get the same answer
	carrier        *seat     // of the pipeline that fetched it last
	abandoned      bool      // its time was up; result and err are nobody's
	relieved       bool      // abandoned, because another pipeline is likely to answer the same request sooner
	second         bool      // of a request that was relieved before
}

// request is what a caller wants to know.
type request struct {
	kind     kind
	endpoint *Endpoint
	id       int64
	unless   Match
	anchor   int64  // of a page: number of the page anchor to start from
	offset   int64  // of a page: documents to skip after the anchor
	since    int64  // of changes: the version that is known
	after    Cursor // of changes: the last one that is known
	limit    int64
	flight   flight // zero for what cannot be shared
}

func newLookup() *lookup { return &lookup{done: make(chan struct{}, 1)} }

// begin makes l ready to be pushed, with its text to be appended to dst.
func (l *lookup) begin(dst []byte) {
	l.base = len(dst)
	l.result = Result{Body: dst}
}

// clear forgets whatever l points to.
func (l *lookup) clear() {
	joined := l.joined
	clear(joined)
	*l = lookup{done: l.done, joined: joined[:0]}
}

// copy takes over the answer of first.
func (l *lookup) copy(first *lookup) {
	dst := l.result.Body[:l.base]
	l.err = first.err
	l.result = first.result
	l.result.Body = append(dst, first.result.Body[first.base:]...)
}

// bind appends the values of the parameters of a statement that no other lookup shares to a.
func (l *lookup) bind(a *arguments) {
	switch l.kind {
	case kindList:
		a.text(l.endpoint.Collection)
		a.integer(l.endpoint.Generation)
		a.integer(l.anchor)
		a.integer(l.offset)
		a.integer(l.limit)
		a.text(l.endpoint.Name)
		a.integer(l.question)
	case kindChanges:
		a.text(l.endpoint.Collection)
		a.integer(l.since)
		a.integer(l.after.Run)
		a.text(l.after.Document)
		a.integer(l.after.ID)
		a.integer(l.limit)
		a.integer(l.question)
	default:
		panic("BUG: this kind shares its statement")
	}
}

// errMalformed means that a row is not what the statement was declared to return.
var errMalformed = errors.New("malformed row")

// describe begins the answer.
func (l *lookup) describe() {
	l.err = nil
	l.result = Result{Run: l.endpoint.Run, PublishedAt: l.endpoint.publishedAt, Body: l.result.Body[:l.base]}
}

// take takes the answer out of a row of kindGet: identity, id, etag and body.
func (l *lookup) take(values [][]byte) {
	l.describe()
	l.result.ETag = binary.BigEndian.Uint64(values[2])
	l.appendText(values[3])
}

// held takes the answer out of a row of kindETag, identity, id and etag, and reports whether that is all: whether the caller has the document.
func (l *lookup) held(values [][]byte) bool {
	etag := binary.BigEndian.Uint64(values[2])
	if !l.unless.Any && !slices.Contains(l.unless.ETags, etag) {
		return false
	}
	l.describe()
	l.result.ETag, l.result.NotModified = etag, true
	return true
}

// missing is the answer where there is no row.
func (l *lookup) missing() {
	l.describe()
	l.err = ErrNotFound
}

// read takes the one row of a statement that no other lookup shares out of rows, which it closes: identity, question, the version and what
// was asked for. It returns what stopped the row from arriving, and then there is no outcome yet; errForeign if the row answers something
// else.
//
// The version comes from the same moment as the rest: a run may change tables that are live, and the snapshot hears of
// it later. Where the server no longer knows the version of a page, its tables are about to be dropped.
func (l *lookup) read(s *prepared, rows *pgconn.ResultReader) error {
	l.describe()
	l.err = fmt.Errorf("%w: no row where one is expected", errMalformed)
	for rows.NextRow() {
		values := rows.Values()
		if !s.owns(values) || len(values[1]) != 8 || int64(binary.BigEndian.Uint64(values[1])) != l.question {
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

// postgresEpoch is where Postgres counts the microseconds of a timestamptz from, 2000-01-01, in those of Unix.
const postgresEpoch = 946_684_800_000_000

// appendArray appends a jsonb array in binary as a JSON array: dimensions, whether there are nulls, the element type; then, unless
// there are none, length and lower bound of the one dimension, and each element with its size (src/backend/utils/adt/arrayfuncs.c,
// array_send).
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

// appendText appends the JSON text of a jsonb value in binary: a version byte, 1 in every release of
// Postgres so far, and the text (src/backend/utils/adt/jsonb.c, jsonb_send).
func (l *lookup) appendText(value []byte) {
	if len(value) == 0 || value[0] != 1 {
		l.err = fmt.Errorf("%w: jsonb of an unknown version", errMalformed)
		return
	}
	l.result.Body = append(l.result.Body, value[1:]...)
}

// arguments encodes parameters in Postgres's binary format. Values stay valid until reset.
type arguments struct {
	values [][]byte
	buffer []byte
}

func (a *arguments) reset() {
	a.values, a.buffer = a.values[:0], a.buffer[:0]
}

// from adds a value that consists of what was appended to the buffer from start on. Should the buffer have moved
// meanwhile, earlier values keep the old one alive.
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

// ids encodes the ids of members as a bigint array: dimensions, whether there are nulls, the element type, then length and
// lower bound of the one dimension, and each element with its size (src/backend/utils/adt/arrayfuncs.c, array_send).
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
