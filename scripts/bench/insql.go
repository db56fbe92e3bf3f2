package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/jackc/pgx/v5"

	"systemscale/sql"
)

// Of the job in SQL: where its tables are, how long it may take, and that one document in so many is compared.
const (
	sqlSchema   = "in_sql"
	sqlLimit    = 10 * time.Minute // a measurement that is longer says no more than that
	sqlSampling = 97
)

// errSQLTooSlow ends a job in SQL that takes longer than it may.
var errSQLTooSlow = errors.New("the job in SQL was stopped before it ended")

// inSQL makes the same documents as one would in SQL, in one session: the CSV files are copied into unlogged tables, joined and
// aggregated with jsonb_agg into one table for each document, and these get primary keys. It has less to do than the ETL: no
// etags, no gates, no history, and files without dirt, since COPY reads none of it. Past the limit it gives up with
// errSQLTooSlow; the server may be at it for longer.
func inSQL(ctx context.Context, databaseURL, csv string, limit time.Duration) (time.Duration, error) {
	conn, err := sql.Dial(ctx, databaseURL)
	if err != nil {
		return 0, err
	}
	defer func() { _ = conn.Close(ctx) }()
	began := time.Now()
	limited, cancel := context.WithTimeoutCause(ctx, limit, errSQLTooSlow)
	defer cancel()
	err = inSQLSteps(limited, conn, csv)
	if err != nil && errors.Is(context.Cause(limited), errSQLTooSlow) {
		err = errSQLTooSlow
	}
	return time.Since(began), err
}

func inSQLSteps(ctx context.Context, conn *pgx.Conn, csv string) error {
	if _, err := conn.PgConn().Exec(ctx, query("create", "schema", sqlSchema)).ReadAll(); err != nil {
		return err
	}
	for _, table := range []string{"product", "features", "styles", "photos", "skus", "related"} {
		file, err := os.Open(filepath.Join(csv, table+".csv"))
		if err != nil {
			return err
		}
		_, err = conn.PgConn().CopyFrom(ctx, file, query("copy_"+table, "schema", sqlSchema))
		if err := errors.Join(err, file.Close()); err != nil {
			return err
		}
	}
	_, err := conn.PgConn().Exec(ctx, query("documents", "schema", sqlSchema)).ReadAll()
	return err
}

// compareWithSQL returns an error unless the documents that are published are those that were made in SQL: as many of each kind,
// and equal as JSON where they are compared.
func compareWithSQL(ctx context.Context, databaseURL string) error {
	conn, err := sql.Dial(ctx, databaseURL)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(ctx) }()
	var generation int64
	if err := conn.QueryRow(ctx, query("generation"), "products").Scan(&generation); err != nil {
		return err
	}
	for _, document := range []string{"summary", "product", "styles", "related"} {
		var ours, theirs, compared, different int64
		row := conn.QueryRow(ctx, query("compare", "schema", "catalog", "ours", sql.DocumentTable("products", document, generation),
			"their schema", sqlSchema, "theirs", "document_"+document), sqlSampling)
		if err := row.Scan(&ours, &theirs, &compared, &different); err != nil {
			return err
		}
		if ours != theirs || compared == 0 || different > 0 {
			return fmt.Errorf("%s: %d documents, and %d in SQL; of %d that were compared, %d differ", document, ours, theirs, compared, different)
		}
	}
	return nil
}
