package publish

import (
	"context"
	"errors"
	"testing"

	"systemscale/sql"
	"systemscale/sql/testdb"
)

// TestSettingsThroughPooler checks the settings of a session's connections that a pooler rejects, or accepts and ignores.
func TestSettingsThroughPooler(t *testing.T) {
	database := testdb.New(t)
	admin := testdb.Connect(t, database.AdminURL)
	_, err := admin.Exec(t.Context(),
		`do $$ begin execute format('alter database %I set synchronous_commit = off', current_database()); end $$`)
	if err != nil {
		t.Fatal(err)
	}
	for name, settings := range map[string][]string{
		"refused": nil,
		"ignored": {"ignore_startup_parameters = synchronous_commit,client_connection_check_interval"},
	} {
		t.Run(name, func(t *testing.T) {
			through := database
			through.ETL = testdb.Pooler(t, database, "session", settings...)(database.ETL)
			session := openThings(t, through)
			for setting, want := range map[string]string{
				"synchronous_commit": "on", "client_connection_check_interval": "2s", "application_name": "systemscale-etl",
			} {
				if got := scalar[string](t, session.conn, "select current_setting($1)", setting); got != want {
					t.Errorf("%s is %q, want %q", setting, got, want)
				}
			}
			config := session.config.Copy()
			config.RuntimeParams["synchronous_commit"] = "off"
			stream, err := sql.ConnectAgain(t.Context(), config)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = stream.Close(context.Background()) }()
			if got := scalar[string](t, stream, "select current_setting('synchronous_commit')"); got != "off" {
				t.Errorf("a stream commits with synchronous_commit = %s", got)
			}
			session.Close()
		})
	}
}

// TestPublishingOnAnotherConnection has a pooler assign the session another server process before it publishes.
func TestPublishingOnAnotherConnection(t *testing.T) {
	database := testdb.New(t)
	session := openThings(t, database)
	load(t, session, endpoints, sequence(1, 10, 1), constant(1))
	session.backend++
	_, _, err := render(t, database, session, sequence(1, 10, 1), constant(2))
	if !errors.Is(err, sql.ErrPooled) {
		t.Errorf("PublishDelta = %v, want %v", err, sql.ErrPooled)
	}
}
