package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"systemscale/api/internal/publishtest"
	"systemscale/sql"
	"systemscale/sql/testdb"
)

func TestSnapshotReusesUnchangedCollections(t *testing.T) {
	at := time.Now()
	endpoints := []sql.Endpoint{{Name: "item"}, {Name: "page", List: true}}
	first := Version{Collection: "first", Generation: 1, Run: 1, PublishedAt: at, Endpoints: endpoints}
	second := Version{Collection: "second", Generation: 2, Run: 2, PublishedAt: at, Endpoints: endpoints}
	old := NewSnapshot(nil, first, second)

	if NewSnapshot(old, second, first) != old {
		t.Error("the same versions result in another snapshot")
	}
	moved := second
	moved.Run++
	next := NewSnapshot(old, first, moved)
	if next == old || next.Collection([]byte("second")).Run != 3 {
		t.Error("a new run does not result in a new snapshot")
	}
	item := func(s *Snapshot, name string) *Endpoint { return s.Collection([]byte(name)).Path(nil) }
	if item(next, "first") != item(old, "first") {
		t.Error("an unchanged version has another endpoint in the next snapshot")
	}
	if item(next, "second") == item(old, "second") {
		t.Error("a document of a new version is still the old one")
	}
	if gone := NewSnapshot(old, first); gone == old || gone.Collection([]byte("second")) != nil {
		t.Error("a removed collection is still served")
	}
	e := item(old, "second")
	if old.current(e) != e || next.current(e) != item(next, "second") || NewSnapshot(old, first).current(e) != nil {
		t.Error("an endpoint is not found by its name")
	}
}

func TestFollowsTheVersion(t *testing.T) {
	f := newFixture(t, 1, Options{Poll: 5 * time.Millisecond})
	for edition := 2; edition <= 4; edition++ {
		run := f.publish(edition, 1)
		publishtest.Eventually(t, "the new version is seen", func() bool { return f.document("").Run == run })
		result, err := f.Get(f.document(""), sql.IntID(1), Match{}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := checkBody(t, "item", 1, result); got != edition || result.Run != run {
			t.Errorf("got edition %d of run %d, want %d of %d", got, result.Run, edition, run)
		}
	}
}

// TestPageVersion changes tables in place, and then the version row, before the store has read either. The version of a page must be that
// of its bytes, and the store must serve every version that a client has seen.
func TestPageVersion(t *testing.T) {
	f := newFixture(t, 150, Options{Poll: time.Hour})
	list := f.list()
	conn := testdb.Connect(t, f.database.ETL)
	check := func(what string, skip int64, run int64, want string) {
		t.Helper()
		var at time.Time
		const published = "select coalesce((select published_at from catalog.version where run_id = $1), " +
			"(select finished_at from catalog.run where id = $1))"
		if err := conn.QueryRow(t.Context(), published, run).Scan(&at); err != nil {
			t.Fatal(err)
		}
		l := newLookup()
		l.kind, l.endpoint, l.limit = kindList, list, 2
		l.anchor, l.offset = skip/sql.AnchorEvery, skip%sql.AnchorEvery
		result, err := f.lookUp(l, nil)
		if err != nil || result.Run != run || !result.PublishedAt.Equal(at) || string(result.Body) != want {
			t.Errorf("%s: run %d at %v (%v): %.80s; want run %d at %v: %.80s",
				what, result.Run, result.PublishedAt, err, result.Body, run, at, want)
		}
	}
	check("as published", 1000, list.Run, "[]")
	run := f.change(list, "update catalog."+list.table+" set body = to_jsonb(id) where id between 149 and 150")
	check("changed in place", 148, run, "[149,150]")
	check("an empty page", 1000, run, "[]")
	if f.list().Run != list.Run {
		t.Error("the store has already read the version, so the test proves nothing")
	}
	if _, err := f.List(list, 0, 1, nil); err != nil || f.list().Run != run {
		t.Errorf("after a page of run %d (%v), run %d is followed", run, err, f.list().Run)
	}
	f.publish(2, 3)
	check("no longer live", 148, run, "[149,150]")
}

func TestDroppedGeneration(t *testing.T) {
	all := []string{"item", "detail", "page"}
	for _, warm := range []bool{false, true} {
		name := map[bool]string{false: "before it was read", true: "after it was read"}[warm]
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, 150, Options{Poll: time.Hour}) // the store reads a version only after a failed lookup
			old, detail, list := f.document(""), f.document("detail"), f.list()
			if warm {
				for range 8 { // almost certainly on both connections
					_, _ = f.Get(old, sql.IntID(1), Match{}, nil)
					_, _ = f.Get(old, sql.IntID(1), Match{ETags: []uint64{1}}, nil)
					_, _ = f.List(list, 0, 5, nil)
				}
			}
			run := f.publish(2, 150)
			f.publisher.Drop(collection, old.Generation, all...)

			for _, unless := range []Match{{}, {ETags: []uint64{publishtest.NewRow("item", 1, 1).ETag}}} {
				result, err := f.Get(old, sql.IntID(1), unless, nil)
				if err != nil {
					t.Fatalf("a lookup in a dropped table: %v", err)
				}
				if edition := checkBody(t, "item", 1, result); edition != 2 || result.Run != run {
					t.Errorf("got edition %d of run %d, want 2 of %d", edition, result.Run, run)
				}
			}
			result, err := f.List(list, 99, 2, nil)
			want := "[" + publishtest.NewRow("item", 2, 100).Body + "," + publishtest.NewRow("item", 2, 101).Body + "]"
			if err != nil || string(result.Body) != want || result.Run != run {
				t.Errorf("a page of a dropped table: %.100q of run %d, %v", result.Body, result.Run, err)
			}

			f.publisher.Publish(collection, publishtest.Table{
				Endpoint: sql.Endpoint{Name: "item"}, Rows: []publishtest.Row{publishtest.NewRow("item", 3, 1)},
			})
			f.publisher.Drop(collection, run, all...)
			if _, err := f.Get(detail, sql.IntID(1), Match{}, nil); !errors.Is(err, ErrNotFound) {
				t.Errorf("a document that is no longer published: %v, want %v", err, ErrNotFound)
			}
		})
	}
}

