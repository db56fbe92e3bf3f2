package store

import (
	"context"
	"fmt"
	"time"

	"github.com/goccy/go-json"
	"github.com/jackc/pgx/v5"

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
// It opens a connection for each call, because calls are rare. Concurrent calls wait for one another, so they use one connection.
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
	defer closeConn(conn)
	rows, err := conn.Query(ctx, sql.Query("api/list_runs"), pgx.QueryExecModeCacheDescribe, collection, limit)
	if err != nil {
		return nil, fmt.Errorf("read catalog.run: %w", err)
	}
	runs, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (r Run, err error) {
		var sources, documents []byte
		err = row.Scan(&r.ID, &r.State, &r.Mode, &r.StartedAt, &r.FinishedAt, &r.Verdict, &r.Error, &sources, &documents, &r.Live)
		if err != nil {
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
