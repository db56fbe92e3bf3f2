package store

import (
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgerrcode"
	"github.com/jackc/pgx/v5"

	"systemscale/sql"
)

// regressGrace is how long lookups wait for a server with the served version, after the last connection to one broke, before an older
// version is served. An orderly restart or failover takes less.
const regressGrace = 250 * time.Millisecond

// follower decides which version is served. Streaming replicas receive a version later than the primary, each at its own time. So there
// are two kinds of state:
//
//   - the versions of each server: watchers read the version rows of every host, and each worker reads them over its own connection,
//     because a host name may resolve to several servers;
//   - the snapshot, which is served: the newest versions that the server of a worker has.
//
// A worker whose server lacks the snapshot fetches no lookups until the server has caught up or the worker has moved to another one. So no
// lookup waits for a replica. The snapshot returns to an older version only if no server with the newer one can be reached within
// regressGrace, as when a primary fails whose last version no replica has received.
type follower struct {
	config   *pgx.ConnConfig // for occasional connections, to any host
	timeout  time.Duration   // of reading the version rows
	metrics  *metrics
	logger   *slog.Logger
	snapshot atomic.Pointer[Snapshot]
	watchers []*watcher // one for each host
	standbys bool       // hosts that are standbys are preferred
	replan   chan struct{}

	mutex           sync.Mutex // guards the fields below, and those marked as the follower's in watcher and placement
	workers         map[*placement]struct{}
	changed         chan struct{} // closed when the snapshot changes
	missingSince    time.Time     // since when no worker's server has had the snapshot; zero if one has it
	lost            bool          // no watcher can read; logged once
	settingsRefused bool          // a pooler refused the settings; logged once
	forbidden       string        // a table without the read privilege; logged once

	// unserved are published collections that are not served, each logged once.
	unserved map[string]bool

	denied atomic.Bool // the role lacks the privilege to read a published table

	lostSince atomic.Int64 // since when no watcher could read, in nanoseconds after processStart, or 0
}

// placement is the follower's and the queue's record of a worker.
type placement struct {
	home  int // index of the preferred host
	queue *queue
	pages bool // the worker reads pages; the versions of its server do not decide the snapshot

	slot slot // the queue's

	// The follower's.
	view   *Snapshot // the versions of the worker's server; nil without a connection
	at     *watcher  // the watcher of its host
	behind time.Time // since when a host has had a newer version, or zero
	offer  *offer    // a connection to replace the worker's with
	moving bool      // such a connection is being opened
	moved  time.Time // when the last one was begun
	broken *watcher  // the watcher of the host whose connection broke last, or nil
}

// offer is a new connection for a worker.
type offer struct {
	conn     *connection
	versions []Version // of the server
}

func newFollower(config *pgx.ConnConfig, options Options, metrics *metrics) *follower {
	f := &follower{
		config: config, timeout: options.Timeout, metrics: metrics, logger: options.Logger, replan: make(chan struct{}, 1),
		workers: make(map[*placement]struct{}), changed: make(chan struct{}),
	}
	f.standbys = takePreferStandby(&config.Config)
	hosts := hostsOf(&config.Config)
	for _, host := range hosts {
		f.watchers = append(f.watchers, newWatcher(config, host, options.Timeout, len(hosts) > 1))
	}
	return f
}

// processStart has a monotonic clock reading, so durations from it do not depend on the wall clock.
var processStart = time.Now()

// lostFor returns for how long no host has been readable.
func (f *follower) lostFor() time.Duration {
	since := f.lostSince.Load()
	if since == 0 {
		return 0
	}
	return time.Since(processStart) - time.Duration(since)
}

