package testdb

import (
	"fmt"
	"net/url"
	"testing"
)

// Hostile changes the defaults of the database's roles so that a session that relies on defaults fails or returns other results. It
// does not change session_replication_role, which only a superuser can reset.
func Hostile(t testing.TB, database Database) {
	t.Helper()
	settings := map[string]string{
		"statement_timeout":                   "1ms",
		"lock_timeout":                        "1ms",
		"idle_in_transaction_session_timeout": "1ms",
		"idle_session_timeout":                "1ms",
		"default_transaction_isolation":       "serializable",
		"default_transaction_read_only":       "on",
		"default_transaction_deferrable":      "on",
		"search_path":                         "hostile, pg_catalog",
		"client_encoding":                     "SQL_ASCII",
		"standard_conforming_strings":         "off",
		"bytea_output":                        "escape",
		"datestyle":                           "SQL, DMY",
		"intervalstyle":                       "sql_standard",
		"timezone":                            "Asia/Kathmandu",
		"row_security":                        "off",
		"transform_null_equals":               "on",
		"exit_on_error":                       "on",
		"synchronous_commit":                  "off",
		"quote_all_identifiers":               "on",
		"extra_float_digits":                  "-15",
		"enable_indexscan":                    "off",
		"plan_cache_mode":                     "force_custom_plan",
	}
	statements := []string{
		"create schema hostile",
		"grant usage on schema hostile to public",
		// Functions that the statements call, in a schema that precedes pg_catalog in the search path.
		"create function hostile.now() returns timestamptz language sql as $$ select timestamptz '1970-01-01' $$",
		"create function hostile.to_regclass(text) returns regclass language sql as $$ select null::regclass $$",
		"create function hostile.pg_try_advisory_lock(bigint) returns boolean language sql as $$ select false $$",
		"create function hostile.jsonb_array_elements(jsonb) returns setof jsonb language sql as $$ select null::jsonb where false $$",
		"create function hostile.pg_notify(text, text) returns void language plpgsql as $$ begin raise 'hostile'; end $$",
	}
	for _, role := range []string{database.ETL, database.API} {
		parsed, err := url.Parse(role)
		if err != nil {
			t.Fatal(err)
		}
		for name, value := range settings {
			target := fmt.Sprintf("alter role %s in database %s set %s = ", parsed.User.Username(), parsed.Path[1:], name)
			if name == "search_path" {
				statements = append(statements, target+value)
			} else {
				statements = append(statements, target+"'"+value+"'")
			}
		}
	}
	run(t, database.AdminURL, statements...)
}
