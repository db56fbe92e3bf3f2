package publish

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"systemscale/sql"
)

// deadTable is a document table that neither a kept version nor a running run needs.
type deadTable struct {
	Generation int64
	Name       string
}

// dropDeadTables drops the tables of all generations that no kept version and no running run needs. It relies only on the database, so it
// is safe while another session publishes. Each table is dropped in a separate transaction: one transaction for all could deadlock with a
// batch of lookups.
func dropDeadTables(ctx context.Context, conn *pgx.Conn, collection string) error {
	rows, err := conn.Query(ctx, sql.Query("etl/select_dead_tables"), collection)
	if err != nil {
		return migrationMissing(fmt.Errorf("list the tables to drop: %w", err))
	}
	tables, err := pgx.CollectRows(rows, pgx.RowToStructByPos[deadTable])
	if err != nil {
		return migrationMissing(fmt.Errorf("list the tables to drop: %w", err))
	}
	busy := false
	for i, t := range tables {
		if err := dropTable(ctx, conn, t.Name); err != nil && !isBusy(err) {
			return err
		} else if err != nil {
			busy = true
		}
		if i+1 < len(tables) && tables[i+1].Generation == t.Generation {
			continue
		}
		if busy {
			busy = false
			continue
		}
		// The anchors are deleted after the tables: a reader with an outdated version must find no table, rather than a list without pages.
		for _, parts := range []int{0, 1} { // a table does not tell the kind of its ids
			statement := sql.QueryFor("etl/delete_page_anchors", "page_anchor", sql.AnchorTable(parts))
			if _, err := conn.Exec(ctx, statement, collection, t.Generation); err != nil {
				return migrationMissing(fmt.Errorf("delete the page anchors of generation %d: %w", t.Generation, err))
			}
		}
	}
	return nil
}

func dropTable(ctx context.Context, conn *pgx.Conn, name string) error {
	if _, err := conn.Exec(ctx, sql.QueryFor("etl/drop_table", "table", name)); err != nil {
		return fmt.Errorf("drop the table %s: %w", name, err)
	}
	return nil
}
