package store

import (
	"context"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/goccy/go-json"
	"github.com/jackc/pgerrcode"
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
	several   bool            // there are other hosts
	requested chan struct{}   // receives a token to read at once

	conn         *pgx.Conn // used by run only
	unpositioned bool      // the server of conn does not report its position; used by run only

	// The follower's.
	view     *Snapshot // the versions of the host; nil if it cannot be read
	since    time.Time // since when it has been readable and up to date
	behind   time.Time // since when another host has had a newer version, or zero
	failed   bool      // the last read failed
	standby  bool      // as last read; not read if there is only one host, unless standbys are preferred
	position int64     // of the last read, in the write-ahead log, in bytes; 0 if unknown
}

func newWatcher(config *pgx.ConnConfig, host host, timeout time.Duration, several bool) *watcher {
	own := config.Copy()
	own.Config = *only(&config.Config, host)
	return &watcher{host: host, config: own, timeout: timeout, several: several, requested: make(chan struct{}, 1)}
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
	position  int64  // likewise, in the write-ahead log; 0 if unknown
	refused   bool   // a pooler has refused the settings
}

// read reads the version rows and, if there are several hosts or standbys are preferred, whether the host is a standby, and its position.
// It connects first if there is no connection.
func (h *watcher) read(ctx context.Context, standbys bool) (seen reading, err error) {
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
	switch conn := h.conn.PgConn(); {
	case h.several && !h.unpositioned:
		seen.standby, seen.position, err = readReplication(ctx, conn)
		if codeOf(err) == "" || codeOf(err) == pgerrcode.ObjectNotInPrerequisiteState { // promoted while the statement ran
			break
		}
		h.unpositioned = true // some servers that speak the protocol have no such positions
		fallthrough
	case standbys || h.several:
		seen.standby, err = isStandby(ctx, conn)
	}
	return seen, err
}

// readReplication returns whether the server is a standby, and its position in the write-ahead log.
func readReplication(ctx context.Context, conn *pgconn.PgConn) (standby bool, position int64, err error) {
	result := conn.ExecParams(ctx, sql.Query("api/select_replication"), nil, nil, nil, binaryFormat).Read()
	switch {
	case result.Err != nil:
		return false, 0, fmt.Errorf("read the position of replication: %w", result.Err)
	case len(result.Rows) != 1 || len(result.Rows[0]) != 2 || len(result.Rows[0][0]) != 1:
		return false, 0, fmt.Errorf("read the position of replication: %w", errMalformed)
	}
	row := result.Rows[0]
	if len(row[1]) == 8 {
		position = int64(binary.BigEndian.Uint64(row[1]))
	}
	return row[0][0] == 1, position, nil
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
	h.conn, h.unpositioned = nil, false
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
