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

// queued is how many full blocks may wait for a stream. With more, the renderer only waits later.
const queued = 2

// streams copy blocks of rows into the tables of a generation, over a connection each.
type streams struct {
	config  *pgx.ConnConfig
	tables  []string // by endpoint
	number  int      // of streams
	group   *errgroup.Group
	ctx     context.Context // ends when a stream fails
	cancel  context.CancelFunc
	full    chan *block
	empty   chan *block
	stopped bool
}

// block is rows of one table in the binary format of COPY.
type block struct {
	endpoint int
	data     []byte
}

// newStreams returns a number of streams. start must be called when the tables exist.
func newStreams(ctx context.Context, config *pgx.ConnConfig, tables []string, number int) *streams {
	s := &streams{
		config: config, tables: tables, number: number,
		full: make(chan *block, queued), empty: make(chan *block, queued+number+len(tables)),
	}
	s.ctx, s.cancel = context.WithCancel(ctx)
	s.group, s.ctx = errgroup.WithContext(s.ctx)
	return s
}

func (s *streams) start() {
	for range s.number {
		s.group.Go(func() error { return s.copy(s.ctx) })
	}
}

// block returns an empty block for the table of an endpoint.
func (s *streams) block(endpoint int) *block {
	var b *block
	select {
	case b = <-s.empty:
	default:
		// An eighth above the size at which a block is sent; a large document makes it grow.
		b = &block{data: make([]byte, 0, blockSize+blockSize/8)}
	}
	b.endpoint = endpoint
	b.data = AppendHeader(b.data[:0])
	return b
}

// send queues a block. The error is that of a stream that failed, or of the context.
func (s *streams) send(b *block) error {
	b.data = AppendTrailer(b.data)
	select {
	case s.full <- b:
		return nil
	case <-s.ctx.Done():
		return s.wait()
	}
}

// wait waits until all blocks are copied, and returns the first error of a stream.
func (s *streams) wait() error {
	if !s.stopped {
		s.stopped = true
		close(s.full)
	}
	return s.group.Wait()
}

// abandon cancels the streams.
func (s *streams) abandon() {
	s.cancel()
	_ = s.wait()
}

// drop cancels the streams and drops the tables, over a connection.
func (s *streams) drop(ctx context.Context, conn *pgx.Conn) error {
	s.abandon()
	var errs []error
	for _, table := range s.tables {
		errs = append(errs, dropTable(ctx, conn, table))
	}
	return errors.Join(errs...)
}

// copy is one stream: it copies blocks until there are no more. Each is a separate COPY.
func (s *streams) copy(ctx context.Context) error {
	config := s.config.Copy()
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
		case b, more := <-s.full:
			if !more {
				return nil
			}
			table := s.tables[b.endpoint]
			if _, err := conn.PgConn().CopyFrom(ctx, bytes.NewReader(b.data), sql.QueryFor("etl/copy_documents", "table", table)); err != nil {
				return fmt.Errorf("copy into %s: %w", table, err)
			}
			if cap(b.data) <= 2*blockSize {
				select {
				case s.empty <- b:
				default:
				}
			}
		}
	}
}
