package publish

import (
	"context"
	"fmt"
	"slices"

	"github.com/dustin/go-humanize/english"
	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"systemscale/sql"
)

// Load writes a new generation. It is used by one goroutine.
type Load struct {
	run       *Run
	endpoints []sql.Endpoint
	streams   *streams
	filling   []*block // by endpoint
	rows      []int64  // appended, by endpoint
	bytes     []int64  // of bodies, by endpoint
	anchors   []sql.ID // every sql.AnchorEvery-th id of the list
	list      int      // index of the endpoint that is a list, or -1
}

// Load creates the run's tables and opens the streams. Publish or the run's Abort must follow, or another Load, which drops the tables
// of this one. A Load holds at most one block for each endpoint and stream, and two that wait: see blockSize.
func (r *Run) Load(ctx context.Context, endpoints []sql.Endpoint, streams int) (_ *Load, err error) {
	defer inDatabase(&err)
	if r.streams != nil {
		if err := r.streams.drop(ctx, r.session.conn); err != nil {
			return nil, err
		}
	}
	tables := make([]string, len(endpoints))
	for i, e := range endpoints {
		tables[i] = sql.DocumentTable(r.session.collection, e.Name, r.id)
	}
	r.streams = newStreams(ctx, r.session.config, tables, streams)
	l := &Load{
		run: r, endpoints: endpoints, streams: r.streams, filling: make([]*block, len(endpoints)),
		rows: make([]int64, len(endpoints)), bytes: make([]int64, len(endpoints)),
		list: slices.IndexFunc(endpoints, func(e sql.Endpoint) bool { return e.List }),
	}
	for _, table := range tables {
		if err := createDocumentTable(ctx, r.session.conn, table, idParts(endpoints)); err != nil {
			return nil, err
		}
	}
	r.streams.start()
	return l, nil
}

// Append adds a row to the table of an endpoint. body is copied. The error is that of a stream that failed, or of the context.
func (l *Load) Append(endpoint int, id sql.ID, etag uint64, body []byte) (err error) {
	b := l.filling[endpoint]
	if b == nil {
		b = l.streams.block(endpoint)
		l.filling[endpoint] = b
	}
	b.data = AppendRow(b.data, id, etag, body)

	if endpoint == l.list && l.rows[endpoint]%sql.AnchorEvery == 0 {
		l.anchors = append(l.anchors, id)
	}
	l.rows[endpoint]++
	l.bytes[endpoint] += int64(len(body))
	if len(b.data) < blockSize {
		return nil
	}
	l.filling[endpoint] = nil
	defer inDatabase(&err)
	return l.streams.send(b)
}

// Publish waits for the streams, indexes, vacuums and counts the tables, and flips the version row. After an error the live version is
// unchanged, unless the error is ErrOutcomeUnknown, and the run's Abort must be called. progress is called with the name of each phase when
// it begins.
func (l *Load) Publish(ctx context.Context, record Record, progress func(string)) (_ Published, err error) {
	defer inDatabase(&err)
	for _, b := range l.filling {
		if b == nil {
			continue
		}
		if err := l.streams.send(b); err != nil {
			return Published{}, err
		}
	}
	if err := l.streams.wait(); err != nil {
		return Published{}, err
	}
	progress("index and count")
	if err := l.finishTables(ctx); err != nil {
		return Published{}, err
	}
	progress("flip")
	published := Published{Run: l.run.id, Mode: Generation}
	for i, d := range l.endpoints {
		published.Tables = append(published.Tables, Table{Name: d.Name, Rows: l.rows[i], Bytes: l.bytes[i]})
	}
	version := Version{Run: l.run.id, Generation: l.run.id, Endpoints: l.endpoints}
	return published, l.run.publish(ctx, version, published, &record, func(tx pgx.Tx) error {
		_, err := tx.CopyFrom(ctx, pgx.Identifier{"catalog", sql.AnchorTable(idParts(l.endpoints))}, []string{"collection", "generation", "page", "first_id"},
			pgx.CopyFromSlice(len(l.anchors), func(i int) ([]any, error) {
				id, err := l.anchors[i].Value()
				return []any{l.run.session.collection, l.run.id, int64(i), id}, err
			}))
		if err != nil {
			return fmt.Errorf("write the page anchors: %w", err)
		}
		return nil
	})
}

// finishTables indexes, vacuums and counts the tables, two at a time.
func (l *Load) finishTables(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(2)
	for i := range l.endpoints {
		group.Go(func() error { return l.finishTable(ctx, i) })
	}
	return group.Wait()
}

func (l *Load) finishTable(ctx context.Context, endpoint int) error {
	name := l.streams.tables[endpoint]
	conn, err := sql.ConnectAgain(ctx, l.run.session.config)
	if err != nil {
		return fmt.Errorf("connect to index %s: %w", name, err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	if _, err := conn.Exec(ctx, sql.QueryFor("etl/create_primary_key", "table", name, "constraint", name+"_pkey")); err != nil {
		return fmt.Errorf("create the primary key of %s: %w", name, err)
	}
	// The vacuum marks every page as all-visible; otherwise a lookup of the etag alone would read the table too. It skips rows whose commit
	// is not on disk yet. The synchronous commit of the statement above flushes those of the streams.
	if _, err := conn.Exec(ctx, sql.QueryFor("etl/vacuum_table", "table", name)); err != nil {
		return fmt.Errorf("vacuum %s: %w", name, err)
	}
	var rows int64
	if err := conn.QueryRow(ctx, sql.QueryFor("etl/count_rows", "table", name)).Scan(&rows); err != nil {
		return fmt.Errorf("count %s: %w", name, err)
	}
	if rows != l.rows[endpoint] {
		return fmt.Errorf("%s holds %s, and %d were sent: nothing is published", name, english.Plural(int(rows), "row", ""), l.rows[endpoint])
	}
	return nil
}
