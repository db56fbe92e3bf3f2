package migrate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/golang-migrate/migrate/v4/database"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"systemscale/sql"
)

// driver is a database driver for golang-migrate that runs a migration and records its version in one transaction, so an interrupted
// migration has no effect. The library's own driver commits a dirty version before each migration and leaves it if it is killed. A
// driver must be used by one goroutine at a time.
type driver struct {
	ctx     context.Context // for all statements, because the library's interface has no contexts
	conn    *pgx.Conn
	schema  string // the schema of schema_migrations
	version int    // the last version read
	tx      pgx.Tx // of the current migration
}

// builtBefore is the last version of builds with the library's own driver. Only those builds left a version dirty.
const builtBefore = 3

// lockPatience limits the time of waiting for another migration.
var lockPatience = 10 * time.Second // a test shortens it

// open finds the table schema_migrations, or creates it.
func (d *driver) open() error {
	for range 2 {
		err := d.conn.QueryRow(d.ctx, sql.Query("etl/find_migrations_table")).Scan(&d.schema)
		if err == nil {
			return nil
		}
		if !errors.Is(err, pgx.ErrNoRows) {
			return fmt.Errorf("find the table schema_migrations: %w", err)
		}
		_, err = d.conn.Exec(d.ctx, sql.Query("etl/create_migrations_table"))
		// Another migration may have created it meanwhile.
		if err != nil && !sql.IsCreatedMeanwhile(err) {
			return fmt.Errorf("create the table public.schema_migrations: %w", err)
		}
	}
	return errors.New("public.schema_migrations belongs to another program: systemScale needs its own database")
}

const lockNotAvailable = "55P03"

func isCode(err error, codes ...string) bool {
	refused, ok := errors.AsType[*pgconn.PgError](err)
	return ok && slices.Contains(codes, refused.Code)
}

func (d *driver) query(name string) string { return sql.QueryFor(name, "schema", d.schema) }

// Open is not used: migrate.NewWithInstance takes an open driver.
func (d *driver) Open(string) (database.Driver, error) {
	return nil, errors.New("BUG: this driver has no scheme")
}

// Close closes the connection, which rolls back an open transaction.
func (d *driver) Close() error { return d.conn.Close(context.WithoutCancel(d.ctx)) }

