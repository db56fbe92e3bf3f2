package publish

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"systemscale/sql"
)

// UnknownError means that the database has nothing of a collection.
type UnknownError struct {
	Collection string
	Published  []string
}

func (e *UnknownError) Error() string {
	if len(e.Published) == 0 {
		return fmt.Sprintf("the database has no collection %s, nor any other", e.Collection)
	}
	return fmt.Sprintf("the database has no collection %s; it has %s", e.Collection, strings.Join(e.Published, ", "))
}

// Find returns the live run of a collection, or 0 if only remains of it are in the database. The error is an *UnknownError if there is
// nothing of it.
func Find(ctx context.Context, databaseURL, collection string) (live int64, err error) {
	defer inDatabase(&err)
	conn, _, err := connect(ctx, databaseURL)
	if err != nil {
		return 0, err
	}
	defer func() { _ = conn.Close(ctx) }() // only read
	unknown := &UnknownError{Collection: collection}
	var known bool
	if err := conn.QueryRow(ctx, sql.Query("etl/select_collection"), collection).Scan(&known, &live, &unknown.Published); err != nil {
		return 0, migrationMissing(fmt.Errorf("look for the collection %s: %w", collection, err))
	}
	if !known {
		return 0, unknown
	}
	return live, nil
}

// dropPatience is how long Drop waits for readers of the tables.
var dropPatience = 30 * time.Second // a test shortens it

// Drop removes the collection with all of its versions, tables and runs. First it has no version, in one transaction, and from then on
// readers find nothing of it. The Session can only be closed afterwards. If a reader uses a table for longer than half a minute, the error
// says so, and another Drop removes the rest.
func (s *Session) Drop(ctx context.Context) (err error) {
	defer inDatabase(&err)
	err = pgx.BeginFunc(ctx, s.conn, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, sql.Query("etl/unpublish"), s.collection); err != nil {
			return fmt.Errorf("remove the version of %s: %w", s.collection, err)
		}
		if _, err := tx.Exec(ctx, sql.Query("etl/notify_version"), sql.VersionChannel, s.collection); err != nil {
			return fmt.Errorf("notify the listeners: %w", err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	s.live = Version{}
	if err := s.dropAllTables(ctx); err != nil {
		return err
	}
	if _, err := s.conn.Exec(ctx, sql.Query("etl/delete_collection"), s.collection); err != nil {
		return fmt.Errorf("remove the runs of %s: %w", s.collection, err)
	}
	if _, err := s.hold.Exec(ctx, sql.QueryFor("etl/drop_hold_table", "table", sql.HoldTable(s.collection))); err != nil {
		return fmt.Errorf("drop the table that holds %s: %w", s.collection, err)
	}
	return nil
}

// dropAllTables drops the tables of a collection without versions.
func (s *Session) dropAllTables(ctx context.Context) error {
	for patience := time.Now().Add(dropPatience); ; {
		if err := dropDeadTables(ctx, s.conn, s.collection); err != nil {
			return err
		}
		rows, err := s.conn.Query(ctx, sql.Query("etl/select_dead_tables"), s.collection)
		if err != nil {
			return fmt.Errorf("list the tables to drop: %w", err)
		}
		left, err := pgx.CollectRows(rows, pgx.RowToStructByPos[deadTable])
		switch {
		case err != nil:
			return fmt.Errorf("list the tables to drop: %w", err)
		case len(left) == 0:
			return nil
		case time.Now().After(patience):
			return fmt.Errorf("%s is no longer served, but a long transaction, such as a dump, uses its table %s: run etl drop again when it has ended",
				s.collection, left[0].Name)
		}
	}
}
