package sql

import (
	"context"
	"errors"
	"maps"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// settings are the settings of every session, whatever defaults ALTER ROLE and ALTER DATABASE set: no timeouts except those that a
// statement sets, read committed, only system names in the search path, and fixed formats of values.
var settings = map[string]string{
	"statement_timeout":                   "0",
	"lock_timeout":                        "0",
	"idle_in_transaction_session_timeout": "0",
	"idle_session_timeout":                "0",
	"default_transaction_isolation":       "read committed",
	"default_transaction_read_only":       "off",
	"default_transaction_deferrable":      "off",
	"search_path":                         "pg_catalog",
	"client_encoding":                     "UTF8",
	"standard_conforming_strings":         "on",
	"bytea_output":                        "hex",
	"datestyle":                           "ISO",
	"intervalstyle":                       "postgres",
	"timezone":                            "UTC",
	"row_security":                        "on",
	"transform_null_equals":               "off",
	"exit_on_error":                       "off",
}

// ErrURL means that a database URL is malformed. It does not contain the URL, any part of which may be a part of a password.
var ErrURL = errors.New("the database URL is malformed: write it as postgres://user:password@host:5432/name, " +
	"with %40 for @, %2F for /, %3F for ?, %23 for #, %25 for % and %20 for a space in the password")

// ConnectTimeout limits the time for connecting, for programs that write, unless the URL has a connect_timeout.
const ConnectTimeout = 10 * time.Second

// Settings returns the settings that Config adds to a session. The caller owns the map.
func Settings() map[string]string { return maps.Clone(settings) }

// Config returns a configuration for connecting as the given application. The sessions do not depend on the settings of the role and
// the database. timeout limits the time for connecting, unless the URL has a connect_timeout. The error is ErrURL.
func Config(databaseURL, application string, timeout time.Duration) (*pgx.ConnConfig, error) {
	config, err := ParseURL(databaseURL)
	if err != nil {
		return nil, err
	}
	maps.Copy(config.RuntimeParams, settings)
	config.RuntimeParams["application_name"] = application
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = timeout
	}
	config.AfterConnect = withoutTransactionTimeout
	return config, nil
}

// parameter is the syntax of a setting's name.
var parameter = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.]*$`)

// ParseURL parses a URL, or keywords and values. It rejects a URL if a part of a password might be taken for the name of a host, a
// database, a user or a setting, because messages contain those names. The error is ErrURL.
func ParseURL(databaseURL string) (*pgx.ConnConfig, error) {
	if _, rest, found := strings.Cut(databaseURL, "://"); found {
		// A password that is not encoded moves the end of the host. A # would cut off the rest.
		at := strings.LastIndexByte(rest, '@')
		if strings.ContainsAny(rest[:max(at, 0)], "/?#") || strings.ContainsRune(rest, '#') {
			return nil, ErrURL
		}
	}
	config, err := pgx.ParseConfig(databaseURL)
	if err != nil || strings.ContainsRune(config.Database, '@') || strings.ContainsAny(config.User, ":/") {
		return nil, ErrURL
	}
	hosts := []string{config.Host}
	for _, fallback := range config.Fallbacks {
		hosts = append(hosts, fallback.Host)
	}
	for _, host := range hosts {
		if !strings.HasPrefix(host, "/") && strings.ContainsAny(host, "@/") {
			return nil, ErrURL
		}
	}
	for name := range config.RuntimeParams {
		if !parameter.MatchString(name) {
			return nil, ErrURL
		}
	}
	return config, nil
}

// Dial connects to a database, for tools and tests. The error is ErrURL if the URL is malformed.
func Dial(ctx context.Context, databaseURL string) (*pgx.Conn, error) {
	config, err := ParseURL(databaseURL)
	if err != nil {
		return nil, err
	}
	return pgx.ConnectConfig(ctx, config)
}

// withoutTransactionTimeout disables transaction_timeout, which PostgreSQL 17 introduced and earlier servers refuse at startup. It does
// nothing through a pooler, because other clients may share the connection.
func withoutTransactionTimeout(ctx context.Context, conn *pgconn.PgConn) error {
	if major(conn.ParameterStatus("server_version")) < 17 {
		return nil
	}
	if pooled, err := isPooled(ctx, conn); err != nil || pooled {
		return err
	}
	return setNoTransactionTimeout(ctx, conn)
}

func setNoTransactionTimeout(ctx context.Context, conn *pgconn.PgConn) error {
	_, err := conn.Exec(ctx, Query("etl/set_no_transaction_timeout")).ReadAll()
	return err
}

// major returns the major version in a version such as 15.4 (Debian 15.4-1), or 0.
func major(version string) int {
	end := strings.IndexFunc(version, func(r rune) bool { return r < '0' || r > '9' })
	if end < 0 {
		end = len(version)
	}
	number, _ := strconv.Atoi(version[:end]) // 0 if it is not a number
	return number
}
