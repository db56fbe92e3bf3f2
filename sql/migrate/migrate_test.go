package migrate_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"systemscale/sql"
	"systemscale/sql/migrate"
	"systemscale/sql/testdb"
)

// schema describes everything that the migrations made: columns, constraints, indexes, comments and rights.
func schema(t *testing.T, conn *pgx.Conn) string {
	t.Helper()
	rows, err := conn.Query(t.Context(), `
		select format('column %s.%s %s %s %s', table_name, column_name, data_type, is_nullable, column_default)
		from information_schema.columns where table_schema = 'catalog'
		union all
		select format('constraint %s %s', conname, pg_get_constraintdef(oid)) from pg_constraint where connamespace = to_regnamespace('catalog')
		union all
		select format('index %s', indexdef) from pg_indexes where schemaname = 'catalog'
		union all
		select format('comment %s.%s %s', c.relname, d.objsubid, d.description)
		from pg_description d join pg_class c on c.oid = d.objoid where c.relnamespace = to_regnamespace('catalog')
		union all
		select format('right %s %s %s', table_name, grantee, privilege_type)
		from information_schema.role_table_grants where table_schema = 'catalog'
		union all
		select format('default right %s %s', defaclobjtype, defaclacl) from pg_default_acl where defaclnamespace = to_regnamespace('catalog')
		order by 1`)
	if err != nil {
		t.Fatal(err)
	}
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(lines, "\n")
}

func TestUpDownUp(t *testing.T) {
	database := testdb.NewEmpty(t)
	conn := testdb.Connect(t, database.ETL)
	step := func(what string, change func(context.Context, string) error) string {
		t.Helper()
		if err := change(t.Context(), database.ETL); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		return schema(t, conn)
	}
	first := step("up", migrate.Up)
	for _, part := range []string{"column run.id", "column version.run_id", "column page_anchor.first_id", "column change.old_body", "column gateway.run_id", "right version systemscale_api SELECT"} {
		if !strings.Contains(first, part) {
			t.Errorf("after up, the schema has no %q:\n%s", part, first)
		}
	}
	if again := step("up again", migrate.Up); again != first {
		t.Error("a second up changed the schema")
	}
	if gone := step("down", migrate.Down); gone != "" {
		t.Errorf("after down there is still\n%s", gone)
	}
	if second := step("up after down", migrate.Up); second != first {
		t.Errorf("up, down, up gives\n%s\nwant\n%s", second, first)
	}
}

// TestDownAndUpWithRows reverts all migrations but the first and applies them again while there are runs of all kinds. The live
// version stays live, and a rollback is possible only to a version whose tables exist and have not changed.
func TestDownAndUpWithRows(t *testing.T) {
	database := testdb.New(t)
	conn := testdb.Connect(t, database.ETL)
	if _, err := conn.Exec(t.Context(), `
		insert into catalog.run (collection, state, mode, holder, generation, documents, endpoints) values
			('things', 'published', 'generation', 'test', 1, '[{"name": "item"}]', '[{"name": "item", "path": ""}]'), -- 1
			('things', 'unchanged', 'delta', 'test', null, '[]', null),
			('things', 'published', 'generation', 'test', null, '[{"name": "item"}]', null), -- 3, whose table is gone
			('things', 'published', 'generation', 'test', 4, '[{"name": "item"}]', '[{"name": "item", "path": ""}]'),
			('things', 'published', 'rollback', 'test', 4, '[{"name": "item"}]', '[{"name": "item", "path": ""}]'), -- 5, live
			('things', 'failed', 'delta', 'test', null, '[]', null);
		insert into catalog.version (collection, generation, run_id, documents) values ('things', 4, 5, '[{"name": "item", "path": ""}]');
		insert into catalog.change values ('things', 4, 5, 'item', 1, 'changed', 1, '{}');
		create table catalog.things_item_g1 ();
		create table catalog.things_item_g4 ()`); err != nil {
		t.Fatal(err)
	}
	states := func(want string) {
		t.Helper()
		var got string
		if err := conn.QueryRow(t.Context(), "select string_agg(id || ' ' || state || ' ' || mode, ', ' order by id) from catalog.run").Scan(&got); err != nil || got != want {
			t.Errorf("runs %s (%v), want %s", got, err, want)
		}
	}
	downTo(t, conn, 1)
	const flat = "1 published generation, 2 failed generation, 3 published generation, 4 published generation, 5 published generation, 6 failed generation"
	states(flat)
	if err := migrate.Up(t.Context(), database.ETL); err != nil {
		t.Fatal(err)
	}
	states(flat)
	var kept string
	err := conn.QueryRow(t.Context(), `select string_agg(id || ' in ' || generation || ' ' || (endpoints -> 0 ->> 'name'), ', ' order by id) from catalog.run where generation is not null`).Scan(&kept)
	if want := "1 in 1 item, 5 in 4 item"; err != nil || kept != want {
		t.Errorf("versions kept: %s (%v), want %s", kept, err, want)
	}
}

func TestEveryTableAndColumnHasAComment(t *testing.T) {
	conn := testdb.Connect(t, testdb.New(t).ETL)
	rows, err := conn.Query(t.Context(), `
		select format('%s.%s', c.relname, a.attname)
		from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum >= 0
		where c.relnamespace = 'catalog'::regnamespace and c.relkind = 'r' and not a.attisdropped
		and col_description(c.oid, a.attnum) is null
		union all
		select relname from pg_class where relnamespace = 'catalog'::regnamespace and relkind = 'r' and obj_description(oid) is null`)
	if err != nil {
		t.Fatal(err)
	}
	bare, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil || len(bare) > 0 {
		t.Errorf("no comment on %v (%v)", bare, err)
	}
}

func TestAPIIsReadOnly(t *testing.T) {
	database := testdb.New(t)
	owner, reader := testdb.Connect(t, database.ETL), testdb.Connect(t, database.API)
	exec(t, owner, sql.QueryFor("etl/create_document_table", "table", "products_styles_g1"),
		sql.QueryFor("etl/create_primary_key", "table", "products_styles_g1", "constraint", "products_styles_g1_pkey"))
	for _, table := range []string{"run", "version", "page_anchor", "change", "gateway", "products_styles_g1"} {
		if _, err := reader.Exec(t.Context(), "select from catalog."+table); err != nil {
			t.Errorf("read %s: %v", table, err)
		}
		for _, statement := range []string{"delete from catalog.%s", "truncate catalog.%s", "drop table catalog.%s"} {
			_, err := reader.Exec(t.Context(), "begin read write")
			if err != nil {
				t.Fatal(err)
			}
			_, err = reader.Exec(t.Context(), fmt.Sprintf(statement, table))
			if refused, ok := errors.AsType[*pgconn.PgError](err); !ok || refused.Code != "42501" {
				t.Errorf(statement+": %v, want insufficient privilege", table, err)
			}
			if _, err := reader.Exec(t.Context(), "rollback"); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestUpMalformedURL(t *testing.T) {
	err := migrate.Up(t.Context(), "postgres://someone:se cret@localhost/x")
	if !errors.Is(err, sql.ErrURL) || strings.Contains(err.Error(), "cret") {
		t.Errorf("Up = %v, want ErrURL", err)
	}
}
