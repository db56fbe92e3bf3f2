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

// driver is a database of golang-migrate in which a migration and its number are one transaction, so that whatever ends a migration leaves
// nothing of it: the library's own driver commits "dirty" before each migration, and stays dirty when it is killed. It is used by one
// goroutine at a time.
type driver struct {
	ctx     context.Context // of all statements: the library's interface has none
	conn    *pgx.Conn
	schema  string // in which schema_migrations is
	version int    // that was read last
	tx      pgx.Tx // of the migration at work
}

// builtBefore is the last version that builds with the library's own driver knew. Only they left a version dirty.
const builtBefore = 3

// lockPatience is how long another migration is waited for.
var lockPatience = 10 * time.Second // a test shortens it

// open finds the table of the version, and creates it where there is none.
func (d *driver) open() error {
	for range 2 {
		err := d.conn.QueryRow(d.ctx, sql.Query("etl/find_migrations_table")).Scan(&d.schema)
		if err == nil {
			return nil
		}
		if !errors.Is(err, pgx.ErrNoRows) {
			return fmt.Errorf("look for the version of the schema: %w", err)
		}
		_, err = d.conn.Exec(d.ctx, sql.Query("etl/create_migrations_table"))
		// Another migration may have created it meanwhile.
		if err != nil && !sql.IsCreatedMeanwhile(err) {
			return fmt.Errorf("create the table public.schema_migrations: %w", err)
		}
	}
	return errors.New("public.schema_migrations is another program's: systemScale needs a database of its own")
}

const lockNotAvailable = "55P03"

func isCode(err error, codes ...string) bool {
	var refused *pgconn.PgError
	return errors.As(err, &refused) && slices.Contains(codes, refused.Code)
}

func (d *driver) query(name string) string { return sql.QueryFor(name, "schema", d.schema) }

// Open is not used: migrate.NewWithInstance takes a driver that is open.
func (d *driver) Open(string) (database.Driver, error) {
	return nil, errors.New("BUG: this driver has no scheme")
}

// Close closes the connection, and with it whatever is not committed.
func (d *driver) Close() error { return d.conn.Close(context.WithoutCancel(d.ctx)) }

// Lock keeps earlier builds out, which know no other lock than this one. Between builds with this driver the lock of
// etl/lock_schema decides.
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
		err := d.conn.QueryRow(d.ctx, sql.Query("etl/select_advisory_holder"), key, pgx.Identifier{d.schema, "schema_migrations"}.Sanitize()).Scan(&pid, &role, &writes)
		switch {
		case errors.Is(err, pgx.ErrNoRows): // released meanwhile
		case err != nil:
			return fmt.Errorf("look for another migration: %w", err)
		case !writes:
			return nil
		case time.Now().After(patience):
			return fmt.Errorf("another etl migrate is at work: database process %d of the role %q. Wait for it to end", pid, role)
		}
		select {
		case <-d.ctx.Done():
			return d.ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// earlierKey returns the key by which builds with the library's driver lock the schema: it has the database's name from a URL's path.
func (d *driver) earlierKey() (int64, error) {
	var name string
	if err := d.conn.QueryRow(d.ctx, sql.Query("etl/select_database")).Scan(&name); err != nil {
		return 0, fmt.Errorf("read the name of the database: %w", err)
	}
	text, err := database.GenerateAdvisoryLockId("/"+name, d.schema, "schema_migrations")
	if err != nil {
		return 0, fmt.Errorf("make the key of the lock: %w", err)
	}
	return strconv.ParseInt(text, 10, 64)
}

// Unlock leaves the lock to Close.
func (d *driver) Unlock() error { return nil }

// Version returns the version of the schema. One that an earlier build left dirty is put right first: its migrations were each all or
// nothing, so the schema shows how the last one ended.
func (d *driver) Version() (int, bool, error) {
	var dirty bool
	var err error
	if d.version, dirty, err = d.read(); err != nil || !dirty || d.version > builtBefore {
		return d.version, dirty, err
	}
	if err := d.begin(); err != nil {
		return 0, false, fmt.Errorf("put the version of the schema right: %w", err)
	}
	if d.version, dirty, err = d.read(); err != nil {
		return 0, false, err
	}
	if dirty { // still, now that nothing else changes it
		if err := d.conn.QueryRow(d.ctx, sql.Query("etl/probe_migrations")).Scan(&d.version); err != nil {
			return 0, false, fmt.Errorf("look for what an interrupted migration did: %w", err)
		}
	}
	return d.version, false, d.commit(d.version)
}

// begin begins the transaction of a migration.
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

// errMoved means that another migration came first.
var errMoved = errors.New("another etl migrate has changed the schema meanwhile: run this one again")

// SetVersion with dirty begins a migration, and without it ends one.
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

// commit writes the version and ends the transaction.
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

// Run sends the text of a migration, within the transaction that SetVersion began.
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
	return errors.New("BUG: the schema is never dropped but by its migrations")
}

// holders lists the sessions that have a lock on a table of the schema, for a message.
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