func TestDroppedGenerationUnderLoad(t *testing.T) {
	const ids, readers, editions = 50, 16, 30
	f := newFixture(t, ids, Options{Poll: 50 * time.Millisecond})
	previous := f.document("").Run

	var mutex sync.Mutex
	editionOf := map[int64]int{}
	stop := make(chan struct{})
	var wait sync.WaitGroup
	for reader := range readers {
		wait.Go(func() {
			random := rand.New(rand.NewPCG(3, uint64(reader)))
			var latest int64
			for {
				select {
				case <-stop:
					return
				default:
				}
				id := 1 + random.Int64N(ids)
				result, err := f.Get(f.document("detail"), sql.IntID(id), Match{}, nil)
				if err != nil {
					t.Errorf("detail %d: %v", id, err)
					return
				}
				edition := checkBody(t, "detail", id, result)
				if result.Run < latest {
					t.Errorf("run %d comes after run %d", result.Run, latest)
				}
				latest = result.Run
				mutex.Lock()
				if known := editionOf[result.Run]; known != 0 && known != edition {
					t.Errorf("run %d has edition %d and edition %d", result.Run, known, edition)
				}
				editionOf[result.Run] = edition
				mutex.Unlock()
			}
		})
	}
	for edition := 2; edition <= editions; edition++ {
		run := f.publish(edition, ids)
		f.publisher.Drop(collection, previous, "item", "detail", "page")
		previous = run
	}
	publishtest.Eventually(t, "the last edition is served", func() bool {
		mutex.Lock()
		defer mutex.Unlock()
		return editionOf[previous] == editions
	})
	close(stop)
	wait.Wait()
	t.Logf("saw %d of %d versions", len(editionOf), editions)
}

func TestVersionRowWithoutTables(t *testing.T) {
	f := newFixture(t, 1, Options{Poll: time.Hour})
	f.publisher.Drop(collection, f.document("").Generation, "item")
	_, err := f.Get(f.document(""), sql.IntID(1), Match{}, nil)
	var refusal *pgconn.PgError
	if !errors.As(err, &refusal) {
		t.Errorf("without the live table: got %v, want the server's error", err)
	}
	if result, err := f.Get(f.document("detail"), sql.IntID(1), Match{}, nil); err != nil {
		t.Errorf("the other documents: %v", err)
	} else {
		checkBody(t, "detail", 1, result)
	}
}

