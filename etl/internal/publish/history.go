package publish

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/goccy/go-json"
	"github.com/jackc/pgx/v5"

	"systemscale/etl/internal/source"
	"systemscale/sql"
)

// PastRun is one run in the history. Fields that the run did not reach are nil or empty.
type PastRun struct {
	Run        int64           `json:"run"`
	StartedAt  time.Time       `json:"started_at"`
	FinishedAt *time.Time      `json:"finished_at"` // nil while it runs, and of a killed run until the next run begins
	State      string          `json:"state"`       // running, published, unchanged or failed
	Mode       Mode            `json:"mode"`
	Holder     string          `json:"holder"`
	Verdict    *string         `json:"verdict"` // of the gates: passed, accepted or failed
	Error      *string         `json:"error"`
	Shape      *string         `json:"shape"`     // fingerprint
	Sources    json.RawMessage `json:"sources"`   // one object per file
	Tables     []Table         `json:"documents"` // as published
	Plan       *Changes        `json:"plan"`
	Gates      json.RawMessage `json:"gates"`
	Live       bool            `json:"live"`
	Retained   bool            `json:"retained"` // can be returned to, or is live
}

// History returns the newest runs of a collection, the newest first. It does not take the collection.
func History(ctx context.Context, databaseURL, collection string, limit int) (_ []PastRun, err error) {
	defer inDatabase(&err)
	conn, _, err := connect(ctx, databaseURL)
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	rows, err := conn.Query(ctx, sql.Query("etl/select_history"), collection, limit)
	if err != nil {
		return nil, migrationMissing(fmt.Errorf("read the history: %w", err))
	}
	runs, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (PastRun, error) {
		var r PastRun
		var sources, gates []byte
		err := row.Scan(&r.Run, &r.StartedAt, &r.FinishedAt, &r.State, &r.Mode, &r.Holder, &r.Verdict, &r.Error, &r.Shape,
			&sources, &r.Tables, &r.Plan, &gates, &r.Live, &r.Retained)
		r.Sources, r.Gates = sources, gates
		return r, err
	})
	if err != nil {
		return nil, migrationMissing(fmt.Errorf("read the history: %w", err))
	}
	return runs, nil
}

// LastRun is a run and the record of its files.
type LastRun struct {
	Run     int64 // 0 without a run
	Sources []source.Counts
}

// readLastRun returns the zero LastRun when no run of the collection has read files.
func readLastRun(ctx context.Context, conn *pgx.Conn, collection string) (last LastRun, err error) {
	var sources []byte
	err = conn.QueryRow(ctx, sql.Query("etl/select_sources"), collection).Scan(&last.Run, &sources)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return LastRun{}, nil
	case err != nil:
		return LastRun{}, migrationMissing(fmt.Errorf("read the record of the last run: %w", err))
	}
	if err := json.Unmarshal(sources, &last.Sources); err != nil {
		return LastRun{}, fmt.Errorf("read the sources of run %d: %w", last.Run, err)
	}
	return last, nil
}
