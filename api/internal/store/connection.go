package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgerrcode"
	"github.com/jackc/pgx/v5/pgconn"
)

// connection is a connection to Postgres with its prepared statements. It is for one goroutine at a time.
type connection struct {
	*pgconn.PgConn
	at         *watcher            // the watcher of its host
	statements map[int64]*prepared // by identity
	losses     int                 // prepared statements that the server did not have later
	swept      *Snapshot           // the snapshot of the last sweep
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

// setDeadline sets the deadline of the next round trip to timeout from now. It is the socket's deadline: unlike a context, it takes no
// goroutine and no allocation.
func (c *connection) setDeadline(timeout time.Duration) error {
	return c.Conn().SetDeadline(time.Now().Add(timeout))
}

// statement returns the statement for a kind of lookup in an endpoint's table, and prepares it on first use.
func (c *connection) statement(endpoint *Endpoint, kind kind) (*prepared, error) {
	wanted := endpoint.statement(kind)
	if known := c.statements[wanted.identity]; known != nil {
		return known, nil
	}
	made := &prepared{statement: wanted, endpoint: endpoint, unnamed: c.losses > maxLosses}
	if !made.unnamed {
		description, err := c.Prepare(context.Background(), wanted.name, wanted.text, wanted.declared.parameters)
		switch {
		case codeOf(err) == pgerrcode.DuplicatePreparedStatement:
			// Another client of a pooler has prepared it on this server connection. The name implies the same statement.
		case err != nil:
			return nil, err
		case !returns(description.Fields, wanted.declared.results):
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

// maxLosses is how many prepared statements a connection may lose before its statements are no longer prepared. A pooler that moves
// transactions between server connections loses them all the time.
const maxLosses = 1

// lost removes a prepared statement that the server does not have. It reports false if the statement was not prepared.
func (c *connection) lost(wanted *statement) bool {
	known := c.statements[wanted.identity]
	if known != nil && known.unnamed {
		return false
	}
	delete(c.statements, wanted.identity)
	if c.losses++; c.losses > maxLosses {
		clear(c.statements)
	}
	return true
}

// sweep deallocates the statements whose tables are not live in snapshot.
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
		if err := c.deallocate(known.statement); err != nil {
			return err
		}
	}
	c.swept = snapshot
	return nil
}

// deallocate deallocates one statement.
func (c *connection) deallocate(wanted *statement) error {
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

// close closes the connection in an orderly way, within closeTimeout.
func (c *connection) close() {
	_ = c.setDeadline(closeTimeout)
	_ = c.Close(context.Background())
}
