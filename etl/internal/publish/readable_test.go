package publish

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"systemscale/sql"
	"systemscale/sql/testdb"
)

// readableBy counts the live tables that a role may read.
func readableBy(t *testing.T, conn *pgx.Conn, role string) int {
	t.Helper()
	return scalar[int](t, conn, `
		select count(*) filter (where has_table_privilege(
			$1, format('catalog.%I', v.collection || '_' || (d ->> 'name') || '_g' || v.generation), 'select'))
		from catalog.version v, jsonb_array_elements(v.documents) d`, role)
}

// TestReadersAreGrantedReading has a table without a grant in each mode of publishing, and a second reading role.
func TestReadersAreGrantedReading(t *testing.T) {
	database := testdb.New(t)
	conn := testdb.Connect(t, database.AdminURL)
	reader := pgx.Identifier{"reader of " + scalar[string](t, conn, "select current_database()")}.Sanitize()
	name := strings.Trim(reader, `"`)
	exec := func(statement string) {
		t.Helper()
		if _, err := conn.Exec(t.Context(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	exec("create role " + reader)
	t.Cleanup(func() {
		for _, statement := range []string{"drop owned by " + reader, "drop role " + reader} {
			if _, err := conn.Exec(context.Background(), statement); err != nil {
				t.Errorf("%s: %v", statement, err)
			}
		}
	})
	exec("grant usage on schema catalog to " + reader)
	exec("grant select on catalog.version, catalog.run, catalog.page_anchor, catalog.change to " + reader)
	exec("alter default privileges for role systemscale_etl in schema catalog revoke select on tables from systemscale_api")

	session := openThings(t, database)
	check := func(what string) {
		t.Helper()
		for _, role := range []string{name, sql.RoleAPI} {
			if got := readableBy(t, conn, role); got != len(endpoints) {
				t.Errorf("%s: %s may read %d tables of %d", what, role, got, len(endpoints))
			}
		}
	}
	load(t, session, endpoints, sequence(1, 30, 1), constant(1))
	check("a generation")
	for _, role := range []string{reader, sql.RoleAPI} {
		exec("revoke select on catalog.things_item_g1 from " + role)
		if _, _, err := render(t, database, session, sequence(1, 30, 1), constant(uint64(len(role)))); err != nil {
			t.Fatal(err)
		}
		check("a delta")
	}
	load(t, session, endpoints, sequence(1, 30, 1), constant(3))
	exec("revoke select on catalog.things_parts_g1 from " + sql.RoleAPI)
	if _, err := rollBack(t, session, 3); err != nil {
		t.Fatal(err)
	}
	check("a rollback to older tables")
}

// TestMonitorIsNoReader has a role that may only read the version rows. It does not block a run, and no right is granted to it.
func TestMonitorIsNoReader(t *testing.T) {
	database := testdb.New(t)
	conn := testdb.Connect(t, database.AdminURL)
	monitor := "monitor of " + scalar[string](t, conn, "select current_database()")
	quoted := pgx.Identifier{monitor}.Sanitize()
	if _, err := conn.Exec(t.Context(), "create role "+quoted+"; grant select on catalog.version to "+quoted); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := conn.Exec(context.Background(), "drop owned by "+quoted+"; drop role "+quoted); err != nil {
			t.Error(err)
		}
	})
	load(t, openThings(t, database), endpoints, sequence(1, 30, 1), constant(1))
	if got := readableBy(t, conn, monitor); got != 0 {
		t.Errorf("a role that may read the version rows was granted %d tables of documents", got)
	}
}

// TestRunFailsWithoutRights revokes rights that a run does not grant. The run fails before it writes a row, and its message has the
// statement that restores the rights.
func TestRunFailsWithoutRights(t *testing.T) {
	database := testdb.New(t)
	conn := testdb.Connect(t, database.AdminURL)
	session := openThings(t, database)
	load(t, session, endpoints, sequence(1, 30, 1), constant(1))
	runs := scalar[int](t, conn, "select count(*) from catalog.run")
	for _, right := range []string{
		"usage on schema catalog", "select on catalog.version", "select on catalog.run", "select on catalog.page_anchor",
		"select on catalog.change", "select on catalog.version, catalog.change",
	} {
		if _, err := conn.Exec(t.Context(), "revoke "+right+" from systemscale_api"); err != nil {
			t.Fatal(err)
		}
		_, err := session.Begin(t.Context(), Delta)
		var refused *UnreadableError
		if !errors.As(err, &refused) || refused.Role != sql.RoleAPI {
			t.Fatalf("without %s: Begin = %v, want an *UnreadableError", right, err)
		}
		_, remedy, found := strings.Cut(err.Error(), "superuser: ")
		if !found {
			t.Fatalf("without %s the message has no remedy: %v", right, err)
		}
		if _, err := conn.Exec(t.Context(), remedy); err != nil {
			t.Fatalf("the remedy %q: %v", remedy, err)
		}
		run, err := session.Begin(t.Context(), Delta)
		if err != nil {
			t.Fatalf("after the remedy %q: %v", remedy, err)
		}
		if err := run.Unchanged(t.Context(), Record{}); err != nil {
			t.Fatal(err)
		}
		runs++
	}
	if got := scalar[int](t, conn, "select count(*) from catalog.run"); got != runs {
		t.Errorf("%d runs are registered, want %d", got, runs)
	}
}

// TestTablesOfAnotherRole has tables of an owner that the run's role is not a member of, so the run cannot grant rights on them.
func TestTablesOfAnotherRole(t *testing.T) {
	database := testdb.New(t)
	conn := testdb.Connect(t, database.AdminURL)
	session := openThings(t, database)
	load(t, session, endpoints, sequence(1, 30, 1), constant(1))
	load(t, session, endpoints, sequence(1, 30, 1), constant(2))
	for _, statement := range []string{
		"alter table catalog.things_item_g1 owner to current_user",
		"grant select, insert, update, delete on catalog.things_item_g1 to systemscale_etl",
		"revoke select on catalog.things_item_g1 from systemscale_api",
	} {
		if _, err := conn.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	_, err := rollBack(t, session, 1)
	var refused *UnreadableError
	if !errors.As(err, &refused) || strings.Join(refused.Tables, " ") != "things_item_g1" {
		t.Errorf("a rollback to a table that cannot be read: %v", err)
	}
	if live := scalar[int64](t, conn, "select run_id from catalog.version"); live != 2 {
		t.Errorf("run %d is live after a rollback that failed", live)
	}
}
