package store

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

const (
	// Between two looks at a server that is behind, growing with the time that it has been: a replica that follows its primary is
	// behind for milliseconds, one that is delayed on purpose for minutes.
	shortestLook = 10 * time.Millisecond
	longestLook  = time.Second

	// moveAfter is how long a server may be behind before its pipeline looks for another one. It is longer than a replica that follows
	// its primary closely takes to receive a version.
	moveAfter = 100 * time.Millisecond
	// Between two attempts to move a pipeline.
	movePause = 500 * time.Millisecond
)

// returnAfter is how long a host must have been up, or up to date, before a pipeline returns to it that had to leave it.
// It is a variable for tests.
var returnAfter = 5 * time.Second

// offer is a new connection for a pipeline.
type offer struct {
	conn     *connection
	versions []Version // that the server has
}

// supervise looks after pipelines whose server is behind, or that are not where they belong, until ctx ends. What it starts is
// counted in running.
func (f *follower) supervise(ctx context.Context, running *sync.WaitGroup) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		case <-f.kick:
		}
		f.mutex.Lock()
		f.decide()
		pause := f.plan(ctx, running)
		f.mutex.Unlock()
		timer.Reset(pause)
	}
}

// plan has servers that are behind looked at, and starts moving pipelines to where they had better be. It returns for how long there
// is nothing else to do. The mutex is held.
func (f *follower) plan(ctx context.Context, running *sync.WaitGroup) time.Duration {
	now := time.Now()
	newest := f.newest()
	if current := f.snapshot.Load(); newest == nil || current.succeeds(newest) {
		newest = current
	}
	pause := longestLook
	if !f.unmet.IsZero() {
		pause = min(pause, max(time.Until(f.unmet.Add(regressGrace)), time.Millisecond))
	}
	for p := range f.pipelines {
		if p.view == nil {
			continue
		}
		if p.view.covers(newest) {
			p.behind = time.Time{}
		} else {
			if p.behind.IsZero() {
				p.behind = now
			}
			p.queue.summon(&p.seat)
			pause = min(pause, lookPause(now.Sub(p.behind)))
		}
		if best := f.best(p); best != nil && !p.moving && now.Sub(p.moved) >= movePause && f.suits(p, best, now) {
			p.moving, p.moved = true, now
			running.Go(func() { p.move(ctx, best) })
		}
	}
	for _, w := range f.watchers {
		if w.view != nil && !w.view.covers(newest) {
			if w.behind.IsZero() {
				w.behind = now
			}
			w.look()
			pause = min(pause, lookPause(now.Sub(w.behind)))
		} else if w.view != nil && !w.behind.IsZero() {
			w.behind, w.since = time.Time{}, now
		}
	}
	return pause
}

func lookPause(behind time.Duration) time.Duration {
	return min(max(behind/8, shortestLook), longestLook)
}

// best returns the host where p had better be, or nil where none is known: one that has the newest version, a standby if those are
// preferred, and the first of them in p's own order. The mutex is held.
func (f *follower) best(p *pipeline) *watcher {
	newest := f.newest()
	if newest == nil {
		return nil
	}
	var best *watcher
	for _, w := range p.order() {
		if w.view == nil || !w.view.covers(newest) {
			continue
		}
		if best == nil || f.standbys && w.standby && !best.standby {
			best = w
		}
	}
	return best
}

// suits reports whether p is to move to best now. The mutex is held.
func (f *follower) suits(p *pipeline, best *watcher, now time.Time) bool {
	if !p.behind.IsZero() {
		// The best host may be where it is already: behind one name there may be several servers.
		return best.view.succeeds(p.view) && (!f.unmet.IsZero() || now.Sub(p.behind) >= moveAfter)
	}
	return best != p.at && best.view.covers(p.view) && now.Sub(best.since) >= returnAfter
}

// take makes next the connection.
func (p *pipeline) take(next *offer) {
	p.queue.place(&p.seat, next.conn.at.host.String())
	p.conn, p.sent = next.conn, p.metrics.sent.WithLabelValues(next.conn.at.host.String())
	p.learn(next.versions)
}

// learn takes note of what the server has.
func (p *pipeline) learn(versions []Version) {
	p.known, p.covered = p.follower.seen(p, versions), nil
}

// attend does what p has been summoned for: it changes over to a connection that it is offered, and looks at what the server has. An
// error breaks the connection.
func (p *pipeline) attend() error {
	if next := p.follower.offered(p); next != nil {
		go p.conn.close() // which may take a second, if the server does not listen
		p.take(next)
	}
	return p.look()
}

