package command

import (
	"context"

	"systemscale/etl/internal/publish"
	"systemscale/sql/migrate"
)

type migrateCommand struct {
	Database databaseFlags `embed:""`
}

func (c *migrateCommand) Help() string {
	return `Creates or updates the schema that etl and api share. A schema that is up to date stays as it is.
The roles of sql/bootstrap.sql must exist.

Example:
  etl migrate --database postgres://systemscale_etl:password@localhost:5432/systemscale`
}

// Run migrates the database.
func (c *migrateCommand) Run(ctx context.Context) error {
	if err := migrate.Up(ctx, c.Database.URL); err != nil {
		return &publish.DatabaseError{Err: err}
	}
	return nil
}
