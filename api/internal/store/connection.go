package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

const (
	// connectTimeout bounds one attempt to connect, unless the URL has a connect_timeout.
	connectTimeout = 2 * time.Second
	// goodbyeTimeout bounds telling the server that a connection ends.
	goodbyeTimeout = time.Second
)

// connection is a connection to Postgres and the statements that were prepared on it. One goroutine at a time.
type connection struct {
	*pgconn.PgConn
	at         *watcher            // of its host
	statements map[int64]*prepared // by identity
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
	}, nil
}

// expect gives the server until timeout from now for whatever is asked next. The deadline is the socket's: it costs
// no goroutine and no allocation, unlike a context per round trip.
func (c *connection) expect(timeout time.Duration) error {
	return c.Conn().SetDeadline(time.Now().Add(timeout))
}

// statement returns the statement for a kind of lookup in a document's table, preparing it on first use.
func (c *connection) statement(endpoint *Endpoint, kind kind) (*prepared, error) {
	wanted := endpoint.statement(kind)
	if known := c.statements[wanted.identity]; known != nil {
		return known, nil
	}
	made := &prepared{statement: wanted, endpoint: endpoint, unnamed: c.losses > mostLosses}
	if !made.unnamed {
		description, err := c.Prepare(context.Background(), wanted.name, wanted.text, statements[kind].parameters)
		switch {
		case codeOf(err) == duplicateStatement:
			// Another client of a pooler prepared it on this server connection. By its name, it is the same statement.
		case err != nil:
			return nil, err
		case !returns(description.Fields, statements[kind].results):
			return nil, errors.Join(
				fmt.Errorf("%w: catalog.%s has columns of other types than a document table", errMalformed, endpoint.table),
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

const insufficientPrivilege = "42501"

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
		live := snapshot.current(known.endpoint)
		if live != nil && live.statement(known.kind).identity == identity {
			known.endpoint = live
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
