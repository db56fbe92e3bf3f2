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

// blockSize is the approximate size of one COPY: the same as in the ETL, for a fair comparison.
const blockSize = 4 << 20

// copyTable contains the finished rows of a document. Each block is the input of one binary COPY.
type copyTable struct {
	name   string
	blocks [][]byte
}

// The header and trailer of a binary COPY file: https://www.postgresql.org/docs/current/sql-copy.html, "Binary Format".
const (
	headerSize  = 19
	trailerSize = 2
)

// readCopyFiles reads the files that etl render --out has written.
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
		return nil, fmt.Errorf("%s contains no *.copy file", directory)
	}
	return tables, nil
}

// splitCopy splits a binary COPY into several of about blockSize.
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

// rowSize returns the size of the first row in data.
func rowSize(data []byte) (int, error) {
	size := 2
	for range int(binary.BigEndian.Uint16(data)) {
		if len(data) < size+4 {
			return 0, errors.New("a row is truncated")
		}
		size += 4 + int(binary.BigEndian.Uint32(data[size:]))
	}
	return size, nil
}

// bareCopy creates tables like the ETL's, copies the blocks into them over several connections, and drops them. The duration is that of
// copying only: it does not include keys, statistics or counts.
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
				statement := sql.QueryFor("etl/copy_documents", "table", w.table)
				if _, err := stream.PgConn().CopyFrom(groupCtx, bytes.NewReader(w.block), statement); err != nil {
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
