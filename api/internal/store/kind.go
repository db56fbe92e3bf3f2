package store

import (
	"errors"

	"github.com/jackc/pgx/v5/pgtype"
)

// kind selects the statement of a lookup.
type kind uint8

const (
	kindGet       kind = iota // documents; those of a round trip share a statement
	kindETag                  // etags only; they share a statement, too
	kindList                  // a page
	kindChanges               // a page of the change log
	kindVersioned             // documents with the version that they were read from; they share a statement, too
)

// shared reports whether lookups of this kind and of one endpoint share a statement.
func (k kind) shared() bool { return k == kindGet || k == kindETag || k == kindVersioned }

// declaration is a query with its types. Parameters and results are in binary format. The first column of every row is the statement's
// identity; see statement.
type declaration struct {
	query      string
	parameters []uint32
	results    []uint32
}

// statements holds the query of each kind, for ids that are integers.
var statements = [...]declaration{
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
		query: "api/list_documents",
		parameters: []uint32{
			pgtype.TextOID, pgtype.Int8OID, pgtype.Int8OID, pgtype.Int8OID, pgtype.Int8OID, pgtype.TextOID, pgtype.Int8OID,
		},
		results: []uint32{pgtype.Int8OID, pgtype.Int8OID, pgtype.Int8OID, pgtype.TimestamptzOID, pgtype.Int8OID, pgtype.JSONBArrayOID},
	},
	kindChanges: {
		query: "api/list_changes",
		parameters: []uint32{
			pgtype.TextOID, pgtype.Int8OID, pgtype.Int8OID, pgtype.TextOID, pgtype.Int8OID, pgtype.Int8OID, pgtype.Int8OID,
		},
		results: []uint32{pgtype.Int8OID, pgtype.Int8OID, pgtype.Int8OID, pgtype.TimestamptzOID, pgtype.JSONBOID},
	},
	kindVersioned: {
		query:      "api/get_versioned_documents",
		parameters: []uint32{pgtype.Int8ArrayOID},
		results:    []uint32{pgtype.Int8OID, pgtype.Int8OID, pgtype.Int8OID, pgtype.JSONBOID, pgtype.TimestamptzOID},
	},
}

// textStatements holds the query of each kind, for ids that are texts.
var textStatements = [...]declaration{
	kindGet: {
		query:      "api/get_documents",
		parameters: []uint32{pgtype.TextArrayOID},
		results:    []uint32{pgtype.Int8OID, pgtype.TextOID, pgtype.Int8OID, pgtype.JSONBOID},
	},
	kindETag: {
		query:      "api/get_etags",
		parameters: []uint32{pgtype.TextArrayOID},
		results:    []uint32{pgtype.Int8OID, pgtype.TextOID, pgtype.Int8OID},
	},
	kindList: statements[kindList],
	kindChanges: {
		query: "api/list_changes",
		parameters: []uint32{
			pgtype.TextOID, pgtype.Int8OID, pgtype.Int8OID, pgtype.TextOID, pgtype.TextOID, pgtype.Int8OID, pgtype.Int8OID,
		},
		results: statements[kindChanges].results,
	},
	kindVersioned: {
		query:      "api/get_versioned_documents",
		parameters: []uint32{pgtype.TextArrayOID},
		results:    []uint32{pgtype.Int8OID, pgtype.TextOID, pgtype.Int8OID, pgtype.JSONBOID, pgtype.TimestamptzOID},
	},
}

// statement is the text of one kind of lookup in one endpoint's table. It is immutable.
//
// A pooler may run a statement on a server connection on which other clients have prepared statements. Therefore the name is a hash of the
// complete statement, so that statements with the same name are equal. Every row begins with identity, a constant of the text, which proves
// that the row comes from this statement.
type statement struct {
	kind     kind
	declared *declaration
	identity int64
	name     string // at most 63 bytes: Postgres truncates longer names
	text     string
}

// errMalformed means that a row does not have the declared columns.
var errMalformed = errors.New("malformed row")

// postgresEpoch is the epoch of timestamptz, 2000-01-01, in microseconds of Unix time.
const postgresEpoch = 946_684_800_000_000

// binaryFormat selects the binary format for all parameters or results.
var binaryFormat = []int16{1}