// Lock blocks earlier builds, which use only this lock. Builds with this driver exclude each other by the lock of etl/lock_schema.
func (d *driver) Lock() error {
	key, err := d.earlierKey()
	if err != nil {
		return err
	}
	for patience := time.Now().Add(lockPatience); ; {
		var held bool
		if err := d.conn.QueryRow(d.ctx, sql.Query("etl/lock_for_earlier_builds"), key).Scan(&held); err != nil {
			return fmt.Errorf("lock the schema: %w", err)
		}
		if held {
			return nil
		}
		var pid int32
		var role string
		var writes bool
		table := pgx.Identifier{d.schema, "schema_migrations"}.Sanitize()
		err := d.conn.QueryRow(d.ctx, sql.Query("etl/select_advisory_holder"), key, table).Scan(&pid, &role, &writes)
		switch {
		case errors.Is(err, pgx.ErrNoRows): // released meanwhile
		case err != nil:
			return fmt.Errorf("find the other migration: %w", err)
		case !writes:
			return nil
		case time.Now().After(patience):
			return fmt.Errorf("another etl migrate is running: database process %d of the role %q. Wait for it to end", pid, role)
		}
		select {
		case <-d.ctx.Done():
			return d.ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// earlierKey returns the key of the lock of builds with the library's driver. They derived it from the path of the database URL.
func (d *driver) earlierKey() (int64, error) {
	var name string
	if err := d.conn.QueryRow(d.ctx, sql.Query("etl/select_database")).Scan(&name); err != nil {
		return 0, fmt.Errorf("read the name of the database: %w", err)
	}
	text, err := database.GenerateAdvisoryLockId("/"+name, d.schema, "schema_migrations")
	if err != nil {
		return 0, fmt.Errorf("derive the key of the lock: %w", err)
	}
	return strconv.ParseInt(text, 10, 64)
}

// Unlock does nothing: Close releases the lock.
func (d *driver) Unlock() error { return nil }

// Version returns the version of the schema. It first corrects a version that an earlier build left dirty: each of its migrations was
// applied completely or not at all, so the schema shows the result.
func (d *driver) Version() (int, bool, error) {
	var dirty bool
	var err error
	if d.version, dirty, err = d.read(); err != nil || !dirty || d.version > builtBefore {
		return d.version, dirty, err
	}
	if err := d.begin(); err != nil {
		return 0, false, fmt.Errorf("correct the version of the schema: %w", err)
	}
	if d.version, dirty, err = d.read(); err != nil {
		return 0, false, err
	}
	if dirty { // still, under the lock
		if err := d.conn.QueryRow(d.ctx, sql.Query("etl/probe_migrations")).Scan(&d.version); err != nil {
			return 0, false, fmt.Errorf("detect the version after an interrupted migration: %w", err)
		}
	}
	return d.version, false, d.commit(d.version)
}

// begin begins the transaction of a migration and locks the schema.
func (d *driver) begin() error {
	var err error
	if d.tx, err = d.conn.Begin(d.ctx); err != nil {
		return err
	}
	_, err = d.tx.Exec(d.ctx, d.query("etl/lock_schema"))
	return err
}

func (d *driver) read() (version int, dirty bool, err error) {
	err = d.conn.QueryRow(d.ctx, d.query("etl/select_migration")).Scan(&version, &dirty)
	if errors.Is(err, pgx.ErrNoRows) {
		return database.NilVersion, false, nil
	}
	if err != nil {
		return 0, false, fmt.Errorf("read the version of the schema: %w", err)
	}
	return version, dirty, nil
}

// errMoved means that another migration has changed the version.
var errMoved = errors.New("another etl migrate has changed the schema meanwhile: run this one again")

// SetVersion begins a migration if dirty is set, and commits it otherwise.
func (d *driver) SetVersion(version int, dirty bool) error {
	if !dirty {
		return d.commit(version)
	}
	if err := d.begin(); err != nil {
		return fmt.Errorf("begin the migration to version %d: %w", version, err)
	}
	found, _, err := d.read()
	if err != nil {
		return err
	}
	if found != d.version {
		return errMoved
	}
	return nil
}

// commit writes the version and commits the transaction.
func (d *driver) commit(version int) error {
	if _, err := d.conn.Exec(d.ctx, d.query("etl/delete_migration")); err != nil {
		return fmt.Errorf("write the version of the schema: %w", err)
	}
	if version >= 0 {
		if _, err := d.conn.Exec(d.ctx, d.query("etl/insert_migration"), version); err != nil {
			return fmt.Errorf("write the version of the schema: %w", err)
		}
	}
	if err := d.tx.Commit(d.ctx); err != nil {
		return fmt.Errorf("commit version %d of the schema: %w", version, err)
	}
	d.version = version
	return nil
}

// Run executes a migration in the transaction that SetVersion has begun.
func (d *driver) Run(migration io.Reader) error {
	text, err := io.ReadAll(migration)
	if err != nil {
		return fmt.Errorf("read the migration after version %d: %w", d.version, err)
	}
	if _, err := d.conn.Exec(d.ctx, string(text)); err != nil {
		return fmt.Errorf("change the schema from version %d: %w", d.version, err)
	}
	return nil
}

// Drop is not used.
func (d *driver) Drop() error {
	return errors.New("BUG: only migrations drop the schema")
}

// holders lists the sessions with a lock on a table of the schema, for a message.
func (d *driver) holders(ctx context.Context) string {
	rows, err := d.conn.Query(ctx, sql.Query("etl/select_lock_holders"), d.schema)
	if err != nil {
		return ""
	}
	found, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (string, error) {
		var pid int32
		var role string
		err := row.Scan(&pid, &role)
		return fmt.Sprintf("%d of the role %q", pid, role), err
	})
	if err != nil {
		return ""
	}
	return strings.Join(found, ", ")
}
