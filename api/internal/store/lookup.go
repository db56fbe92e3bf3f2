package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
)

// kind is the statement that a lookup runs.
type kind uint8

const (
	kindGet kind = iota
	kindGetUnlessMatch
	kindList
)

// statements holds, by kind, the query and the types that it is declared with. Parameters and results
// travel in binary.
var statements = [...]struct {
	query      string
	parameters []uint32
	results    []uint32
}{
	kindGet: {
		query:      "api_get_document",
		parameters: []uint32{pgtype.Int8OID},
		results:    []uint32{pgtype.Int8OID, pgtype.JSONBOID},
	},
	kindGetUnlessMatch: {
		query:      "api_get_document_unless_match",
		parameters: []uint32{pgtype.Int8OID, pgtype.Int8ArrayOID},
		results:    []uint32{pgtype.Int8OID, pgtype.JSONBOID},
	},
	kindList: {
		query:      "api_list_documents",
		parameters: []uint32{pgtype.TextOID, pgtype.Int8OID, pgtype.Int8OID, pgtype.Int8OID, pgtype.Int8OID},
		results:    []uint32{pgtype.Int8OID, pgtype.TimestamptzOID, pgtype.JSONBArrayOID},
	},
}

// States of a lookup. It leaves pending once, and whoever makes it do so owns what follows.
const (
	pending   = iota
	completed // by a pipeline: the answer is the caller's, and so is the lookup
	abandoned // by the caller: lookup and buffer are left to the pipeline and the garbage collector
)

// lookup is one read on its way from a caller to a connection and back.
//
// From push to completion it belongs to the queue or to one pipeline; the caller may only try to abandon
// it. A lookup that was abandoned is never used again, nor is its buffer, because the pipeline may
// be writing to it at that very moment.
type lookup struct {
	kind     kind
	document *Document
	id       int64
	unless   Match
	anchor   int64 // number of the page anchor to start from
	offset   int64 // documents to skip after the anchor
	limit    int64

	base    int  // length of the caller's buffer as handed over
	retried bool // cut off once already

	result Result
	err    error

	state    atomic.Int32
	done     chan struct{} // receives one token on completion
	deadline *time.Timer   // the caller's
}

func newLookup() *lookup {
	l := &lookup{done: make(chan struct{}, 1), deadline: time.NewTimer(time.Hour)}
	l.deadline.Stop()
	return l
}

// begin makes l pending, with its text to be appended to dst.
func (l *lookup) begin(dst []byte) {
	l.base = len(dst)
	l.result = Result{Body: dst}
	l.state.Store(pending)
}

// clear forgets whatever l points to.
func (l *lookup) clear() {
	*l = lookup{done: l.done, deadline: l.deadline}
}

// complete hands the answer to the caller, unless the caller has gone. l must not be touched afterwards.
func (l *lookup) complete(err error) {
	l.err = err
	if l.state.CompareAndSwap(pending, completed) {
		l.done <- struct{}{}
	}
}

// abandon gives l up. It reports false if l has been completed in the same moment.
func (l *lookup) abandon() bool { return l.state.CompareAndSwap(pending, abandoned) }

func (l *lookup) abandoned() bool { return l.state.Load() == abandoned }

// bind appends the values of the statement's parameters to a.
func (l *lookup) bind(a *arguments) {
	switch l.kind {
	case kindGet:
		a.integer(l.id)
	case kindGetUnlessMatch:
		a.integer(l.id)
		if l.unless.Any {
			// "<> all (null)" is never true, so the statement leaves every body unread.
			a.null()
		} else {
			a.integers(l.unless.ETags)
		}
	case kindList:
		a.text(l.document.Collection)
		a.integer(l.document.Generation)
		a.integer(l.anchor)
		a.integer(l.offset)
		a.integer(l.limit)
	}
}

// errMalformed means that a row is not what the statement was declared to return.
var errMalformed = errors.New("malformed row")

// read takes the answer out of rows, which it closes. Afterwards the outcome is in result and err. It returns
// what stopped the rows from arriving, and then there is no outcome yet.
func (l *lookup) read(rows *pgconn.ResultReader) error {
	l.err = nil
	l.result = Result{Run: l.document.Run, PublishedAt: l.document.publishedAt, Body: l.result.Body[:l.base]}
	if l.kind == kindList {
		l.readPage(rows)
	} else {
		l.readDocument(rows)
	}
	_, err := rows.Close()
	return err
}

func (l *lookup) readDocument(rows *pgconn.ResultReader) {
	if !rows.NextRow() {
		l.err = ErrNotFound
		return
	}
	values := rows.Values()
	if len(values) != 2 || len(values[0]) != 8 {
		l.err = errMalformed
		return
	}
	l.result.ETag = binary.BigEndian.Uint64(values[0])
	if values[1] == nil {
		l.result.NotModified = true
		return
	}
	l.appendText(values[1])
}

// postgresEpoch is where Postgres counts the microseconds of a timestamptz from, 2000-01-01, in those of Unix.
const postgresEpoch = 946_684_800_000_000

// readPage reads the version and the bodies. The version comes from the same moment as they do: a run may change tables that are
// live, and the snapshot hears of it later. Where the server no longer knows the version, the tables are about to be dropped.
func (l *lookup) readPage(rows *pgconn.ResultReader) {
	if !rows.NextRow() {
		l.err = fmt.Errorf("%w: no row where a page has one", errMalformed)
		return
	}
	values := rows.Values()
	if len(values) != 3 {
		l.err = errMalformed
		return
	}
	if run, at := values[0], values[1]; len(run) == 8 && len(at) == 8 {
		l.result.Run = int64(binary.BigEndian.Uint64(run))
		l.result.PublishedAt = time.UnixMicro(int64(binary.BigEndian.Uint64(at)) + postgresEpoch)
	}
	l.appendArray(values[2])
}

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

// since adds a value that consists of what was appended to the buffer from start on. Should the buffer have moved
// meanwhile, earlier values keep the old one alive.
func (a *arguments) since(start int) { a.values = append(a.values, slices.Clip(a.buffer[start:])) }

func (a *arguments) null() { a.values = append(a.values, nil) }

func (a *arguments) integer(value int64) {
	start := len(a.buffer)
	a.buffer = binary.BigEndian.AppendUint64(a.buffer, uint64(value))
	a.since(start)
}

func (a *arguments) text(value string) {
	start := len(a.buffer)
	a.buffer = append(a.buffer, value...)
	a.since(start)
}

// integers encodes a bigint array: dimensions, whether there are nulls, the element type, then length and
// lower bound of the one dimension, and each element with its size (src/backend/utils/adt/arrayfuncs.c, array_send).
func (a *arguments) integers(values []uint64) {
	start := len(a.buffer)
	for _, word := range [...]uint32{1, 0, pgtype.Int8OID, uint32(len(values)), 1} {
		a.buffer = binary.BigEndian.AppendUint32(a.buffer, word)
	}
	for _, value := range values {
		a.buffer = binary.BigEndian.AppendUint32(a.buffer, 8)
		a.buffer = binary.BigEndian.AppendUint64(a.buffer, value)
	}
	a.since(start)
}
