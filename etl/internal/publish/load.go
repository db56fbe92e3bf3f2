package publish

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"systemscale/sql"
)

// blockSize is about how many bytes of documents are sent in one COPY. In a prototype 4 to 16 MiB were equally fast; the
// smallest of these holds the least memory.
const blockSize = 4 << 20

// queued is how many full blocks may wait for a stream. More only delays the moment at which the renderer waits.
const queued = 2

// Load writes a new generation. Append is called by one goroutine.
type Load struct {
	session   *Session
	run       int64
	documents []sql.Document
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

// Published says what a run made live.
type Published struct {
	Run       int64
	Documents []Table
}

// Table says how large a document's table is.
type Table struct {
	Name  string `json:"name"`
	Rows  int64  `json:"rows"`
	Bytes int64  `json:"bytes"` // of the rendered bodies, before Postgres stores them its own way
}

// Begin registers a run, creates its tables and opens the streams. Either Publish or Abort must follow.
// A Load holds at most one block for each document and stream, and two that wait: see blockSize.
func (s *Session) Begin(ctx context.Context, documents []sql.Document, streams int) (*Load, error) {
	run, err := s.begin(ctx, "generation")
	if err != nil {
		return nil, err
	}
	l := &Load{
		session: s, run: run, documents: documents, listed: -1,
		filling: make([]*block, len(documents)), rows: make([]int64, len(documents)), bytes: make([]int64, len(documents)),
		full: make(chan *block, queued), empty: make(chan *block, queued+streams+len(documents)),
	}
	ctx, l.cancel = context.WithCancel(ctx)
	l.streams, l.ctx = errgroup.WithContext(ctx)
	for i, d := range documents {
		if d.List {
			l.listed = i
		}
		if _, err := s.conn.Exec(ctx, sql.QueryFor("etl_create_document_table", "table", l.table(i))); err != nil {
			err = fmt.Errorf("create the table %s: %w", l.table(i), err)
			return nil, errors.Join(err, l.Abort(err, []string{}))
		}
	}
	for range streams {
		l.streams.Go(func() error { return l.stream(l.ctx) })
	}
	return l, nil
}

// Run returns the run's id, which becomes the data version when the run is published.
func (l *Load) Run() int64 { return l.run }

func (l *Load) table(document int) string {
	return sql.DocumentTable(l.session.collection, l.documents[document].Name, l.run)
}

// Append adds a row to the table of the document with this index. body is copied. The error is that of a
// stream that failed, or of the context.
func (l *Load) Append(document int, id int64, etag uint64, body []byte) error {
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
	return l.send(b)
}

func (l *Load) newBlock(document int) *block {
	var b *block
	select {
	case b = <-l.empty:
	default:
		// An eighth above the size at which a block is sent: one that a large document outgrows just grows.
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
	config := l.session.config.Copy()
	// Nothing reads these rows before the flip commits, and that commit is synchronous: the log is written in order.
	config.RuntimeParams["synchronous_commit"] = "off"
	conn, err := pgx.ConnectConfig(ctx, config)
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
			statement := sql.QueryFor("etl_copy_documents", "table", l.table(b.document))
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
// sources is stored with the run as JSON. After an error nothing has changed for a reader, and Abort must be called.
// progress is told what begins.
func (l *Load) Publish(ctx context.Context, sources any, progress func(string)) (Published, error) {
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
	published := Published{Run: l.run}
	for i, d := range l.documents {
		published.Documents = append(published.Documents, Table{Name: d.Name, Rows: l.rows[i], Bytes: l.bytes[i]})
	}
	if err := l.flip(ctx, sources, published); err != nil {
		// The connection may have broken while the server was committing: the run's own row knows.
		switch state, settleErr := l.settle(err, sources); {
		case settleErr != nil:
			return Published{}, errors.Join(ErrOutcomeUnknown, err, settleErr)
		case state != statePublished:
			return Published{}, err
		}
		return published, nil
	}
	l.session.live = l.run
	// What cannot be dropped now the next session drops, or says why it cannot.
	_ = l.session.dropDeadTables(ctx)
	return published, nil
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
	conn, err := pgx.ConnectConfig(ctx, l.session.config)
	if err != nil {
		return fmt.Errorf("connect to index %s: %w", name, err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	if _, err := conn.Exec(ctx, sql.QueryFor("etl_create_primary_key", "table", name, "constraint", name+"_pkey")); err != nil {
		return fmt.Errorf("create the primary key of %s: %w", name, err)
	}
	// The vacuum marks every page as visible to all, without which a lookup of the etag alone would read the table too. It
	// needs the streams' commits on disk, or it passes over their rows; the statement above, committing synchronously, sees to that.
	if _, err := conn.Exec(ctx, sql.QueryFor("etl_vacuum_table", "table", name)); err != nil {
		return fmt.Errorf("vacuum %s: %w", name, err)
	}
	var rows int64
	if err := conn.QueryRow(ctx, sql.QueryFor("etl_count_rows", "table", name)).Scan(&rows); err != nil {
		return fmt.Errorf("count %s: %w", name, err)
	}
	if rows != l.rows[document] {
		return fmt.Errorf("%s holds %d rows and %d were sent: nothing is published", name, rows, l.rows[document])
	}
	return nil
}

// flip makes the generation live, if what was live when the session began still is.
func (l *Load) flip(ctx context.Context, sources any, published Published) error {
	sourcesText, err := encode(sources)
	if err != nil {
		return fmt.Errorf("encode the run's sources: %w", err)
	}
	tablesText, err := encode(published.Documents)
	if err != nil {
		return fmt.Errorf("encode the run's documents: %w", err)
	}
	documentsText, err := encode(l.documents)
	if err != nil {
		return fmt.Errorf("encode the pointer's documents: %w", err)
	}
	s := l.session
	err = pgx.BeginFunc(ctx, s.conn, func(tx pgx.Tx) error {
		_, err := tx.CopyFrom(ctx, pgx.Identifier{"catalog", "page_anchor"}, []string{"collection", "generation", "page", "first_id"},
			pgx.CopyFromSlice(len(l.anchors), func(i int) ([]any, error) {
				return []any{s.collection, l.run, int64(i), l.anchors[i]}, nil
			}))
		if err != nil {
			return fmt.Errorf("write the page anchors: %w", err)
		}
		marked, err := tx.Exec(ctx, sql.Query("etl_publish_run"), l.run, sourcesText, tablesText)
		if err != nil {
			return fmt.Errorf("mark the run published: %w", err)
		}
		if marked.RowsAffected() != 1 {
			return errors.New("the run was marked failed meanwhile")
		}
		statement, arguments := "etl_insert_version", []any{s.collection, l.run, l.run, documentsText}
		if s.live != 0 {
			statement, arguments = "etl_flip_version", append(arguments, s.live)
		}
		flipped, err := tx.Exec(ctx, sql.Query(statement), arguments...)
		if err != nil {
			return fmt.Errorf("flip the pointer: %w", err)
		}
		if flipped.RowsAffected() != 1 {
			return fmt.Errorf("another run published %s while this one was loading: nothing is changed", s.collection)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("publish run %d: %w", l.run, err)
	}
	return nil
}

// States of a run that Postgres knows.
const statePublished = "published"

// settle marks the run failed because of cause, unless it turns out to be published, and returns its state.
func (l *Load) settle(cause error, sources any) (state string, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), cleanUpTime)
	defer cancel()
	sourcesText, err := encode(sources)
	if err != nil {
		return "", fmt.Errorf("encode the run's sources: %w", err)
	}
	// Twice, because a connection that was cut while it was idle shows it only when it is used.
	for range 2 {
		var conn *pgx.Conn
		if conn, err = l.session.cleanUpConn(ctx); err != nil {
			continue
		}
		if err = conn.QueryRow(ctx, sql.Query("etl_fail_run"), l.run, sourcesText, cause.Error()).Scan(&state); err == nil {
			return state, nil
		}
	}
	return "", fmt.Errorf("mark run %d failed: %w", l.run, err)
}

// Abort ends the streams, marks the run failed because of cause and drops its tables. sources is stored as JSON.
// It works after ctx was cancelled, and does nothing to a run that is published.
func (l *Load) Abort(cause error, sources any) error {
	l.cancel()
	_ = l.wait()
	state, err := l.settle(cause, sources)
	if err != nil || state == statePublished {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), cleanUpTime)
	defer cancel()
	conn, err := l.session.cleanUpConn(ctx)
	if err != nil {
		return err
	}
	var errs []error
	for i := range l.documents {
		errs = append(errs, dropTable(ctx, conn, l.table(i)))
	}
	return errors.Join(errs...)
}
