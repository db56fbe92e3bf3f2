package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"sync"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"systemscale/infra/process"
	"systemscale/scripts/ladder/rung"
	"systemscale/sql"
)

var (
	//go:embed query/document.sql
	selectDocument string
	//go:embed query/page.sql
	selectPage string
	//go:embed query/generation.sql
	selectGeneration string
)

// collection is the collection of the built-in shape file.
const collection = "products"

// answer is the right answer to a request: a body, or none, which is the status 404.
type answer struct {
	body  []byte
	found bool
}

// reference reads the published documents from the database. It keeps all that it has read. It is safe for concurrent use.
type reference struct {
	pool     *pgxpool.Pool
	tables   map[rung.Endpoint]string
	postgres int // pid of the server

	mutex sync.Mutex
	known map[rung.Request]answer
}

func openReference(ctx context.Context, databaseURL string) (*reference, error) {
	config, err := pgxpool.ParseConfig(databaseURL)
	if err != nil {
		return nil, errors.New("the URL of the database is not valid") // the cause has the password
	}
	config.MaxConns = 4
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, err
	}
	r := &reference{pool: pool, tables: map[rung.Endpoint]string{}, known: map[rung.Request]answer{}}
	if err := r.readVersion(ctx); err != nil {
		pool.Close()
		return nil, fmt.Errorf("read the published version: %w", err)
	}
	return r, nil
}

// readVersion sets the tables and postgres.
func (r *reference) readVersion(ctx context.Context) error {
	var generation int64
	if err := r.pool.QueryRow(ctx, selectGeneration, collection).Scan(&generation); err != nil {
		return err
	}
	for _, endpoint := range rung.Endpoints() {
		document := string(endpoint)
		if endpoint == rung.List {
			document = "summary"
		}
		r.tables[endpoint] = sql.DocumentTable(collection, document, generation)
	}
	return r.pool.AcquireFunc(ctx, func(conn *pgxpool.Conn) error {
		r.postgres = process.Parent(int(conn.Conn().PgConn().PID()))
		return nil
	})
}

func (r *reference) close() { r.pool.Close() }

// answer returns the right answer to a request.
func (r *reference) answer(ctx context.Context, request rung.Request) (answer, error) {
	r.mutex.Lock()
	known, found := r.known[request]
	r.mutex.Unlock()
	if found {
		return known, nil
	}
	read, err := r.read(ctx, request)
	if err != nil {
		return answer{}, fmt.Errorf("read the published document of %s: %w", request.Path(), err)
	}
	r.mutex.Lock()
	r.known[request] = read
	r.mutex.Unlock()
	return read, nil
}

func (r *reference) read(ctx context.Context, request rung.Request) (answer, error) {
	statement, arguments := selectDocument, []any{request.ID}
	if request.Endpoint == rung.List {
		statement, arguments = selectPage, []any{(request.Page - 1) * request.Count, request.Count}
	}
	var body []byte
	err := r.pool.QueryRow(ctx, sql.Fill(statement, "table", r.tables[request.Endpoint]), arguments...).Scan(&body)
	if errors.Is(err, pgx.ErrNoRows) {
		return answer{}, nil
	}
	return answer{body, true}, err
}
