// Package publishtest publishes small catalogs for the server's tests. It uses the ETL's statements but not its code: the tables are the
// contract between the two programs.
package publishtest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"systemscale/sql"
	"systemscale/sql/testdb"
)

// Row is a document.
type Row struct {
	ID   sql.ID
	ETag uint64
	Body string // JSON text, as Postgres would print it
}

// NewRow returns a document whose size varies with its id and whose body contains its etag and edition.
func NewRow(document string, edition int, id int64) Row {
	etag := uint64(edition)<<40 | uint64(id)<<8 | uint64(len(document)) | 1<<63
	pad := strings.Repeat(document+" ", int(id*37%499))
	body := fmt.Sprintf(`{"id": %d, "pad": "%s", "etag": "%016x", "edition": %d}`, id, pad, etag, edition)
	return Row{ID: sql.IntID(id), ETag: etag, Body: body}
}

// NewTextRow returns a document whose body contains its id, a text, and its edition.
func NewTextRow(document string, edition int, id string) Row {
	text, err := json.Marshal(id)
	if err != nil {
		panic(err)
	}
	etag := uint64(edition)<<40 | uint64(crc32.ChecksumIEEE([]byte(document+" "+id)))
	return Row{ID: sql.TextID(id), ETag: etag, Body: fmt.Sprintf(`{"id": %s, "document": "%s", "edition": %d}`, text, document, edition)}
}

// Table is an endpoint with its documents, in order of id.
type Table struct {
	sql.Endpoint
	Rows []Row
}

// Publisher publishes versions of collections.
type Publisher struct {
	t    testing.TB
	conn *pgx.Conn
}

// NewPublisher connects to database as the ETL does. A Publisher is for one goroutine at a time.
func NewPublisher(t testing.TB, database testdb.Database) *Publisher {
	t.Helper()
	return &Publisher{t: t, conn: testdb.Connect(t, database.ETL)}
}

// Publish loads a new generation and makes it live. It returns the id of the run, which is also that of the generation.
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
	// The flip is one statement, with or without an earlier version.
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
	create := "etl/create_document_table"
	if table.IDParts > 0 {
		create = "etl/create_text_document_table"
	}
	if _, err := p.conn.Exec(ctx, sql.QueryFor(create, "table", name)); err != nil {
		return err
	}
	rows := make([][]any, len(table.Rows))
	var anchors [][]any
	for i, row := range table.Rows {
		id, err := row.ID.Value()
		if err != nil {
			return err
		}
		rows[i] = []any{id, int64(row.ETag), row.Body}
		if table.List && i%sql.AnchorEvery == 0 {
			anchors = append(anchors, []any{collection, generation, int64(i / sql.AnchorEvery), id})
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
	_, err = p.conn.CopyFrom(ctx, pgx.Identifier{"catalog", sql.AnchorTable(table.IDParts)},
		[]string{"collection", "generation", "page", "first_id"}, pgx.CopyFromRows(anchors))
	return err
}

// Drop drops the tables of a generation, as the ETL does when the generation has expired.
func (p *Publisher) Drop(collection string, generation int64, documents ...string) {
	p.t.Helper()
	for _, document := range documents {
		table := sql.DocumentTable(collection, document, generation)
		if _, err := p.conn.Exec(context.Background(), sql.QueryFor("etl/drop_table", "table", table)); err != nil {
			p.t.Fatalf("drop %s: %v", table, err)
		}
	}
}

// Patience is how long a test waits before it fails. It is not a limit on speed.
const Patience = time.Minute

// Eventually waits until condition returns true.
func Eventually(t testing.TB, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(Patience); !condition(); {
		if time.Now().After(deadline) {
			t.Fatalf("timeout after %s: %s", Patience, what)
		}
		time.Sleep(time.Millisecond)
	}
}

// TerminateServers ends the API's connections to the database, and returns their number.
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
