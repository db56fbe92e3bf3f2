package store

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"systemscale/sql"
)

const (
	// connectTimeout bounds one attempt to connect, unless the URL has a connect_timeout.
	connectTimeout = 2 * time.Second
	// goodbyeTimeout bounds telling the server that a connection ends.
	goodbyeTimeout = time.Second

	// catchUpTimeout is what a server that is behind another gets to reach a version, and catchUpPause lies between two looks.
	catchUpTimeout = 250 * time.Millisecond
	catchUpPause   = 10 * time.Millisecond
)

// errBehind means that a server has not yet reached a version that another already has.
var errBehind = errors.New("the server is behind the published version")

// connection is a connection to Postgres and the statements that were prepared on it. One goroutine at a time.
type connection struct {
	*pgconn.PgConn
	statements map[statementKey]*pgconn.StatementDescription
	reached    map[string]int64 // by collection, the newest version that this server is known to have
	prepared   int              // ever; a statement's name is not used twice
	swept      *Snapshot        // the one that the statements were last compared with
}

type statementKey struct {
	document *Document
	kind     kind
}

func connect(ctx context.Context, config *pgconn.Config) (*connection, error) {
	conn, err := pgconn.ConnectConfig(ctx, config)
	if err != nil {
		return nil, err
	}
	return &connection{
		PgConn:     conn,
		statements: make(map[statementKey]*pgconn.StatementDescription),
		reached:    make(map[string]int64),
	}, nil
}

// expect gives the server until timeout from now for whatever is asked next. The deadline is the socket's: it costs
// no goroutine and no allocation, unlike a context per round trip.
func (c *connection) expect(timeout time.Duration) error {
	return c.Conn().SetDeadline(time.Now().Add(timeout))
}

// knows reports whether this server has the version of document, as far as is known.
func (c *connection) knows(document *Document) bool {
	return c.reached[document.Collection] >= document.Run
}

// await waits until this server has the version of document, which another has, but not for long.
func (c *connection) await(document *Document) error {
	for deadline := time.Now().Add(catchUpTimeout); ; time.Sleep(catchUpPause) {
		result := c.ExecParams(context.Background(), sql.Query("api_select_run"), [][]byte{[]byte(document.Collection)}, nil, nil, binaryFormat).Read()
		if result.Err != nil {
			return result.Err
		}
		if len(result.Rows) == 1 && len(result.Rows[0][0]) == 8 {
			c.reached[document.Collection] = int64(binary.BigEndian.Uint64(result.Rows[0][0]))
		}
		if c.knows(document) {
			return nil
		}
		if time.Now().After(deadline) {
			return errBehind
		}
	}
}

// statement returns the prepared statement for a kind of lookup in a document's table, preparing it on first use.
func (c *connection) statement(document *Document, kind kind) (*pgconn.StatementDescription, error) {
	key := statementKey{document, kind}
	if description := c.statements[key]; description != nil {
		return description, nil
	}
	declared := &statements[kind]
	c.prepared++
	name := "lookup_" + strconv.Itoa(c.prepared)
	description, err := c.Prepare(context.Background(), name, sql.QueryFor(declared.query, "table", document.table), declared.parameters)
	if err != nil {
		return nil, err
	}
	if !returns(description, declared.results) {
		return nil, errors.Join(
			fmt.Errorf("%w: catalog.%s has columns of other types than a document table", errMalformed, document.table),
			c.Deallocate(context.Background(), name))
	}
	c.statements[key] = description
	return description, nil
}

func returns(description *pgconn.StatementDescription, types []uint32) bool {
	if len(description.Fields) != len(types) {
		return false
	}
	for i, field := range description.Fields {
		if field.DataTypeOID != types[i] {
			return false
		}
	}
	return true
}

// sweep deallocates the statements for documents that are not live in snapshot.
func (c *connection) sweep(snapshot *Snapshot) error {
	if c.swept == snapshot {
		return nil
	}
	for key := range c.statements {
		if snapshot.current(key.document) == key.document {
			continue
		}
		if err := c.forget(key); err != nil {
			return err
		}
	}
	c.swept = snapshot
	return nil
}

// forget deallocates one statement.
func (c *connection) forget(key statementKey) error {
	description := c.statements[key]
	if description == nil {
		return nil
	}
	delete(c.statements, key)
	return c.Deallocate(context.Background(), description.Name)
}

// close says goodbye to the server, as far as it still listens.
func (c *connection) close() {
	_ = c.expect(goodbyeTimeout)
	_ = c.Close(context.Background())
}
