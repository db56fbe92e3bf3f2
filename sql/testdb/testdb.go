// Package testdb creates a PostgreSQL database for a test, with the production migrations.
//
// TEST_DATABASE_URL is the URL of a role that can create roles and databases, in a cluster for tests
// only; ./scripts/task test starts one. Without it, tests are skipped, or fail if REQUIRE_DB=1.
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
	ETL      string // as systemscale_etl, the owner
	API      string // as systemscale_api, which can only read
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
			t.Fatal("TEST_DATABASE_URL is not set, but REQUIRE_DB=1 requires a database: run ./scripts/task test")
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
		// Tests of several packages run in parallel, and roles belong to the whole cluster.
		"select pg_advisory_lock(7235)",
		sql.Bootstrap,
		"create database "+name+" owner "+sql.RoleETL,
	)
	roleETL, roleAPI := name+"_etl", name+"_api"
	run(t, admin,
		"create role "+roleETL+" login password '"+password+"' in role "+sql.RoleETL,
		"create role "+roleAPI+" login password '"+password+"' in role "+sql.RoleAPI,
		// The production role owns the objects that the login role creates.
		"alter role "+roleETL+" set role = "+sql.RoleETL,
		"alter role "+roleAPI+" set role = "+sql.RoleAPI,
	)
	t.Cleanup(func() {
		if admin != os.Getenv("TEST_DATABASE_URL") {
			return // the whole cluster is removed
		}
		run(t, admin, "drop database "+name+" with (force)", "drop role "+roleETL, "drop role "+roleAPI)
	})
	return Database{
		AdminURL: withDatabase(t, admin, name, nil),
		ETL:      patient(t, withDatabase(t, admin, name, url.UserPassword(roleETL, password))),
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
		t.Fatalf("TEST_DATABASE_URL is malformed: %v", err)
	}
	parsed.Path = "/" + name
	if user != nil {
		parsed.User = user
	}
	return parsed.String()
}

// patient gives a busy machine more time to connect than programs that write take by default.
func patient(t testing.TB, databaseURL string) string {
	t.Helper()
	parsed, err := url.Parse(databaseURL)
	if err != nil {
		t.Fatal(err)
	}
	query := parsed.Query()
	query.Set("connect_timeout", "60")
	parsed.RawQuery = query.Encode()
	return parsed.String()
}

func randomHex(n int) string {
	raw := make([]byte, n)
	_, _ = rand.Read(raw) // never fails: crypto/rand aborts the program instead
	return hex.EncodeToString(raw)
}
