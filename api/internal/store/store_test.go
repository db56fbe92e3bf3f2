package store

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"systemscale/api/internal/publishtest"
	"systemscale/sql"
	"systemscale/sql/testdb"
)

func TestGet(t *testing.T) {
	f := newFixture(t, 3, Options{})
	item, detail := f.document(""), f.document("detail")
	etag := publishtest.NewRow("item", 1, 2).ETag
	for _, c := range []struct {
		name     string
		endpoint *Endpoint
		id       int64
		unless   Match
		err      error
		held     bool // NotModified
	}{
		{name: "document", endpoint: item, id: 2},
		{name: "its neighbor", endpoint: detail, id: 2},
		{name: "unless another is held", endpoint: item, id: 2, unless: Match{ETags: []uint64{etag + 1}}},
		{name: "unless others are held", endpoint: item, id: 2, unless: Match{ETags: []uint64{1, 2, 3}}},
		{name: "unless held", endpoint: item, id: 2, unless: Match{ETags: []uint64{etag}}, held: true},
		{name: "unless held among others", endpoint: item, id: 2, unless: Match{ETags: []uint64{5, etag, 6}}, held: true},
		{name: "unless anything is held", endpoint: item, id: 2, unless: Match{Any: true}, held: true},
		{name: "missing", endpoint: item, id: 4, err: ErrNotFound},
		{name: "missing unless held", endpoint: item, id: 4, unless: Match{ETags: []uint64{etag}}, err: ErrNotFound},
		{name: "missing unless anything is held", endpoint: item, id: 4, unless: Match{Any: true}, err: ErrNotFound},
		{name: "the largest id", endpoint: item, id: 1<<63 - 1, err: ErrNotFound},
	} {
		t.Run(c.name, func(t *testing.T) {
			const prefix = "as it was"
			result, err := f.Get(c.endpoint, sql.IntID(c.id), c.unless, []byte(prefix))
			if !errors.Is(err, c.err) {
				t.Fatalf("Get(%s, %d) fails with %v, want %v", c.endpoint.Name, c.id, err, c.err)
			}
			text, found := strings.CutPrefix(string(result.Body), prefix)
			if !found {
				t.Errorf("the buffer begins with %.20q, want its former content", result.Body)
			}
			if err != nil {
				if text != "" {
					t.Errorf("an error comes with the text %q", text)
				}
				return
			}
			want := publishtest.NewRow(c.endpoint.Name, 1, c.id)
			if c.held {
				want.Body = ""
			}
			if text != want.Body || result.ETag != want.ETag || result.NotModified != c.held || result.Run != c.endpoint.Run {
				t.Errorf("got etag %016x, not modified %v, run %d, body %.60q; want %016x, %v, %d, %.60q",
					result.ETag, result.NotModified, result.Run, text, want.ETag, c.held, c.endpoint.Run, want.Body)
			}
		})
	}
}

func TestList(t *testing.T) {
	const ids = 250
	f := newFixture(t, ids, Options{})
	for _, c := range []struct{ skip, limit int64 }{
		{0, 5},
		{5, 5},
		{0, 1},
		{0, 100},
		{95, 10},
		{99, 1},
		{99, 2},
		{100, 100},
		{150, 100},
		{199, 100},
		{249, 1},
		{245, 10},
		{250, 5},
		{299, 5},
		{300, 5},
		{1_000_000, 100},
		{1 << 61, 100},
	} {
		t.Run(fmt.Sprintf("%d after %d", c.limit, c.skip), func(t *testing.T) {
			var bodies []string
			for id := c.skip + 1; id <= min(c.skip+c.limit, ids); id++ {
				bodies = append(bodies, publishtest.NewRow("item", 1, id).Body)
			}
			want := "[" + strings.Join(bodies, ",") + "]"
			result, err := f.List(f.list(), c.skip, c.limit, nil)
			if err != nil || string(result.Body) != want {
				t.Errorf("got %.200q, %v; want %.200q", result.Body, err, want)
			}
			if result.Run != f.list().Run {
				t.Errorf("got run %d, want %d", result.Run, f.list().Run)
			}
		})
	}
}