// awaitRun returns once the snapshot has run, or a later one, of the endpoint's collection, or after regressGrace.
func (f *follower) awaitRun(endpoint *Endpoint, run int64) {
	deadline := time.After(regressGrace)
	for {
		f.mutex.Lock()
		changed := f.changed
		live := f.snapshot.Load().current(endpoint)
		reached := live == nil || live.Run >= run
		if !reached {
			for w := range f.workers {
				w.queue.notify(&w.slot)
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

// nextChange returns a channel that is closed when the snapshot changes.
func (f *follower) nextChange() <-chan struct{} {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	return f.changed
}

// report records the versions of w's server, which is one of a host, and returns them as a snapshot. From then on w fetches lookups,
// unless its server is behind.
func (f *follower) report(w *placement, at *watcher, versions []Version) *Snapshot {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	f.workers[w] = struct{}{}
	w.view, w.at = f.intern(versions), at
	f.decide()
	return w.view
}

// disconnected records that w has no connection, and whether it broke.
func (f *follower) disconnected(w *placement, broken bool) {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	if broken {
		w.broken = w.at
	}
	w.view, w.at, w.behind = nil, nil, time.Time{}
	f.decide()
}

// offered returns the connection that w is to use from now on, or nil.
func (f *follower) offered(w *placement) *offer {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	next := w.offer
	w.offer = nil
	return next
}

// remove removes w, which has ended.
func (f *follower) remove(w *placement) {
	f.disconnected(w, false)
	f.mutex.Lock()
	delete(f.workers, w)
	unused := w.offer
	w.offer = nil
	f.mutex.Unlock()
	if unused != nil {
		unused.conn.close()
	}
}

// reportHost records the result of a watcher's read, or its error.
func (f *follower) reportHost(h *watcher, seen reading, err error) {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	if err != nil {
		h.view, h.failed = nil, true
		f.readFailed(err)
	} else {
		f.setForbidden(seen.forbidden)
		if h.view == nil {
			h.since = time.Now()
		}
		h.view, h.failed, h.standby, h.position = f.intern(seen.versions), false, seen.standby, seen.position
		f.lostSince.Store(0)
		if f.lost {
			f.lost = false
			f.logger.Info("database readable again")
		}
	}
	f.decide()
	select {
	case f.replan <- struct{}{}:
	default: // already signaled
	}
}

// setForbidden records a table that the role cannot read, or "". The mutex is held.
func (f *follower) setForbidden(forbidden string) {
	f.denied.Store(forbidden != "")
	if forbidden != "" && forbidden != f.forbidden {
		f.logger.Error("the role of the database URL cannot read a published table: grant it select on all tables in schema catalog",
			"table", forbidden)
	}
	f.forbidden = forbidden
}

// recheck has the hosts read soon, after a lookup failed for lack of a privilege.
func (f *follower) recheck() {
	if f.denied.Load() {
		return
	}
	for _, h := range f.watchers {
		h.requestRead()
	}
}

// logRefusedSettings logs, once, that a pooler has refused the settings.
func (f *follower) logRefusedSettings() {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	if !f.settingsRefused {
		f.settingsRefused = true
		f.logger.Warn("a pooler rejects the session settings; those of the role apply: see infra/postgres/README.md")
	}
}

// readFailed records that no host is readable, if err is that of the last one. The mutex is held.
func (f *follower) readFailed(err error) {
	for _, h := range f.watchers {
		if !h.failed {
			return
		}
	}
	f.lostSince.CompareAndSwap(0, int64(time.Since(processStart)))
	if code := codeOf(err); code != "" {
		f.denied.Store(code == pgerrcode.InsufficientPrivilege)
	}
	if !f.lost {
		f.lost = true
		f.logger.Error("cannot read the published version, retrying", "error", err)
	}
}

// intern returns the snapshot of versions. Equal versions share a snapshot. The mutex is held.
func (f *follower) intern(versions []Version) *Snapshot {
	versions = f.servable(versions)
	current := f.snapshot.Load()
	next := NewSnapshot(current, versions...)
	if next == current {
		return current
	}
	for w := range f.workers {
		if w.view != nil && NewSnapshot(w.view, versions...) == w.view {
			return w.view
		}
	}
	for _, h := range f.watchers {
		if h.view != nil && NewSnapshot(h.view, versions...) == h.view {
			return h.view
		}
	}
	return next
}

// servable returns versions without those of collections whose names are reserved for other addresses. It logs each of these once. The
// mutex is held.
func (f *follower) servable(versions []Version) []Version {
	reserved := func(version Version) bool {
		err := sql.CheckCollection(version.Collection)
		if err != nil && !f.unserved[version.Collection] {
			if f.unserved == nil {
				f.unserved = map[string]bool{}
			}
			f.unserved[version.Collection] = true
			f.logger.Error("collection not served; publish it under another name",
				"collection", version.Collection, "run", version.Run, "error", err)
		}
		return err != nil
	}
	if !slices.ContainsFunc(versions, reserved) {
		return versions
	}
	return slices.DeleteFunc(slices.Clone(versions), reserved)
}

// decide updates the snapshot, and which workers fetch, according to the versions of the servers. The mutex is held.
func (f *follower) decide() {
	current := f.snapshot.Load()
	next, met, same := current, false, false
	var best *Snapshot // of the workers' servers
	for w := range f.workers {
		if w.pages {
			continue
		}
		if w.view != nil && (best == nil || w.view.succeeds(best)) {
			best = w.view
		}
		same = same || w.view == current
	}
	switch {
	case best == nil:
		// No lookup can be answered, but the published version is known.
		if newest := f.newest(); newest != nil && (current == nil || newest.succeeds(current)) {
			next = newest
		}
		met = true
	case current == nil || best.succeeds(current):
		next, met = best, true
	case best.covers(current):
		met = true
		if !same { // same version, but another description of its endpoints
			next = best
		}
	case !f.missingSince.IsZero() && time.Since(f.missingSince) >= regressGrace:
		f.logger.Warn("no database host has the served version any more: serving the newest available version")
		next, met = best, true
	}
	switch {
	case met:
		f.missingSince = time.Time{}
	case f.missingSince.IsZero():
		f.missingSince = time.Now()
	}
	f.serve(current, next)
}

// serve makes next the snapshot. The mutex is held.
func (f *follower) serve(current, next *Snapshot) {
	// Suspend workers whose servers lack it first: they must not fetch a lookup of the new version.
	for w := range f.workers {
		if w.view == nil || !w.view.covers(next) {
			w.queue.suspend(&w.slot)
		}
	}
	if next != current {
		f.snapshot.Store(next)
		close(f.changed)
		f.changed = make(chan struct{})
		f.logChanges(current, next)
	}
	for w := range f.workers {
		if w.view != nil && w.view.covers(next) {
			w.queue.resume(&w.slot)
		}
	}
	// A watcher may have read a newer version than any worker.
	if newest := f.newest(); newest != nil && newest != next && (next == nil || newest.succeeds(next)) {
		for w := range f.workers {
			if w.view != nil {
				w.queue.notify(&w.slot)
			}
		}
	}
}

// logChanges logs the collections that changed from one snapshot to the next.
func (f *follower) logChanges(previous, next *Snapshot) {
	for name, collection := range next.collections {
		if previous == nil || previous.collections[name] != collection {
			f.logger.Info("serving a new version",
				"collection", name, "run", collection.Run, "generation", collection.Generation,
				"documents", len(collection.Endpoints))
		}
	}
}

// newest returns the newest known view of a host, or nil. The mutex is held.
func (f *follower) newest() *Snapshot {
	var newest *Snapshot
	for _, h := range f.watchers {
		if h.view != nil && (newest == nil || h.view.succeeds(newest)) {
			newest = h.view
		}
	}
	return newest
}

// hosts returns the state of each host.
func (f *follower) hosts() []Host {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	return hostsIn(f.watchers)
}

// current returns the connection settings of a host with the newest version, if one is known.
func (f *follower) current() *pgx.ConnConfig {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	newest := f.newest()
	for _, h := range f.watchers {
		if newest != nil && h.view == newest {
			return h.config
		}
	}
	return f.config
}
