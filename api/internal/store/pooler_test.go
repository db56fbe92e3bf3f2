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

	"github.com/jackc/pgx/v5"

	"systemscale/api/internal/publishtest"
	"systemscale/sql"
	"systemscale/sql/testdb"
)

// ignoresSettings is a common setting of PgBouncer 1.18 for startup parameters that it does not support.
const ignoresSettings = "ignore_startup_parameters = default_transaction_read_only,statement_timeout,plan_cache_mode,jit,enable_bitmapscan"

// TestPooler runs two stores, as two instances of the server, through PgBouncer, and has both look everything up at once while
// runs change rows in place and flip generations. No answer may be another document's, and none may fail.
func TestPooler(t *testing.T) {
	const ids, readers = 60, 12
	for _, c := range []struct {
		name, mode string
		settings   []string
	}{
		{"session", "session", nil},
		{"transaction", "transaction", []string{"default_pool_size = 4"}},
		{"transaction that ignores settings", "transaction", []string{"default_pool_size = 3", ignoresSettings}},
		{"transaction that forgets", "transaction", []string{"server_reset_query_always = 1", "server_reset_query = DISCARD ALL"}},
		{"transaction over one connection", "transaction", []string{"default_pool_size = 1"}},
		{"transaction in turns", "transaction", []string{"server_round_robin = 1", "min_pool_size = 5"}},
		{"statement", "statement", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			database := testdb.New(t)
			through := testdb.Pooler(t, database, c.mode, c.settings...)
			f := &fixture{t: t, database: database, publisher: publishtest.NewPublisher(t, database)}
			f.publish(1, ids)
			var stores [2]*Store
			for i := range stores {
				stores[i] = open(t, Options{URL: through(database.API), Poll: 5 * time.Millisecond, Timeout: publishtest.Patience})
				publishtest.Eventually(t, "the store is ready", func() bool { return stores[i].Ready() == nil })
			}
			f.Store = stores[0]

			var published atomic.Bool
			var wait sync.WaitGroup
			var lookups atomic.Int64
			for reader := range readers {
				wait.Go(func() {
					random := rand.New(rand.NewPCG(7, uint64(reader)))
					for round := 0; round < 60 || !published.Load(); round++ {
						lookUpAnything(t, stores[reader%len(stores)], random, ids)
						lookups.Add(1)
					}
				})
			}
			eventually := func(what string, run int64) {
				for _, s := range stores {
					publishtest.Eventually(t, what, func() bool { return s.Snapshot().Collection([]byte(collection)).Run == run })
				}
			}
			update := "update catalog." + f.document("").table + " set etag = etag where id < 20"
			eventually("a change in place is seen", f.change(f.list(), update))
			old := f.list().Generation
			eventually("a flip is seen", f.publish(2, ids))
			f.publisher.Drop(collection, old, "item", "detail", "page")
			eventually("another flip is seen", f.publish(3, ids))
			published.Store(true)
			wait.Wait()
			t.Logf("%d lookups", lookups.Load())
			checkNotListening(t, through(database.API), 8)
		})
	}
}

// lookUpAnything makes one lookup of any kind and fails t unless the answer is right.
func lookUpAnything(t *testing.T, s *Store, random *rand.Rand, ids int64) {
	things := s.Snapshot().Collection([]byte(collection))
	id, name := 1+random.Int64N(ids), "item"
	endpoint := things.Path(nil)
	switch random.IntN(6) {
	case 0:
		result, err := s.List(things.List, id-1, 1, nil)
		if err == nil {
			result.Body = trimList(result.Body)
			result.ETag = etagIn(t, result.Body)
			checkBody(t, "item", id, result)
		} else {
			t.Errorf("page: %v", err)
		}
		return
	case 1:
		result, err := s.Changes(things, 0, Cursor{}, 5, nil)
		if err != nil && !errors.Is(err, ErrHistoryTooShort) || err == nil && !strings.HasPrefix(string(result.Body), `{"next"`) {
			t.Errorf("changes: %s, %v", result.Body, err)
		}
		return
	case 2:
		result, err := s.Get(endpoint, sql.IntID(id), Match{Any: true}, nil)
		if err != nil || !result.NotModified {
			t.Errorf("etag of %d: %v", id, err)
		} else if edition := int(result.ETag << 1 >> 41); result.ETag != publishtest.NewRow("item", edition, id).ETag {
			t.Errorf("etag of %d: %016x is another document's", id, result.ETag)
		}
		return
	case 3:
		if _, err := s.Get(endpoint, sql.IntID(ids+id), Match{}, nil); !errors.Is(err, ErrNotFound) {
			t.Errorf("a document that does not exist: %v", err)
		}
		return
	case 4:
		endpoint, name = things.Path([]byte("detail")), "detail"
	}
	result, err := s.Get(endpoint, sql.IntID(id), Match{}, nil)
	if err != nil {
		t.Errorf("%s %d: %v", name, id, err)
		return
	}
	checkBody(t, name, id, result)
}

