package store

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"

	"github.com/jackc/pgx/v5/pgconn"

	"systemscale/sql"
)

// statement returns the statement for a kind of lookup in the endpoint's table.
func (e *Endpoint) statement(kind kind) *statement {
	made := e.statements[kind].Load()
	if made == nil {
		made = newStatement(e, kind)
		e.statements[kind].Store(made)
	}
	return made
}

// newStatement returns the statement for a kind of lookup in endpoint.
func newStatement(endpoint *Endpoint, kind kind) *statement {
	declared := &statements[kind]
	if endpoint.idParts > 0 {
		declared = &textStatements[kind]
	}
	query := sql.QueryFor(declared.query, "table", endpoint.table, "collection", endpoint.Collection,
		"page_anchor", sql.AnchorTable(endpoint.idParts), "change", sql.ChangeTable(endpoint.idParts))
	described := fmt.Sprintf("%q %q %d %d %s %v %v %s", endpoint.Collection, endpoint.Name, endpoint.Generation, kind,
		declared.query, declared.parameters, declared.results, query)
	sum := sha256.Sum256([]byte(described))
	identity := int64(binary.BigEndian.Uint64(sum[:]))
	return &statement{
		kind:     kind,
		declared: declared,
		identity: identity,
		name:     "lookup_" + hex.EncodeToString(sum[:16]),
		text:     sql.Fill(query, "identity", strconv.FormatInt(identity, 10)),
	}
}

// prepared is a statement on a connection.
type prepared struct {
	*statement
	endpoint *Endpoint // of the last use

	// description is nil if another client prepared the statement, or if it is not prepared. The server then describes each result.
	description *pgconn.StatementDescription
	unnamed     bool // sent with its text each time
}

// add adds the execution of the statement to batch.
func (s *prepared) add(batch *pgconn.Batch, values [][]byte) {
	switch {
	case s.unnamed:
		batch.ExecParams(s.text, values, s.declared.parameters, binaryFormat, binaryFormat)
	case s.description == nil:
		batch.ExecPrepared(s.name, values, binaryFormat, binaryFormat)
	default:
		batch.ExecStatement(s.description, values, binaryFormat, binaryFormat)
	}
}

// errForeign means that a result belongs to another statement than the one that was sent. The connection must not be used any more.
var errForeign = errors.New("the answer belongs to another statement")

// check returns an error unless rows have the columns of the statement. If there is a description, it was checked when it was made.
func (s *prepared) check(rows *pgconn.ResultReader) error {
	if s.description == nil && !returns(rows.FieldDescriptions(), s.declared.results) {
		return errForeign
	}
	return nil
}

// owns reports whether a row begins with the statement's identity.
func (s *prepared) owns(values [][]byte) bool {
	return len(values) == len(s.declared.results) && len(values[0]) == 8 &&
		int64(binary.BigEndian.Uint64(values[0])) == s.identity
}

func returns(fields []pgconn.FieldDescription, types []uint32) bool {
	if len(fields) != len(types) {
		return false
	}
	for i, field := range fields {
		if field.DataTypeOID != types[i] {
			return false
		}
	}
	return true
}
