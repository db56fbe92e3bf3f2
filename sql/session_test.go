package sql

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// TestParseURL accepts what names a database, and refuses what would put a part of a password into the name of something else.
func TestParseURL(t *testing.T) {
	for _, good := range []string{
		"postgres://etl:p%40ss%2Fw%23rd%20x@db.example:5433/name?sslmode=disable&application_name=x", "postgresql://etl@localhost/name",
		"postgres:///name?host=/run/postgresql", "postgres://etl:secret@[::1]:5432/name?sslmode=disable",
		"postgres://etl:secret@one:5432,two:5433/name?target_session_attrs=read-write", "host=localhost user=etl password='a b' dbname=name",
		"host=/run/postgresql dbname=name", "postgres://etl%40project.iam:secret@localhost/name", "host=localhost user=etl@project.iam dbname=name",
	} {
		if _, err := ParseURL(good); err != nil {
			t.Errorf("ParseURL(%q) = %v", good, err)
		}
	}
	for _, bad := range []string{
		"postgres://etl:12/secret@localhost/name", "postgres://etl:12#secret@localhost/name", "postgres://etl:12?secret@localhost/name",
		"postgres://etl:12#secret", "postgres://etl:p@secret@localhost/name", "postgres://etl:se cret@localhost/name", "postgres://localhost/na@me", "postgres://etl%3Asecret@localhost/name",
		"postgres://localhost/name?se+cret=1", "host=etl:secret@localhost", "etl:secret@localhost/name", "postgres://etl:secret@localhost:port/name",
	} {
		config, err := ParseURL(bad)
		if !errors.Is(err, ErrURL) || strings.Contains(err.Error(), "secret") {
			t.Errorf("ParseURL(%q) = %v, %v", bad, config, err)
		}
	}
}

func TestConfigReplacesSettings(t *testing.T) {
	config, err := Config("postgres://etl@localhost/name?statement_timeout=5&search_path=mine&application_name=mine", "test", time.Second)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"statement_timeout": "0", "search_path": "pg_catalog", "application_name": "test", "idle_session_timeout": "0"} {
		if got := config.RuntimeParams[name]; got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if major("17.2 (Debian 17.2-1)") != 17 || major("9.6") != 9 || major("18beta1") != 18 || major("") != 0 {
		t.Error("the version of a server is read wrongly")
	}
}
