package store

import (
	"context"
	"maps"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"systemscale/sql"
)

// settings are the session's settings, sent as startup parameters. Answers do not depend on them, so a connection that is
// refused because of them is made without. They cannot be set later instead: behind a transaction pooler, that would be on a connection
// of which other clients get their share. sql/bootstrap.sql sets them for the role.
func settings(timeout time.Duration) map[string]string {
	settings := sql.Settings() // in place of what the role or the database imposes
	maps.Copy(settings, map[string]string{
		"default_transaction_read_only": "on",
		// A caller has given up by then; the server should too.
		"statement_timeout": strconv.FormatInt(timeout.Milliseconds(), 10),
		// Each statement has one sensible plan, an index scan. Planning the list for every page costs more
		// than reading it does (37 µs against 23 µs), and a generic plan's estimates must not wake the JIT.
		"plan_cache_mode": "force_generic_plan",
		"jit":             "off",
		// Its rows would come in the order of the heap; and for ids of a generic plan, which it knows nothing of, it may look cheap.
		"enable_bitmapscan": "off",
	})
	return settings
}

// configure returns how to connect.
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

// dial connects with config, or without the settings if a pooler refuses them, which it does with a protocol_violation.
func dial(ctx context.Context, config *pgconn.Config) (*pgconn.PgConn, error) {
	conn, err := pgconn.ConnectConfig(ctx, config)
	if sql.IsProtocolViolation(err) {
		config = config.Copy()
		withoutSettings(config)
		conn, err = pgconn.ConnectConfig(ctx, config)
	}
	return conn, err
}

// dialConn is dial for a connection of pgx. It reports whether the settings were refused.
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
	config.AfterConnect = nil // which sets one more
}
