package publish

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/user"
	"slices"
	"time"

	"github.com/goccy/go-json"
	"github.com/jackc/pgx/v5"

	"systemscale/etl/internal/source"
	"systemscale/sql"
)

// Hold keeps the runs of a collection from publishing until it is released.
type Hold struct {
	Reason string
	Author string // user@host
	Since  time.Time

	// Dump has the sources of the dump that must not be published. A run with any other dump releases the hold. Without, only Release does.
	Dump []source.Counts
}

// ReleasedBy reports whether a dump with these sources releases the hold.
func (h *Hold) ReleasedBy(sources []source.Counts) bool {
	if len(h.Dump) == 0 {
		return false
	}
	same := func(a, b source.Counts) bool {
		return a.Source == b.Source && a.File == b.File && a.Bytes == b.Bytes && a.Fingerprint == b.Fingerprint
	}
	return !slices.EqualFunc(h.Dump, sources, same)
}

// OnHoldError means that a run may not publish.
type OnHoldError struct {
	Collection string
	Hold       Hold
}

func (e *OnHoldError) Error() string {
	text := fmt.Sprintf("runs of %s are on hold since %s, by %s: %s. The live version is unchanged",
		e.Collection, e.Hold.Since.Format(time.RFC3339), e.Hold.Author, e.Hold.Reason)
	if len(e.Hold.Dump) > 0 {
		return text + ". A run with another dump ends the hold, and so does etl release --collection " + e.Collection
	}
	return text + ". etl release --collection " + e.Collection + " ends the hold"
}

// readHold executes a statement that returns the hold of a collection, or no row. Without a row it returns nil.
func readHold(ctx context.Context, q querier, statement, collection string) (*Hold, error) {
	var h Hold
	var dump []byte
	err := q.QueryRow(ctx, sql.Query(statement), collection).Scan(&h.Reason, &h.Author, &h.Since, &dump)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return nil, nil
	case err != nil:
		return nil, migrationMissing(fmt.Errorf("read whether runs of %s are on hold: %w", collection, err))
	}
	if dump != nil {
		if err := json.Unmarshal(dump, &h.Dump); err != nil {
			return nil, fmt.Errorf("read the hold of %s: %w", collection, err)
		}
	}
	return &h, nil
}

// ReadHold returns the hold of a collection, or nil.
func ReadHold(ctx context.Context, databaseURL, collection string) (_ *Hold, err error) {
	return withHold(ctx, databaseURL, collection, "etl/select_publishing_hold")
}

// Release ends the hold of a collection, and returns it, or nil if there was none.
func Release(ctx context.Context, databaseURL, collection string) (_ *Hold, err error) {
	return withHold(ctx, databaseURL, collection, "etl/release_publishing_hold")
}

func withHold(ctx context.Context, databaseURL, collection, statement string) (_ *Hold, err error) {
	defer inDatabase(&err)
	conn, _, err := connect(ctx, databaseURL)
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	return readHold(ctx, conn, statement, collection)
}

// SetHold sets the hold of a collection, in place of an earlier one. A run in progress ends without publishing. The
// error is an *UnknownError if the database has nothing of the collection.
func SetHold(ctx context.Context, databaseURL, collection string, request HoldRequest) (err error) {
	if _, err := Find(ctx, databaseURL, collection); err != nil {
		return err
	}
	defer inDatabase(&err)
	conn, _, err := connect(ctx, databaseURL)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		return setHold(ctx, tx, collection, request)
	})
}

// HoldRequest describes a hold to set.
type HoldRequest struct {
	Reason    string
	OtherDump bool // a run with another dump than that of the last run releases it
}

func setHold(ctx context.Context, tx pgx.Tx, collection string, request HoldRequest) error {
	var dump []byte
	if request.OtherDump {
		last, err := readLastRun(ctx, tx.Conn(), collection)
		if err != nil {
			return err
		}
		if len(last.Sources) > 0 {
			if dump, err = json.Marshal(last.Sources); err != nil {
				return fmt.Errorf("write the hold of %s: %w", collection, err)
			}
		}
	}
	if _, err := tx.Exec(ctx, sql.Query("etl/set_publishing_hold"), collection, request.Reason, author(), dump); err != nil {
		return migrationMissing(fmt.Errorf("set the hold of %s: %w", collection, err))
	}
	return nil
}

// passHold returns an *OnHoldError if the collection has a hold that a run's dump does not release, and otherwise removes it.
func passHold(ctx context.Context, q querier, collection string, sources []source.Counts) error {
	hold, err := readHold(ctx, q, "etl/select_publishing_hold", collection)
	if err != nil || hold == nil {
		return err
	}
	if !hold.ReleasedBy(sources) {
		return &OnHoldError{collection, *hold}
	}
	_, err = readHold(ctx, q, "etl/release_publishing_hold", collection)
	return err
}

// author returns user@host.
func author() string {
	who, where := "unknown user", "unknown host"
	if u, err := user.Current(); err == nil {
		who = u.Username
	}
	if host, err := os.Hostname(); err == nil {
		where = host
	}
	return who + "@" + where
}
