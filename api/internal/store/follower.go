package store

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"

	"systemscale/sql"
)

// regressGrace is how long lookups wait for a server that has the version that is followed, once no connection leads to one, before an
// older version is served. A server that is cut off or restarted in an orderly way is back or replaced sooner.
const regressGrace = 250 * time.Millisecond

// follower decides which version is served. Streaming replicas receive a version later than their primary does, and each on its own,
// so two things are kept apart:
//
//   - what each server has: watchers look at the pointer rows of every host, and each pipeline looks over its own
//     connection, because a host name may stand for several servers;
//   - what is served, the snapshot: the newest version that a pipeline's server has.
//
// A pipeline whose server lacks the snapshot takes no lookups until it has caught up or has a connection to another server. So no
// lookup waits for a replica. The snapshot goes back to an older version only if no connection leads to a server that has it, and
// none is found within regressGrace: when a primary dies whose last version no replica has received.
type follower struct {
	config   *pgx.ConnConfig // for connections on occasion, to any of the hosts
	logger   *slog.Logger
	snapshot atomic.Pointer[Snapshot]
	watchers []*watcher // one for each host
	standbys bool       // hosts that are standbys are preferred
	kick     chan struct{}

	mutex     sync.Mutex // guards what follows, and what is marked as the follower's in watchers and pipelines
	pipelines map[*pipeline]struct{}
	changed   chan struct{} // closed when the snapshot changes
	unmet     time.Time     // since when no pipeline's server has the snapshot; zero if one has it
	lost      bool          // no watcher can read, which is logged
	bare      bool          // settings were refused, which is logged
	forbidden string        // a table that may not be read, which is logged

	// unserved are collections of the pointer rows that are not served, which is logged.
	unserved map[string]bool

	denied atomic.Bool // the role of the URL lacks a right to what is published

	lostSince atomic.Int64 // since when no watcher can read, in nanoseconds after processStart, or 0
}

func newFollower(config *pgx.ConnConfig, options Options) *follower {
	f := &follower{
		config: config, logger: options.Logger, kick: make(chan struct{}, 1),
		pipelines: make(map[*pipeline]struct{}), changed: make(chan struct{}),
	}
	f.standbys = takePreferStandby(&config.Config)
	for _, host := range hostsOf(&config.Config) {
		f.watchers = append(f.watchers, newWatcher(config, host, options.Timeout))
	}
	return f
}

// processStart has a monotonic reading, so that what is counted from it does not follow a clock that is set.
var processStart = time.Now()

// lostFor returns for how long no host could be read.
func (f *follower) lostFor() time.Duration {
	since := f.lostSince.Load()
	if since == 0 {
		return 0
	}
	return time.Since(processStart) - time.Duration(since)
}

// run watches every host, at least every interval, and moves pipelines to the hosts that suit them, until ctx ends.
func (f *follower) run(ctx context.Context, interval time.Duration) {
	var running sync.WaitGroup
	for _, w := range f.watchers {
		running.Go(func() { w.run(ctx, f, interval) })
	}
	running.Go(func() { f.supervise(ctx, &running) })
	running.Wait()
}