func TestOpenHidesInvalidURL(t *testing.T) {
	_, err := Open(Options{URL: "postgres://user:hunter2@host:port/name"})
	if err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("Open fails with %v, want an error without the password", err)
	}
}

func TestRoleMayOnlyRead(t *testing.T) {
	f := newFixture(t, 1, Options{})
	ctx := context.Background()
	refused := func(t *testing.T, conn *pgconn.PgConn, statement, code string) {
		t.Helper()
		var refusal *pgconn.PgError
		if err := conn.Exec(ctx, statement).Close(); !errors.As(err, &refusal) || refusal.Code != code {
			t.Errorf("%s: got %v, want an error %s", statement, err, code)
		}
	}
	insert := sql.QueryFor("etl/insert_run")
	insert = strings.NewReplacer("$1", "'things'", "$2", "'generation'", "$3", "'nobody'").Replace(insert)

	t.Run("by grants", func(t *testing.T) {
		conn, err := pgconn.Connect(ctx, f.database.API)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close(ctx) }()
		if err := conn.Exec(ctx, "set default_transaction_read_only = off").Close(); err != nil {
			t.Fatal(err)
		}
		refused(t, conn, insert, "42501")
		refused(t, conn, "delete from catalog.version", "42501")
		refused(t, conn, "drop table catalog."+f.document("").table, "42501")
		refused(t, conn, "create table catalog.mine ()", "42501")
	})
	t.Run("by session", func(t *testing.T) {
		config, err := configure(Options{URL: f.database.ETL, Timeout: time.Second})
		if err != nil {
			t.Fatal(err)
		}
		conn, err := pgconn.ConnectConfig(ctx, &config.Config)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close(ctx) }()
		refused(t, conn, insert, "25006")
		refused(t, conn, "select pg_sleep(60)", "57014")
	})
}

