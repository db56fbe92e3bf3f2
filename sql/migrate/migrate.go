// Package migrate brings the schema of the database to the version that this build knows.
package migrate

import (
	"errors"
	"fmt"
	"strings"

	"github.com/golang-migrate/migrate/v4"
	_ "github.com/golang-migrate/migrate/v4/database/pgx/v5" // registers the pgx5:// scheme
	"github.com/golang-migrate/migrate/v4/source/iofs"

	"systemscale/sql"
)

// Up applies every migration that is missing. An up-to-date database is no error.
// The role in databaseURL owns what is created.
func Up(databaseURL string) error {
	return with(databaseURL, func(m *migrate.Migrate) error { return m.Up() })
}

// Down takes every migration back, and every published document with them.
func Down(databaseURL string) error {
	return with(databaseURL, func(m *migrate.Migrate) error { return m.Down() })
}

func with(databaseURL string, change func(*migrate.Migrate) error) error {
	source, err := iofs.New(sql.Migrations, "migrations")
	if err != nil {
		return fmt.Errorf("read embedded migrations: %w", err)
	}
	_, rest, found := strings.Cut(databaseURL, "://")
	if !found {
		return errors.New("migrate: the database must be a URL such as postgres://user:password@host:5432/name")
	}
	m, err := migrate.NewWithSourceInstance("embedded", source, "pgx5://"+rest)
	if err != nil {
		return fmt.Errorf("connect for migrations: %w", err)
	}
	err = change(m)
	sourceErr, databaseErr := m.Close()

	var dirty migrate.ErrDirty
	switch {
	case errors.As(err, &dirty):
		return fmt.Errorf("migration %d was interrupted and left the schema dirty. Look at what it changed, mend that by hand, "+
			"then set the version that the schema is really at: update schema_migrations set version = N, dirty = false", dirty.Version)
	case err != nil && !errors.Is(err, migrate.ErrNoChange):
		return fmt.Errorf("migrate: %w", err)
	}
	return errors.Join(sourceErr, databaseErr)
}