// listen turns the database's notifications of a new version into looks, until ctx ends. It has a connection of its own, because
// one that waits cannot be asked anything. Where there is none, such as on a replica or behind a pooler, looking every interval has to do.
func (f *follower) listen(ctx context.Context, interval time.Duration) {
	for ctx.Err() == nil {
		pause := interval
		for _, w := range f.watchers {
			if err := f.relay(ctx, w); err == errPooled {
				pause = max(interval, pooledPause)
			}
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

// relay relays a host's notifications until the connection breaks.
func (f *follower) relay(ctx context.Context, w *watcher) error {
	connecting, cancel := context.WithTimeout(ctx, w.timeout)
	defer cancel()
	conn, _, err := dialConn(connecting, w.config)
	if err != nil {
		return err
	}
	defer goodbye(conn)
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
		for _, w := range f.watchers {
			w.look()
		}
	}
}

// reach returns once a run of document's collection is followed that an answer has come from, or after regressGrace.
func (f *follower) reach(endpoint *Endpoint, run int64) {
	deadline := time.After(regressGrace)
	for {
		f.mutex.Lock()
		changed := f.changed
		live := f.snapshot.Load().current(endpoint)
		reached := live == nil || live.Run >= run
		if !reached {
			for p := range f.pipelines {
				p.queue.summon(&p.seat)
			}
		}
		f.mutex.Unlock()
		if reached {
			return
		}
		select {
		case <-changed:
		case <-deadline:
			return
		}
	}
}

// seen takes note of the versions that p's server has, and returns the same as a snapshot. From then on p serves, unless its server is
// behind.
func (f *follower) seen(p *pipeline, versions []Version) *Snapshot {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	f.pipelines[p] = struct{}{}
	p.view, p.at = f.intern(versions), p.conn.at
	f.decide()
	return p.view
}

// blind takes note that p has no connection, and whether it broke.
func (f *follower) blind(p *pipeline, broken bool) {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	if broken {
		p.broken = p.at
	}
	p.view, p.at, p.behind = nil, nil, time.Time{}
	f.decide()
}

// offered returns the connection that p is to change over to, or nil.
func (f *follower) offered(p *pipeline) *offer {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	next := p.offer
	p.offer = nil
	return next
}

// leave takes note that p has ended.
func (f *follower) leave(p *pipeline) {
	f.blind(p, false)
	f.mutex.Lock()
	delete(f.pipelines, p)
	unused := p.offer
	p.offer = nil
	f.mutex.Unlock()
	if unused != nil {
		unused.conn.close()
	}
}

// watched takes note of what a watcher has read, or why it could not.
func (f *follower) watched(w *watcher, seen sight, err error) {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	if err != nil {
		w.view, w.failed = nil, true
		f.loseSight(err)
	} else {
		f.judge(seen.forbidden)
		if w.view == nil {
			w.since = time.Now()
		}
		w.view, w.failed, w.standby = f.intern(seen.versions), false, seen.standby
		f.lostSince.Store(0)
		if f.lost {
			f.lost = false
			f.logger.Info("database readable again")
		}
	}
	f.decide()
	select {
	case f.kick <- struct{}{}:
	default: // there is one already
	}
}

// judge takes note of a table that the role may not read, or of there being none. The mutex is held.
func (f *follower) judge(forbidden string) {
	f.denied.Store(forbidden != "")
	if forbidden != "" && forbidden != f.forbidden {
		f.logger.Error("the role of the database URL cannot read a published table: grant it select on all tables in schema catalog", "table", forbidden)
	}
	f.forbidden = forbidden
}

// recheck has the hosts looked at soon, because a lookup was refused for want of a right.
func (f *follower) recheck() {
	if f.denied.Load() {
		return
	}
	for _, w := range f.watchers {
		w.look()
	}
}

// refused logs that a pooler has refused settings, once.
func (f *follower) refused() {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	if !f.bare {
		f.bare = true
		f.logger.Warn("a pooler rejects the session settings; those of the role apply: see infra/postgres/README.md")
	}
}

// loseSight logs err if it is the last watcher's. The mutex is held.
func (f *follower) loseSight(err error) {
	for _, w := range f.watchers {
		if !w.failed {
			return
		}
	}
	f.lostSince.CompareAndSwap(0, int64(time.Since(processStart)))
	if code := codeOf(err); code != "" {
		f.denied.Store(code == insufficientPrivilege)
	}
	if !f.lost {
		f.lost = true
		f.logger.Error("cannot read the published version, retrying", "error", err)
	}
}

// intern returns versions as a snapshot, which is the same for the same versions. The mutex is held.
func (f *follower) intern(versions []Version) *Snapshot {
	versions = f.servable(versions)
	current := f.snapshot.Load()
	next := NewSnapshot(current, versions...)
	if next == current {
		return current
	}
	for p := range f.pipelines {
		if p.view != nil && NewSnapshot(p.view, versions...) == p.view {
			return p.view
		}
	}
	for _, w := range f.watchers {
		if w.view != nil && NewSnapshot(w.view, versions...) == w.view {
			return w.view
		}
	}
	return next
}

// servable returns the versions but for those of collections whose names belong to other addresses, and logs each of these once. The
// mutex is held.
func (f *follower) servable(versions []Version) []Version {
	reserved := func(version Version) bool {
		err := sql.CheckCollection(version.Collection)
		if err != nil && !f.unserved[version.Collection] {
			if f.unserved == nil {
				f.unserved = map[string]bool{}
			}
			f.unserved[version.Collection] = true
			f.logger.Error("collection not served; publish it under another name", "collection", version.Collection, "run", version.Run, "error", err)
		}
		return err != nil
	}
	if !slices.ContainsFunc(versions, reserved) {
		return versions
	}
	return slices.DeleteFunc(slices.Clone(versions), reserved)
}

// decide brings what is served, and who serves, in line with what servers have. The mutex is held.
func (f *follower) decide() {
	current := f.snapshot.Load()
	next, met, same := current, false, false
	var best *Snapshot // of the pipelines' servers
	for p := range f.pipelines {
		if p.pages {
			continue
		}
		if p.view != nil && (best == nil || p.view.succeeds(best)) {
			best = p.view
		}
		same = same || p.view == current
	}
	switch {
	case best == nil:
		// No lookup can be answered. What is published is known all the same.
		if newest := f.newest(); newest != nil && (current == nil || newest.succeeds(current)) {
			next = newest
		}
		met = true
	case current == nil || best.succeeds(current):
		next, met = best, true
	case best.covers(current):
		met = true
		if !same { // the version stands, but its documents are described in another way
			next = best
		}
	case !f.unmet.IsZero() && time.Since(f.unmet) >= regressGrace:
		f.logger.Warn("no database host has the served version any more: serving the newest available version")
		next, met = best, true
	}
	switch {
	case met:
		f.unmet = time.Time{}
	case f.unmet.IsZero():
		f.unmet = time.Now()
	}
	f.serve(current, next)
}

// serve makes next the snapshot. The mutex is held.
func (f *follower) serve(current, next *Snapshot) {
	// First those stop whose servers lack it: a lookup of the new version must not come to one of them.
	for p := range f.pipelines {
		if p.view == nil || !p.view.covers(next) {
			p.queue.suspend(&p.seat)
		}
	}
	if next != current {
		f.snapshot.Store(next)
		close(f.changed)
		f.changed = make(chan struct{})
		f.announce(current, next)
	}
	for p := range f.pipelines {
		if p.view != nil && p.view.covers(next) {
			p.queue.resume(&p.seat)
		}
	}
	// There may be something newer than any pipeline knows of.
	if newest := f.newest(); newest != nil && newest != next && (next == nil || newest.succeeds(next)) {
		for p := range f.pipelines {
			if p.view != nil {
				p.queue.summon(&p.seat)
			}
		}
	}
}

// announce logs what changed from one snapshot to the next.
func (f *follower) announce(previous, next *Snapshot) {
	for name, collection := range next.collections {
		if previous == nil || previous.collections[name] != collection {
			f.logger.Info("serving a new version",
				"collection", name, "run", collection.Run, "generation", collection.Generation,
				"documents", len(collection.Endpoints))
		}
	}
}

// newest returns the newest version that a host has, as far as is known, or nil. The mutex is held.
func (f *follower) newest() *Snapshot {
	var newest *Snapshot
	for _, w := range f.watchers {
		if w.view != nil && (newest == nil || w.view.succeeds(newest)) {
			newest = w.view
		}
	}
	return newest
}

// views returns what each host has, as far as is known.
func (f *follower) views() map[string]*Snapshot {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	views := make(map[string]*Snapshot)
	for _, w := range f.watchers {
		if w.view != nil {
			views[w.host.String()] = w.view
		}
	}
	return views
}

// current returns how to connect to a host that has the newest version, where one is known.
func (f *follower) current() *pgx.ConnConfig {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	newest := f.newest()
	for _, w := range f.watchers {
		if newest != nil && w.view == newest {
			return w.config
		}
	}
	return f.config
}

func goodbye(conn *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.Background(), goodbyeTimeout)
	defer cancel()
	_ = conn.Close(ctx)
}
