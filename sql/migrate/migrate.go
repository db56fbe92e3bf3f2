// Package migrate migrates the schema of the database to the newest version that this build knows.
//
// Each migration is one transaction, including its version. An interrupted migration, even by kill -9, has no effect, and the next
// call repeats it. A migration waits for readers only for a short time.
package migrate

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/golang-migrate/migrate/v4"
	"github.com/golang-migrate/migrate/v4/source"
	"github.com/golang-migrate/migrate/v4/source/iofs"

	"systemscale/sql"
)

// NewerError means that a newer build has migrated the schema.
type NewerError struct {
	Schema int // the schema's version
	Known  int // the newest version that this build knows
}

func (e *NewerError) Error() string {
	return fmt.Sprintf("the schema is at version %d, and this build knows %d: a newer build migrated it. Use that one, or leave the schema as it is",
		e.Schema, e.Known)
}

// Up applies all pending migrations. It does nothing if the schema is up to date. The role in databaseURL owns the created objects.
// The error is sql.ErrURL if the URL is malformed, and a *NewerError if the schema is newer than this build.
func Up(ctx context.Context, databaseURL string) error {
	return with(ctx, databaseURL, (*migrate.Migrate).Up)
}

// Down reverts all migrations. It drops all published documents.
func Down(ctx context.Context, databaseURL string) error {
	return with(ctx, databaseURL, (*migrate.Migrate).Down)
}

// attempts is the number of attempts of a migration that cannot get a lock. Blocked readers continue between two attempts.
var attempts = 5 // a test lowers it

func with(ctx context.Context, databaseURL string, change func(*migrate.Migrate) error) error {
	var err error
	for attempt := 1; ; attempt++ {
		var holders string
		if holders, err = once(ctx, databaseURL, change); !isCode(err, lockNotAvailable) && !errors.Is(err, errMoved) {
			return err
		}
		if attempt == attempts {
			if holders != "" {
				return fmt.Errorf("%w. Its tables are locked by database process %s: end what runs there, then migrate again", err, holders)
			}
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Second):
		}
	}
}

// once makes one attempt. If a lock timed out, holders lists the sessions with locks on the tables.
func once(ctx context.Context, databaseURL string, change func(*migrate.Migrate) error) (holders string, err error) {
	config, err := sql.Config(databaseURL, "systemscale-migrate", sql.ConnectTimeout)
	if err != nil {
		return "", err
	}
	// The server then ends the statement of a killed migration.
	config.RuntimeParams["client_connection_check_interval"] = "2s"
	conn, err := sql.Connect(ctx, config)
	if err != nil {
		return "", fmt.Errorf("connect for migrations: %w", err)
	}
	d := &driver{ctx: ctx, conn: conn}
	defer func() {
		err = errors.Join(err, d.Close())
	}()
	if err := d.open(); err != nil {
		return "", err
	}
	known, newest, err := embedded()
	if err != nil {
		return "", err
	}
	m, err := migrate.NewWithInstance("embedded", known, "postgres", d)
	if err != nil {
		return "", fmt.Errorf("prepare the migrations: %w", err)
	}
	m.LockTimeout = 2 * lockPatience // Lock times out first, with a better message
	if version, _, err := d.read(); err != nil {
		return "", err
	} else if version > newest {
		return "", &NewerError{Schema: version, Known: newest}
	}
	err = change(m)
	if isCode(err, lockNotAvailable) && !conn.IsClosed() {
		if d.tx.Rollback(ctx) == nil {
			holders = d.holders(ctx)
		}
	}
	return holders, d.explain(err)
}

// embedded returns the migrations and the version of the last one.
func embedded() (source.Driver, int, error) {
	known, err := iofs.New(sql.Migrations, "migrations")
	if err != nil {
		return nil, 0, fmt.Errorf("read embedded migrations: %w", err)
	}
	newest, err := known.First()
	for err == nil {
		var next uint
		if next, err = known.Next(newest); err == nil {
			newest = next
		}
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, 0, fmt.Errorf("read embedded migrations: %w", err)
	}
	return known, int(newest), nil
}

func (d *driver) explain(err error) error {
	if err == nil || errors.Is(err, migrate.ErrNoChange) {
		return nil
	}
	if dirty, ok := errors.AsType[migrate.ErrDirty](err); ok {
		return fmt.Errorf("version %d of the schema is marked dirty, which no build of systemScale does. Find the program that did it and "+
			"repair the schema, then set its actual version: update %s.schema_migrations set version = N, dirty = false", dirty.Version, d.schema)
	}
	return fmt.Errorf("migrate: %w", err)
}
