package store

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"systemscale/sql"
)

// run watches every host, at least every interval, and moves workers between hosts, until ctx ends.
func (f *follower) run(ctx context.Context, interval time.Duration) {
	var running sync.WaitGroup
	for _, h := range f.watchers {
		running.Go(func() { f.watch(ctx, h, interval) })
	}
	running.Go(func() { f.supervise(ctx, &running) })
	running.Wait()
}

// listen has the version rows read when the database notifies of a new version, until ctx ends. It uses a separate connection,
// which waits all the time. Where LISTEN is not possible, as on a replica or through a pooler, only polling remains.
func (f *follower) listen(ctx context.Context, interval time.Duration) {
	for ctx.Err() == nil {
		pause := interval
		for _, h := range f.watchers {
			if err := f.relay(ctx, h); errors.Is(err, errPooled) {
				pause = max(interval, pooledPause)
			}
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

// errPooled means that a connection leads to a pooler. In transaction mode, which a client cannot detect, LISTEN would apply to a server
// connection that other clients use.
var errPooled = errors.New("the connection leads to a pooler")

// pooledPause is the pause before the next attempt to listen after a pooler was found.
const pooledPause = time.Minute

// relay passes a host's notifications on to all watchers until the connection breaks.
func (f *follower) relay(ctx context.Context, h *watcher) error {
	connecting, cancel := context.WithTimeout(ctx, h.timeout)
	defer cancel()
	conn, _, err := dialConn(connecting, h.config)
	if err != nil {
		return err
	}
	defer closeConn(conn)
	var backend uint32
	if err := conn.QueryRow(connecting, sql.Query("api/select_backend"), pgx.QueryExecModeExec).Scan(&backend); err != nil {
		return err
	}
	if backend != conn.PgConn().PID() {
		return errPooled
	}
	if _, err := conn.Exec(connecting, sql.QueryFor("api/listen", "channel", sql.VersionChannel)); err != nil {
		return err
	}
	for {
		if _, err := conn.WaitForNotification(ctx); err != nil {
			return err
		}
		for _, h := range f.watchers {
			h.requestRead()
		}
	}
}

// watch reads the version rows of a host every interval, and when requested, until ctx ends.
func (f *follower) watch(ctx context.Context, h *watcher, interval time.Duration) {
	pause := interval
	for ctx.Err() == nil {
		seen, err := h.read(ctx, f.standbys)
		if seen.refused {
			f.logRefusedSettings()
		}
		if err != nil {
			h.disconnect()
			if ctx.Err() != nil {
				break
			}
		}
		f.reportHost(h, seen, err)
		switch {
		case err == nil || f.lostFor() > 0:
			pause = interval
		default:
			pause = max(interval, min(2*pause, longestWatchPause))
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		case <-h.requested:
		}
	}
	h.disconnect()
}
