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
	Run        int64 // 0 before it has registered; Process and Role are then set
	Holder     string
	Since      time.Time
	Process    int32 // of the database; 0 when it has ended since
	Role       string
}

func (e *HeldError) Error() string {
	switch {
	case e.Run != 0:
		return fmt.Sprintf("run %d holds the collection %s: %s, since %s. Wait for it to end, or end that process",
			e.Run, e.Collection, e.Holder, e.Since.Format(time.RFC3339))
	case e.Process != 0:
		return fmt.Sprintf("another run holds the collection %s: database process %d of the role %q. Wait for it to end",
			e.Collection, e.Process, e.Role)
	}
	return fmt.Sprintf("another run holds the collection %s: wait for it to end", e.Collection)
}

// holdPatience is how long a session waits for the collection. Postgres notices the end of a killed run, and releases its locks, within
// the connection check interval that connect sets.
var holdPatience = 4 * time.Second // a test shortens it

// holding takes a collection for a session.
type holding struct {
	conn       *pgx.Conn // of the session
	hold       *pgx.Conn // only holds the collection; nil until take has connected
	collection string
}

// take takes the collection, over a separate connection: the transaction that holds it stays open, and the session's own connection needs
// other transactions, and vacuum, which runs outside a transaction.
func (h *holding) take(ctx context.Context, config *pgx.ConnConfig) error {
	config = config.Copy()
	config.RuntimeParams["application_name"] = "systemscale-etl holds " + h.collection
	// The server notices the loss of a machine after a minute. The default is two hours.
	config.RuntimeParams["tcp_keepalives_idle"] = "30"
	config.RuntimeParams["tcp_keepalives_interval"] = "10"
	config.RuntimeParams["tcp_keepalives_count"] = "3"
	var err error
	if h.hold, err = sql.ConnectAgain(ctx, config); err != nil {
		return fmt.Errorf("connect to hold the collection %s: %w", h.collection, err)
	}
	table := sql.HoldTable(h.collection)
	for patience := time.Now().Add(holdPatience); ; {
		err := h.keepEarlierBuildsOut(ctx)
		if err == nil {
			// This comes last: the transaction would keep the snapshot of an earlier statement.
			if _, err = h.hold.Exec(ctx, sql.QueryFor("etl/hold_collection", "table", table)); err == nil {
				return nil
			}
			if _, err := h.hold.Exec(ctx, sql.Query("etl/end_hold")); err != nil {
				return fmt.Errorf("hold the collection %s: %w", h.collection, err)
			}
		}
		switch {
		case isMissing(err):
			if err := h.createHoldTable(ctx, table); err != nil {
				return err
			}
			continue
		case !isBusy(err) && !errors.As(err, new(*HeldError)):
			return migrationMissing(fmt.Errorf("hold the collection %s: %w", h.collection, err))
		case time.Now().After(patience):
			return h.holder(ctx, table)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// createHoldTable creates the table that runs of the collection lock. Its owner is the schema's, not the member of that role that runs
// first.
func (h *holding) createHoldTable(ctx context.Context, table string) error {
	var owner string
	if err := h.hold.QueryRow(ctx, sql.Query("etl/select_schema_owner")).Scan(&owner); err != nil {
		if errors.Is(err, pgx.ErrNoRows) {
			return ErrNotMigrated
		}
		return fmt.Errorf("read who owns the schema: %w", err)
	}
	_, err := h.hold.Exec(ctx, sql.QueryFor("etl/create_hold_table", "table", table, "owner", owner))
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

// keepEarlierBuildsOut takes the advisory lock by which earlier builds hold the collection. Any role can take it, so the lock of a role
// that may only read is ignored. The error is a *HeldError when an earlier build holds the collection.
func (h *holding) keepEarlierBuildsOut(ctx context.Context) error {
	var key int64
	var taken bool
	if err := h.hold.QueryRow(ctx, sql.Query("etl/hold_for_earlier_builds"), h.collection).Scan(&key, &taken); err != nil || taken {
		return err
	}
	held := &HeldError{Collection: h.collection}
	var writes bool
	err := h.hold.QueryRow(ctx, sql.Query("etl/select_advisory_holder"), key, `"catalog"."run"`).Scan(&held.Process, &held.Role, &writes)
	switch {
	case errors.Is(err, pgx.ErrNoRows): // just released
		return held
	case err != nil:
		return err
	case writes:
		return held
	}
	return nil
}

// holder returns the *HeldError that names who holds the collection.
func (h *holding) holder(ctx context.Context, table string) error {
	held := &HeldError{Collection: h.collection}
	err := h.conn.QueryRow(ctx, sql.Query("etl/select_holder"), h.collection).Scan(&held.Run, &held.Holder, &held.Since)
	if errors.Is(err, pgx.ErrNoRows) {
		err = h.conn.QueryRow(ctx, sql.Query("etl/select_hold"), pgx.Identifier{"catalog", table}.Sanitize()).Scan(&held.Process, &held.Role)
	}
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return migrationMissing(fmt.Errorf("read who holds the collection %s: %w", h.collection, err))
	}
	return held
}