func TestTableOfOtherTypes(t *testing.T) {
	f := newFixture(t, 1, Options{Poll: time.Hour})
	if _, err := f.Get(f.document(""), sql.IntID(1), Match{}, nil); err != nil {
		t.Fatal(err)
	}
	_, err := testdb.Connect(t, f.database.ETL).Exec(context.Background(),
		"alter table catalog."+f.document("").table+" alter column etag type double precision")
	if err != nil {
		t.Fatal(err)
	}
	for range 8 {
		if _, err := f.Get(f.document(""), sql.IntID(1), Match{}, nil); !errors.Is(err, errMalformed) {
			t.Errorf("got %v, want %v", err, errMalformed)
		}
	}
}

// TestStatementFailsAlone sends one batch in which the second of three lookups fails.
func TestStatementFailsAlone(t *testing.T) {
	f := newFixture(t, 3, Options{Poll: time.Hour})
	config, err := configure(Options{URL: f.database.API, Timeout: publishtest.Patience})
	if err != nil {
		t.Fatal(err)
	}
	conn, err := connect(context.Background(), &config.Config)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.close()
	detail := f.document("detail")
	if _, err := conn.statement(detail, kindGet); err != nil {
		t.Fatal(err)
	}
	_, err = testdb.Connect(t, f.database.ETL).Exec(context.Background(), "revoke select on catalog."+detail.table+" from "+sql.RoleAPI)
	if err != nil {
		t.Fatal(err)
	}

	queue := newQueue(3, publishtest.Patience, f.queue.logger, f.metrics)
	queue.connected(new(slot))
	var lookups []*lookup
	for i, endpoint := range []*Endpoint{f.document(""), detail, f.document("")} {
		l := newLookup()
		l.endpoint, l.id = endpoint, int64(1+i)
		l.begin(nil)
		lookups = append(lookups, l)
		if err := queue.push(l); err != nil {
			t.Fatal(err)
		}
	}
	queue.close()
	w := &worker{
		placement: placement{queue: queue}, follower: f.follower, metrics: f.metrics, limit: 3, timeout: publishtest.Patience, conn: conn,
	}
	if err := w.serve(); err != nil {
		t.Fatalf("serve: %v", err)
	}
	for i, l := range lookups {
		select {
		case <-l.done:
		default:
			t.Fatalf("lookup %d is not complete", i)
		}
		if i == 1 {
			if !errors.Is(l.err, ErrUnreadable) {
				t.Errorf("the refused lookup: %v", l.err)
			}
			continue
		}
		if l.err != nil {
			t.Errorf("lookup %d: %v", i, l.err)
			continue
		}
		checkBody(t, "item", int64(1+i), l.result)
	}
}

// TestRowFailsAlone sends three lookups in one statement, which fails because of one row.
func TestRowFailsAlone(t *testing.T) {
	f := newFixture(t, 3, Options{Connections: 1, Poll: time.Hour})
	table := "catalog." + f.document("").table
	if _, err := testdb.Connect(t, f.database.ETL).Exec(t.Context(), fmt.Sprintf(`
		alter table %[1]s rename to moved;
		create view %[1]s as select id, etag / (id - 2) * (id - 2) as etag, body from catalog.moved`, table)); err != nil {
		t.Fatal(err)
	}
	unlock := f.lock(f.document("detail"))
	var wait sync.WaitGroup
	wait.Go(func() { _, _ = f.Get(f.document("detail"), sql.IntID(1), Match{}, nil) })
	publishtest.Eventually(t, "the connection is busy", func() bool {
		pending, _ := f.queue.state()
		return pending == 1 && len(f.queue.fetchable()) == 0
	})
	for id := int64(1); id <= 3; id++ {
		wait.Go(func() {
			result, err := f.Get(f.document(""), sql.IntID(id), Match{}, nil)
			var refusal *pgconn.PgError
			switch {
			case id == 2 && (!errors.As(err, &refusal) || refusal.Code != "22012"):
				t.Errorf("the unreadable row: %v", err)
			case id != 2 && err != nil:
				t.Errorf("another row: %v", err)
			case id != 2 && len(result.Body) == 0:
				t.Error("another row has no body")
			}
		})
	}
	publishtest.Eventually(t, "three lookups wait", func() bool { return len(f.queue.fetchable()) == 3 })
	unlock()
	wait.Wait()
}

