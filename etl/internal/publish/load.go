package publish

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/dustin/go-humanize/english"
	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"systemscale/sql"
)

// blockSize is about how many bytes of documents are sent in one COPY. In a prototype 4 to 16 MiB were equally fast; the
// smallest of these holds the least memory.
const blockSize = 4 << 20

// queued is how many full blocks may wait for a stream. With more, the renderer only waits later.
const queued = 2

// Load writes a new generation. It is used by one goroutine.
type Load struct {
	run       *Run
	documents []sql.Endpoint
	number    int      // of streams
	filling   []*block // by document
	rows      []int64  // appended, by document
	bytes     []int64  // of bodies, by document
	anchors   []int64  // every sql.AnchorEvery-th id of the list document
	listed    int      // index of the list document, or -1

	streams *errgroup.Group
	ctx     context.Context // of the streams: ends when one of them fails
	cancel  context.CancelFunc
	full    chan *block
	empty   chan *block
	stopped bool
}

// block is some rows of one document in the binary format of COPY.
type block struct {
	document int
	data     []byte
}

// Load creates the run's tables and opens the streams. Publish or the run's Abort must follow, or another Load, which drops the tables
// of this one. A Load holds at most one block for each document and stream, and two that wait: see blockSize.
func (r *Run) Load(ctx context.Context, documents []sql.Endpoint, streams int) (_ *Load, err error) {
	defer inDatabase(&err)
	if r.tables != nil {
		if err := r.tables.drop(ctx, r.session.conn); err != nil {
			return nil, err
		}
	}
	l := &Load{run: r, documents: documents, number: streams, listed: listed(documents)}
	r.tables = l
	return l, l.start(ctx)
}

// listed returns the index of the document that is served in pages, or -1.
func listed(documents []sql.Endpoint) int {
	return slices.IndexFunc(documents, func(d sql.Endpoint) bool { return d.List })
}

func (l *Load) start(ctx context.Context) error {
	n := len(l.documents)
	l.filling, l.rows, l.bytes, l.anchors = make([]*block, n), make([]int64, n), make([]int64, n), nil
	l.full, l.empty, l.stopped = make(chan *block, queued), make(chan *block, queued+l.number+n), false
	l.ctx, l.cancel = context.WithCancel(ctx)
	l.streams, l.ctx = errgroup.WithContext(l.ctx)
	for i := range l.documents {
		if _, err := l.run.session.conn.Exec(ctx, sql.QueryFor("etl/create_document_table", "table", l.table(i))); err != nil {
			return fmt.Errorf("create the table %s: %w", l.table(i), err)
		}
	}
	for range l.number {
		l.streams.Go(func() error { return l.stream(l.ctx) })
	}
	return nil
}

// drop ends the streams and drops the tables, over a connection.
func (l *Load) drop(ctx context.Context, conn *pgx.Conn) error {
	l.abandon()
	var errs []error
	for i := range l.documents {
		errs = append(errs, dropTable(ctx, conn, l.table(i)))
	}
	return errors.Join(errs...)
}

// abandon ends the streams without waiting for their work.
func (l *Load) abandon() {
	l.cancel()
	_ = l.wait()
}

func (l *Load) table(document int) string {
	return sql.DocumentTable(l.run.session.collection, l.documents[document].Name, l.run.id)
}

// Append adds a row to the table of the document with this index. body is copied. The error is that of a
// stream that failed, or of the context.
func (l *Load) Append(document int, id int64, etag uint64, body []byte) (err error) {
	b := l.filling[document]
	if b == nil {
		b = l.newBlock(document)
		l.filling[document] = b
	}
	b.data = AppendRow(b.data, id, etag, body)

	if document == l.listed && l.rows[document]%sql.AnchorEvery == 0 {
		l.anchors = append(l.anchors, id)
	}
	l.rows[document]++
	l.bytes[document] += int64(len(body))
	if len(b.data) < blockSize {
		return nil
	}
	l.filling[document] = nil
	defer inDatabase(&err)
	return l.send(b)
}

func (l *Load) newBlock(document int) *block {
	var b *block
	select {
	case b = <-l.empty:
	default:
		// An eighth above the size at which a block is sent; a large document makes it grow.
		b = &block{data: make([]byte, 0, blockSize+blockSize/8)}
	}
	b.document = document
	b.data = AppendHeader(b.data[:0])
	return b
}

