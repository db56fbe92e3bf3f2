package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/goccy/go-json"
	"github.com/jackc/pgerrcode"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"systemscale/sql"
)

// Run is a run of the ETL, as recorded in catalog.run.
type Run struct {
	ID         int64
	State      string // running, published, unchanged or failed
	Mode       string // generation, delta or rollback
	StartedAt  time.Time
	FinishedAt *time.Time // nil while it runs
	Verdict    string     // of the gates: passed, accepted, failed, or "" if the run did not reach them
	Error      string
	Sources    []RunSource
	Documents  []RunDocument
	Live       bool
}

// RunSource holds the row counts of one file.
type RunSource struct {
	File     string           `json:"file"`
	Read     int64            `json:"read"`
	Used     int64            `json:"used"`
	Rejected map[string]int64 `json:"rejected"` // by reason
	Repaired map[string]int64 `json:"repaired"` // by the repair's name
}

// RunDocument holds how much a run published of one endpoint.
type RunDocument struct {
	Name  string `json:"name"`
	Rows  int64  `json:"rows"`
	Bytes int64  `json:"bytes"` // of the bodies
}

// Runs returns at most limit of the newest runs of a collection, the newest first. It ends with ctx.
//
// It opens a connection for each call, because calls are rare. Concurrent calls, also of Holds, wait for one another, so they use one
// connection.
func (s *Store) Runs(ctx context.Context, collection string, limit int) ([]Run, error) {
	return readHistory(ctx, s, "catalog.run", "api/list_runs", func(row pgx.CollectableRow) (r Run, err error) {
		var sources, documents []byte
		err = row.Scan(&r.ID, &r.State, &r.Mode, &r.StartedAt, &r.FinishedAt, &r.Verdict, &r.Error, &sources, &documents, &r.Live)
		if err != nil {
			return r, err
		}
		if err := json.Unmarshal(sources, &r.Sources); err != nil {
			return r, err
		}
		return r, json.Unmarshal(documents, &r.Documents)
	}, collection, limit)
}

// Hold is a hold of a collection: none of its runs publishes until it is released.
type Hold struct {
	Collection string    `json:"-"`
	Reason     string    `json:"reason"`
	Author     string    `json:"author"`
	Since      time.Time `json:"since"`
}

// Holds returns the holds of all collections. It ends with ctx, and has the connection of Runs. A database with an earlier schema has none.
func (s *Store) Holds(ctx context.Context) ([]Hold, error) {
	holds, err := readHistory(ctx, s, "catalog.hold", "api/list_holds", func(row pgx.CollectableRow) (h Hold, err error) {
		return h, row.Scan(&h.Collection, &h.Reason, &h.Author, &h.Since)
	})
	if failure := new(pgconn.PgError); errors.As(err, &failure) && failure.Code == pgerrcode.UndefinedTable {
		return nil, nil
	}
	return holds, err
}

// readHistory returns the rows of a query over a connection of its own.
func readHistory[T any](
	ctx context.Context, s *Store, table, query string, scan func(pgx.CollectableRow) (T, error), arguments ...any,
) (_ []T, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("read %s: %w", table, err)
		}
	}()
	select {
	case s.history <- struct{}{}:
		defer func() { <-s.history }()
	case <-ctx.Done():
		return nil, ErrOverloaded
	}
	conn, _, err := dialConn(ctx, s.follower.current())
	if err != nil {
		return nil, ErrUnavailable
	}
	defer closeConn(conn)
	rows, err := conn.Query(ctx, sql.Query(query), append([]any{pgx.QueryExecModeCacheDescribe}, arguments...)...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, scan)
}
