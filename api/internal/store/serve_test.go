package store

import (
	"errors"
	"log/slog"
	"testing"
	"time"

	"systemscale/sql"
)

// fleet is a follower with two workers that never connect: the test sets the versions of their servers.
type fleet struct {
	*follower
	t             *testing.T
	queue         *queue
	first, second *worker
}

func newFleet(t *testing.T) *fleet {
	q := newQueue(8, time.Minute, slog.New(slog.DiscardHandler), newMetrics())
	f := &fleet{t: t, queue: q, follower: &follower{
		logger: q.logger, replan: make(chan struct{}, 1), workers: make(map[*placement]struct{}), changed: make(chan struct{}),
	}}
	newWorker := func() *worker {
		w := &worker{
			placement: placement{queue: q, slot: slot{behind: true}}, follower: f.follower, metrics: q.metrics, conn: &connection{},
		}
		q.connected(&w.slot)
		return w
	}
	f.first, f.second = newWorker(), newWorker()
	return f
}

var began = time.Date(2026, 5, 4, 3, 0, 0, 0, time.UTC)

// versionOf returns a version of a collection, published run minutes after began.
func versionOf(collection string, run int64) Version {
	return Version{
		Collection: collection, Generation: run, Run: run, PublishedAt: began.Add(time.Duration(run) * time.Minute),
		Endpoints: []sql.Endpoint{{Name: "item"}},
	}
}

// check fails the test unless this run of a collection is served, and by these workers.
func (f *fleet) check(what, collection string, run int64, first, second bool) {
	f.t.Helper()
	var served int64
	if c := f.snapshot.Load().Collection([]byte(collection)); c != nil {
		served = c.Run
	}
	if served != run || f.first.slot.behind == first || f.second.slot.behind == second {
		f.t.Errorf("%s: run %d is served, by the first: %t, by the second: %t; want run %d, %t, %t",
			what, served, !f.first.slot.behind, !f.second.slot.behind, run, first, second)
	}
}

// wait skips the time that a server has to return.
func (f *fleet) wait() {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	if !f.missingSince.IsZero() {
		f.missingSince = f.missingSince.Add(-regressGrace)
	}
	f.decide()
}

func TestFollowerDecides(t *testing.T) {
	f := newFleet(t)
	f.check("nothing is known", "things", 0, false, false)
	f.report(&f.first.placement, nil, nil)
	f.check("nothing is published", "things", 0, true, false)
	f.report(&f.first.placement, nil, []Version{versionOf("things", 1)})
	f.check("a version", "things", 1, true, false)
	f.report(&f.second.placement, nil, []Version{versionOf("things", 1)})
	f.check("both have it", "things", 1, true, true)

	f.report(&f.first.placement, nil, []Version{versionOf("things", 2)})
	f.check("one is behind", "things", 2, true, false)
	l := newLookup()
	l.endpoint = f.snapshot.Load().Collection([]byte("things")).Path(nil)
	if err := f.queue.push(l); err != nil {
		t.Fatal(err)
	}
	fetched := make(chan int)
	go func() {
		lookups, _ := f.queue.fetch(&f.second.slot, nil, 8)
		fetched <- len(lookups)
	}()
	f.queue.expire(time.Now()) // which wakes all workers
	select {
	case <-fetched:
		t.Fatal("a worker whose server is behind fetched a lookup")
	case <-time.After(50 * time.Millisecond): // time for a fetch, if there is one
	}
	f.report(&f.second.placement, nil, []Version{versionOf("things", 2)})
	if count := <-fetched; count != 1 {
		t.Errorf("after catching up it fetched %d lookups, want 1", count)
	}
	f.check("both have it", "things", 2, true, true)

	f.report(&f.first.placement, nil, []Version{versionOf("things", 3)})
	f.disconnected(&f.first.placement, true)
	f.check("the one that has it is lost", "things", 3, false, false)
	f.wait()
	f.check("and does not come back", "things", 2, false, true)
	f.report(&f.first.placement, nil, []Version{versionOf("things", 3)})
	f.check("and is back after all", "things", 3, true, false)
	f.disconnected(&f.first.placement, true)
	f.report(&f.first.placement, nil, []Version{versionOf("things", 3)})
	f.check("it was away for a moment", "things", 3, true, false)

	// A promoted server continues from its own last run, so two versions may have the same number.
	other := versionOf("things", 3)
	other.PublishedAt = other.PublishedAt.Add(time.Hour)
	f.report(&f.second.placement, nil, []Version{other})
	f.check("another version of the same number, later", "things", 3, false, true)
}

