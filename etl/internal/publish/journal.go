package publish

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/jackc/pgx/v5"

	"systemscale/sql"
)

// Journal says which addresses of a collection changed since one cache node was told last: those in the log of the runs behind the node's
// bookmark. It reads one moment, over a connection of its own, and needs no hold on the collection. It is used by one goroutine.
type Journal struct {
	conn       *pgx.Conn
	collection string
	node       string
	limit      int64

	live, told int64
	changed    int64
	logged     bool
	paths      map[string]string // of the documents that each item has an address for: what follows the item's id
}

// OpenJournal opens the journal for a cache node, known by the address of its refresh door. limit is how many changed documents are still to be told of.
// The journal must be closed.
func OpenJournal(ctx context.Context, databaseURL, collection, node string, limit int64) (*Journal, error) {
	conn, _, err := connect(ctx, databaseURL)
	if err != nil {
		return nil, err
	}
	j := &Journal{conn: conn, collection: collection, node: node, limit: limit}
	if err := j.open(ctx); err != nil {
		j.Close()
		return nil, err
	}
	return j, nil
}

func (j *Journal) open(ctx context.Context) error {
	if _, err := j.conn.Exec(ctx, sql.Query("etl/begin_reading")); err != nil {
		return fmt.Errorf("begin to read the journal: %w", err)
	}
	var documents []sql.Endpoint
	err := j.conn.QueryRow(ctx, sql.Query("etl/select_bookmark"), j.collection, j.node).Scan(&j.live, &documents, &j.told, &j.logged)
	if errors.Is(err, pgx.ErrNoRows) { // nothing is published
		return nil
	}
	if err != nil {
		return migrationMissing(fmt.Errorf("read the bookmark of %s: %w", j.node, err))
	}
	j.paths = make(map[string]string, len(documents))
	for _, d := range documents {
		switch {
		case d.List: // its pages have no bounds that a cache could be asked for
		case d.Path == "":
			j.paths[d.Name] = ""
		default:
			j.paths[d.Name] = "/" + d.Path
		}
	}
	if !j.logged {
		return nil
	}
	err = j.conn.QueryRow(ctx, sql.Query("etl/count_changed"), j.collection, j.told, j.live, j.names(), j.limit+1).Scan(&j.changed)
	if err != nil {
		return fmt.Errorf("count the changes since run %d: %w", j.told, err)
	}
	return nil
}

func (j *Journal) names() []string {
	names := make([]string, 0, len(j.paths))
	for name := range j.paths {
		names = append(names, name)
	}
	return names
}

// Live returns the data version that the journal leads to; 0 when nothing is published.
func (j *Journal) Live() int64 { return j.live }

// Told returns the run behind which the journal begins.
func (j *Journal) Told() int64 { return j.told }

// Logged reports that all that changed is in the log. It is not when tables were replaced since, or when the log was shortened.
func (j *Journal) Logged() bool { return j.logged }

// Changed returns how many documents that have an address changed; beyond the limit, one more than it.
func (j *Journal) Changed() int64 { return j.changed }

// TooMany reports that more documents changed than are to be told of.
func (j *Journal) TooMany() bool { return j.changed > j.limit }

// Paths calls yield with the path of every document that changed, such as /products/1/styles, once each, as the rows arrive. It ends
// with the first error of yield. It may be called once.
func (j *Journal) Paths(ctx context.Context, yield func(path string) error) error {
	rows, err := j.conn.Query(ctx, sql.Query("etl/select_changed"), j.collection, j.told, j.live, j.names())
	if err != nil {
		return fmt.Errorf("read the changes since run %d: %w", j.told, err)
	}
	var document string
	var id int64
	var path []byte
	var stopped error
	_, err = pgx.ForEachRow(rows, []any{&document, &id}, func() error {
		path = append(append(append(path[:0], '/'), j.collection...), '/')
		path = append(strconv.AppendInt(path, id, 10), j.paths[document]...)
		stopped = yield(string(path))
		return stopped
	})
	if err != nil && stopped == nil {
		return fmt.Errorf("read the changes since run %d: %w", j.told, err)
	}
	return stopped
}

// Finish moves the node's bookmark to what is live: it has been told, or finds out by itself. Nothing can be read any more.
func (j *Journal) Finish(ctx context.Context) error {
	if _, err := j.conn.Exec(ctx, sql.Query("etl/end_reading")); err != nil {
		return fmt.Errorf("end the reading of the journal: %w", err)
	}
	if _, err := j.conn.Exec(ctx, sql.Query("etl/move_bookmark"), j.node, j.collection, j.live); err != nil {
		return fmt.Errorf("move the bookmark of %s: %w", j.node, err)
	}
	return nil
}

// Close ends the reading. It may be called twice.
func (j *Journal) Close() {
	ctx, cancel := context.WithTimeout(context.Background(), cleanUpTime)
	defer cancel()
	_ = j.conn.Close(ctx) // the bookmark is moved by Finish, or not at all
}
