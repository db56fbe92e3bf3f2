// Package catalogtest publishes small catalogs for the server's tests, with the statements of the ETL
// but without its code: the tables are the contract, and this is the smallest thing that keeps it.
package catalogtest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"systemscale/sql"
	"systemscale/sql/testdb"
)

// Row is one document.
type Row struct {
	ID   int64
	ETag uint64
	Body string // JSON text, as Postgres would print it
}

// NewRow makes a document whose size varies with its id and whose body holds all that it must go with.
func NewRow(document string, edition int, id int64) Row {
	etag := uint64(edition)<<40 | uint64(id)<<8 | uint64(len(document)) | 1<<63
	pad := strings.Repeat(document+" ", int(id*37%499))
	body := fmt.Sprintf(`{"id": %d, "pad": "%s", "etag": "%016x", "edition": %d}`, id, pad, etag, edition)
	return Row{ID: id, ETag: etag, Body: body}
}

// Table is one kind of document with its rows, in order of id.
type Table struct {
	sql.Endpoint
	Rows []Row
}

// Publisher publishes versions of collections in a database of its own.
type Publisher struct {
	t    testing.TB
	conn *pgx.Conn
}

// NewPublisher connects to database as the ETL does. One goroutine at a time.
func NewPublisher(t testing.TB, database testdb.Database) *Publisher {
	t.Helper()
	return &Publisher{t: t, conn: testdb.Connect(t, database.ETL)}
}

// Publish loads a new generation of tables and points the collection at it. It returns the run's id, which is
// the number of the generation, too.
func (p *Publisher) Publish(collection string, tables ...Table) int64 {
	p.t.Helper()
	run, err := p.publish(context.Background(), collection, tables)
	if err != nil {
		p.t.Fatalf("publish %s: %v", collection, err)
	}
	return run
}

func (p *Publisher) publish(ctx context.Context, collection string, tables []Table) (run int64, err error) {
	err = p.conn.QueryRow(ctx, sql.Query("etl/insert_run"), collection, "generation", "test").Scan(&run)
	if err != nil {
		return 0, err
	}
	var endpoints []sql.Endpoint
	var counts []map[string]any
	for _, table := range tables {
		endpoints = append(endpoints, table.Endpoint)
		counts = append(counts, map[string]any{"name": table.Name, "rows": len(table.Rows)})
		if err := p.load(ctx, collection, run, table); err != nil {
			return 0, fmt.Errorf("load %s: %w", table.Name, err)
		}
	}
	if _, err := p.conn.Exec(ctx, `update "catalog"."run" set "documents" = $2 where "id" = $1`, run, counts); err != nil {
		return 0, err
	}
	// The flip is one statement, whether there was a version before or not.
	var previous int64
	err = p.conn.QueryRow(ctx, sql.Query("etl/select_version"), collection).Scan(&previous, nil, nil, nil)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		_, err = p.conn.Exec(ctx, sql.Query("etl/insert_version"), collection, run, run, endpoints)
	case err == nil:
		_, err = p.conn.Exec(ctx, sql.Query("etl/flip_version"), collection, run, run, endpoints, previous)
	}
	return run, err
}

func (p *Publisher) load(ctx context.Context, collection string, generation int64, table Table) error {
	name := sql.DocumentTable(collection, table.Name, generation)
	if _, err := p.conn.Exec(ctx, sql.QueryFor("etl/create_document_table", "table", name)); err != nil {
		return err
	}
	rows := make([][]any, len(table.Rows))
	var anchors [][]any
	for i, row := range table.Rows {
		rows[i] = []any{row.ID, int64(row.ETag), row.Body}
		if table.List && i%sql.AnchorEvery == 0 {
			anchors = append(anchors, []any{collection, generation, int64(i / sql.AnchorEvery), row.ID})
		}
	}
	_, err := p.conn.CopyFrom(ctx, pgx.Identifier{"catalog", name}, []string{"id", "etag", "body"}, pgx.CopyFromRows(rows))
	if err != nil {
		return err
	}
	_, err = p.conn.Exec(ctx, sql.QueryFor("etl/create_primary_key", "table", name, "constraint", name+"_pkey"))
	if err != nil {
		return err
	}
	_, err = p.conn.CopyFrom(ctx, pgx.Identifier{"catalog", "page_anchor"},
		[]string{"collection", "generation", "page", "first_id"}, pgx.CopyFromRows(anchors))
	return err
}

// Drop drops the tables of one generation, as the ETL does with one that is not kept any longer.
func (p *Publisher) Drop(collection string, generation int64, documents ...string) {
	p.t.Helper()
	for _, document := range documents {
		table := sql.DocumentTable(collection, document, generation)
		if _, err := p.conn.Exec(context.Background(), sql.QueryFor("etl/drop_table", "table", table)); err != nil {
			p.t.Fatalf("drop %s: %v", table, err)
		}
	}
}

// Patience is how long a test waits for what must happen, not how long it may take.
const Patience = time.Minute

// Eventually waits for a condition.
func Eventually(t testing.TB, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(Patience); !condition(); {
		if time.Now().After(deadline) {
			t.Fatalf("waited %s in vain: %s", Patience, what)
		}
		time.Sleep(time.Millisecond)
	}
}

// TerminateServers ends every connection that the server has to database, and returns how many there were.
func TerminateServers(t testing.TB, admin *pgx.Conn) int {
	t.Helper()
	var ended int
	err := admin.QueryRow(context.Background(), `
		select count(pg_terminate_backend(pid))
		from pg_stat_activity
		where application_name = 'systemscale-api' and datname = current_database()`).Scan(&ended)
	if err != nil {
		t.Fatalf("end the server's connections: %v", err)
	}
	return ended
}
