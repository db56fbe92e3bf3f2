package store

import (
	"context"
	"sync"
	"time"

	"github.com/jackc/pgerrcode"
)

const (
	// Pause between two reads of the version rows of a server that is behind. It grows with the lag: a streaming replica is behind for
	// milliseconds, a delayed replica for minutes.
	minLookPause = 10 * time.Millisecond
	maxLookPause = time.Second

	// moveAfter is how long a server may be behind before its worker moves to another one. It is longer than the normal replication lag.
	moveAfter = 100 * time.Millisecond
	// movePause is the pause between two attempts to move a worker.
	movePause = 500 * time.Millisecond
)

// returnAfter is how long a host must have been up and up to date before workers return to it. It is a variable for tests.
var returnAfter = 5 * time.Second

// supervise checks workers whose server is behind and moves workers to better hosts, until ctx ends. It adds the goroutines that it starts
// to running.
func (f *follower) supervise(ctx context.Context, running *sync.WaitGroup) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		case <-f.replan:
		}
		f.mutex.Lock()
		f.decide()
		pause := f.plan(ctx, running)
		f.mutex.Unlock()
		timer.Reset(pause)
	}
}

// plan requests reads of servers that are behind and starts moves of workers to better hosts. It returns the time until the next call. The
// mutex is held.
func (f *follower) plan(ctx context.Context, running *sync.WaitGroup) time.Duration {
	now := time.Now()
	newest := f.newest()
	if current := f.snapshot.Load(); newest == nil || current.succeeds(newest) {
		newest = current
	}
	pause := maxLookPause
	if !f.missingSince.IsZero() {
		pause = min(pause, max(time.Until(f.missingSince.Add(regressGrace)), time.Millisecond))
	}
	for w := range f.workers {
		if w.view == nil {
			continue
		}
		if w.view.covers(newest) {
			w.behind = time.Time{}
		} else {
			if w.behind.IsZero() {
				w.behind = now
			}
			w.queue.notify(&w.slot)
			pause = min(pause, lookPause(now.Sub(w.behind)))
		}
		if best := f.bestHost(w); best != nil && !w.moving && now.Sub(w.moved) >= movePause && f.shouldMove(w, best, now) {
			w.moving, w.moved = true, now
			running.Go(func() { f.move(ctx, w, best) })
		}
	}
	for _, h := range f.watchers {
		if h.view != nil && !h.view.covers(newest) {
			if h.behind.IsZero() {
				h.behind = now
			}
			h.requestRead()
			pause = min(pause, lookPause(now.Sub(h.behind)))
		} else if h.view != nil && !h.behind.IsZero() {
			h.behind, h.since = time.Time{}, now
		}
	}
	return pause
}

func lookPause(behind time.Duration) time.Duration {
	return min(max(behind/8, minLookPause), maxLookPause)
}

// bestHost returns the best known host for w, or nil: one with the newest version, a standby if those are preferred, and the first of these
// in w's own order. The mutex is held.
func (f *follower) bestHost(w *placement) *watcher {
	newest := f.newest()
	if newest == nil {
		return nil
	}
	var best *watcher
	for _, h := range f.order(w) {
		if h.view == nil || !h.view.covers(newest) {
			continue
		}
		if best == nil || f.standbys && h.standby && !best.standby {
			best = h
		}
	}
	return best
}

// shouldMove reports whether w is to move to best now. The mutex is held.
func (f *follower) shouldMove(w *placement, best *watcher, now time.Time) bool {
	if !w.behind.IsZero() {
		// best may be its present host: a host name may resolve to several servers.
		return best.view.succeeds(w.view) && (!f.missingSince.IsZero() || now.Sub(w.behind) >= moveAfter)
	}
	return best != w.at && best.view.covers(w.view) && now.Sub(best.since) >= returnAfter
}

// order returns the hosts in w's order of preference: its own first, so that workers are spread over the hosts.
func (f *follower) order(w *placement) []*watcher {
	all := f.watchers
	home := w.home % len(all)
	return append(all[home:len(all):len(all)], all[:home]...)
}

