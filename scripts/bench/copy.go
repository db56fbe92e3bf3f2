package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"systemscale/sql"
)

// blockSize is about how much is sent in one COPY: as much as the ETL sends, so that the two differ in nothing else.
const blockSize = 4 << 20

// copyTable is a document's finished rows, as blocks that are each the input of one binary COPY.
type copyTable struct {
	name   string
	blocks [][]byte
}

// The ends of a binary COPY file: https://www.postgresql.org/docs/current/sql-copy.html, "Binary Format".
const (
	headerSize  = 19
	trailerSize = 2
)

// readCopyFiles reads what etl render --out has written into memory.
func readCopyFiles(directory string) ([]copyTable, error) {
	files, err := filepath.Glob(filepath.Join(directory, "*.copy"))
	if err != nil {
		return nil, err
	}
	var tables []copyTable
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		blocks, err := splitCopy(data)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		tables = append(tables, copyTable{name: "bare_" + strings.TrimSuffix(filepath.Base(file), ".copy"), blocks: blocks})
	}
	if len(tables) == 0 {
		return nil, fmt.Errorf("%s holds no *.copy file", directory)
	}
	return tables, nil
}

// splitCopy cuts a binary COPY into several of about blockSize. The blocks share data's memory where they can.
func splitCopy(data []byte) ([][]byte, error) {
	if len(data) < headerSize+trailerSize {
		return nil, errors.New("shorter than an empty binary COPY")
	}
	header, rows := data[:headerSize], data[headerSize:len(data)-trailerSize]
	trailer := data[len(data)-trailerSize:]
	var blocks [][]byte
	for len(rows) > 0 {
		size := 0
		for size < len(rows) && size < blockSize {
			row, err := rowSize(rows[size:])
			if err != nil {
				return nil, err
			}
			size += row
		}
		blocks = append(blocks, bytes.Join([][]byte{header, rows[:size], trailer}, nil))
		rows = rows[size:]
	}
	return blocks, nil
}

func rowSize(data []byte) (int, error) {
	size := 2
	for range int(binary.BigEndian.Uint16(data)) {
		if len(data) < size+4 {
			return 0, errors.New("a row is cut off")
		}
		size += 4 + int(binary.BigEndian.Uint32(data[size:]))
	}
	return size, nil
}

// bareCopy creates tables like the ETL's, copies the blocks into them over streams connections, and drops them.
// The time is that of the copying alone: no key, no statistics, no count.
func bareCopy(ctx context.Context, databaseURL string, tables []copyTable, streams int) (time.Duration, error) {
	conn, err := sql.Dial(ctx, databaseURL)
	if err != nil {
		return 0, err
	}
	defer func() { _ = conn.Close(ctx) }()
	for _, t := range tables {
		if _, err := conn.Exec(ctx, sql.QueryFor("etl/create_document_table", "table", t.name)); err != nil {
			return 0, err
		}
	}
	began := time.Now()
	group, groupCtx := errgroup.WithContext(ctx)
	type work struct {
		table string
		block []byte
	}
	queue := make(chan work)
	group.Go(func() error {
		defer close(queue)
		for _, t := range tables {
			for _, block := range t.blocks {
				select {
				case queue <- work{t.name, block}:
				case <-groupCtx.Done():
					return groupCtx.Err()
				}
			}
		}
		return nil
	})
	for range streams {
		group.Go(func() error {
			stream, err := pgx.Connect(groupCtx, databaseURL)
			if err != nil {
				return err
			}
			defer func() { _ = stream.Close(ctx) }()
			for w := range queue {
				if _, err := stream.PgConn().CopyFrom(groupCtx, bytes.NewReader(w.block), sql.QueryFor("etl/copy_documents", "table", w.table)); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return 0, err
	}
	took := time.Since(began)
	for _, t := range tables {
		if _, err := conn.Exec(ctx, sql.QueryFor("etl/drop_table", "table", t.name)); err != nil {
			return 0, err
		}
	}
	return took, nil
}
