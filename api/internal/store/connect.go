package store

import (
	"context"
	"errors"
	"maps"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"systemscale/sql"
)

const (
	// connectTimeout bounds an attempt to connect, unless the URL has a connect_timeout.
	connectTimeout = 2 * time.Second
	// closeTimeout bounds the orderly close of a connection.
	closeTimeout = time.Second
)

// settings returns the session settings, which are sent as startup parameters. Results do not depend on them, so a connection that is
// refused because of them is opened without. They cannot be set later instead: with a transaction pooler, the server connection is shared
// with other clients. sql/bootstrap.sql sets them for the role.
func settings(timeout time.Duration) map[string]string {
	settings := sql.Settings() // override those of the role and the database
	maps.Copy(settings, map[string]string{
		"default_transaction_read_only": "on",
		// The caller stops waiting then.
		"statement_timeout": strconv.FormatInt(timeout.Milliseconds(), 10),
		// Each statement has one good plan, an index scan. Planning the list for each page takes longer than reading it (37 µs against
		// 23 µs), and the estimates of a generic plan must not trigger JIT compilation.
		"plan_cache_mode": "force_generic_plan",
		"jit":             "off",
		// A bitmap scan returns rows in heap order, and a generic plan may estimate it as cheap.
		"enable_bitmapscan": "off",
	})
	return settings
}

// configure returns the connection settings.
func configure(options Options) (*pgx.ConnConfig, error) {
	config, err := sql.Config(options.URL, "systemscale-api", connectTimeout)
	if err != nil {
		return nil, err
	}
	for name, value := range settings(options.Timeout) {
		config.RuntimeParams[name] = value
	}
	followRoles(&config.Config)
	return config, nil
}

// dial connects with config, or without the settings if a pooler refuses them with a protocol_violation.
func dial(ctx context.Context, config *pgconn.Config) (*pgconn.PgConn, error) {
	conn, err := pgconn.ConnectConfig(ctx, config)
	if sql.IsProtocolViolation(err) {
		config = config.Copy()
		withoutSettings(config)
		conn, err = pgconn.ConnectConfig(ctx, config)
	}
	return conn, err
}

// dialConn is like dial for a pgx connection. It reports whether the settings were refused.
func dialConn(ctx context.Context, config *pgx.ConnConfig) (conn *pgx.Conn, refused bool, err error) {
	conn, err = pgx.ConnectConfig(ctx, config)
	if sql.IsProtocolViolation(err) {
		refused = true
		config = config.Copy()
		withoutSettings(&config.Config)
		conn, err = pgx.ConnectConfig(ctx, config)
	}
	return conn, refused, err
}

func withoutSettings(config *pgconn.Config) {
	for name := range settings(0) {
		delete(config.RuntimeParams, name)
	}
	config.AfterConnect = nil // it sets one more
}

func closeConn(conn *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	_ = conn.Close(ctx)
}

// codeOf returns the SQLSTATE of a server's error, or "".
func codeOf(err error) string {
	if failure, ok := errors.AsType[*pgconn.PgError](err); ok {
		return failure.Code
	}
	return ""
}