// etagIn returns the etag in a body.
func etagIn(t *testing.T, body []byte) (etag uint64) {
	_, text, _ := strings.Cut(string(body), `"etag": "`)
	if _, err := fmt.Sscanf(text, "%016x", &etag); err != nil {
		t.Errorf("no etag in %.80q: %v", body, err)
	}
	return etag
}

// checkNotListening fails t if one of the server connections that clients of a pooler share listens for notifications.
func checkNotListening(t *testing.T, databaseURL string, attempts int) {
	t.Helper()
	for range attempts {
		conn := testdb.Connect(t, databaseURL)
		var channels int
		const count = "select count(*) from pg_listening_channels()"
		if err := conn.QueryRow(t.Context(), count, pgx.QueryExecModeExec).Scan(&channels); err != nil {
			t.Fatal(err)
		}
		if channels != 0 {
			t.Error("a shared connection listens")
		}
	}
}

// spoiled returns a worker without a goroutine, whose only connection was changed by spoil.
func spoiled(t *testing.T, f *fixture, spoil func(*connection)) *worker {
	t.Helper()
	config, err := configure(Options{URL: f.database.API, Timeout: publishtest.Patience})
	if err != nil {
		t.Fatal(err)
	}
	conn, err := connect(t.Context(), &config.Config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.close)
	spoil(conn)
	return &worker{
		placement: placement{queue: f.queue}, conn: conn, follower: f.follower, metrics: f.metrics, limit: 64,
		timeout: publishtest.Patience,
	}
}

// TestDuplicateStatement uses a connection that already has a statement of the same name, as with a pooler.
func TestDuplicateStatement(t *testing.T) {
	f := newFixture(t, 3, Options{})
	item, detail := f.document(""), f.document("detail")
	parameters := statements[kindGet].parameters
	for name, c := range map[string]struct {
		text    string
		foreign bool
	}{
		"the same":                   {item.statement(kindGet).text, false},
		"another document's":         {detail.statement(kindGet).text, true},
		"of other columns":           {"select 1::bigint where $1::bigint[] is not null", true},
		"of no identity":             {"select null::bigint, 1::bigint, 1::bigint, '{}'::jsonb where $1::bigint[] is not null", true},
		"with a document not wanted": {strings.Replace(item.statement(kindGet).text, `any ($1)`, `any ($1) or id = 3`, 1), true},
	} {
		t.Run(name, func(t *testing.T) {
			w := spoiled(t, f, func(conn *connection) {
				if _, err := conn.Prepare(context.Background(), item.statement(kindGet).name, c.text, parameters); err != nil {
					t.Fatal(err)
				}
			})
			l := newLookup()
			l.kind, l.endpoint, l.id = kindGet, item, 2
			l.begin(nil)
			w.waiting = []*lookup{l}
			err := w.exchange()
			if c.foreign {
				if !errors.Is(err, errForeign) || len(w.settled) != 0 && len(l.result.Body) > 0 &&
					etagIn(t, l.result.Body) != publishtest.NewRow("item", 1, 2).ETag {
					t.Errorf("exchange = %v and %d answers, want %v", err, len(w.settled), errForeign)
				}
				return
			}
			if err != nil || len(w.settled) != 1 || l.err != nil {
				t.Fatalf("exchange = %v and %d answers, %v", err, len(w.settled), l.err)
			}
			checkBody(t, "item", 2, l.result)
		})
	}
}

