package publish

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"

	"github.com/jackc/pgx/v5"

	"systemscale/etl/internal/etag"
	"systemscale/sql"
)

// fetched is about how many rows sql/query/etl/fetch_cursor.sql fetches at a time, 640 kB without the texts of ids.
const fetched = 20_000

// Comparison compares rendered documents with a snapshot of the published ones. It reads the published ids and etags over one connection,
// in one transaction, ahead of the renderer, and holds two batches of each endpoint in memory. It must be used by one goroutine.
type Comparison struct {
	conn       *pgx.Conn
	version    Version
	etags      etag.Hash
	last       LastRun
	rendered   []sql.Endpoint
	endpoints  []published // in the order of rendered
	unrendered []EndpointCounts
	reference  int    // the endpoint that counts the items, or -1
	changed    sql.ID // the item that was last counted as changed
	items      Items

	collection string
	ctx        context.Context // of the reader
	cancel     context.CancelFunc
	empty      chan *batch
	stopped    chan struct{} // closed when the reader has ended
}

// published is the position of the comparison in the published documents of one endpoint.
type published struct {
	counts Counts
	batch  *batch
	rows   []etagRow // of batch
	at     int
	ended  bool
	full   chan *batch
}

type etagRow struct {
	id   sql.ID
	etag uint64
}

// batch transfers rows from the reader to the comparison, which returns empty batches.
type batch struct {
	endpoint int
	rows     []etagRow
	err      error
}

