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

// settings are what a session of ours has, whatever ALTER ROLE and ALTER DATABASE have made the default: no limit of time that a
// statement does not set itself, read committed, names that resolve to the system's own, and values in one notation.
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

// ErrURL means that a database URL cannot be used. It does not repeat the URL, any part of which may be a piece of a password.
var ErrURL = errors.New("the database URL cannot be understood: write it as postgres://user:password@host:5432/name, " +
	"with %40 for @, %2F for /, %3F for ?, %23 for #, %25 for % and %20 for a space in the password")

// ConnectTimeout is how long a program that writes waits for a connection, unless the URL has a connect_timeout.
const ConnectTimeout = 10 * time.Second

// Settings returns what Config sends when a session starts, as a map that the caller owns.
func Settings() map[string]string { return maps.Clone(settings) }

// Config returns how to connect to a database as an application of ours, in sessions that do not depend on the settings that a role or a
// database imposes. timeout is how long a connection may take, unless the URL has a connect_timeout. The error is ErrURL.
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

// parameter is the form of the name of a setting.
var parameter = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.]*$`)

// ParseURL reads a URL, or keywords and values, and refuses one from which a piece of a password would end up in the name of a host, a
// database, a user or a setting: these are in messages. The error is ErrURL.
func ParseURL(databaseURL string) (*pgx.ConnConfig, error) {
	if _, rest, found := strings.Cut(databaseURL, "://"); found {
		// A password that is not encoded moves the end of the host. What follows the last @ has no #, which would cut it off.
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

// Dial connects to a database as the tools around the two programs do. The error is ErrURL when the URL is not one.
func Dial(ctx context.Context, databaseURL string) (*pgx.Conn, error) {
	config, err := ParseURL(databaseURL)
	if err != nil {
		return nil, err
	}
	return pgx.ConnectConfig(ctx, config)
}

// withoutTransactionTimeout takes the limit off that PostgreSQL 17 introduced. An earlier server refuses a connection that begins with it.
// Through a pooler it does nothing: the connection may be one that other clients share.
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

// major returns the first number of a version such as 15.4 (Debian 15.4-1), or 0.
func major(version string) int {
	end := strings.IndexFunc(version, func(r rune) bool { return r < '0' || r > '9' })
	if end < 0 {
		end = len(version)
	}
	number, _ := strconv.Atoi(version[:end]) // 0 of what is none
	return number
}
