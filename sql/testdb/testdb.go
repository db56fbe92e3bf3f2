// Package testdb gives a test a Postgres database of its own, migrated as production is.
//
// It needs TEST_DATABASE_URL, the URL of a role that may create roles and databases in a cluster
// that holds nothing else; ./scripts/task test starts one. Without it a test is skipped, or
// fails where REQUIRE_DB=1 says that a database must be there.
package testdb

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"net/url"
	"os"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"systemscale/sql"
	"systemscale/sql/migrate"
)

// Database is a migrated database that is dropped when its test ends.
type Database struct {
	AdminURL string // as the cluster's superuser
	ETL      string // as systemscale_etl, who owns it
	API      string // as systemscale_api, who may only read
}

// New creates a database for t.
func New(t testing.TB) Database {
	t.Helper()
	database := NewEmpty(t)
	if err := migrate.Up(t.Context(), database.ETL); err != nil {
		t.Fatalf("migrate the test database: %v", err)
	}
	return database
}

// NewEmpty creates a database for t in which no migration has run.
func NewEmpty(t testing.TB) Database {
	t.Helper()
	return create(t, adminURL(t))
}

// adminURL returns the URL of the cluster that tests share.
func adminURL(t testing.TB) string {
	t.Helper()
	admin := os.Getenv("TEST_DATABASE_URL")
	if admin == "" {
		if os.Getenv("REQUIRE_DB") == "1" {
			t.Fatal("TEST_DATABASE_URL is not set, and REQUIRE_DB=1 says that this test must meet a database: run ./scripts/task test")
		}
		t.Skip("TEST_DATABASE_URL is not set: run ./scripts/task test for the tests that need Postgres")
	}
	return admin
}

// create creates an empty database in the cluster whose superuser's URL is given.
func create(t testing.TB, admin string) Database {
	t.Helper()
	name := "test_" + randomHex(8)
	password := randomHex(16)
	run(t, admin,
		// Tests of several packages arrive at once; roles are the cluster's, not the database's.
		"select pg_advisory_lock(7235)",
		sql.Bootstrap,
		"create database "+name+" owner "+sql.RoleETL,
	)
	roleETL, roleAPI := name+"_etl", name+"_api"
	run(t, admin,
		"create role "+roleETL+" login password '"+password+"' in role "+sql.RoleETL,
		"create role "+roleAPI+" login password '"+password+"' in role "+sql.RoleAPI,
		// What the login role creates belongs to the role that production uses.
		"alter role "+roleETL+" set role = "+sql.RoleETL,
		"alter role "+roleAPI+" set role = "+sql.RoleAPI,
	)
	t.Cleanup(func() {
		if admin != os.Getenv("TEST_DATABASE_URL") {
			return // the whole cluster goes
		}
		run(t, admin, "drop database "+name+" with (force)", "drop role "+roleETL, "drop role "+roleAPI)
	})
	return Database{
		AdminURL: withDatabase(t, admin, name, nil),
		ETL:      withDatabase(t, admin, name, url.UserPassword(roleETL, password)),
		API:      withDatabase(t, admin, name, url.UserPassword(roleAPI, password)),
	}
}

// Connect opens a connection that is closed when t ends.
func Connect(t testing.TB, databaseURL string) *pgx.Conn {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	conn, err := sql.Dial(ctx, databaseURL)
	if err != nil {
		t.Fatalf("connect to the test database: %v", err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

func run(t testing.TB, databaseURL string, statements ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	conn, err := sql.Dial(ctx, databaseURL)
	if err != nil {
		t.Fatalf("connect to TEST_DATABASE_URL: %v", err)
	}
	defer func() { _ = conn.Close(ctx) }()
	for _, statement := range statements {
		if _, err := conn.Exec(ctx, statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
}

func withDatabase(t testing.TB, databaseURL, name string, user *url.Userinfo) string {
	t.Helper()
	parsed, err := url.Parse(databaseURL)
	if err != nil {
		t.Fatalf("TEST_DATABASE_URL is no URL: %v", err)
	}
	parsed.Path = "/" + name
	if user != nil {
		parsed.User = user
	}
	return parsed.String()
}

func randomHex(n int) string {
	raw := make([]byte, n)
	_, _ = rand.Read(raw) // never fails: crypto/rand aborts the program instead
	return hex.EncodeToString(raw)
}
