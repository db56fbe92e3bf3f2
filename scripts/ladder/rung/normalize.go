package rung

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/jackc/pgx/v5"

	"systemscale/etl/shapes"
	"systemscale/scripts/measure"
	"systemscale/sql"
)

//go:embed rows.yaml
var rowDocuments []byte

// Normalize replaces the schema ladder by the catalog in normalised tables, with keys, indexes and statistics. The rows are those of the
// CSV files as the ETL accepts them: it renders all rows of a product as one document, which the database takes apart again. It needs a
// role that may create a schema.
func Normalize(ctx context.Context, data Data) (err error) {
	rows, err := renderRows(ctx, data)
	if err != nil {
		return fmt.Errorf("normalise the catalog: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(filepath.Dir(rows))) }()
	conn, err := sql.Dial(ctx, data.DatabaseURL)
	if err != nil {
		return fmt.Errorf("normalise the catalog: %w", err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	if err := fill(ctx, conn, rows); err != nil {
		return fmt.Errorf("normalise the catalog: %w", err)
	}
	return nil
}

// renderRows renders the rows of each product with the ETL and returns the path of the file, a binary COPY, in a directory of its own.
func renderRows(ctx context.Context, data Data) (string, error) {
	etl, err := build(ctx, data, "systemscale/etl")
	if err != nil {
		return "", err
	}
	sources, _, found := bytes.Cut(shapes.Products, []byte("\ndocuments:\n"))
	if !found {
		return "", errors.New("products.yaml has no line \"documents:\"")
	}
	directory := filepath.Join(data.Directory, "rows")
	if err := os.MkdirAll(directory, 0o755); err != nil {
		return "", err
	}
	shape := filepath.Join(directory, "rows.yaml")
	if err := os.WriteFile(shape, append(append(sources[:len(sources):len(sources)], '\n'), rowDocuments...), 0o644); err != nil {
		return "", err
	}
	if _, err := measure.Run(ctx, etl, "render", "--csv", data.CSV, "--shape", shape, "--out", directory); err != nil {
		return "", err
	}
	return filepath.Join(directory, "rows.copy"), nil
}

// fill fills the schema from the file of renderRows.
func fill(ctx context.Context, conn *pgx.Conn, rows string) error {
	if err := execute(ctx, conn, "create"); err != nil {
		return err
	}
	file, err := os.Open(rows)
	if err != nil {
		return err
	}
	_, err = conn.PgConn().CopyFrom(ctx, file, query("normalize/copy_rows"))
	if err := errors.Join(err, file.Close()); err != nil {
		return fmt.Errorf("copy the rows: %w", err)
	}
	for _, name := range []string{"fill", "index", "vacuum"} {
		if err := execute(ctx, conn, name); err != nil {
			return err
		}
	}
	return nil
}

// execute executes the statements of a file.
func execute(ctx context.Context, conn *pgx.Conn, name string) error {
	if _, err := conn.PgConn().Exec(ctx, query("normalize/"+name)).ReadAll(); err != nil {
		return fmt.Errorf("%s.sql: %w", name, err)
	}
	return nil
}
