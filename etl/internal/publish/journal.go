package publish

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"systemscale/sql"
)

// Journal lists the addresses of a collection that changed since the last refresh of a gateway: those in the change log after the gateway's
// bookmark. It reads a single snapshot, over a separate connection, and does not take the collection. It must be used by one goroutine.
type Journal struct {
	conn       *pgx.Conn
	collection string
	gateway    string
	limit      int64

	live, since int64
	changed     int64
	logged      bool
	changes     string            // the table of the change log
	paths       map[string]string // of the endpoints with an address for each item: the part after the item's id
}

// OpenJournal opens the journal of a gateway, given by the address of its refresh endpoint. limit is the largest number of changed
// documents to refresh. The journal must be closed.
func OpenJournal(ctx context.Context, databaseURL, collection, gateway string, limit int64) (_ *Journal, err error) {
	defer inDatabase(&err)
	conn, _, err := connect(ctx, databaseURL)
	if err != nil {
		return nil, err
	}
	j := &Journal{conn: conn, collection: collection, gateway: gateway, limit: limit}
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
	var endpoints []sql.Endpoint
	err := j.conn.QueryRow(ctx, sql.Query("etl/select_bookmark"), j.collection, j.gateway).Scan(&j.live, &endpoints, &j.since, &j.logged)
	if errors.Is(err, pgx.ErrNoRows) { // nothing is published
		return nil
	}
	if err != nil {
		return migrationMissing(fmt.Errorf("read the bookmark of %s: %w", j.gateway, err))
	}
	j.changes = sql.ChangeTable(idParts(endpoints))
	j.paths = make(map[string]string, len(endpoints))
	for _, d := range endpoints {
		switch {
		case d.List: // the addresses of its pages are not bounded
		case d.Path == "":
			j.paths[d.Name] = ""
		default:
			j.paths[d.Name] = "/" + d.Path
		}
	}
	if !j.logged {
		return nil
	}
	count := sql.QueryFor("etl/count_changed", "change", j.changes)
	err = j.conn.QueryRow(ctx, count, j.collection, j.since, j.live, j.names(), j.limit+1).Scan(&j.changed)
	if err != nil {
		return fmt.Errorf("count the changes since run %d: %w", j.since, err)
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

// Live returns the live version; 0 when nothing is published.
func (j *Journal) Live() int64 { return j.live }

// Since returns the run of the bookmark, after which the journal begins.
func (j *Journal) Since() int64 { return j.since }

// Logged reports whether the change log has all changes. It lacks some if tables were replaced since the bookmark, or if it was truncated.
func (j *Journal) Logged() bool { return j.logged }

// Changed returns the number of changed documents with an address for each item; above the limit, the limit plus 1.
func (j *Journal) Changed() int64 { return j.changed }

// TooMany reports whether more documents changed than the limit.
func (j *Journal) TooMany() bool { return j.changed > j.limit }

// Paths calls yield once with the path of each changed document, such as /products/1/styles, as the rows arrive. It returns the first error
// of yield. It may be called once.
func (j *Journal) Paths(ctx context.Context, yield func(path string) error) error {
	var stopped error
	err := j.eachPath(ctx, func(path string) error {
		stopped = yield(path)
		return stopped
	})
	if stopped != nil {
		return stopped
	}
	inDatabase(&err)
	return err
}

func (j *Journal) eachPath(ctx context.Context, yield func(path string) error) error {
	rows, err := j.conn.Query(ctx, sql.QueryFor("etl/select_changed", "change", j.changes), j.collection, j.since, j.live, j.names())
	if err != nil {
		return fmt.Errorf("read the changes since run %d: %w", j.since, err)
	}
	var endpoint string
	var id sql.ID
	var path []byte
	_, err = pgx.ForEachRow(rows, []any{&endpoint, &id}, func() error {
		path = append(append(append(path[:0], '/'), j.collection...), '/')
		path = append(id.AppendPath(path), j.paths[endpoint]...)
		return yield(string(path))
	})
	if err != nil {
		return fmt.Errorf("read the changes since run %d: %w", j.since, err)
	}
	return nil
}

// Finish moves the gateway's bookmark to the journal's live version, because its copies are refreshed, or expire. Paths must not be called
// afterwards.
func (j *Journal) Finish(ctx context.Context) (err error) {
	defer inDatabase(&err)
	if _, err := j.conn.Exec(ctx, sql.Query("etl/end_reading")); err != nil {
		return fmt.Errorf("end reading the journal: %w", err)
	}
	if _, err := j.conn.Exec(ctx, sql.Query("etl/move_bookmark"), j.gateway, j.collection, j.live); err != nil {
		return fmt.Errorf("move the bookmark of %s: %w", j.gateway, err)
	}
	return nil
}

// Close closes the connection. It may be called twice.
func (j *Journal) Close() {
	ctx, cancel := context.WithTimeout(context.Background(), cleanUpTime)
	defer cancel()
	_ = j.conn.Close(ctx) // the bookmark is moved by Finish, or not at all
}
