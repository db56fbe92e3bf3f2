package publish

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"systemscale/sql"
)

// deadTable is a document table that no version and no run needs.
type deadTable struct {
	Generation int64
	Name       string
}

// dropDeadTables drops the tables of every generation but those of the versions that are kept and of running runs. It relies on the
// database only, so it is safe while another session publishes. Each table has a transaction of its own: together they could deadlock with
// a batch of lookups.
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
		// After its tables: a reader with an outdated version must find a table missing, and not a list without pages.
		if _, err := conn.Exec(ctx, sql.Query("etl/delete_page_anchors"), collection, t.Generation); err != nil {
			return fmt.Errorf("delete the page anchors of generation %d: %w", t.Generation, err)
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
