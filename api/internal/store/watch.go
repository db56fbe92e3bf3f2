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

// longestWatchPause is the maximum pause before an unreadable host is tried again while others are readable. The pause doubles.
const longestWatchPause = 8 * time.Second

// watcher reads the version rows of one host, over its own connection.
type watcher struct {
	host      host
	config    *pgx.ConnConfig // for this host only
	timeout   time.Duration   // of one read, including connecting
	requested chan struct{}   // receives a token to read at once

	conn *pgx.Conn // used by run only

	// The follower's.
	view    *Snapshot // the versions of the host; nil if it cannot be read
	since   time.Time // since when it has been readable and up to date
	behind  time.Time // since when another host has had a newer version, or zero
	failed  bool      // the last read failed
	standby bool      // set only where standbys are preferred
}

func newWatcher(config *pgx.ConnConfig, host host, timeout time.Duration) *watcher {
	own := config.Copy()
	own.Config = *only(&config.Config, host)
	return &watcher{host: host, config: own, timeout: timeout, requested: make(chan struct{}, 1)}
}

// requestRead requests a read before the interval is over.
func (h *watcher) requestRead() {
	select {
	case h.requested <- struct{}{}:
	default: // already requested
	}
}

// reading is the result of a watcher's read.
type reading struct {
	versions  []Version
	forbidden string // a table of theirs that the role cannot read, or ""
	standby   bool   // set if it was to be read
	refused   bool   // a pooler has refused the settings
}

// read reads the version rows and, if standby is set, whether the host is a standby. It connects first if there is no connection.
func (h *watcher) read(ctx context.Context, standby bool) (seen reading, err error) {
	ctx, cancel := context.WithTimeout(ctx, h.timeout)
	defer cancel()
	if h.conn == nil {
		conn, refused, err := dialConn(ctx, h.config)
		if err != nil {
			return seen, err
		}
		h.conn, seen.refused = conn, refused
	}
	if seen.versions, err = readVersions(ctx, h.conn.PgConn()); err != nil {
		return seen, err
	}
	if seen.forbidden, err = readForbidden(ctx, h.conn.PgConn()); err != nil {
		return seen, err
	}
	if standby {
		seen.standby, err = isStandby(ctx, h.conn.PgConn())
	}
	return seen, err
}

// readForbidden returns a published table that the role cannot read, or "".
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

// disconnect closes the connection, if there is one.
func (h *watcher) disconnect() {
	if h.conn == nil {
		return
	}
	closeConn(h.conn)
	h.conn = nil
}

// readVersions reads the version rows. The statement is not prepared: a prepared one would belong to one server connection of a pooler, and
// outlive a migration.
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

// parseVersion parses a row of api/select_versions in binary format: collection, generation, run, endpoints, time.
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
