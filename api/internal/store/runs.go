package store

import (
	"context"
	"fmt"
	"time"

	"github.com/goccy/go-json"
	"github.com/jackc/pgx/v5"

	"systemscale/sql"
)

// Run is one run of the ETL, as it reported itself.
type Run struct {
	ID         int64
	State      string // running, published, unchanged or failed
	Mode       string // generation, delta or rollback
	StartedAt  time.Time
	FinishedAt *time.Time // nil while it runs
	Verdict    string     // of its gates: passed, accepted, failed, or empty where it did not get so far
	Error      string
	Sources    []RunSource
	Documents  []RunDocument
	Live       bool
}

// RunSource is what became of one file's rows.
type RunSource struct {
	File     string           `json:"file"`
	Read     int64            `json:"read"`
	Used     int64            `json:"used"`
	Rejected map[string]int64 `json:"rejected"` // by reason
	Repaired map[string]int64 `json:"repaired"` // by the repair's name
}

// RunDocument is how much a run published of one document.
type RunDocument struct {
	Name  string `json:"name"`
	Rows  int64  `json:"rows"`
	Bytes int64  `json:"bytes"` // of the bodies
}

// Runs returns at most limit of the newest runs of a collection, the newest first. It ends with ctx.
//
// It connects for each call, because few ask and none of them often. Calls wait for one another, so that any number of them
// takes one connection.
func (s *Store) Runs(ctx context.Context, collection string, limit int) ([]Run, error) {
	select {
	case s.history <- struct{}{}:
		defer func() { <-s.history }()
	case <-ctx.Done():
		return nil, fmt.Errorf("read catalog.run: %w", ErrOverloaded)
	}
	conn, _, err := dialConn(ctx, s.follower.current())
	if err != nil {
		return nil, fmt.Errorf("read catalog.run: %w", ErrUnavailable)
	}
	defer goodbye(conn)
	rows, err := conn.Query(ctx, sql.Query("api/list_runs"), pgx.QueryExecModeCacheDescribe, collection, limit)
	if err != nil {
		return nil, fmt.Errorf("read catalog.run: %w", err)
	}
	runs, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (r Run, err error) {
		var sources, documents []byte
		if err := row.Scan(&r.ID, &r.State, &r.Mode, &r.StartedAt, &r.FinishedAt, &r.Verdict, &r.Error, &sources, &documents, &r.Live); err != nil {
			return r, err
		}
		if err := json.Unmarshal(sources, &r.Sources); err != nil {
			return r, err
		}
		return r, json.Unmarshal(documents, &r.Documents)
	})
	if err != nil {
		return nil, fmt.Errorf("read catalog.run: %w", err)
	}
	return runs, nil
}
