package publish

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"systemscale/sql"
)

// HeldError means that another run holds the collection.
type HeldError struct {
	Collection string
	Run        int64 // 0 when it has not registered yet, and Process and Role are what is known
	Holder     string
	Since      time.Time
	Process    int32 // of the database; 0 when it has ended meanwhile
	Role       string
}

func (e *HeldError) Error() string {
	switch {
	case e.Run != 0:
		return fmt.Sprintf("run %d holds the collection %s: %s, since %s. Wait for it to end, or end that process",
			e.Run, e.Collection, e.Holder, e.Since.Format(time.RFC3339))
	case e.Process != 0:
		return fmt.Sprintf("another run holds the collection %s: database process %d of the role %q. Wait for it to end", e.Collection, e.Process, e.Role)
	}
	return fmt.Sprintf("another run holds the collection %s: wait for it to end", e.Collection)
}

// holdPatience is how long a session waits for the collection. Postgres releases what a killed run held when it
// notices, which takes up to the connection check interval that connect sets.
var holdPatience = 4 * time.Second // a test shortens it

// take takes the collection, over a connection that does nothing else: the transaction that holds it stays open, and the session's own
// connection needs transactions, and vacuum, which allows none.
func (s *Session) take(ctx context.Context) error {
	config := s.config.Copy()
	config.RuntimeParams["application_name"] = "systemscale-etl holds " + s.collection
	// A machine that is gone releases the collection after a minute, and not after the two hours that are the default.
	config.RuntimeParams["tcp_keepalives_idle"] = "30"
	config.RuntimeParams["tcp_keepalives_interval"] = "10"
	config.RuntimeParams["tcp_keepalives_count"] = "3"
	var err error
	if s.hold, err = sql.ConnectAgain(ctx, config); err != nil {
		return fmt.Errorf("connect to hold the collection %s: %w", s.collection, err)
	}
	table := sql.HoldTable(s.collection)
	for patience := time.Now().Add(holdPatience); ; {
		err := s.keepEarlierBuildsOut(ctx)
		if err == nil {
			// Last: the statement before leaves a snapshot, and in the transaction that would last as long.
			if _, err = s.hold.Exec(ctx, sql.QueryFor("etl/hold_collection", "table", table)); err == nil {
				return nil
			}
			if _, err := s.hold.Exec(ctx, sql.Query("etl/end_hold")); err != nil {
				return fmt.Errorf("hold the collection %s: %w", s.collection, err)
			}
		}
		switch {
		case isMissing(err):
			if err := s.createHoldTable(ctx, table); err != nil {
				return err
			}
			continue
		case !isBusy(err) && !errors.As(err, new(*HeldError)):
			return migrationMissing(fmt.Errorf("hold the collection %s: %w", s.collection, err))
		case time.Now().After(patience):
			return s.holder(ctx, table)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// isMissing reports that there is no such table.
func isMissing(err error) bool {
	var refused *pgconn.PgError
	const undefinedTable = "42P01"
	return errors.As(err, &refused) && refused.Code == undefinedTable
}

// createHoldTable creates the table that runs of the collection lock. It belongs to the owner of the schema, whichever member of that role
// is the first to run.
func (s *Session) createHoldTable(ctx context.Context, table string) error {
	var owner string
	if err := s.hold.QueryRow(ctx, sql.Query("etl/select_schema_owner")).Scan(&owner); err != nil {
		if errors.Is(err, pgx.ErrNoRows) {
			return ErrNotMigrated
		}
		return fmt.Errorf("read who owns the schema: %w", err)
	}
	_, err := s.hold.Exec(ctx, sql.QueryFor("etl/create_hold_table", "table", table, "owner", owner))
	var refused *pgconn.PgError
	const updatedConcurrently = "XX000"
	if sql.IsCreatedMeanwhile(err) || errors.As(err, &refused) && refused.Code == updatedConcurrently || isBusy(err) {
		return nil // another run creates it at this moment, or has created it and holds it
	}
	if err != nil {
		return fmt.Errorf("create the table %s: %w", table, err)
	}
	return nil
}

// keepEarlierBuildsOut takes the advisory lock by which earlier builds hold the collection. Any role can take it, so the lock of a role that
// may only read is ignored. The error is a *HeldError when an earlier build holds the collection.
func (s *Session) keepEarlierBuildsOut(ctx context.Context) error {
	var key int64
	var taken bool
	if err := s.hold.QueryRow(ctx, sql.Query("etl/hold_for_earlier_builds"), s.collection).Scan(&key, &taken); err != nil || taken {
		return err
	}
	held := &HeldError{Collection: s.collection}
	var writes bool
	err := s.hold.QueryRow(ctx, sql.Query("etl/select_advisory_holder"), key, `"catalog"."run"`).Scan(&held.Process, &held.Role, &writes)
	switch {
	case errors.Is(err, pgx.ErrNoRows): // released meanwhile
		return held
	case err != nil:
		return err
	case writes:
		return held
	}
	return nil
}

// holder returns the *HeldError that names who holds the collection.
func (s *Session) holder(ctx context.Context, table string) error {
	held := &HeldError{Collection: s.collection}
	err := s.conn.QueryRow(ctx, sql.Query("etl/select_holder"), s.collection).Scan(&held.Run, &held.Holder, &held.Since)
	if errors.Is(err, pgx.ErrNoRows) {
		err = s.conn.QueryRow(ctx, sql.Query("etl/select_hold"), pgx.Identifier{"catalog", table}.Sanitize()).Scan(&held.Process, &held.Role)
	}
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return migrationMissing(fmt.Errorf("read who holds the collection %s: %w", s.collection, err))
	}
	return held
}
