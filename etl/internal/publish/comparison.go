package publish

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"

	"github.com/jackc/pgx/v5"

	"systemscale/sql"
)

// Kind is how a rendered document differs from the published one.
type Kind uint8

// The kinds. A removed document is one that is published and was not rendered.
const (
	Unchanged Kind = iota
	Added
	Changed
	Removed
)

// Counts is how many documents differ in which way.
type Counts struct {
	Added     int64 `json:"added"`
	Changed   int64 `json:"changed"`
	Removed   int64 `json:"removed"`
	Unchanged int64 `json:"unchanged"`
}

// Differing returns how many documents a write would touch.
func (c Counts) Differing() int64 { return c.Added + c.Changed + c.Removed }

// DocumentCounts is the Counts of the documents of one name.
type DocumentCounts struct {
	Name string `json:"name"`
	Counts
}

// Items counts items, which are what the rows of the root source become, whatever documents each has. They are told by the first
// document that is published and rendered; without such a document they are all 0.
type Items struct {
	Published int64 `json:"published"`
	Added     int64 `json:"added"`
	Changed   int64 `json:"changed"` // those of which some document is published and rendered differently
	Removed   int64 `json:"removed"`
}

// Changes is what a Comparison found. Behind the rendered documents stand those that are published and no longer rendered.
type Changes struct {
	Documents []DocumentCounts `json:"documents"`
	Items     Items            `json:"items"`
}

// Differing returns how many documents a write would touch.
func (c Changes) Differing() int64 {
	var differing int64
	for _, d := range c.Documents {
		differing += d.Differing()
	}
	return differing
}

// fetched is about how many rows query/etl/fetch_cursor.sql fetches at a time, 320 kB.
const fetched = 20_000

// Comparison compares rendered documents with those that were published at one moment. It reads the published ids and etags
// over one connection, in one transaction, ahead of the renderer; two batches of each document are in memory.
// Its methods are called by one goroutine.
type Comparison struct {
	conn      *pgx.Conn
	version   Version
	last      LastRun
	rendered  []sql.Endpoint
	documents []published // in the order of rendered
	gone      []DocumentCounts
	reference int   // the document that tells the items, or -1
	changed   int64 // the item that was last counted as changed
	items     Items
	removed   func(document int, id int64) error

	collection string
	ctx        context.Context // of the reading
	cancel     context.CancelFunc
	empty      chan *batch
	stopped    chan struct{} // closed when the reader has ended
}

// published is the place in the published documents of one name that the comparison has come to.
type published struct {
	counts Counts
	batch  *batch
	rows   []etagRow // of batch
	at     int
	ended  bool
	full   chan *batch
}

type etagRow struct {
	id   int64
	etag uint64
}

// batch is some rows on their way from the reader to the comparison and back.
type batch struct {
	document int
	rows     []etagRow
	err      error
}

