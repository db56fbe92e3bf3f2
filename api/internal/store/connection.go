package store

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
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
	statements map[int64]*prepared // by identity
	reached    map[string]int64    // by collection, the newest version that this server is known to have
	losses     int                 // statements that were prepared and then were not there
	swept      *Snapshot           // the one that the statements were last compared with
}

func connect(ctx context.Context, config *pgconn.Config) (*connection, error) {
	conn, err := dial(ctx, config)
	if err != nil {
		return nil, err
	}
	return &connection{
		PgConn:     conn,
		statements: make(map[int64]*prepared),
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

// statement returns the statement for a kind of lookup in a document's table, preparing it on first use.
func (c *connection) statement(document *Document, kind kind) (*prepared, error) {
	wanted := document.statement(kind)
	if known := c.statements[wanted.identity]; known != nil {
		return known, nil
	}
	made := &prepared{statement: wanted, document: document, unnamed: c.losses > mostLosses}
	if !made.unnamed {
		description, err := c.Prepare(context.Background(), wanted.name, wanted.text, statements[kind].parameters)
		switch {
		case codeOf(err) == duplicateStatement:
			// Another client of a pooler prepared it on this server connection. By its name, it is the same statement.
		case err != nil:
			return nil, err
		case !returns(description.Fields, statements[kind].results):
			return nil, errors.Join(
				fmt.Errorf("%w: catalog.%s has columns of other types than a document table", errMalformed, document.table),
				c.Deallocate(context.Background(), wanted.name))
		default:
			made.description = description
		}
	}
	c.statements[wanted.identity] = made
	return made, nil
}

// Codes of errors that only a pooler causes.
const (
	unknownStatement   = "26000" // invalid_sql_statement_name
	duplicateStatement = "42P05" // duplicate_prepared_statement
)

// mostLosses is how often a connection may turn out to have lost a statement until its statements are no longer prepared. A
// pooler that moves transactions between server connections loses them all the time.
const mostLosses = 1

// lost forgets a statement that was prepared and is not there. It reports false if that cannot have happened.
func (c *connection) lost(wanted *statement) bool {
	known := c.statements[wanted.identity]
	if known != nil && known.unnamed {
		return false
	}
	delete(c.statements, wanted.identity)
	if c.losses++; c.losses > mostLosses {
		clear(c.statements)
	}
	return true
}

// codeOf returns the SQLSTATE of the error that a server answered with, or nothing.
func codeOf(err error) string {
	var refusal *pgconn.PgError
	if errors.As(err, &refusal) {
		return refusal.Code
	}
	return ""
}

// sweep deallocates the statements for tables that are not live in snapshot.
func (c *connection) sweep(snapshot *Snapshot) error {
	if c.swept == snapshot {
		return nil
	}
	for identity, known := range c.statements {
		live := snapshot.current(known.document)
		if live != nil && live.statement(known.kind).identity == identity {
			known.document = live
			continue
		}
		if err := c.forget(known.statement); err != nil {
			return err
		}
	}
	c.swept = snapshot
	return nil
}

// forget deallocates one statement.
func (c *connection) forget(wanted *statement) error {
	known := c.statements[wanted.identity]
	if known == nil {
		return nil
	}
	delete(c.statements, wanted.identity)
	if known.unnamed {
		return nil
	}
	return c.Deallocate(context.Background(), known.name)
}

// close says goodbye to the server, as far as it still listens.
func (c *connection) close() {
	_ = c.expect(goodbyeTimeout)
	_ = c.Close(context.Background())
}
