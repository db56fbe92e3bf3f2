package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/goccy/go-json"
	"github.com/jackc/pgx/v5"

	"systemscale/sql"
)

// follower keeps the snapshot in step with the pointer rows, over a connection of its own.
type follower struct {
	config   *pgx.ConnConfig
	logger   *slog.Logger
	timeout  time.Duration // of one look, connecting included
	snapshot atomic.Pointer[Snapshot]
	hint     chan struct{} // receives a token when it may be time for a look

	// mutex lets one look at a time through, so that an older answer never replaces a newer one.
	mutex sync.Mutex
	conn  *pgx.Conn
	lost  bool // the last look failed; the log already says so
	bare  bool // settings were refused; the log already says so

	lostSince atomic.Int64 // Unix time in nanoseconds of the first look that failed since one succeeded, or 0
}

// lostFor returns for how long no look has succeeded.
func (f *follower) lostFor() time.Duration {
	since := f.lostSince.Load()
	if since == 0 {
		return 0
	}
	return time.Since(time.Unix(0, since))
}

func newFollower(config *pgx.ConnConfig, options Options) *follower {
	return &follower{config: config, logger: options.Logger, timeout: options.Timeout, hint: make(chan struct{}, 1)}
}

// run looks every interval, and on a hint, until ctx ends.
func (f *follower) run(ctx context.Context, interval time.Duration) {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for ctx.Err() == nil {
		f.mutex.Lock()
		f.look(ctx)
		f.mutex.Unlock()
		select {
		case <-ctx.Done():
		case <-ticker.C:
		case <-f.hint:
		}
	}
	f.mutex.Lock()
	defer f.mutex.Unlock()
	f.disconnect()
}

// listen turns the database's notifications of a new version into hints, until ctx ends. It has a connection of its own, because one
// that waits cannot be asked anything. Where there is none, such as on a replica or behind a pooler, looking every interval has to do.
func (f *follower) listen(ctx context.Context, interval time.Duration) {
	for ctx.Err() == nil {
		pause := interval
		if err := f.relay(ctx); err == errPooled {
			pause = max(interval, pooledPause)
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

// errPooled means that a connection leads to a pooler. One in transaction mode would leave the listening to other clients, which
// cannot be told from outside.
var errPooled = errors.New("the connection leads to a pooler")

// pooledPause is how long it takes until the store tries again to listen where it found a pooler.
const pooledPause = time.Minute

// relay relays notifications until its connection breaks.
func (f *follower) relay(ctx context.Context) error {
	connecting, cancel := context.WithTimeout(ctx, f.timeout)
	defer cancel()
	conn, _, err := dialConn(connecting, f.config)
	if err != nil {
		return err
	}
	defer goodbye(conn)
	var backend uint32
	if err := conn.QueryRow(connecting, sql.Query("api_select_backend"), pgx.QueryExecModeExec).Scan(&backend); err != nil {
		return err
	}
	if backend != conn.PgConn().PID() {
		return errPooled
	}
	if _, err := conn.Exec(connecting, sql.QueryFor("api_listen", "channel", sql.VersionChannel)); err != nil {
		return err
	}
	for {
		if _, err := conn.WaitForNotification(ctx); err != nil {
			return err
		}
		select {
		case f.hint <- struct{}{}:
		default: // there is one already
		}
	}
}

// reach looks once if the snapshot is behind a run of document's collection.
func (f *follower) reach(document *Document, run int64) {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	if live := f.snapshot.Load().current(document); live != nil && live.Run < run {
		f.look(context.Background())
	}
}

// successor returns the document that is live now in the place of gone, whose table is gone. It returns gone itself
// if that is still what the pointer row says, or if the row cannot be read, and nil if there is no such document any more.
func (f *follower) successor(gone *Document) *Document {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	// Everybody who waited for the mutex had the same question, and the first of them has answered it.
	if f.snapshot.Load().current(gone) == gone {
		f.look(context.Background())
	}
	return f.snapshot.Load().current(gone)
}

// look brings the snapshot up to date. If it cannot, the snapshot stays as it is. The mutex is held.
func (f *follower) look(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, f.timeout)
	defer cancel()
	versions, err := f.versions(ctx)
	if err != nil {
		f.disconnect()
		f.lostSince.CompareAndSwap(0, time.Now().UnixNano())
		if !f.lost && ctx.Err() != context.Canceled {
			f.lost = true
			f.logger.Error("cannot follow the published version, trying again", "error", err)
		}
		return
	}
	f.lostSince.Store(0)
	if f.lost {
		f.lost = false
		f.logger.Info("following the published version again")
	}
	previous := f.snapshot.Load()
	next := NewSnapshot(previous, versions...)
	if next == previous {
		return
	}
	f.snapshot.Store(next)
	for name, collection := range next.collections {
		if previous == nil || previous.collections[name] != collection {
			f.logger.Info("serving a new version",
				"collection", name, "run", collection.Run, "generation", collection.Generation,
				"documents", len(collection.Documents))
		}
	}
}

// versions reads the pointer rows, connecting first where there is no connection.
func (f *follower) versions(ctx context.Context) ([]Version, error) {
	if f.conn == nil {
		conn, refused, err := dialConn(ctx, f.config)
		if err != nil {
			return nil, err
		}
		f.conn = conn
		if refused && !f.bare {
			f.bare = true
			f.logger.Warn("a pooler in front of the database refuses the settings of the session: the role's apply, see infra/postgres/README.md")
		}
	}
	// The text goes with every look: what is prepared stays with one server connection of a pooler, and outlives a migration.
	rows, err := f.conn.Query(ctx, sql.Query("api_select_versions"), pgx.QueryExecModeCacheDescribe)
	if err != nil {
		return nil, fmt.Errorf("read catalog.version: %w", err)
	}
	versions, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (Version, error) {
		var version Version
		var documents []byte
		err := row.Scan(&version.Collection, &version.Generation, &version.Run, &documents, &version.PublishedAt)
		if err != nil {
			return version, err
		}
		if err := json.Unmarshal(documents, &version.Documents); err != nil {
			return version, fmt.Errorf("documents of %q: %w", version.Collection, err)
		}
		return version, nil
	})
	if err != nil {
		return nil, fmt.Errorf("read catalog.version: %w", err)
	}
	return versions, nil
}

// disconnect drops the connection, if there is one. The mutex is held.
func (f *follower) disconnect() {
	if f.conn == nil {
		return
	}
	goodbye(f.conn)
	f.conn = nil
}

func goodbye(conn *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.Background(), goodbyeTimeout)
	defer cancel()
	_ = conn.Close(ctx)
}