// TestLostStatement deallocates the store's prepared statements. The store must recover, and stop preparing statements in the end.
func TestLostStatement(t *testing.T) {
	f := newFixture(t, 3, Options{})
	w := spoiled(t, f, func(*connection) {})
	for round := range 5 {
		for _, kind := range []kind{kindGet, kindETag, kindList, kindChanges} {
			l := newLookup()
			l.kind, l.endpoint, l.id, l.limit, l.unless.Any = kind, f.document(""), 2, 1, true
			if kind == kindList || kind == kindChanges {
				l.endpoint = f.list()
			}
			l.begin(nil)
			w.waiting = []*lookup{l}
			for attempt := 0; len(w.settled) == 0; attempt++ {
				if err := w.exchange(); err != nil || attempt > 1 {
					t.Fatalf("round %d: %v after %d attempts", round, err, attempt)
				}
				w.waiting = append(w.waiting[:0], w.again...)
			}
			w.settled = w.settled[:0]
			if l.err != nil && !errors.Is(l.err, ErrHistoryTooShort) || l.result.Run != f.list().Run {
				t.Errorf("round %d, kind %d: run %d, %v", round, kind, l.result.Run, l.err)
			}
		}
		if err := w.conn.Exec(t.Context(), "deallocate all").Close(); err != nil {
			t.Fatal(err)
		}
	}
	if w.conn.losses != maxLosses+1 {
		t.Errorf("statements were lost %d times, want %d", w.conn.losses, maxLosses+1)
	}
}

// TestForeignResult replaces the statements of a page and of changes by those of another request of the same kind.
func TestForeignResult(t *testing.T) {
	f := newFixture(t, 3, Options{})
	for _, kind := range []kind{kindList, kindChanges} {
		endpoint := f.list()
		wanted := endpoint.statement(kind)
		text := strings.Replace(wanted.text, "$7::bigint", "$7::bigint + 1", 1)
		w := spoiled(t, f, func(conn *connection) {
			if _, err := conn.Prepare(context.Background(), wanted.name, text, statements[kind].parameters); err != nil {
				t.Fatal(err)
			}
		})
		l := newLookup()
		l.kind, l.endpoint, l.limit = kind, endpoint, 1
		l.begin(nil)
		w.waiting = []*lookup{l}
		if err := w.exchange(); !errors.Is(err, errForeign) || len(w.settled) != 0 {
			t.Errorf("kind %d: exchange = %v and %d answers, want %v", kind, err, len(w.settled), errForeign)
		}
	}
}

// TestStatementIdentity compares the statements of different documents, generations and kinds: no two have one name, or one identity.
func TestStatementIdentity(t *testing.T) {
	names, identities := map[string]bool{}, map[int64]bool{}
	endpoints := []sql.Endpoint{{Name: "a"}, {Name: "b", Path: "b"}, {Name: "c", List: true}}
	for _, collection := range []string{"x", "y"} {
		for generation := range int64(3) {
			c := newCollection(Version{Collection: collection, Generation: generation, Endpoints: endpoints})
			for _, e := range c.byName {
				for i := range statements {
					kind := kind(i)
					made := newStatement(e, kind)
					if len(made.name) > 63 || names[made.name] || identities[made.identity] {
						t.Errorf("%s %s %d %d: name %s, identity %d", collection, e.Name, generation, kind, made.name, made.identity)
					}
					names[made.name], identities[made.identity] = true, true
				}
			}
		}
	}
	// A run that changes rows in place makes another Document of the same table, and need not prepare its statements again.
	first := newCollection(Version{Collection: "x", Generation: 1, Run: 1, Endpoints: endpoints})
	second := newCollection(Version{Collection: "x", Generation: 1, Run: 2, Endpoints: endpoints})
	if *first.List.statement(kindList) != *second.List.statement(kindList) {
		t.Error("two runs in the same tables have different statements")
	}
}
