package workspace

import (
	"context"
	_ "embed"
	"fmt"
	"os"

	"systemscale/scripts/measure"
	"systemscale/sql"
)

var (
	//go:embed query/set_password.sql
	setPassword string
	//go:embed query/drop_database.sql
	dropDatabase string
	//go:embed query/checkpoint.sql
	checkpoint string
)

// CreateMigrated replaces the database by an empty one with the current schema.
func (w *Workspace) CreateMigrated(ctx context.Context) error {
	// Run numbers restart at 1, and the rejects directory of an earlier run with the same number must not exist.
	if err := os.RemoveAll(w.Rejects()); err != nil {
		return err
	}
	if err := w.createDatabase(ctx); err != nil {
		return fmt.Errorf("create the database: %w", err)
	}
	_, err := measure.Run(ctx, w.Program("etl"), "migrate", "--database", w.ETLURL())
	return err
}

func (w *Workspace) createDatabase(ctx context.Context) error {
	statements := []string{sql.Bootstrap}
	for _, role := range []string{sql.RoleETL, sql.RoleAPI} {
		statements = append(statements, sql.Fill(setPassword, "role", role, "password", password))
	}
	statements = append(statements, dropDatabase, sql.QueryFor("stack/create_database", "database", "bench", "owner", sql.RoleETL))
	return w.execute(ctx, statements...)
}

// Checkpoint writes the server's dirty pages to disk, so that a measurement does not include writes of an earlier one.
func (w *Workspace) Checkpoint(ctx context.Context) error {
	return w.execute(ctx, checkpoint)
}

// execute executes statements in order, as the superuser.
func (w *Workspace) execute(ctx context.Context, statements ...string) error {
	conn, err := sql.Dial(ctx, w.Admin)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(ctx) }()
	for _, statement := range statements {
		if _, err := conn.Exec(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}
