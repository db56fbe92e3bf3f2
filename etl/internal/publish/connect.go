package publish

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"systemscale/sql"
)

// cleanUpTime limits the work after an interrupted run.
const cleanUpTime = 30 * time.Second

// connect opens a connection of the ETL, and returns its configuration too. The error is sql.ErrURL if the URL is malformed, and
// sql.ErrPooled if it leads to a pooler that cannot be used.
func connect(ctx context.Context, databaseURL string) (*pgx.Conn, *pgx.ConnConfig, error) {
	config, err := sql.Config(databaseURL, "systemscale-etl", sql.ConnectTimeout)
	if err != nil {
		return nil, nil, err
	}
	// Independent of the server's default, a published version is on disk.
	config.RuntimeParams["synchronous_commit"] = "on"
	// A long statement must end with the process that sent it.
	config.RuntimeParams["client_connection_check_interval"] = "2s"
	conn, err := sql.Connect(ctx, config)
	if err != nil {
		return nil, nil, fmt.Errorf("connect to the database: %w", err)
	}
	return conn, config, nil
}
