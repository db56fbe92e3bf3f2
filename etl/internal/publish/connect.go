package publish

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"systemscale/sql"
)

// cleanUpTime limits what is done after a run was interrupted.
const cleanUpTime = 30 * time.Second

// connect connects as every connection of the ETL does, and returns with what configuration. The error is sql.ErrURL when the URL is not
// one, and sql.ErrPooled when it leads through a pooler that cannot be used.
func connect(ctx context.Context, databaseURL string) (*pgx.Conn, *pgx.ConnConfig, error) {
	config, err := sql.Config(databaseURL, "systemscale-etl", sql.ConnectTimeout)
	if err != nil {
		return nil, nil, err
	}
	// Whatever the server's default: a published version is on disk.
	config.RuntimeParams["synchronous_commit"] = "on"
	// A long statement must end with the process that sent it.
	config.RuntimeParams["client_connection_check_interval"] = "2s"
	conn, err := sql.Connect(ctx, config)
	if err != nil {
		return nil, nil, fmt.Errorf("connect to the database: %w", err)
	}
	return conn, config, nil
}
