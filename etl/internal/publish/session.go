// Package publish writes a collection's documents to Postgres and makes them live.
//
// A Session holds a collection for writing until it is closed or its process ends; there is one at a time. While documents are rendered,
// a Comparison compares them with the live version, and a Spool keeps those that differ. A Run then writes in one of two ways. A Load
// writes a new generation of document tables, over several binary COPY streams, and flips the version row in one transaction. PublishDelta
// writes the spooled documents into the live tables in one transaction, with a change log of the earlier documents. PublishRollback reverts
// such changes, or flips to an earlier generation. If a run ends before its commit, by an error, an interrupt or kill -9, the live
// version is unchanged; the run, or the next Session, drops the run's tables.
//
// No table that readers use is ever altered, renamed or locked against reading, and everything that one statement reads is of one version.
// The newest versions are kept, and can be returned to. Errors of the database are *DatabaseErrors.
package publish

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"systemscale/etl/internal/etag"
	"systemscale/sql"
)

// Session holds one collection, and has a connection for writing. It must be used by one goroutine.
type Session struct {
	config     *pgx.ConnConfig
	hold       *pgx.Conn // only holds the collection
	conn       *pgx.Conn
	backend    uint32 // the server process of conn
	collection string
	keep       int // versions before the live one
	live       Version
	etags      etag.Hash // of new generations
}

// Open connects, takes the collection and removes the remains of killed runs. keep is the number of versions before the live one that
// publishing keeps, at least 1. The error is a *HeldError if another run holds the collection, and wraps ErrNotMigrated if there is no
// schema.
func Open(ctx context.Context, databaseURL, collection string, keep int) (*Session, error) {
	return openSession(ctx, databaseURL, collection, keep, false)
}

// OpenPublished is Open for a published collection. For any other the error is a *NotRetainedError, and nothing is created.
func OpenPublished(ctx context.Context, databaseURL, collection string, keep int) (*Session, error) {
	return openSession(ctx, databaseURL, collection, keep, true)
}

func openSession(ctx context.Context, databaseURL, collection string, keep int, published bool) (_ *Session, err error) {
	defer inDatabase(&err)
	conn, config, err := connect(ctx, databaseURL)
	if err != nil {
		return nil, err
	}
	s := &Session{config: config, conn: conn, collection: collection, keep: keep}
	s.backend, err = sql.Backend(ctx, conn)
	if err == nil && published {
		s.live, err = readVersion(ctx, conn, collection)
		if err == nil && s.live.Run == 0 {
			err = &NotRetainedError{Collection: collection}
		}
	}
	if err == nil {
		err = s.begin(ctx)
	}
	if err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// Register gives each gateway that is new to the collection a bookmark at the live version, so that its Journal has all later changes,
// however the run ends. gateways are the addresses of refresh endpoints.
func (s *Session) Register(ctx context.Context, gateways []string) (err error) {
	defer inDatabase(&err)
	if _, err := s.conn.Exec(ctx, sql.Query("etl/register_gateways"), s.collection, s.live.Run, gateways); err != nil {
		return migrationMissing(fmt.Errorf("register the gateways: %w", err))
	}
	return nil
}

// Live returns the live version, as of the opening of the session or its last publish.
func (s *Session) Live() Version { return s.live }

// Close releases the collection.
func (s *Session) Close() {
	ctx, cancel := context.WithTimeout(context.Background(), cleanUpTime)
	defer cancel()
	_ = s.conn.Close(ctx)
	if s.hold != nil {
		_ = s.hold.Close(ctx) // the server releases the lock when the connection ends, however it ends
	}
}

// cleanUpConn returns the session's connection, or a new one if an interrupted statement closed it.
func (s *Session) cleanUpConn(ctx context.Context) (*pgx.Conn, error) {
	if s.conn.IsClosed() {
		conn, err := sql.ConnectAgain(ctx, s.config)
		if err != nil {
			return nil, fmt.Errorf("connect to clean up: %w", err)
		}
		s.conn = conn
	}
	return s.conn, nil
}

// begin takes the collection, and removes the remains of killed runs.
func (s *Session) begin(ctx context.Context) error {
	h := holding{conn: s.conn, collection: s.collection}
	err := h.take(ctx, s.config)
	s.hold = h.hold
	if err != nil {
		return err
	}
	if _, err := s.conn.Exec(ctx, sql.Query("etl/fail_dead_runs"), s.collection); err != nil {
		return migrationMissing(fmt.Errorf("look for killed runs: %w", err))
	}
	if s.live, err = readVersion(ctx, s.conn, s.collection); err != nil {
		return err
	}
	if _, s.etags, err = readEtags(ctx, s.conn, s.live.Generation); err != nil {
		return err
	}
	return dropDeadTables(ctx, s.conn, s.collection)
}

// retain releases the versions that are no longer kept, and drops the tables that only they need.
func (s *Session) retain(ctx context.Context) error {
	if _, err := s.conn.Exec(ctx, sql.Query("etl/release_versions"), s.collection, s.keep+1); err != nil {
		return fmt.Errorf("release old versions: %w", err)
	}
	if _, err := s.conn.Exec(ctx, sql.QueryFor("etl/delete_changes", "change", sql.ChangeTable(idParts(s.live.Endpoints))), s.collection); err != nil {
		return fmt.Errorf("truncate the change log: %w", err)
	}
	return dropDeadTables(ctx, s.conn, s.collection)
}
