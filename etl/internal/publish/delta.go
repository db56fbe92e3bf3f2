package publish

import (
	"context"
	"fmt"
	"io"

	"github.com/jackc/pgx/v5"

	"systemscale/sql"
)

// PublishDelta writes the spooled documents into the live tables, in one transaction with the change log and the version row. endpoints are
// the live ones, in the same order, with their new schemas. changes is the result of the comparison; it must equal the written changes.
// tables describes the documents after the change. The errors are those of Load.Publish.
func (r *Run) PublishDelta(
	ctx context.Context, spool *Spool, endpoints []sql.Endpoint, changes Changes, tables []Table, record Record,
) (_ Published, err error) {
	defer inDatabase(&err)
	version := r.session.live
	version.Run, version.Endpoints = r.id, endpoints
	published := Published{Run: r.id, Mode: Delta, Tables: tables}
	return published, r.publish(ctx, version, published, &record, func(tx pgx.Tx) error {
		if err := createStaging(ctx, tx, idParts(endpoints)); err != nil {
			return err
		}
		for i, d := range version.Endpoints {
			if err := copySpooled(ctx, tx, spool.staged[i], "etl/copy_staged"); err != nil {
				return err
			}
			if err := copySpooled(ctx, tx, spool.removed[i], "etl/copy_removed"); err != nil {
				return err
			}
			written, err := r.applyStaged(ctx, tx, version.Generation, d)
			if err != nil {
				return err
			}
			found := changes.Endpoints[i].Counts
			written.Unchanged = found.Unchanged
			if written != found {
				return fmt.Errorf("%s would have %d documents added, %d changed and %d removed, and %d, %d and %d were found: nothing is published",
					d.Name, written.Added, written.Changed, written.Removed, found.Added, found.Changed, found.Removed)
			}
		}
		return nil
	})
}

func copySpooled(ctx context.Context, tx pgx.Tx, spooled *spoolFile, statement string) error {
	if spooled == nil {
		return nil
	}
	var rows io.Reader
	rows, err := spooled.reader()
	if err != nil {
		return err
	}
	if _, err := tx.Conn().PgConn().CopyFrom(ctx, rows, sql.Query(statement)); err != nil {
		return fmt.Errorf("stage the changed documents: %w", err)
	}
	return nil
}

// applyStaged logs the rows of a table that are about to change, writes the staged rows into it, and empties the staging tables.
func (r *Run) applyStaged(ctx context.Context, tx pgx.Tx, generation int64, endpoint sql.Endpoint) (Counts, error) {
	collection, name := r.session.collection, endpoint.Name
	table := sql.DocumentTable(collection, name, generation)
	log, anchors := sql.ChangeTable(endpoint.IDParts), sql.AnchorTable(endpoint.IDParts)
	var counts Counts
	if _, err := tx.Exec(ctx, sql.Query("etl/analyze_staging")); err != nil {
		return counts, fmt.Errorf("analyze the staged documents: %w", err)
	}
	err := tx.QueryRow(ctx, sql.QueryFor("etl/log_staged", "table", table, "change", log), collection, generation, r.id, name).
		Scan(&counts.Added, &counts.Changed)
	if err != nil {
		return counts, fmt.Errorf("log the changes of %s: %w", name, err)
	}
	removed, err := tx.Exec(ctx, sql.QueryFor("etl/log_removed", "table", table, "change", log), collection, generation, r.id, name)
	if err != nil {
		return counts, fmt.Errorf("log the removals of %s: %w", name, err)
	}
	counts.Removed = removed.RowsAffected()
	if counts.Differing() == 0 {
		return counts, nil
	}
	for _, statement := range []string{"etl/delete_removed", "etl/upsert_staged"} {
		if _, err := tx.Exec(ctx, sql.QueryFor(statement, "table", table)); err != nil {
			return counts, fmt.Errorf("write the changes to %s: %w", table, err)
		}
	}
	if endpoint.List && counts.Added+counts.Removed > 0 {
		if _, err := tx.Exec(ctx, sql.QueryFor("etl/delete_page_anchors", "page_anchor", anchors), collection, generation); err != nil {
			return counts, fmt.Errorf("remove the page anchors: %w", err)
		}
		statement := sql.QueryFor("etl/insert_page_anchors", "table", table, "page_anchor", anchors)
		if _, err := tx.Exec(ctx, statement, collection, generation, sql.AnchorEvery); err != nil {
			return counts, fmt.Errorf("insert the page anchors: %w", err)
		}
	}
	if _, err := tx.Exec(ctx, sql.Query("etl/truncate_staging")); err != nil {
		return counts, fmt.Errorf("empty the staging tables: %w", err)
	}
	return counts, nil
}