func TestBrokenConnectionRetryLimit(t *testing.T) {
	queue := newQueue(2, publishtest.Patience, slog.New(slog.DiscardHandler), newMetrics())
	queue.connected(new(slot))
	first, second := newLookup(), newLookup()
	for _, l := range []*lookup{first, second} {
		l.begin(nil)
		if err := queue.push(l); err != nil {
			t.Fatal(err)
		}
	}
	w := &worker{placement: placement{queue: queue}, waiting: []*lookup{first}}
	for range maxCuts {
		w.interrupted()
		if len(w.waiting) != 1 || len(first.done) != 0 {
			t.Fatal("a lookup whose connection broke is not sent again")
		}
	}
	w.waiting = append(w.waiting, second)
	w.interrupted()
	if len(w.waiting) != 1 || w.waiting[0] != second || len(second.done) != 0 {
		t.Error("a lookup whose connection broke once is not sent again with one that has reached the limit")
	}
	if len(first.done) != 1 || !errors.Is(first.err, ErrUnavailable) {
		t.Errorf("a lookup whose connections broke too often: %v, want %v", first.err, ErrUnavailable)
	}
}

func TestConflictRetryLimit(t *testing.T) {
	queue := newQueue(1, publishtest.Patience, slog.New(slog.DiscardHandler), newMetrics())
	queue.connected(new(slot))
	l := newLookup()
	l.endpoint = &Endpoint{Name: "item"}
	l.begin(nil)
	if err := queue.push(l); err != nil {
		t.Fatal(err)
	}
	w := &worker{placement: placement{queue: queue}}
	for range maxConflicts {
		w.again = nil
		w.refused(l, &pgconn.PgError{Code: "40001"}, true)
		if len(w.again) != 1 || l.alone {
			t.Fatal("a lookup that a replica canceled is not sent again unchanged")
		}
	}
	w.refused(l, &pgconn.PgError{Code: "40001"}, true)
	w.flush()
	if len(l.done) != 1 || !errors.Is(l.err, ErrUnavailable) {
		t.Errorf("a lookup that is always canceled: %v, want %v", l.err, ErrUnavailable)
	}
}

func TestDroppedGenerationDeallocatesStatements(t *testing.T) {
	f := newFixture(t, 1, Options{Poll: 5 * time.Millisecond})
	config, err := configure(Options{URL: f.database.API, Timeout: publishtest.Patience})
	if err != nil {
		t.Fatal(err)
	}
	conn, err := connect(context.Background(), &config.Config)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.close()
	prepared := func() string {
		result := conn.ExecParams(context.Background(), "select count(*)::text from pg_prepared_statements", nil, nil, nil, nil).Read()
		if result.Err != nil {
			t.Fatal(result.Err)
		}
		return string(result.Rows[0][0])
	}
	old := f.Snapshot()
	for _, kind := range []kind{kindGet, kindETag} {
		for range 2 {
			if _, err := conn.statement(f.document(""), kind); err != nil {
				t.Fatal(err)
			}
		}
	}
	if _, err := conn.statement(f.list(), kindList); err != nil {
		t.Fatal(err)
	}
	if err := conn.sweep(old); err != nil || prepared() != "3" || len(conn.statements) != 3 {
		t.Errorf("%s statements, want 3; %v", prepared(), err)
	}
	f.publish(2, 1)
	publishtest.Eventually(t, "the new version is seen", func() bool { return f.Snapshot() != old })
	if _, err := conn.statement(f.document(""), kindGet); err != nil {
		t.Fatal(err)
	}
	if err := conn.sweep(f.Snapshot()); err != nil || prepared() != "1" || len(conn.statements) != 1 {
		t.Errorf("%s statements, want 1; %v", prepared(), err)
	}
}

func TestLosingLastConnectionFailsQueue(t *testing.T) {
	queue := newQueue(2, publishtest.Patience, slog.New(slog.DiscardHandler), newMetrics())
	first, second := new(slot), new(slot)
	queue.connected(first)
	queue.connected(second)
	waiting := newLookup()
	waiting.begin(nil)
	if err := queue.push(waiting); err != nil {
		t.Fatal(err)
	}
	queue.disconnect(first, errors.New("cut"))
	if len(waiting.done) != 0 {
		t.Error("a lookup fails although a connection is left")
	}
	queue.disconnect(second, errors.New("cut"))
	if len(waiting.done) != 1 || !errors.Is(waiting.err, ErrUnavailable) {
		t.Errorf("without a connection a waiting lookup: %v, want %v", waiting.err, ErrUnavailable)
	}
	if err := queue.push(newLookup()); !errors.Is(err, ErrUnavailable) {
		t.Errorf("without a connection a new lookup: %v, want %v", err, ErrUnavailable)
	}
}
