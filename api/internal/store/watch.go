package store

import (
	"context"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/goccy/go-json"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"systemscale/sql"
)

// A host that cannot be read is tried again less and less often, as long as others can be.
const longestWatchPause = 8 * time.Second

// watcher looks at the pointer rows of one host, over a connection of its own.
type watcher struct {
	host    host
	config  *pgx.ConnConfig // to this host alone
	timeout time.Duration   // of one look, connecting included
	hint    chan struct{}   // receives a token when it may be time for a look

	conn *pgx.Conn // run's

	// The follower's.
	view    *Snapshot // what the host has; nil if it cannot be read
	since   time.Time // since when it can be, and is not behind
	behind  time.Time // since when it has been behind another, or zero
	failed  bool      // the last look failed
	standby bool      // known only where standbys are preferred
}

func newWatcher(config *pgx.ConnConfig, host host, timeout time.Duration) *watcher {
	own := config.Copy()
	own.Config = *only(&config.Config, host)
	return &watcher{host: host, config: own, timeout: timeout, hint: make(chan struct{}, 1)}
}

// look requests a look before the interval is over.
func (w *watcher) look() {
	select {
	case w.hint <- struct{}{}:
	default: // one is requested already
	}
}

// run looks every interval, and on a hint, until ctx ends.
func (w *watcher) run(ctx context.Context, f *follower, interval time.Duration) {
	pause := interval
	for ctx.Err() == nil {
		seen, err := w.read(ctx, f)
		if err != nil {
			w.disconnect()
			if ctx.Err() != nil {
				break
			}
		}
		f.watched(w, seen, err)
		switch {
		case err == nil || f.lostFor() > 0:
			pause = interval
		default:
			pause = max(interval, min(2*pause, longestWatchPause))
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		case <-w.hint:
		}
	}
	w.disconnect()
}

// sight is what a watcher sees of its host.
type sight struct {
	versions  []Version
	forbidden string // a table of theirs that may not be read, or empty
	standby   bool   // known where the follower needs it
}

// read reads the pointer rows, connecting first where there is no connection.
func (w *watcher) read(ctx context.Context, f *follower) (seen sight, err error) {
	ctx, cancel := context.WithTimeout(ctx, w.timeout)
	defer cancel()
	if w.conn == nil {
		conn, refused, err := dialConn(ctx, w.config)
		if err != nil {
			return seen, err
		}
		w.conn = conn
		if refused {
			f.refused()
		}
	}
	if seen.versions, err = readVersions(ctx, w.conn.PgConn()); err != nil {
		return seen, err
	}
	if seen.forbidden, err = readForbidden(ctx, w.conn.PgConn()); err != nil {
		return seen, err
	}
	if f.standbys {
		seen.standby, err = isStandby(ctx, w.conn.PgConn())
	}
	return seen, err
}

// readForbidden returns a table of what is published that the role may not read, or nothing.
func readForbidden(ctx context.Context, conn *pgconn.PgConn) (string, error) {
	result := conn.ExecParams(ctx, sql.Query("api/select_unreadable"), nil, nil, nil, nil).Read()
	switch {
	case result.Err != nil:
		return "", fmt.Errorf("check read privileges: %w", result.Err)
	case len(result.Rows) != 1 || len(result.Rows[0]) != 1:
		return "", fmt.Errorf("check read privileges: %w", errMalformed)
	}
	return string(result.Rows[0][0]), nil
}

// disconnect drops the connection, if there is one.
func (w *watcher) disconnect() {
	if w.conn == nil {
		return
	}
	goodbye(w.conn)
	w.conn = nil
}

// readVersions reads the pointer rows. The text goes with every look, in one message: what is prepared stays with one server connection
// of a pooler, and outlives a migration.
func readVersions(ctx context.Context, conn *pgconn.PgConn) ([]Version, error) {
	result := conn.ExecParams(ctx, sql.Query("api/select_versions"), nil, nil, nil, binaryFormat).Read()
	if result.Err != nil {
		return nil, fmt.Errorf("read catalog.version: %w", result.Err)
	}
	versions := make([]Version, 0, len(result.Rows))
	for _, row := range result.Rows {
		version, err := parseVersion(row)
		if err != nil {
			return nil, fmt.Errorf("read catalog.version: %w", err)
		}
		versions = append(versions, version)
	}
	return versions, nil
}

// parseVersion parses a row of api/select_versions in binary: collection, generation, run, documents, time.
func parseVersion(row [][]byte) (Version, error) {
	if len(row) != 5 || len(row[1]) != 8 || len(row[2]) != 8 || len(row[3]) == 0 || row[3][0] != 1 || len(row[4]) != 8 {
		return Version{}, errMalformed
	}
	version := Version{
		Collection:  string(row[0]),
		Generation:  int64(binary.BigEndian.Uint64(row[1])),
		Run:         int64(binary.BigEndian.Uint64(row[2])),
		PublishedAt: time.UnixMicro(int64(binary.BigEndian.Uint64(row[4])) + postgresEpoch),
	}
	if err := json.Unmarshal(row[3][1:], &version.Endpoints); err != nil {
		return version, fmt.Errorf("documents of %q: %w", version.Collection, err)
	}
	return version, nil
}
