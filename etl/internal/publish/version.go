package publish

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"systemscale/etl/internal/etag"
	"systemscale/sql"
)

// Version is the version row of a collection, which names its live documents.
type Version struct {
	Run        int64 // the data version; 0 when nothing is published
	Generation int64 // of the document tables
	Endpoints  []sql.Endpoint
	Rows       int64 // of all document tables
}

// readEtags returns the hash function of the etags in the tables of a generation, and the one for new generations.
func readEtags(ctx context.Context, conn *pgx.Conn, generation int64) (present, next etag.Hash, err error) {
	var key []byte
	var name string
	if err := conn.QueryRow(ctx, sql.Query("etl/select_etags"), generation).Scan(&key, &name); err != nil {
		return present, next, migrationMissing(fmt.Errorf("read the hash function of the etags: %w", err))
	}
	if next, err = etag.Keyed(key); err == nil {
		present, err = etag.Named(name, next)
	}
	return present, next, err
}

// readVersion returns the zero Version when nothing is published.
func readVersion(ctx context.Context, conn *pgx.Conn, collection string) (Version, error) {
	var v Version
	err := conn.QueryRow(ctx, sql.Query("etl/select_version"), collection).Scan(&v.Run, &v.Generation, &v.Endpoints, &v.Rows)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return Version{}, migrationMissing(fmt.Errorf("read the live version: %w", err))
	}
	return v, nil
}

// Retained is a version that is kept for rollbacks.
type Retained struct {
	Version
	Tables      []Table
	Shape       string
	PublishedAt time.Time
}

// NotRetainedError means that the target of a rollback is not kept.
type NotRetainedError struct {
	Collection string
	Run        int64 // 0 for the version before the live one
	Live       int64 // 0 when nothing is published
	Retained   []Retained
}

func (e *NotRetainedError) Error() string {
	var message strings.Builder
	switch {
	case e.Live == 0:
		fmt.Fprintf(&message, "nothing is published of %s, so there is nothing to return to", e.Collection)
		return message.String()
	case e.Run == 0:
		fmt.Fprintf(&message, "no version before %d, which is live, is kept of %s", e.Live, e.Collection)
	case e.Run == e.Live:
		fmt.Fprintf(&message, "run %d is the live version of %s", e.Run, e.Collection)
	default:
		fmt.Fprintf(&message, "run %d has published no version of %s that is kept", e.Run, e.Collection)
	}
	var others []string
	for _, r := range e.Retained {
		if r.Run != e.Live {
			others = append(others, fmt.Sprintf("%d (%s)", r.Run, r.PublishedAt.Format(time.RFC3339)))
		}
	}
	if len(others) == 0 {
		message.WriteString("; no other version is kept. --keep sets how many are")
	} else {
		message.WriteString("; --to takes one of " + strings.Join(others, ", "))
	}
	return message.String()
}
