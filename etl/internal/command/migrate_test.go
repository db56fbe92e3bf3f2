package command

import (
	"fmt"
	"io/fs"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"systemscale/sql"
	"systemscale/sql/testdb"
)

// TestKilledMigrationsHarmNothing blocks each migration with a lock of another session, and ends the program with kill -9, and with
// SIGTERM. The migration must be rolled back, and the next call must succeed.
func TestKilledMigrationsHarmNothing(t *testing.T) {
	etl := filepath.Join(build(t, "systemscale/etl"), "etl")
	// Statements that block a migration, by the version before it.
	obstacles := map[int]string{
		0: "create schema catalog",
		1: "lock table catalog.run in access share mode",
		2: "create table catalog.cache_node ()",
		3: "do $$ begin execute format('grant connect on database %I to public', current_database()); end $$",
	}
	files, err := fs.Glob(sql.Migrations, "migrations/*.up.sql")
	if err != nil || len(files) < len(obstacles) {
		t.Fatalf("%d migrations, %v", len(files), err)
	}
	database := testdb.NewEmpty(t)
	admin := testdb.Connect(t, database.AdminURL)
	exec1 := func(statement string) {
		t.Helper()
		if _, err := admin.Exec(t.Context(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	version := func() (version int) {
		t.Helper()
		if err := admin.QueryRow(t.Context(),
			"select coalesce(max(version) filter (where not dirty), 0) from public.schema_migrations").Scan(&version); err != nil {
			t.Fatal(err)
		}
		return version
	}
	migrating := func(condition string) (yes bool) {
		t.Helper()
		if err := admin.QueryRow(t.Context(), `select exists (select from pg_stat_activity
			where datname = current_database() and application_name = 'systemscale-migrate' `+condition+`)`).Scan(&yes); err != nil {
			t.Fatal(err)
		}
		return yes
	}
	exec1("create table public.schema_migrations (version bigint not null primary key, dirty boolean not null)")
	exec1("alter table public.schema_migrations owner to systemscale_etl")
	for before := range len(obstacles) {
		for _, signal := range []syscall.Signal{syscall.SIGKILL, syscall.SIGTERM} {
			obstacle := testdb.Connect(t, database.ETL)
			for _, statement := range []string{"begin", obstacles[before]} {
				if _, err := obstacle.Exec(t.Context(), statement); err != nil {
					t.Fatalf("%s: %v", statement, err)
				}
			}
			command := exec.Command(etl, "migrate", "--database", database.ETL)
			if err := command.Start(); err != nil {
				t.Fatal(err)
			}
			waitUntil(t, "a migration waits", func() bool { return migrating("and wait_event_type = 'Lock'") })
			if err := command.Process.Signal(signal); err != nil {
				t.Fatal(err)
			}
			_ = command.Wait()
			if code := command.ProcessState.ExitCode(); signal == syscall.SIGTERM && code != exitInterrupted {
				t.Errorf("exit code %d after SIGTERM, want %d", code, exitInterrupted)
			}
			if err := obstacle.Close(t.Context()); err != nil {
				t.Fatal(err)
			}
			// Otherwise the next iteration could take it for its own migration.
			waitUntil(t, "the migration's connection has ended", func() bool { return !migrating("") })
			if got := version(); got != before {
				t.Fatalf("version %d after the migration to version %d was ended, want %d", got, before+1, before)
			}
		}
		migrateFrom(t, database, before, files[before])
	}
	if out, err := exec.Command(etl, "migrate", "--database", database.ETL).CombinedOutput(); err != nil {
		t.Errorf("etl migrate: %v\n%s", err, out)
	}
}

// migrateFrom migrates a database from a version to the next.
func migrateFrom(t *testing.T, database testdb.Database, version int, file string) {
	t.Helper()
	text, err := sql.Migrations.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	owner := testdb.Connect(t, database.ETL)
	for _, statement := range []string{
		string(text), "delete from public.schema_migrations", fmt.Sprintf("insert into public.schema_migrations values (%d, false)", version+1),
	} {
		if _, err := owner.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
}

// waitUntil waits for at most a minute until a condition is true.
func waitUntil(t *testing.T, what string, is func() bool) {
	t.Helper()
	for began := time.Now(); !is(); time.Sleep(10 * time.Millisecond) {
		if time.Since(began) > time.Minute {
			t.Fatalf("after a minute it is not true that %s", what)
		}
	}
}
