package publish

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"systemscale/sql"
)

// Target returns the version to return to: that of a run, or for 0 the one before the live one. The error is a *NotRetainedError
// when it is not kept.
func (s *Session) Target(ctx context.Context, run int64) (_ Retained, err error) {
	defer inDatabase(&err)
	rows, err := s.conn.Query(ctx, sql.Query("etl/select_retained"), s.collection)
	if err != nil {
		return Retained{}, migrationMissing(fmt.Errorf("list the versions that are kept: %w", err))
	}
	retained, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (Retained, error) {
		var r Retained
		var shape *string
		err := row.Scan(&r.Run, &r.Generation, &r.Endpoints, &r.Tables, &shape, &r.PublishedAt)
		if shape != nil {
			r.Shape = *shape
		}
		return r, err
	})
	if err != nil {
		return Retained{}, migrationMissing(fmt.Errorf("list the versions that are kept: %w", err))
	}
	for _, r := range retained {
		if run == 0 && r.Run < s.live.Run || run != 0 && r.Run == run && run != s.live.Run {
			return r, nil
		}
	}
	return Retained{}, &NotRetainedError{Collection: s.collection, Run: run, Live: s.live.Run, Retained: retained}
}

// PublishRollback makes a retained version live again: it reverts, in the version's tables, the changes of later runs, and moves the
// version row. The change log records this, so that it can be reverted too. The Changes are those of the version's tables; the errors
// are those of Load.Publish. If hold is not nil, it is set in the same transaction.
func (r *Run) PublishRollback(ctx context.Context, target Retained, hold *HoldRequest) (_ Published, _ Changes, err error) {
	defer inDatabase(&err)
	version := target.Version
	version.Run = r.id
	published := Published{Run: r.id, Mode: Rollback, Tables: target.Tables}
	var changes Changes
	record := Record{Shape: target.Shape}
	err = r.publish(ctx, version, published, &record, func(tx pgx.Tx) error {
		changes = Changes{}
		if err := createStaging(ctx, tx, idParts(version.Endpoints)); err != nil {
			return err
		}
		for _, d := range version.Endpoints {
			table := sql.DocumentTable(r.session.collection, d.Name, version.Generation)
			for _, statement := range []string{"etl/stage_undo", "etl/stage_undo_of_additions"} {
				undo := sql.QueryFor(statement, "table", table, "change", sql.ChangeTable(d.IDParts))
				_, err := tx.Exec(ctx, undo, r.session.collection, version.Generation, d.Name, target.Run)
				if err != nil {
					return fmt.Errorf("stage the earlier documents of %s: %w", d.Name, err)
				}
			}
			written, err := r.applyStaged(ctx, tx, version.Generation, d)
			if err != nil {
				return err
			}
			changes.Endpoints = append(changes.Endpoints, EndpointCounts{Name: d.Name, Counts: written})
		}
		if hold != nil {
			if err := setHold(ctx, tx, r.session.collection, *hold); err != nil {
				return err
			}
		}
		if version.Generation == r.session.live.Generation {
			record.Plan = &changes // a return to another generation shows other changes to readers
		}
		return nil
	})
	return published, changes, err
}
