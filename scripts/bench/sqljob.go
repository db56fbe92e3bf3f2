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

// Constants of the job in SQL.
const (
	sqlSchema   = "in_sql"
	sqlTimeout  = 10 * time.Minute
	sqlSampling = 97 // one document in so many is compared
)

// errSQLTimeout means that the job in SQL took longer than its limit.
var errSQLTimeout = errors.New("the job in SQL was canceled before it ended")

// runSQL makes the same documents in SQL, in one session: it copies the CSV files into unlogged tables, joins and aggregates them with
// jsonb_agg into one table for each document, and adds primary keys. It does less than the ETL: no etags, no gates, no history, and no
// dirt in the files, because COPY does not accept it. After the limit it returns errSQLTimeout; the server may still be busy then.
func runSQL(ctx context.Context, databaseURL, csv string, limit time.Duration) (time.Duration, error) {
	conn, err := sql.Dial(ctx, databaseURL)
	if err != nil {
		return 0, err
	}
	defer func() { _ = conn.Close(ctx) }()
	began := time.Now()
	limited, cancel := context.WithTimeoutCause(ctx, limit, errSQLTimeout)
	defer cancel()
	err = runSQLSteps(limited, conn, csv)
	if err != nil && errors.Is(context.Cause(limited), errSQLTimeout) {
		err = errSQLTimeout
	}
	return time.Since(began), err
}

func runSQLSteps(ctx context.Context, conn *pgx.Conn, csv string) error {
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

// compareWithSQL returns an error unless the published documents are those that were made in SQL: the same number for each endpoint, and
// a sample is equal as JSON.
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
