package main

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"systemscale/sql"
)

// version is the live version of a collection.
type version struct {
	Collection  string
	Generation  int64
	RunID       int64
	Documents   []byte
	PublishedAt time.Time
}

// publishedVersions reads the live versions from the database.
func publishedVersions(ctx context.Context, databaseURL string) ([]version, error) {
	connection, err := sql.Dial(ctx, databaseURL)
	if err != nil {
		return nil, fmt.Errorf("read the published versions: %w", err)
	}
	defer func() { _ = connection.Close(context.WithoutCancel(ctx)) }()
	rows, err := connection.Query(ctx, sql.Query("api/select_versions"))
	if err != nil {
		return nil, fmt.Errorf("read the published versions: %w", err)
	}
	published, err := pgx.CollectRows(rows, pgx.RowToStructByPos[version])
	if err != nil {
		return nil, fmt.Errorf("read the published versions: %w", err)
	}
	return published, nil
}

// liveRun returns the run that published the live version of products, or 0 if there is none.
func liveRun(ctx context.Context, databaseURL string) (int64, error) {
	published, err := publishedVersions(ctx, databaseURL)
	for _, version := range published {
		if version.Collection == "products" {
			return version.RunID, err
		}
	}
	return 0, err
}