func TestFollowerWithSeveralCollections(t *testing.T) {
	f := newFleet(t)
	f.report(&f.first.placement, nil, []Version{versionOf("things", 1), versionOf("museums", 2)})
	f.report(&f.second.placement, nil, []Version{versionOf("museums", 2), versionOf("things", 1)})
	f.check("both have both", "things", 1, true, true)
	before := f.snapshot.Load()
	f.report(&f.second.placement, nil, []Version{versionOf("things", 1), versionOf("museums", 3)})
	f.check("one has more of one", "museums", 3, false, true)
	if f.snapshot.Load().Collection([]byte("things")) != before.Collection([]byte("things")) {
		t.Error("the next snapshot does not reuse an unchanged collection")
	}
	f.report(&f.first.placement, nil, []Version{versionOf("things", 1), versionOf("museums", 3)})
	f.check("both have it", "museums", 3, true, true)

	f.report(&f.first.placement, nil, []Version{versionOf("things", 1)})
	f.check("one lacks a collection", "museums", 3, false, true)
	f.report(&f.second.placement, nil, []Version{versionOf("things", 1)})
	f.check("both lack it", "museums", 3, false, false)
	f.wait()
	f.check("it is gone", "museums", 0, true, true)
	f.check("the other one is unchanged", "things", 1, true, true)

	described := versionOf("things", 1)
	described.Endpoints = []sql.Endpoint{{Name: "item"}, {Name: "detail", Path: "detail"}}
	f.report(&f.first.placement, nil, []Version{described})
	f.report(&f.second.placement, nil, []Version{described})
	if f.snapshot.Load().Collection([]byte("things")).Path([]byte("detail")) == nil {
		t.Error("a changed version row is not followed")
	}
	settled := f.snapshot.Load()
	for range 5 {
		f.report(&f.first.placement, nil, []Version{described})
		f.report(&f.second.placement, nil, []Version{described})
	}
	if f.snapshot.Load() != settled {
		t.Error("the same versions result in another snapshot")
	}
}

// TestRedirect sends lookups of a version that is no longer served.
func TestRedirect(t *testing.T) {
	f := newFleet(t)
	w := f.first
	w.setVersions([]Version{versionOf("things", 2), versionOf("museums", 1)})
	lookupOf := func(collection string) *lookup {
		l := newLookup()
		l.endpoint = f.snapshot.Load().Collection([]byte(collection)).Path(nil)
		l.begin(nil)
		if err := f.queue.push(l); err != nil {
			t.Fatal(err)
		}
		return l
	}
	current, gone := lookupOf("things"), lookupOf("museums")
	w.waiting, _ = f.queue.fetch(&w.slot, nil, 8)
	w.setVersions([]Version{versionOf("things", 1)})
	f.wait()
	w.sort()
	w.flush()
	if len(w.groups) != 1 || current.endpoint.Run != 1 || len(w.groups[0].members) != 1 {
		t.Errorf("%d groups, and a lookup of run %d, want one of run 1", len(w.groups), current.endpoint.Run)
	}
	if len(gone.done) != 1 || !errors.Is(gone.err, ErrNotFound) {
		t.Errorf("a lookup in a removed collection: %v, want %v", gone.err, ErrNotFound)
	}
	current.describe()
	if current.result.Run != 1 || !current.result.PublishedAt.Equal(versionOf("things", 1).PublishedAt) {
		t.Errorf("the result has run %d, published at %v", current.result.Run, current.result.PublishedAt)
	}

	// The version comes back, with another server.
	w.waiting = w.waiting[:0]
	newer := newLookup()
	f.report(&f.second.placement, nil, []Version{versionOf("things", 2)})
	newer.endpoint = f.snapshot.Load().Collection([]byte("things")).Path(nil)
	w.waiting = append(w.waiting, newer)
	w.sort()
	if len(w.groups) != 0 || len(f.queue.fetchable()) != 1 || f.queue.fetchable()[0] != newer {
		t.Errorf("%d groups and %d lookups in the queue, want the lookup left to another worker", len(w.groups), len(f.queue.fetchable()))
	}
}