// Compare opens a comparison of documents that are about to be rendered with what is published of the collection. It needs no
// hold on it, and writes nothing. removed is called with each published document that is not rendered. The context bounds the
// whole comparison, which must be closed.
func Compare(ctx context.Context, databaseURL, collection string, rendered []sql.Endpoint, removed func(document int, id int64) error) (*Comparison, error) {
	conn, _, err := connect(ctx, databaseURL)
	if err != nil {
		return nil, err
	}
	c := &Comparison{conn: conn, collection: collection, rendered: rendered, removed: removed}
	c.ctx, c.cancel = context.WithCancel(ctx)
	if err := c.open(); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

func (c *Comparison) open() error {
	if _, err := c.conn.Exec(c.ctx, sql.Query("etl/begin_reading")); err != nil {
		return fmt.Errorf("begin to read what is published: %w", err)
	}
	var err error
	if c.version, err = readVersion(c.ctx, c.conn, c.collection); err != nil {
		return err
	}
	if c.last, err = readLastRun(c.ctx, c.conn, c.collection); err != nil {
		return err
	}
	return c.start()
}

// start declares the cursors and lets the reader run.
func (c *Comparison) start() error {
	c.documents, c.gone = make([]published, len(c.rendered)), nil
	c.reference, c.changed, c.items = -1, 0, Items{}
	c.empty, c.stopped = make(chan *batch, 2*len(c.rendered)), make(chan struct{})
	for i, d := range c.rendered {
		c.documents[i] = published{ended: !c.publishes(d.Name), full: make(chan *batch, 2)}
		if c.documents[i].ended {
			continue
		}
		if c.reference < 0 {
			c.reference = i
		}
		statement := sql.QueryFor("etl/declare_cursor", "cursor", cursor(i), "table", c.table(d.Name))
		if _, err := c.conn.Exec(c.ctx, statement); err != nil {
			close(c.stopped)
			return fmt.Errorf("open what is published as %s: %w", d.Name, err)
		}
		for range 2 {
			c.empty <- &batch{document: i, rows: make([]etagRow, 0, fetched)}
		}
	}
	go c.read(c.empty, c.stopped)
	return nil
}

func cursor(document int) string { return "published_" + strconv.Itoa(document) }

func (c *Comparison) table(document string) string {
	return sql.DocumentTable(c.collection, document, c.version.Generation)
}

func (c *Comparison) publishes(name string) bool {
	for _, d := range c.version.Documents {
		if d.Name == name {
			return true
		}
	}
	return false
}

// read fills batches until there will be no more to fill.
func (c *Comparison) read(empty <-chan *batch, stopped chan<- struct{}) {
	defer close(stopped)
	statements := make([]string, len(c.rendered))
	for i := range statements {
		statements[i] = sql.QueryFor("etl/fetch_cursor", "cursor", cursor(i))
	}
	for b := range empty {
		b.rows, b.err = c.fetch(statements[b.document], b.rows[:0])
		c.documents[b.document].full <- b // there is room for every batch of the document
	}
}

var errMalformed = errors.New("a row is not the id and the etag that were asked for")

func (c *Comparison) fetch(statement string, rows []etagRow) ([]etagRow, error) {
	results := c.conn.PgConn().Exec(c.ctx, statement)
	var malformed error
	for results.NextResult() {
		reader := results.ResultReader()
		for reader.NextRow() {
			values := reader.Values()
			if len(values) != 2 || len(values[0]) != 8 || len(values[1]) != 8 {
				malformed = errMalformed
				continue
			}
			rows = append(rows, etagRow{int64(binary.BigEndian.Uint64(values[0])), binary.BigEndian.Uint64(values[1])})
		}
		if _, err := reader.Close(); err != nil {
			break // Close of the results returns it too
		}
	}
	return rows, errors.Join(results.Close(), malformed)
}

// Version returns what was live when the comparison was opened.
func (c *Comparison) Version() Version { return c.version }

// LastRun returns the newest run that published its files or found them to be what is published.
func (c *Comparison) LastRun() LastRun { return c.last }

// Compare says how a rendered document differs from the published one. Of each document ids must ascend.
func (c *Comparison) Compare(document int, id int64, etag uint64) (Kind, error) {
	p := &c.documents[document]
	for {
		for p.at < len(p.rows) && p.rows[p.at].id < id {
			if err := c.remove(document, p); err != nil {
				return Unchanged, err
			}
		}
		if p.at < len(p.rows) || p.ended {
			break
		}
		if err := c.next(p); err != nil {
			return Unchanged, err
		}
	}
	if p.at == len(p.rows) || p.rows[p.at].id > id {
		p.counts.Added++
		if document == c.reference {
			c.items.Added++
		}
		return Added, nil
	}
	same := p.rows[p.at].etag == etag
	p.at++
	if same {
		p.counts.Unchanged++
		return Unchanged, nil
	}
	p.counts.Changed++
	if id != c.changed {
		c.changed = id
		c.items.Changed++
	}
	return Changed, nil
}

// remove passes over a published document that was not rendered.
func (c *Comparison) remove(document int, p *published) error {
	id := p.rows[p.at].id
	p.at++
	p.counts.Removed++
	if document == c.reference {
		c.items.Removed++
	}
	return c.removed(document, id)
}

// next goes on to the next batch of p, which is used up.
func (c *Comparison) next(p *published) error {
	if p.batch != nil {
		c.empty <- p.batch // there is room for every batch
		p.batch = nil
	}
	select {
	case p.batch = <-p.full:
	case <-c.ctx.Done():
		return c.ctx.Err()
	}
	p.rows, p.at = p.batch.rows, 0
	if p.batch.err != nil {
		return fmt.Errorf("read what is published: %w", p.batch.err)
	}
	p.ended = len(p.rows) == 0
	return nil
}

// Finish is called behind the last rendered document: what is published beyond is removed.
func (c *Comparison) Finish() error {
	for i := range c.documents {
		p := &c.documents[i]
		for p.at < len(p.rows) || !p.ended {
			if p.at < len(p.rows) {
				if err := c.remove(i, p); err != nil {
					return err
				}
			} else if err := c.next(p); err != nil {
				return err
			}
		}
	}
	c.stop()
	for _, d := range c.version.Documents {
		if c.renders(d.Name) {
			continue
		}
		gone := DocumentCounts{Name: d.Name}
		if err := c.conn.QueryRow(c.ctx, sql.QueryFor("etl/count_rows", "table", c.table(d.Name))).Scan(&gone.Removed); err != nil {
			return fmt.Errorf("count what is published as %s: %w", d.Name, err)
		}
		c.gone = append(c.gone, gone)
	}
	if c.reference >= 0 {
		of := c.documents[c.reference].counts
		c.items.Published = of.Changed + of.Removed + of.Unchanged
	}
	return nil
}

func (c *Comparison) renders(name string) bool {
	for _, d := range c.rendered {
		if d.Name == name {
			return true
		}
	}
	return false
}

// stop ends the reader. It may be called twice.
func (c *Comparison) stop() {
	if c.empty != nil {
		close(c.empty)
		c.empty = nil
	}
	<-c.stopped
}

// Changes returns what was found. It is complete behind Finish.
func (c *Comparison) Changes() Changes {
	changes := Changes{Items: c.items}
	for i, d := range c.rendered {
		changes.Documents = append(changes.Documents, DocumentCounts{Name: d.Name, Counts: c.documents[i].counts})
	}
	changes.Documents = append(changes.Documents, c.gone...)
	return changes
}

// Bodies returns the published bodies of some documents by id. It may be called behind Finish only.
func (c *Comparison) Bodies(document int, ids []int64) (map[int64][]byte, error) {
	rows, err := c.conn.Query(c.ctx, sql.QueryFor("etl/select_bodies", "table", c.table(c.rendered[document].Name)), ids)
	if err != nil {
		return nil, fmt.Errorf("read published documents: %w", err)
	}
	bodies := make(map[int64][]byte, len(ids))
	var id int64
	var body []byte
	_, err = pgx.ForEachRow(rows, []any{&id, &body}, func() error {
		bodies[id], body = body, nil
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read published documents: %w", err)
	}
	return bodies, nil
}

// Reset begins anew, with the same published documents.
func (c *Comparison) Reset() error {
	c.stop()
	if _, err := c.conn.Exec(c.ctx, sql.Query("etl/close_cursors")); err != nil {
		return fmt.Errorf("begin anew to read what is published: %w", err)
	}
	return c.start()
}

// Close ends the comparison. It may be called twice.
func (c *Comparison) Close() {
	c.cancel()
	if c.stopped != nil {
		c.stop()
	}
	ctx, cancel := context.WithTimeout(context.Background(), cleanUpTime)
	defer cancel()
	_ = c.conn.Close(ctx) // nothing was written
}