// Compare opens a comparison of the endpoints to be rendered with the published version of the collection. It does not take the collection,
// and writes nothing. The context bounds the whole comparison, which must be closed.
func Compare(ctx context.Context, databaseURL, collection string, rendered []sql.Endpoint) (_ *Comparison, err error) {
	defer inDatabase(&err)
	conn, _, err := connect(ctx, databaseURL)
	if err != nil {
		return nil, err
	}
	c := &Comparison{conn: conn, collection: collection, rendered: rendered}
	c.ctx, c.cancel = context.WithCancel(ctx)
	if err := c.open(); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

func (c *Comparison) open() error {
	if _, err := c.conn.Exec(c.ctx, sql.Query("etl/begin_reading")); err != nil {
		return fmt.Errorf("begin to read the published documents: %w", err)
	}
	var err error
	if c.version, err = readVersion(c.ctx, c.conn, c.collection); err != nil {
		return err
	}
	if err := CheckIDs(c.collection, c.version.Endpoints, c.rendered); err != nil {
		return err
	}
	present, next, err := readEtags(c.ctx, c.conn, c.version.Generation)
	if err != nil {
		return err
	}
	if c.etags = present; c.version.Run == 0 {
		c.etags = next
	}
	if c.last, err = readLastRun(c.ctx, c.conn, c.collection); err != nil {
		return err
	}
	return c.start()
}

// start declares the cursors and starts the reader.
func (c *Comparison) start() error {
	c.endpoints, c.unrendered = make([]published, len(c.rendered)), nil
	c.reference, c.changed, c.items = -1, sql.ID{}, Items{}
	c.empty, c.stopped = make(chan *batch, 2*len(c.rendered)), make(chan struct{})
	for i, d := range c.rendered {
		c.endpoints[i] = published{ended: !c.publishes(d.Name), full: make(chan *batch, 2)}
		if c.endpoints[i].ended {
			continue
		}
		if c.reference < 0 {
			c.reference = i
		}
		statement := sql.QueryFor("etl/declare_cursor", "cursor", cursor(i), "table", c.table(d.Name))
		if _, err := c.conn.Exec(c.ctx, statement); err != nil {
			close(c.stopped)
			return fmt.Errorf("open the published documents of %s: %w", d.Name, err)
		}
		for range 2 {
			c.empty <- &batch{endpoint: i, rows: make([]etagRow, 0, fetched)}
		}
	}
	go c.read(c.empty, c.stopped)
	return nil
}

func cursor(endpoint int) string { return "published_" + strconv.Itoa(endpoint) }

func (c *Comparison) table(endpoint string) string {
	return sql.DocumentTable(c.collection, endpoint, c.version.Generation)
}

func (c *Comparison) publishes(name string) bool {
	for _, d := range c.version.Endpoints {
		if d.Name == name {
			return true
		}
	}
	return false
}

// read fills batches until empty is closed.
func (c *Comparison) read(empty <-chan *batch, stopped chan<- struct{}) {
	defer close(stopped)
	statements := make([]string, len(c.rendered))
	for i := range statements {
		statements[i] = sql.QueryFor("etl/fetch_cursor", "cursor", cursor(i))
	}
	fetch := c.fetch
	if idParts(c.version.Endpoints) > 0 {
		fetch = c.fetchTexts
	}
	for b := range empty {
		b.rows, b.err = fetch(statements[b.endpoint], b.rows[:0])
		c.endpoints[b.endpoint].full <- b // the channel has room for every batch of the endpoint
	}
}

var errMalformed = errors.New("a row is not an id and an etag")

func (c *Comparison) fetch(statement string, rows []etagRow) ([]etagRow, error) {
	err := c.eachRow(statement, func(id []byte, etag uint64) error {
		if len(id) != 8 {
			return errMalformed
		}
		rows = append(rows, etagRow{sql.IntID(int64(binary.BigEndian.Uint64(id))), etag})
		return nil
	})
	return rows, err
}

// fetchTexts is fetch for ids that are texts. They share their memory.
func (c *Comparison) fetchTexts(statement string, rows []etagRow) ([]etagRow, error) {
	var texts []byte
	var ends []int
	err := c.eachRow(statement, func(id []byte, etag uint64) error {
		if len(id) == 0 {
			return errMalformed
		}
		texts = append(texts, id...)
		ends = append(ends, len(texts))
		rows = append(rows, etagRow{etag: etag})
		return nil
	})
	all, begin := string(texts), 0
	for i, end := range ends {
		rows[i].id = sql.TextID(all[begin:end])
		begin = end
	}
	return rows, err
}

// eachRow executes a statement, and calls take with each row.
func (c *Comparison) eachRow(statement string, take func(id []byte, etag uint64) error) error {
	results := c.conn.PgConn().Exec(c.ctx, statement)
	var malformed error
	for results.NextResult() {
		reader := results.ResultReader()
		for reader.NextRow() {
			values := reader.Values()
			if len(values) != 2 || len(values[1]) != 8 {
				malformed = errMalformed
			} else if err := take(values[0], binary.BigEndian.Uint64(values[1])); err != nil {
				malformed = err
			}
		}
		if _, err := reader.Close(); err != nil {
			break // Close of the results returns it too
		}
	}
	return errors.Join(results.Close(), malformed)
}

// Version returns the version that was live when the comparison was opened.
func (c *Comparison) Version() Version { return c.version }

// Etags returns the hash function of the published etags, with which rendered documents must be compared. If nothing is published, it is that
// of a new generation.
func (c *Comparison) Etags() etag.Hash { return c.etags }

// LastRun returns the newest run that published its files, or found no difference to the published version.
func (c *Comparison) LastRun() LastRun { return c.last }

// NextRemoved returns the id of the next published document, with an id below before, that was not rendered, and counts it as removed. It
// must be called before every Compare, with the same endpoint and id, until it finds none.
func (c *Comparison) NextRemoved(endpoint int, before sql.ID) (id sql.ID, found bool, err error) {
	return c.nextRemoved(endpoint, func(id sql.ID) bool { return id.Before(before) })
}

// NextRemaining is NextRemoved without an upper bound. It must be called for each endpoint before Finish, until it finds none.
func (c *Comparison) NextRemaining(endpoint int) (id sql.ID, found bool, err error) {
	return c.nextRemoved(endpoint, func(sql.ID) bool { return true })
}

func (c *Comparison) nextRemoved(endpoint int, included func(id sql.ID) bool) (id sql.ID, found bool, err error) {
	defer inDatabase(&err)
	p := &c.endpoints[endpoint]
	for {
		if p.at < len(p.rows) {
			if id = p.rows[p.at].id; !included(id) {
				return sql.ID{}, false, nil
			}
			p.at++
			p.counts.Removed++
			if endpoint == c.reference {
				c.items.Removed++
			}
			return id, true, nil
		}
		if p.ended {
			return sql.ID{}, false, nil
		}
		if err := c.next(p); err != nil {
			return sql.ID{}, false, err
		}
	}
}

// Compare returns how a rendered document differs from the published one. The ids of each endpoint must ascend.
func (c *Comparison) Compare(endpoint int, id sql.ID, etag uint64) Kind {
	p := &c.endpoints[endpoint]
	atEnd := p.at == len(p.rows)
	if atEnd && !p.ended || !atEnd && p.rows[p.at].id.Before(id) {
		panic("BUG: NextRemoved has not been called before Compare")
	}
	if atEnd || id.Before(p.rows[p.at].id) {
		p.counts.Added++
		if endpoint == c.reference {
			c.items.Added++
		}
		return Added
	}
	same := p.rows[p.at].etag == etag
	p.at++
	if same {
		p.counts.Unchanged++
		return Unchanged
	}
	p.counts.Changed++
	if c.items.Changed == 0 || id != c.changed {
		c.changed = id
		c.items.Changed++
	}
	return Changed
}

// next replaces the batch of p, which is used up.
func (c *Comparison) next(p *published) error {
	if p.batch != nil {
		c.empty <- p.batch // the channel has room for every batch
		p.batch = nil
	}
	select {
	case p.batch = <-p.full:
	case <-c.ctx.Done():
		return c.ctx.Err()
	}
	p.rows, p.at = p.batch.rows, 0
	if p.batch.err != nil {
		return fmt.Errorf("read the published documents: %w", p.batch.err)
	}
	p.ended = len(p.rows) == 0
	return nil
}

// Finish ends the comparison after the last rendered document. Documents whose endpoint is no longer rendered count as removed.
func (c *Comparison) Finish() (err error) {
	defer inDatabase(&err)
	c.stop()
	for _, d := range c.version.Endpoints {
		if c.renders(d.Name) {
			continue
		}
		counts := EndpointCounts{Name: d.Name}
		if err := c.conn.QueryRow(c.ctx, sql.QueryFor("etl/count_rows", "table", c.table(d.Name))).Scan(&counts.Removed); err != nil {
			return fmt.Errorf("count the published documents of %s: %w", d.Name, err)
		}
		c.unrendered = append(c.unrendered, counts)
	}
	if c.reference >= 0 {
		of := c.endpoints[c.reference].counts
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

// Changes returns the result. It is complete after Finish.
func (c *Comparison) Changes() Changes {
	changes := Changes{Items: c.items}
	for i, d := range c.rendered {
		changes.Endpoints = append(changes.Endpoints, EndpointCounts{Name: d.Name, Counts: c.endpoints[i].counts})
	}
	changes.Endpoints = append(changes.Endpoints, c.unrendered...)
	return changes
}

// Bodies returns the published bodies of documents of an endpoint, by id. It may be called only after Finish.
func (c *Comparison) Bodies(endpoint int, ids []sql.ID) (_ map[sql.ID][]byte, err error) {
	defer inDatabase(&err)
	rows, err := c.conn.Query(c.ctx, sql.QueryFor("etl/select_bodies", "table", c.table(c.rendered[endpoint].Name)), sql.IDArray(ids))
	if err != nil {
		return nil, fmt.Errorf("read published documents: %w", err)
	}
	bodies := make(map[sql.ID][]byte, len(ids))
	var id sql.ID
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