func TestReadiness(t *testing.T) {
	database := testdb.New(t)
	between, url := newProxy(t, database.API)
	between.down()
	s := open(t, Options{URL: url, Poll: 5 * time.Millisecond})

	if err := s.Ready(); !errors.Is(err, ErrNeverConnected) {
		t.Errorf("without a database: %v, want %v", err, ErrNeverConnected)
	}
	if !s.Snapshot().Empty() || s.Snapshot().Collection([]byte(collection)) != nil {
		t.Error("without a database, the snapshot is not empty")
	}
	ghost := &Endpoint{Collection: collection, Name: "item", table: "things_item_g1"}
	if result, err := s.Get(ghost, sql.IntID(1), Match{}, []byte("kept")); !errors.Is(err, ErrUnavailable) || string(result.Body) != "kept" {
		t.Errorf("without a database: got %q, %v; want %v and the buffer back", result.Body, err, ErrUnavailable)
	}

	between.up()
	publishtest.Eventually(t, "the store connects", func() bool { return errors.Is(s.Ready(), ErrNotPublished) })

	f := &fixture{Store: s, t: t, database: database, publisher: publishtest.NewPublisher(t, database)}
	f.publish(1, 1)
	publishtest.Eventually(t, "the store is ready", func() bool { return s.Ready() == nil })
	result, err := s.Get(f.document(""), sql.IntID(1), Match{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	checkBody(t, "item", 1, result)

	// Without lookups, only the follower can notice.
	between.down()
	publishtest.Eventually(t, "the loss is detected without a lookup", func() bool { return s.follower.lostFor() > 0 })
	if err := s.Ready(); err != nil {
		t.Errorf("just after the loss: %v, want ready", err)
	}
	s.follower.lostSince.Add(-int64(lossGrace))
	if err := s.Ready(); !errors.Is(err, ErrDatabaseLost) {
		t.Errorf("long after the loss: %v, want %v", err, ErrDatabaseLost)
	}
	between.up()
	publishtest.Eventually(t, "the follower recovers", func() bool { return s.follower.lostFor() == 0 && s.Ready() == nil })

	between.down()
	publishtest.Eventually(t, "the loss is detected", func() bool {
		if _, err := s.Get(f.document(""), sql.IntID(1), Match{}, nil); !errors.Is(err, ErrUnavailable) {
			t.Fatalf("without a database: got %v, want %v", err, ErrUnavailable)
		}
		lost, _ := s.queue.disconnected()
		return lost > 0
	})
	if err := s.Ready(); err != nil {
		t.Errorf("just after the loss: %v, want ready", err)
	}
	s.queue.mutex.Lock()
	s.queue.lost = s.queue.lost.Add(-lossGrace)
	s.queue.mutex.Unlock()
	if err := s.Ready(); !errors.Is(err, ErrDatabaseLost) {
		t.Errorf("long after the loss: %v, want %v", err, ErrDatabaseLost)
	}

	between.up()
	publishtest.Eventually(t, "the store recovers", func() bool {
		result, err := s.Get(f.document(""), sql.IntID(1), Match{}, nil)
		if err == nil {
			checkBody(t, "item", 1, result)
		}
		return err == nil
	})
	if err := s.Ready(); err != nil {
		t.Errorf("after recovery: %v, want ready", err)
	}
}

func trimList(body []byte) []byte {
	if len(body) < 2 {
		return nil
	}
	return body[1 : len(body)-1]
}

func among(err error, allowed []error) bool {
	for _, one := range allowed {
		if errors.Is(err, one) {
			return true
		}
	}
	return false
}

func TestOverload(t *testing.T) {
	f := newFixture(t, 20, Options{Connections: 1, Batch: 1, Queue: 3, Timeout: publishtest.Patience})
	unlock := f.lock(f.document(""))
	results := make(chan error)
	for id := int64(1); id <= 20; id++ {
		go func() {
			_, err := f.Get(f.document(""), sql.IntID(id), Match{}, nil)
			results <- err
		}()
	}
	// One is under way and three wait, so at least 16 are refused while nothing moves.
	for range 16 {
		if err := <-results; !errors.Is(err, ErrOverloaded) {
			t.Errorf("got %v, want %v", err, ErrOverloaded)
		}
	}
	unlock()
	for range 4 {
		if err := <-results; err != nil && !errors.Is(err, ErrOverloaded) {
			t.Errorf("an accepted lookup: %v", err)
		}
	}
}

func TestSilentNetwork(t *testing.T) {
	database := testdb.New(t)
	between, url := newProxy(t, database.API)
	f := &fixture{t: t, database: database, publisher: publishtest.NewPublisher(t, database)}
	f.publish(1, 1)
	f.Store = open(t, Options{URL: url, Timeout: 100 * time.Millisecond, Poll: 10 * time.Millisecond})
	publishtest.Eventually(t, "the store is ready", func() bool { return f.Ready() == nil })
	before := between.connections()

	between.stall()
	result, err := f.Get(f.document(""), sql.IntID(1), Match{}, make([]byte, 0, 64<<10))
	if !errors.Is(err, ErrTimeout) || result.Body != nil {
		t.Errorf("got %v and a buffer of %d, want %v and none", err, cap(result.Body), ErrTimeout)
	}
	publishtest.Eventually(t, "the silent connections are closed", func() bool {
		_, err := f.Get(f.document(""), sql.IntID(1), Match{}, nil)
		return errors.Is(err, ErrUnavailable)
	})
	between.resume()
	publishtest.Eventually(t, "lookups succeed again", func() bool {
		_, err := f.Get(f.document(""), sql.IntID(1), Match{}, nil)
		return err == nil
	})
	if between.connections() == before {
		t.Error("the silent connections were not replaced")
	}
}

func TestKilledConnections(t *testing.T) {
	const ids, readers = 100, 16
	f := newFixture(t, ids, Options{})
	admin := testdb.Connect(t, f.database.AdminURL)
	var reads, failures atomic.Int64
	stop := make(chan struct{})
	var wait sync.WaitGroup
	for reader := range readers {
		wait.Go(func() {
			random := rand.New(rand.NewPCG(2, uint64(reader)))
			for {
				select {
				case <-stop:
					return
				default:
				}
				id := 1 + random.Int64N(ids)
				result, err := f.Get(f.document("detail"), sql.IntID(id), Match{}, nil)
				switch {
				case err == nil:
					checkBody(t, "detail", id, result)
					reads.Add(1)
				case errors.Is(err, ErrUnavailable) || errors.Is(err, ErrTimeout):
					failures.Add(1)
					time.Sleep(time.Millisecond) // a refused client pauses
				default:
					t.Errorf("detail %d: %v", id, err)
				}
			}
		})
	}
	for round := range 10 {
		seen := reads.Load()
		publishtest.Eventually(t, fmt.Sprintf("lookups succeed after kill %d", round), func() bool { return reads.Load() > seen+100 })
		if publishtest.TerminateServers(t, admin) == 0 {
			t.Error("no connection was killed")
		}
	}
	seen := reads.Load()
	publishtest.Eventually(t, "lookups succeed after the last kill", func() bool { return reads.Load() > seen+100 })
	close(stop)
	wait.Wait()
	t.Logf("%d read, %d refused", reads.Load(), failures.Load())
}

func TestConnectionKilledWhileIdle(t *testing.T) {
	f := newFixture(t, 1, Options{Poll: time.Hour})
	admin := testdb.Connect(t, f.database.AdminURL)
	for range 3 {
		// Connections that were killed before may not be back yet.
		publishtest.Eventually(t, "all connections, older than provenAge, are killed", func() bool {
			time.Sleep(2 * provenAge)
			return publishtest.TerminateServers(t, admin) >= 2
		})
		for range 8 {
			result, err := f.Get(f.document(""), sql.IntID(1), Match{}, nil)
			if err != nil {
				t.Fatalf("after the connections were killed: %v", err)
			}
			checkBody(t, "item", 1, result)
		}
	}
}

func TestCloseFinishesLookups(t *testing.T) {
	f := newFixture(t, 10, Options{Connections: 1, Batch: 2, Timeout: publishtest.Patience})
	unlock := f.lock(f.document(""))
	results := make(chan error)
	for id := int64(1); id <= 10; id++ {
		go func() {
			result, err := f.Get(f.document(""), sql.IntID(id), Match{}, nil)
			if err == nil {
				checkBody(t, "item", id, result)
			}
			results <- err
		}()
	}
	publishtest.Eventually(t, "all lookups are pending, and one or two of them are under way", func() bool {
		waiting := len(f.queue.fetchable())
		return f.pending() == 10 && (waiting == 8 || waiting == 9)
	})

	short, cancel := context.WithCancel(context.Background())
	cancel()
	if err := f.Close(short); !errors.Is(err, context.Canceled) {
		t.Errorf("Close without time: %v", err)
	}
	if _, err := f.Get(f.document(""), sql.IntID(1), Match{}, nil); !errors.Is(err, ErrUnavailable) {
		t.Errorf("a lookup after Close: %v, want %v", err, ErrUnavailable)
	}
	unlock()
	for range 10 {
		if err := <-results; err != nil {
			t.Errorf("a lookup from before Close: %v", err)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), publishtest.Patience)
	defer cancel()
	if err := f.Close(ctx); err != nil {
		t.Errorf("Close: %v", err)
	}
	admin := testdb.Connect(t, f.database.AdminURL)
	publishtest.Eventually(t, "the connections are closed", func() bool { return publishtest.TerminateServers(t, admin) == 0 })
}

func TestAllocations(t *testing.T) {
	f := newFixture(t, 490, Options{Connections: 1, Poll: time.Hour})
	var buffer []byte
	var size int
	get := func() {
		result, err := f.Get(f.document("detail"), sql.IntID(482), Match{}, buffer[:0])
		if err != nil {
			t.Fatal(err)
		}
		buffer, size = result.Body, len(result.Body)
	}
	for range 10 {
		get()
	}
	// Of the whole process: the worker's and the driver's are among them.
	const most = 8
	allocations := testing.AllocsPerRun(500, get)
	t.Logf("%.0f allocations for a document of %d bytes", allocations, size)
	if allocations > most {
		t.Errorf("%.0f allocations for a lookup, want at most %d", allocations, most)
	}
}