// look looks at what the server has. An error breaks the connection.
func (p *pipeline) look() error {
	if err := p.conn.expect(p.timeout + answerGrace); err != nil {
		return err
	}
	versions, err := readVersions(context.Background(), p.conn.PgConn)
	if err == nil {
		p.learn(versions)
	} else if p.conn.IsClosed() {
		return err
	}
	return nil // if the server refused, the next look may do better
}

// redirect makes l ask for a version that the server has, and reports whether it is to be sent. A lookup of a version that no server has any
// more, if it was pushed before an older one was served instead, asks for that.
func (p *pipeline) redirect(l *lookup) bool {
	if p.known == nil || p.known.has(l.endpoint) {
		p.covered = l.endpoint
		return true
	}
	live := p.follower.snapshot.Load().current(l.endpoint)
	switch {
	case live == nil:
		p.settle(l, ErrNotFound)
	case !p.known.has(live): // the version is back, on another server
		p.queue.requeue(l)
	default:
		l.endpoint = live
		return true
	}
	return false
}

// order returns the hosts in the order in which p prefers them: its own first, so that pipelines are spread.
func (p *pipeline) order() []*watcher {
	all := p.follower.watchers
	home := p.home % len(all)
	return append(all[home:len(all):len(all)], all[:home]...)
}

// move connects to another host, and offers p the connection if its server has more than p's has, or no less where p is not behind.
func (p *pipeline) move(ctx context.Context, to *watcher) {
	next, err := p.open(ctx, to)
	f := p.follower
	f.mutex.Lock()
	p.moving = false
	if err == nil && p.view != nil && p.offer == nil && ctx.Err() == nil {
		if view := f.intern(next.versions); view.succeeds(p.view) || p.behind.IsZero() && view.covers(p.view) {
			p.offer = next
			next = nil
			p.queue.summon(&p.seat)
		}
	}
	f.mutex.Unlock()
	if next != nil && err == nil {
		next.conn.close()
	}
}

// open connects to a host and looks at what it has.
func (p *pipeline) open(ctx context.Context, to *watcher) (*offer, error) {
	conn, err := connect(ctx, &to.config.Config)
	if err != nil {
		return nil, err
	}
	conn.at = to
	looking, cancel := context.WithTimeout(ctx, p.timeout)
	defer cancel()
	versions, err := readVersions(looking, conn.PgConn)
	if err = p.follower.excuse(err, &versions); err != nil {
		conn.close()
		return nil, err
	}
	p.metrics.connects.Inc()
	return &offer{conn, versions}, nil
}

// excuse lets a connection be used though the pointer rows cannot be read: where there are none, the server has nothing, and where
// they may not be read, it is taken to have what is served, if something is.
func (f *follower) excuse(err error, versions *[]Version) error {
	var refusal *pgconn.PgError
	if !errors.As(err, &refusal) {
		return err
	}
	switch refusal.Code {
	case "42P01", "3F000": // undefined_table, invalid_schema_name
		*versions = nil
		return nil
	case insufficientPrivilege:
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

// connect connects to the host that suits p best: one that is known to have the newest version, then one that has an older one,
// and last those that could not be read. A server that turns out to be behind, or to be no standby where those are preferred, is
// taken if none of the others is better.
func (p *pipeline) connect(ctx context.Context) (*offer, error) {
	f := p.follower
	var best *offer
	var bestStandby bool
	var firstErr error
	for _, w := range f.ranked(p) {
		f.mutex.Lock()
		failed := w.failed
		f.mutex.Unlock()
		if best != nil && failed {
			continue // it might take long to find out again
		}
		next, err := p.open(ctx, w)
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
		if best == nil || view.succeeds(NewSnapshot(nil, best.versions...)) || standby && !bestStandby && view.covers(NewSnapshot(nil, best.versions...)) {
			if best != nil {
				best.conn.close()
			}
			best, bestStandby = next, standby
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

// ranked returns all hosts in the order in which p is to try them.
func (f *follower) ranked(p *pipeline) []*watcher {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	newest := f.newest()
	const upToDate, broken, unknown, failed = 0, 1, 2, 3
	var ranked []*watcher
	for rank := upToDate; rank <= failed; rank++ {
		for _, w := range p.order() {
			mine := unknown // or behind
			switch {
			case w.failed:
				mine = failed
			case w.view != nil && w.view.covers(newest) && w == p.broken:
				mine = broken // its watcher may not have found out yet
			case w.view != nil && w.view.covers(newest):
				mine = upToDate
			}
			if mine == rank {
				ranked = append(ranked, w)
			}
		}
	}
	return ranked
}