func (l *Load) send(b *block) error {
	b.data = AppendTrailer(b.data)
	select {
	case l.full <- b:
		return nil
	case <-l.ctx.Done():
		return l.wait()
	}
}

// wait ends the streams and returns the first error among them.
func (l *Load) wait() error {
	if !l.stopped {
		l.stopped = true
		close(l.full)
	}
	return l.streams.Wait()
}

// stream copies blocks until there are no more. Each is a COPY of its own.
func (l *Load) stream(ctx context.Context) error {
	config := l.run.session.config.Copy()
	// Nothing reads these rows before the flip commits, and that commit is synchronous: the log is written in order.
	config.RuntimeParams["synchronous_commit"] = "off"
	conn, err := sql.ConnectAgain(ctx, config)
	if err != nil {
		return fmt.Errorf("connect a stream: %w", err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case b, more := <-l.full:
			if !more {
				return nil
			}
			statement := sql.QueryFor("etl/copy_documents", "table", l.table(b.document))
			if _, err := conn.PgConn().CopyFrom(ctx, bytes.NewReader(b.data), statement); err != nil {
				return fmt.Errorf("copy into %s: %w", l.table(b.document), err)
			}
			if cap(b.data) <= 2*blockSize {
				select {
				case l.empty <- b:
				default:
				}
			}
		}
	}
}

// Publish waits for the streams, gives the tables their keys and statistics, counts them, and flips the pointer.
// After an error the live version is unchanged, unless the error is ErrOutcomeUnknown, and the run's Abort must be called.
// progress is called with the name of each phase when it begins.
func (l *Load) Publish(ctx context.Context, record Record, progress func(string)) (_ Published, err error) {
	defer inDatabase(&err)
	for _, b := range l.filling {
		if b == nil {
			continue
		}
		if err := l.send(b); err != nil {
			return Published{}, err
		}
	}
	if err := l.wait(); err != nil {
		return Published{}, err
	}
	progress("index and count")
	if err := l.finishTables(ctx); err != nil {
		return Published{}, err
	}
	progress("flip")
	published := Published{Run: l.run.id, Mode: Generation}
	for i, d := range l.documents {
		published.Documents = append(published.Documents, Table{Name: d.Name, Rows: l.rows[i], Bytes: l.bytes[i]})
	}
	version := Version{Run: l.run.id, Generation: l.run.id, Documents: l.documents}
	return published, l.run.publish(ctx, version, published, &record, func(tx pgx.Tx) error {
		_, err := tx.CopyFrom(ctx, pgx.Identifier{"catalog", "page_anchor"}, []string{"collection", "generation", "page", "first_id"},
			pgx.CopyFromSlice(len(l.anchors), func(i int) ([]any, error) {
				return []any{l.run.session.collection, l.run.id, int64(i), l.anchors[i]}, nil
			}))
		if err != nil {
			return fmt.Errorf("write the page anchors: %w", err)
		}
		return nil
	})
}

// finishTables makes every table ready to be read, two at a time.
func (l *Load) finishTables(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(2)
	for i := range l.documents {
		group.Go(func() error { return l.finishTable(ctx, i) })
	}
	return group.Wait()
}

func (l *Load) finishTable(ctx context.Context, document int) error {
	name := l.table(document)
	conn, err := sql.ConnectAgain(ctx, l.run.session.config)
	if err != nil {
		return fmt.Errorf("connect to index %s: %w", name, err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	if _, err := conn.Exec(ctx, sql.QueryFor("etl/create_primary_key", "table", name, "constraint", name+"_pkey")); err != nil {
		return fmt.Errorf("create the primary key of %s: %w", name, err)
	}
	// The vacuum marks every page as visible to all, without which a lookup of the etag alone would read the table too. It
	// needs the streams' commits on disk, or it passes over their rows; the statement above, committing synchronously, sees to that.
	if _, err := conn.Exec(ctx, sql.QueryFor("etl/vacuum_table", "table", name)); err != nil {
		return fmt.Errorf("vacuum %s: %w", name, err)
	}
	var rows int64
	if err := conn.QueryRow(ctx, sql.QueryFor("etl/count_rows", "table", name)).Scan(&rows); err != nil {
		return fmt.Errorf("count %s: %w", name, err)
	}
	if rows != l.rows[document] {
		return fmt.Errorf("%s holds %s, and %d were sent: nothing is published", name, english.Plural(int(rows), "row", ""), l.rows[document])
	}
	return nil
}
