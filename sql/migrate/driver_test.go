package migrate_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"strings"
	"testing"
	"time"

	library "github.com/golang-migrate/migrate/v4/database"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"systemscale/sql"
	"systemscale/sql/migrate"
	"systemscale/sql/testdb"
)

// exec sends statements that have no parameters.
func exec(t *testing.T, conn *pgx.Conn, statements ...string) {
	t.Helper()
	for _, statement := range statements {
		if _, err := conn.Exec(t.Context(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
}

// migrations returns the names of the files of all migrations in one direction, in order.
func migrations(t *testing.T, direction string) []string {
	t.Helper()
	files, err := fs.Glob(sql.Migrations, "migrations/*."+direction+".sql")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d migrations, %v", len(files), err)
	}
	return files
}

// text returns the text of a migration.
func text(t *testing.T, file string) string {
	t.Helper()
	text, err := sql.Migrations.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// number returns the number of a migration.
func number(t *testing.T, file string) (number int) {
	t.Helper()
	if _, err := fmt.Sscanf(file, "migrations/%06d_", &number); err != nil {
		t.Fatal(err)
	}
	return number
}

// newest returns the row of the newest version.
func newest(t *testing.T) string {
	t.Helper()
	files := migrations(t, "up")
	return fmt.Sprintf("%d false", number(t, files[len(files)-1]))
}

// downTo takes the migrations after a version back.
func downTo(t *testing.T, conn *pgx.Conn, version int) {
	t.Helper()
	files := migrations(t, "down")
	for i := len(files) - 1; i >= 0 && number(t, files[i]) > version; i-- {
		exec(t, conn, text(t, files[i]))
	}
	exec(t, conn, "delete from schema_migrations")
	if version > 0 {
		exec(t, conn, fmt.Sprintf("insert into schema_migrations values (%d, false)", version))
	}
}

// versionOf returns what schema_migrations in a schema has.
func versionOf(t *testing.T, conn *pgx.Conn, schema string) (rows string) {
	t.Helper()
	err := conn.QueryRow(t.Context(), "select coalesce(string_agg(version || ' ' || dirty, ', '), 'none') from "+schema+".schema_migrations").Scan(&rows)
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// uncommented describes the schema without its comments, which are by the numbers of columns: one that is added again has another number.
func uncommented(t *testing.T, conn *pgx.Conn) string {
	t.Helper()
	return regexp.MustCompile(`(?m)^comment .*\n`).ReplaceAllString(schema(t, conn), "")
}

// TestDirtySchemaIsRepaired takes up what an earlier build left when it was killed: the version is that of the migration which it began,
// and Postgres rolled that back, or committed it.
func TestDirtySchemaIsRepaired(t *testing.T) {
	for _, c := range []struct {
		name        string
		really, row int
	}{
		{"first, rolled back", 0, 1},
		{"second, rolled back", 1, 2},
		{"third, rolled back", 2, 3},
		{"third, committed", 3, 3},
		{"down from the third, rolled back", 3, 2},
		{"down from the first, rolled back", 1, -1},
	} {
		t.Run(c.name, func(t *testing.T) {
			database := testdb.New(t)
			conn := testdb.Connect(t, database.ETL)
			want := uncommented(t, conn)
			downTo(t, conn, c.really)
			exec(t, conn, "delete from schema_migrations", fmt.Sprintf("insert into schema_migrations values (%d, true)", c.row))
			if err := migrate.Up(t.Context(), database.ETL); err != nil {
				t.Fatal(err)
			}
			if got := versionOf(t, conn, "public"); got != newest(t) {
				t.Errorf("the version is %s, want %s", got, newest(t))
			}
			if got := uncommented(t, conn); got != want {
				t.Errorf("the schema is\n%s\nwant\n%s", got, want)
			}
		})
	}
}

func TestDirtySchemaError(t *testing.T) {
	database := testdb.New(t)
	exec(t, testdb.Connect(t, database.ETL), "update schema_migrations set dirty = true")
	if err := migrate.Up(t.Context(), database.ETL); err == nil || !strings.Contains(err.Error(), "update public.schema_migrations set version") {
		t.Errorf("Up = %v, want how to repair it", err)
	}
}

// TestMigrationsCanBeRolledBack rules out what Postgres refuses, or commits, in the middle of a transaction.
func TestMigrationsCanBeRolledBack(t *testing.T) {
	alone := regexp.MustCompile(`(?im)^\s*(commit|begin;|begin transaction|rollback|vacuum|reindex)\b|\bconcurrently\b`)
	for _, file := range append(migrations(t, "up"), migrations(t, "down")...) {
		if found := alone.FindString(text(t, file)); found != "" {
			t.Errorf("%s has %q: a migration and its number are one transaction", file, found)
		}
	}
}

func TestNewerSchema(t *testing.T) {
	database := testdb.New(t)
	conn := testdb.Connect(t, database.ETL)
	known := newest(t)
	exec(t, conn, "update schema_migrations set version = 99")
	for name, change := range map[string]func(context.Context, string) error{"Up": migrate.Up, "Down": migrate.Down} {
		err := change(t.Context(), database.ETL)
		if newer, ok := errors.AsType[*migrate.NewerError](err); !ok || newer.Schema != 99 || fmt.Sprintf("%d false", newer.Known) != known {
			t.Errorf("%s = %v, want a NewerError", name, err)
		}
	}
	if got := versionOf(t, conn, "public"); got != "99 false" {
		t.Errorf("the version is %s", got)
	}
}

// TestVersionIsInPublic migrates where current_schema() is another schema, or none.
func TestVersionIsInPublic(t *testing.T) {
	for name, prepare := range map[string]string{
		"a schema of the role's name":  `create schema systemscale_etl`,
		"an empty search_path":         `do $$ begin execute format('alter database %I set search_path = ''''', current_database()); end $$`,
		"a search_path without public": `do $$ begin execute format('alter database %I set search_path = nothing', current_database()); end $$`,
	} {
		t.Run(name, func(t *testing.T) {
			database := testdb.NewEmpty(t)
			exec(t, testdb.Connect(t, database.ETL), prepare)
			for range 2 {
				if err := migrate.Up(t.Context(), database.ETL); err != nil {
					t.Fatal(err)
				}
			}
			conn := testdb.Connect(t, database.ETL)
			var tables string
			err := conn.QueryRow(t.Context(), "select string_agg(schemaname, ', ') from pg_tables where tablename = 'schema_migrations'").Scan(&tables)
			if err != nil || tables != "public" {
				t.Errorf("schema_migrations is in %s (%v)", tables, err)
			}
			if got := versionOf(t, conn, "public"); got != newest(t) {
				t.Errorf("the version is %s, want %s", got, newest(t))
			}
		})
	}
}

// TestVersionInAnotherSchema goes on with the table that an earlier build created in the schema of the role's name.
func TestVersionInAnotherSchema(t *testing.T) {
	database := testdb.New(t)
	conn := testdb.Connect(t, database.ETL)
	downTo(t, conn, 2)
	exec(t, conn, "create schema systemscale_etl", "alter table public.schema_migrations set schema systemscale_etl")
	if err := migrate.Up(t.Context(), database.ETL); err != nil {
		t.Fatal(err)
	}
	if got := versionOf(t, conn, "systemscale_etl"); got != newest(t) {
		t.Errorf("the version is %s, want %s", got, newest(t))
	}
	var count int
	if err := conn.QueryRow(t.Context(), "select count(*) from pg_tables where tablename = 'schema_migrations'").Scan(&count); err != nil || count != 1 {
		t.Errorf("%d tables (%v), want 1", count, err)
	}
}

// TestErrorNamesBlockingSession lets a reader keep a lock that a migration needs: the migration ends, names the reader, and changes
// nothing. When the reader has gone, it succeeds.
func TestErrorNamesBlockingSession(t *testing.T) {
	migrate.Hurry(t)
	database := testdb.New(t)
	conn, reader := testdb.Connect(t, database.ETL), testdb.Connect(t, database.API)
	downTo(t, conn, 1)
	before := schema(t, conn)
	exec(t, reader, "begin", "lock table catalog.run in access share mode")
	err := migrate.Up(t.Context(), database.ETL)
	if want := fmt.Sprintf("%d of the role", reader.PgConn().PID()); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("Up = %v, want %q", err, want)
	}
	if got := versionOf(t, conn, "public"); got != "1 false" || schema(t, conn) != before {
		t.Errorf("the version is %s, or the schema has changed", got)
	}
	exec(t, reader, "rollback")
	if err := migrate.Up(t.Context(), database.ETL); err != nil {
		t.Error(err)
	}
}

// TestCancelWhileWaiting interrupts a migration that waits for a reader.
func TestCancelWhileWaiting(t *testing.T) {
	database := testdb.New(t)
	conn, reader, admin := testdb.Connect(t, database.ETL), testdb.Connect(t, database.API), testdb.Connect(t, database.AdminURL)
	downTo(t, conn, 1)
	exec(t, reader, "begin", "lock table catalog.run in access share mode")
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- migrate.Up(ctx, database.ETL) }()
	for waiting := false; !waiting; time.Sleep(10 * time.Millisecond) {
		err := admin.QueryRow(t.Context(), `select exists (select from pg_stat_activity
			where datname = current_database() and application_name = 'systemscale-migrate' and wait_event_type = 'Lock')`).Scan(&waiting)
		if err != nil {
			t.Fatal(err)
		}
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("Up = %v, want that it was canceled", err)
	}
	exec(t, reader, "rollback")
	if err := migrate.Up(t.Context(), database.ETL); err != nil {
		t.Error(err)
	}
}

// TestAnotherMigration holds the lock of earlier builds. Migrations wait for a role that can write, and ignore the API's role.
func TestAnotherMigration(t *testing.T) {
	migrate.Hurry(t)
	database := testdb.New(t)
	const lock = "select pg_advisory_lock($1)"
	conn, reader, earlier := testdb.Connect(t, database.ETL), testdb.Connect(t, database.API), testdb.Connect(t, database.ETL)
	var name string
	if err := conn.QueryRow(t.Context(), "select current_database()").Scan(&name); err != nil {
		t.Fatal(err)
	}
	key, err := library.GenerateAdvisoryLockId("/"+name, "public", "schema_migrations")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := reader.Exec(t.Context(), lock, key); err != nil {
		t.Fatal(err)
	}
	downTo(t, conn, 3)
	if err := migrate.Up(t.Context(), database.ETL); err != nil {
		t.Errorf("while the API's role has the lock: %v", err)
	}
	exec(t, reader, "select pg_advisory_unlock_all()")
	if _, err := earlier.Exec(t.Context(), lock, key); err != nil {
		t.Fatal(err)
	}
	if err := migrate.Up(t.Context(), database.ETL); err == nil || !strings.Contains(err.Error(), "another etl migrate is running") {
		t.Errorf("Up = %v, want that another is running", err)
	}
}

// TestConcurrentMigrations begins migrations at the same time: all of them succeed.
func TestConcurrentMigrations(t *testing.T) {
	database := testdb.NewEmpty(t)
	ended := make(chan error)
	const many = 4
	for range many {
		go func() { ended <- migrate.Up(t.Context(), database.ETL) }()
	}
	for range many {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
	if got := versionOf(t, testdb.Connect(t, database.ETL), "public"); got != newest(t) {
		t.Errorf("the version is %s, want %s", got, newest(t))
	}
}

// TestAPIRights tries what every role may do by default, and what only a writer may.
func TestAPIRights(t *testing.T) {
	database := testdb.New(t)
	owner := testdb.Connect(t, database.ETL)
	may := func(role, what string) bool {
		t.Helper()
		conn := testdb.Connect(t, role)
		exec(t, conn, "begin read write")
		_, err := conn.Exec(t.Context(), what)
		var refused *pgconn.PgError
		if err != nil && (!errors.As(err, &refused) || refused.Code != "42501") {
			t.Fatalf("%s: %v", what, err)
		}
		exec(t, conn, "rollback") // a later migration would wait for its locks
		return err == nil
	}
	const temporary, public, lock = "create temporary table t ()", "create table public.t ()", "lock table catalog.version in share update exclusive mode"
	for _, what := range []string{temporary, public, lock} {
		if may(database.API, what) {
			t.Errorf("the API's role may %s", what)
		}
		if !may(database.ETL, what) {
			t.Errorf("the ETL's role may not %s", what)
		}
	}
	downTo(t, owner, 3)
	if !may(database.API, temporary) {
		t.Error("the down migration does not restore what every role may do")
	}
}
