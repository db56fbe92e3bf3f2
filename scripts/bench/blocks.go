package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5"

	"systemscale/scripts/growth/size"
	"systemscale/scripts/measure/workspace"
	"systemscale/sql"
)

// blocks are the blocks of 8 KiB of a table that have been visited so far.
type blocks struct {
	Index int64 // of the primary key
	Heap  int64 // of the rows, and of documents that are stored outside of their rows
	Read  int64 // of these, from outside of PostgreSQL's memory
}

func (b blocks) since(earlier blocks) blocks {
	return blocks{b.Index - earlier.Index, b.Heap - earlier.Heap, b.Read - earlier.Read}
}

// readTables measures the tables of the published documents: their sizes, and the blocks that lookups visit.
func readTables(ctx context.Context, w *workspace.Workspace, one *size.Size) error {
	conn, err := sql.Dial(ctx, w.SuperuserURL())
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(ctx) }()
	if _, err := conn.Exec(ctx, query("create_pageinspect")); err != nil {
		return fmt.Errorf("create the extension pageinspect: %w", err)
	}
	var generation int64
	if err := conn.QueryRow(ctx, query("generation"), "products").Scan(&generation); err != nil {
		return err
	}
	const lookups = 5000
	var all blocks
	endpoints := [...]string{"product", "styles", "related", "summary"}
	for i, endpoint := range endpoints {
		table := sql.DocumentTable("products", endpoint, generation)
		if _, err := conn.Exec(ctx, query("stop_autovacuum", "table", table)); err != nil {
			return fmt.Errorf("stop the autovacuum of %s: %w", table, err)
		}
		var documents, tableBytes, indexBytes int64
		var levels int
		if err := conn.QueryRow(ctx, query("table_size"), table).Scan(&documents, &tableBytes, &indexBytes, &levels); err != nil {
			return fmt.Errorf("read the size of %s: %w", table, err)
		}
		one.Documents, one.TableBytes, one.IndexBytes = one.Documents+documents, one.TableBytes+tableBytes, one.IndexBytes+indexBytes
		one.IndexLevels = max(one.IndexLevels, levels)
		visited, err := visit(ctx, conn, w.APIURL(), table, ids(one.Products, lookups, uint64(i)))
		if err != nil {
			return fmt.Errorf("look up documents in %s: %w", table, err)
		}
		all = blocks{all.Index + visited.Index, all.Heap + visited.Heap, all.Read + visited.Read}
	}
	const total = float64(lookups * len(endpoints))
	one.Lookup.Index, one.Lookup.Heap, one.Lookup.Read = float64(all.Index)/total, float64(all.Heap)/total, float64(all.Read)/total
	return nil
}

// ids returns random ids from 1 to the number of products.
func ids(products, count int, seed uint64) []int64 {
	random := rand.New(rand.NewPCG(seed, 3))
	all := make([]int64, count)
	for i := range all {
		all[i] = 1 + random.Int64N(int64(products))
	}
	return all
}

// visit looks the ids up one by one, with the statement of the API and over a connection of its own, and returns the blocks of the table
// that were visited. Nothing else may read the table meanwhile. Only PostgreSQL's superuser sees the end of the connection over conn.
func visit(ctx context.Context, conn *pgx.Conn, databaseURL, table string, ids []int64) (blocks, error) {
	before, err := readBlocks(ctx, conn, table)
	if err != nil {
		return blocks{}, err
	}
	reader, err := sql.Dial(ctx, databaseURL)
	if err != nil {
		return blocks{}, err
	}
	statement := sql.QueryFor("api/get_documents", "table", table, "identity", "0")
	for _, id := range ids {
		if _, err := reader.Exec(ctx, statement, []int64{id}); err != nil {
			return blocks{}, fmt.Errorf("look up %d: %w", id, err)
		}
	}
	pid := reader.PgConn().PID()
	if err := reader.Close(ctx); err != nil {
		return blocks{}, err
	}
	// A backend reports what it has visited before it ends.
	for running := true; running; {
		if err := conn.QueryRow(ctx, query("is_running"), pid).Scan(&running); err != nil {
			return blocks{}, err
		}
		if running {
			time.Sleep(5 * time.Millisecond)
		}
	}
	after, err := readBlocks(ctx, conn, table)
	return after.since(before), err
}

func readBlocks(ctx context.Context, conn *pgx.Conn, table string) (b blocks, err error) {
	err = conn.QueryRow(ctx, query("blocks"), table).Scan(&b.Index, &b.Heap, &b.Read)
	if err != nil {
		return b, fmt.Errorf("read the statistics of %s: %w", table, err)
	}
	return b, nil
}