// move connects to another host, and offers w the connection if the server there has newer versions than w's, or the same if w is not
// behind.
func (f *follower) move(ctx context.Context, w *placement, to *watcher) {
	next, err := f.open(ctx, to)
	f.mutex.Lock()
	w.moving = false
	if err == nil && w.view != nil && w.offer == nil && ctx.Err() == nil {
		if view := f.intern(next.versions); view.succeeds(w.view) || w.behind.IsZero() && view.covers(w.view) {
			w.offer = next
			next = nil
			w.queue.notify(&w.slot)
		}
	}
	f.mutex.Unlock()
	if next != nil && err == nil {
		next.conn.close()
	}
}

// open connects to a host and reads its version rows.
func (f *follower) open(ctx context.Context, to *watcher) (*offer, error) {
	conn, err := connect(ctx, &to.config.Config)
	if err != nil {
		return nil, err
	}
	conn.at = to
	looking, cancel := context.WithTimeout(ctx, f.timeout)
	defer cancel()
	versions, err := readVersions(looking, conn.PgConn)
	if err = f.acceptUnreadable(err, &versions); err != nil {
		conn.close()
		return nil, err
	}
	f.metrics.connects.Inc()
	return &offer{conn, versions}, nil
}

// acceptUnreadable returns nil for errors of reading the version rows after which the connection can be used. If the table does not exist,
// the server has no versions. If the role cannot read it, the server is assumed to have the snapshot, if there is one.
func (f *follower) acceptUnreadable(err error, versions *[]Version) error {
	switch codeOf(err) {
	case pgerrcode.UndefinedTable, pgerrcode.InvalidSchemaName:
		*versions = nil
		return nil
	case pgerrcode.InsufficientPrivilege:
		if f.snapshot.Load() == nil {
			return err
		}
		for _, collection := range f.snapshot.Load().Collections() {
			*versions = append(*versions, collection.Version)
		}
		return nil
	}
	return err
}

// connect connects to the best host for w: first those known to have the newest version, then those with an older one, and last those that
// could not be read. A server that is behind, or that is not a standby where those are preferred, is used if there is no better one.
func (f *follower) connect(ctx context.Context, w *placement) (*offer, error) {
	var best *offer
	var bestView *Snapshot
	var bestStandby bool
	var firstErr error
	for _, h := range f.ranked(w) {
		f.mutex.Lock()
		failed := h.failed
		f.mutex.Unlock()
		if best != nil && failed {
			continue // a second failure could take long
		}
		next, err := f.open(ctx, h)
		standby := false
		if err == nil && f.standbys {
			if standby, err = isStandby(ctx, next.conn.PgConn); err != nil {
				next.conn.close()
			}
		}
		if err != nil {
			if firstErr == nil {
				firstErr = err
			}
			continue
		}
		view := NewSnapshot(nil, next.versions...)
		if best == nil || view.succeeds(bestView) || standby && !bestStandby && view.covers(bestView) {
			if best != nil {
				best.conn.close()
			}
			best, bestView, bestStandby = next, view, standby
		} else {
			next.conn.close()
		}
		if view.covers(f.snapshot.Load()) && (standby || !f.standbys) {
			break
		}
	}
	if best == nil {
		return nil, firstErr
	}
	return best, nil
}

// ranked returns all hosts in the order in which w tries them.
func (f *follower) ranked(w *placement) []*watcher {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	newest := f.newest()
	const upToDate, broken, unknown, failed = 0, 1, 2, 3
	var ranked []*watcher
	for rank := upToDate; rank <= failed; rank++ {
		for _, h := range f.order(w) {
			mine := unknown // or behind
			switch {
			case h.failed:
				mine = failed
			case h.view != nil && h.view.covers(newest) && h == w.broken:
				mine = broken // its watcher may not have noticed yet
			case h.view != nil && h.view.covers(newest):
				mine = upToDate
			}
			if mine == rank {
				ranked = append(ranked, h)
			}
		}
	}
	return ranked
}
