package sql

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// ErrPooled means that a database URL leads to a pooler that assigns connections to transactions. The locks and the settings of a
// session would then belong to the next client of the connection.
var ErrPooled = errors.New("the database URL leads to a connection pooler in transaction or statement mode, but etl needs its own connections. " +
	"Set --database (DATABASE_URL) to the address of PostgreSQL itself, or of a pool in session mode")

// ErrNoPrimary means that no server of a database URL accepts writes: those that respond are standbys.
var ErrNoPrimary = errors.New("none of the servers in the database URL is a primary, but etl writes. " +
	"Add the primary to --database (DATABASE_URL), or promote a standby with select pg_promote()")

// Connect connects for a program that writes. If config has several servers, it chooses the primary, whatever target_session_attrs is.
// It returns ErrNoPrimary if there is none, and ErrPooled for a pooler that is not in session mode. It sets the settings of config that a
// pooler refuses or ignores on the session.
func Connect(ctx context.Context, config *pgx.ConnConfig) (*pgx.Conn, error) {
	return connect(ctx, config, true)
}

// ConnectAgain is Connect for a further connection of a program. It does not check the mode of a pooler.
func ConnectAgain(ctx context.Context, config *pgx.ConnConfig) (*pgx.Conn, error) {
	return connect(ctx, config, false)
}

func connect(ctx context.Context, config *pgx.ConnConfig, first bool) (*pgx.Conn, error) {
	config = config.Copy()
	// Not read-write: the role may have default_transaction_read_only, which a pooler does not let the session override.
	config.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsPrimary
	conn, err := pgx.ConnectConfig(ctx, config)
	if IsProtocolViolation(err) {
		conn, err = pgx.ConnectConfig(ctx, withoutSettings(config))
	}
	if errors.Is(err, pgconn.ErrStandbyConnection) {
		err = fmt.Errorf("%w (%w)", ErrNoPrimary, err)
	}
	if err != nil {
		return nil, err
	}
	pooled, err := isPooled(ctx, conn.PgConn())
	if err == nil && pooled {
		if first {
			err = checkOwn(ctx, conn, config)
		}
		if err == nil {
			err = applySettings(ctx, conn, config)
		}
	}
	if err != nil {
		hangUp(ctx, conn)
		return nil, err
	}
	return conn, nil
}

// isPooled reports whether there is a pooler between conn and the server. The server's process id then differs from the one that the
// connection received at startup.
func isPooled(ctx context.Context, conn *pgconn.PgConn) (bool, error) {
	backend, err := backendOf(ctx, conn)
	return err == nil && backend != conn.PID(), err
}

// applicationName is the only startup parameter that every pooler accepts.
const applicationName = "application_name"

// withoutSettings returns config without the startup parameters that a pooler may refuse.
func withoutSettings(config *pgx.ConnConfig) *pgx.ConnConfig {
	bare := config.Copy()
	for name := range config.RuntimeParams {
		if name != applicationName {
			delete(bare.RuntimeParams, name)
		}
	}
	return bare
}

func applySettings(ctx context.Context, conn *pgx.Conn, config *pgx.ConnConfig) error {
	for name, value := range config.RuntimeParams {
		if _, err := conn.Exec(ctx, Query("etl/apply_setting"), pgx.QueryExecModeExec, name, value); err != nil {
			return fmt.Errorf("set %s: %w", name, err)
		}
	}
	if major(conn.PgConn().ParameterStatus("server_version")) < 17 {
		return nil
	}
	return setNoTransactionTimeout(ctx, conn.PgConn())
}

// The rounds and the time limit of checkOwn.
const (
	ownRounds   = 3
	ownPatience = 10 * time.Second
)

// checkOwn returns ErrPooled if conn, which leads to a pooler, does not keep its server connection between transactions. It opens a
// transaction on a second connection: a pooler in transaction mode may use conn's server connection for it. The pooler may have other
// connections, so a caller that depends on its connection must check Backend again.
func checkOwn(ctx context.Context, conn *pgx.Conn, config *pgx.ConnConfig) error {
	looking, cancel := context.WithTimeout(ctx, ownPatience)
	defer cancel()
	other, err := pgx.ConnectConfig(looking, withoutSettings(config))
	if err != nil {
		return fmt.Errorf("connect through the pooler once more: %w", err)
	}
	defer hangUp(ctx, other)
	own, err := Backend(looking, conn)
	if err != nil {
		return err
	}
	stays := func() error {
		again, err := Backend(looking, conn)
		if err == nil && again != own {
			err = ErrPooled
		}
		return err
	}
	for round := range ownRounds {
		// A pooler that uses its connections in turn assigns the same one to conn after some number of transactions.
		for range round + 1 {
			if err := stays(); err != nil {
				return err
			}
		}
		err = other.PgConn().Exec(looking, Query("etl/begin")).Close()
		if IsProtocolViolation(err) { // statement mode has no transactions
			return ErrPooled
		}
		if err != nil {
			return ofPooler(ctx, err)
		}
		taken, err := Backend(looking, other)
		if err != nil {
			return ofPooler(ctx, err)
		}
		if taken == own {
			return ErrPooled
		}
		if err := stays(); err != nil {
			return err
		}
		if err := other.PgConn().Exec(looking, Query("etl/roll_back")).Close(); err != nil {
			return err
		}
	}
	return nil
}

// ofPooler explains an error of the second connection. A pooler may have no server connection for it before the timeout.
func ofPooler(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return err
	}
	return fmt.Errorf("the pooler provided no second connection within %s: increase its pool size to ten, "+
		"or set --database (DATABASE_URL) to the address of PostgreSQL itself: %w", ownPatience, err)
}

// Backend returns the id of the server process of conn. It does not prepare a statement.
func Backend(ctx context.Context, conn *pgx.Conn) (uint32, error) {
	return backendOf(ctx, conn.PgConn())
}

func backendOf(ctx context.Context, conn *pgconn.PgConn) (uint32, error) {
	results, err := conn.Exec(ctx, Query("etl/select_backend")).ReadAll()
	if err != nil {
		return 0, err
	}
	if len(results) != 1 || len(results[0].Rows) != 1 || len(results[0].Rows[0]) != 1 {
		return 0, errors.New("the server does not report its process")
	}
	backend, err := strconv.ParseUint(string(results[0].Rows[0][0]), 10, 32)
	return uint32(backend), err
}

// IsProtocolViolation reports whether one of the servers returned a protocol_violation. Poolers use it to refuse startup parameters and
// other features that they do not support.
func IsProtocolViolation(err error) bool {
	// errors.As would find the error of the first server only.
	switch err := any(err).(type) {
	case nil:
		return false
	case *pgconn.PgError:
		return err.Code == "08P01"
	case interface{ Unwrap() []error }:
		for _, one := range err.Unwrap() {
			if IsProtocolViolation(one) {
				return true
			}
		}
		return false
	}
	return IsProtocolViolation(errors.Unwrap(err))
}

// IsCreatedMeanwhile reports whether a table could not be created because another session has created it or is creating it. The error
// code depends on the timing: a duplicate table, a duplicate type, or a unique violation in a system catalog.
func IsCreatedMeanwhile(err error) bool {
	const duplicateTable, duplicateType, uniqueViolation = "42P07", "42710", "23505"
	refused, ok := errors.AsType[*pgconn.PgError](err)
	return ok && slices.Contains([]string{duplicateTable, duplicateType, uniqueViolation}, refused.Code)
}

func hangUp(ctx context.Context, conn *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), ConnectTimeout)
	defer cancel()
	_ = conn.Close(ctx)
}
