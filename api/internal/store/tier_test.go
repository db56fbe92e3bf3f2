package store

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"systemscale/api/internal/cache"
	"systemscale/api/internal/publishtest"
	"systemscale/infra/redis/redistest"
	"systemscale/sql"
	"systemscale/sql/testdb"
)

// cached is a store with a document cache, and the cache's counters.
type cached struct {
	*Store
	metrics *prometheus.Registry
}

// openCached opens a store with a document cache.
func openCached(t testing.TB, options Options, cacheURL string) cached {
	t.Helper()
	metrics := prometheus.NewRegistry()
	documents, err := cache.Open(cache.Options{
		URL: cacheURL, Timeout: 5 * time.Second, Logger: slog.New(slog.DiscardHandler), Registerer: metrics,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(documents.Close) // after the store
	options.Cache = documents
	c := cached{open(t, options), metrics}
	publishtest.Eventually(t, "the store is ready", func() bool { return c.Ready() == nil && documents.Status().Up })
	c.awaitLineage(t)
	return c
}

// awaitLineage waits until the lineage of the served version has been read.
func (c cached) awaitLineage(t testing.TB) {
	t.Helper()
	publishtest.Eventually(t, "the lineage has been read", func() bool {
		return c.Snapshot().Collection([]byte(collection)).Path(nil).lineage.Load() != nil
	})
}

// awaitVersion waits until the store serves a run, and its lineage has been read.
func (c cached) awaitVersion(t testing.TB, run int64) {
	t.Helper()
	publishtest.Eventually(t, fmt.Sprintf("run %d is served", run), func() bool {
		return c.Snapshot().Collection([]byte(collection)).Run == run
	})
	c.awaitLineage(t)
}

func (c cached) count(t testing.TB, name, outcome string) int {
	t.Helper()
	families, err := c.metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		for _, metric := range family.GetMetric() {
			if family.GetName() == name && len(metric.GetLabel()) == 1 && metric.GetLabel()[0].GetValue() == outcome {
				return int(metric.GetCounter().GetValue())
			}
		}
	}
	t.Fatalf("no %s of outcome %s; %d metrics", name, outcome, testutil.CollectAndCount(c.Store))
	return 0
}

func (c cached) reads(t testing.TB, outcome string) int {
	t.Helper()
	return c.count(t, "systemscale_document_cache_reads_total", outcome)
}

func (c cached) stored(t testing.TB) int {
	t.Helper()
	return c.count(t, "systemscale_document_cache_fills_total", "stored")
}

// edition reads the document with an id and returns its edition, or 0 if there is none.
func (c cached) edition(t testing.TB, id int64) int {
	t.Helper()
	result, err := c.Get(c.Snapshot().Collection([]byte(collection)).Path(nil), sql.IntID(id), Match{}, nil)
	if errors.Is(err, ErrNotFound) {
		return 0
	}
	if err != nil {
		t.Errorf("item %d: %v", id, err)
		return -1
	}
	return checkBody(t, "item", id, result)
}

// fill reads the document with an id until it comes from the cache.
func (c cached) fill(t testing.TB, id int64) {
	t.Helper()
	publishtest.Eventually(t, "the document is in the cache", func() bool {
		before := c.reads(t, "hit")
		c.edition(t, id)
		return c.reads(t, "hit") > before
	})
}

// content is the edition of the document with each id. A missing id has no document.
type content map[int64]int

// timeline publishes versions of a collection with one endpoint, as the ETL does, and keeps what it has published.
type timeline struct {
	t         testing.TB
	publisher *publishtest.Publisher
	conn      *pgx.Conn

	mutex    sync.Mutex
	versions []content // of all versions, and of one that is being published
	runs     []int64
	tables   []int64           // the generation of each version
	present  map[int64]content // of the tables of each generation
	editions int
}

func newTimeline(t testing.TB, database testdb.Database) *timeline {
	t.Helper()
	return &timeline{t: t, publisher: publishtest.NewPublisher(t, database), conn: testdb.Connect(t, database.ETL), present: map[int64]content{}}
}

// announce records a version before it is published, because readers may meet it before publishing returns.
func (l *timeline) announce(next content) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	l.versions = append(l.versions, next)
}

func (l *timeline) published(run, generation int64, next content) int64 {
	l.runs, l.tables = append(l.runs, run), append(l.tables, generation)
	l.present[generation] = maps.Clone(next)
	return run
}

func (l *timeline) exec(statement string, arguments ...any) {
	l.t.Helper()
	if _, err := l.conn.Exec(context.Background(), statement, arguments...); err != nil {
		l.t.Fatalf("%s: %v", statement, err)
	}
}

// load publishes a new generation.
func (l *timeline) load(next content) int64 {
	l.t.Helper()
	l.announce(next)
	var rows []publishtest.Row
	for _, id := range slices.Sorted(maps.Keys(next)) {
		rows = append(rows, publishtest.NewRow("item", next[id], id))
	}
	run := l.publisher.Publish(collection, publishtest.Table{Endpoint: sql.Endpoint{Name: "item"}, Rows: rows})
	l.exec(`update catalog.run r set state = 'published', generation = r.id, finished_at = v.published_at
		from catalog.version v where v.run_id = r.id and r.id = $1`, run)
	return l.published(run, run, next)
}

// write publishes a version in the tables of a generation: a delta if it is live, and otherwise a return to it.
func (l *timeline) write(generation int64, next content) (run int64) {
	l.t.Helper()
	l.announce(next)
	ctx := context.Background()
	table := sql.DocumentTable(collection, "item", generation)
	err := pgx.BeginFunc(ctx, l.conn, func(tx pgx.Tx) error {
		if err := tx.QueryRow(ctx, sql.Query("etl/insert_run"), collection, "delta", "test").Scan(&run); err != nil {
			return err
		}
		batch := &pgx.Batch{}
		log := `insert into catalog.change (collection, generation, run_id, document, id, kind) values ($1, $2, $3, 'item', $4, $5)`
		present := l.present[generation]
		for id := range present {
			if next[id] == 0 {
				batch.Queue(log, collection, generation, run, id, "removed")
				batch.Queue("delete from catalog."+table+" where id = $1", id)
			}
		}
		for id, edition := range next {
			if present[id] != edition {
				row := publishtest.NewRow("item", edition, id)
				batch.Queue(log, collection, generation, run, id, "changed")
				batch.Queue("insert into catalog."+table+" values ($1, $2, $3) on conflict (id) do update set etag = excluded.etag, body = excluded.body",
					id, int64(row.ETag), row.Body)
			}
		}
		batch.Queue("update catalog.run set state = 'published', finished_at = now(), generation = $2 where id = $1", run, generation)
		batch.Queue("update catalog.version set generation = $2, run_id = $1, published_at = now() where collection = $3", run, generation, collection)
		batch.Queue("select pg_notify($1, $2)", sql.VersionChannel, collection)
		return tx.SendBatch(ctx, batch).Close()
	})
	if err != nil {
		l.t.Fatalf("write a version: %v", err)
	}
	return l.published(run, generation, next)
}

// changed returns a content in which some documents of another differ: changed, removed or added.
func (l *timeline) changed(from content, ids ...int64) content {
	next := maps.Clone(from)
	l.editions++
	for i, id := range ids {
		if i%3 == 2 && next[id] != 0 {
			delete(next, id)
		} else {
			next[id] = l.editions
		}
	}
	return next
}

// newest returns the content of the newest version.
func (l *timeline) newest() content { return l.versions[len(l.versions)-1] }

// prune removes all but some versions from the change log and from those that are kept, as the ETL does after each run.
func (l *timeline) prune(keep int) {
	l.t.Helper()
	l.exec(sql.Query("etl/release_versions"), collection, keep)
	l.exec(sql.QueryFor("etl/delete_changes", "change", "change"), collection)
}

// next returns the first version, of those from one on, in which a document has an edition. It returns -1 if there is none.
func (l *timeline) next(from int, id int64, edition int) int {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	for i := from; i < len(l.versions); i++ {
		if l.versions[i][id] == edition {
			return i
		}
	}
	return -1
}

const tierIDs = 24

// TestPublishingWithCache publishes versions in every way while two instances that share a cache are read. For a reader of an instance, the
// version of the documents never decreases, over all documents, and each document is that of the version.
func TestPublishingWithCache(t *testing.T) {
	for _, c := range []struct {
		name   string
		faulty bool
		url    func(server *redistest.Server) string
	}{
		{"redis", false, (*redistest.Server).URL},
		{"redis that fails", true, (*redistest.Server).URL},
		{"memory", false, func(*redistest.Server) string { return "memory://8MiB" }},
	} {
		t.Run(c.name, func(t *testing.T) {
			server := redistest.New(t, "--maxmemory", "4mb", "--maxmemory-policy", "noeviction")
			database := testdb.New(t)
			l := newTimeline(t, database)
			all := make([]int64, tierIDs)
			for i := range all {
				all[i] = int64(i) + 1
			}
			l.load(l.changed(content{}, all...))
			instances := []cached{}
			for _, poll := range []time.Duration{10 * time.Millisecond, 150 * time.Millisecond} {
				instances = append(instances, openCached(t, Options{URL: database.API, Poll: poll, Timeout: publishtest.Patience}, c.url(server)))
			}

			var stop atomic.Bool
			var readers, faults sync.WaitGroup
			var lookups atomic.Int64
			for i, instance := range instances {
				for reader := range 4 {
					readers.Go(func() {
						random := rand.New(rand.NewPCG(uint64(i), uint64(reader)))
						for version := 0; !stop.Load() && !t.Failed(); lookups.Add(1) {
							id := 1 + random.Int64N(tierIDs)
							edition := instance.edition(t, id)
							next := l.next(version, id, edition)
							if next < 0 {
								t.Errorf("instance %d: item %d has edition %d after version %d", i, id, edition, version)
								return
							}
							version = next
						}
					})
				}
			}
			if c.faulty {
				faults.Go(func() {
					for n := 0; !stop.Load() && !t.Failed(); n++ {
						disturb(server, n)
					}
				})
			}
			random := rand.New(rand.NewPCG(1, 2))
			for n := range 30 {
				some := []int64{1 + random.Int64N(tierIDs), 1 + random.Int64N(tierIDs), 1 + random.Int64N(tierIDs)}
				earlier := random.IntN(len(l.runs))
				live := l.tables[len(l.tables)-1]
				switch {
				case n%10 == 9:
					l.load(l.changed(l.newest(), all...))
				case n%5 == 3: // a return to an earlier version, perhaps of another generation
					l.write(l.tables[earlier], l.versions[earlier])
				default:
					l.write(live, l.changed(l.newest(), some...))
				}
				if n%4 == 0 {
					l.prune(1 + random.IntN(6))
				}
				// Each version is read a few times.
				enough := lookups.Load() + 200
				publishtest.Eventually(t, "it is read", func() bool { return lookups.Load() > enough || t.Failed() })
				for _, instance := range instances {
					hits := instance.reads(t, "hit")
					publishtest.Eventually(t, "it is cached", func() bool {
						return n%4 != 1 || instance.reads(t, "hit") > hits+tierIDs || t.Failed()
					})
				}
			}
			stop.Store(true)
			readers.Wait()
			faults.Wait()
			outdated := 0
			for i, instance := range instances {
				instance.awaitVersion(t, l.runs[len(l.runs)-1])
				for _, id := range all {
					if got, want := instance.edition(t, id), l.newest()[id]; got != want {
						t.Errorf("at the end: item %d has edition %d, want %d", id, got, want)
					}
				}
				hits, stale, skipped := instance.reads(t, "hit"), instance.reads(t, "stale"), instance.reads(t, "skipped")
				t.Logf("instance %d: %d hits, %d stale, %d skipped", i, hits, stale, skipped)
				outdated += stale
			}
			if outdated == 0 {
				t.Error("no document in the cache was out of date, so the test proves nothing")
			}
			t.Logf("%d lookups, %d versions", lookups.Load(), len(l.runs))
		})
	}
}

// disturb makes a server fail in one way, and ends the failure.
func disturb(server *redistest.Server, n int) {
	const pause = 30 * time.Millisecond // long enough for lookups to meet it
	switch n % 5 {
	case 0:
		server.Kill()
		time.Sleep(pause)
		server.Start()
	case 1:
		server.Pause()
		time.Sleep(pause)
		server.Resume()
	case 2:
		server.Do("FLUSHALL")
	case 3: // it refuses further documents
		server.Do("CONFIG", "SET", "maxmemory", "1")
		time.Sleep(pause)
		server.Do("CONFIG", "SET", "maxmemory", "4mb")
	case 4:
		cursor := server.Do("SCAN", "0", "COUNT", "1000")
		reply, err := cursor.ToArray()
		if err != nil || len(reply) != 2 {
			return
		}
		keys, _ := reply[1].AsStrSlice()
		for _, key := range keys {
			server.Do("SETRANGE", key, "0", "garbage")
		}
	}
	time.Sleep(pause)
}

// TestUnchangedDocumentsStayCached publishes a delta. The documents that it did not change come from the cache, also in an instance that
// starts later.
func TestUnchangedDocumentsStayCached(t *testing.T) {
	server := redistest.New(t)
	database := testdb.New(t)
	l := newTimeline(t, database)
	generation := l.load(content{1: 1, 2: 1, 3: 1})
	first := openCached(t, Options{URL: database.API}, server.URL())
	for id := range l.newest() {
		first.fill(t, id)
	}
	run := l.write(generation, content{1: 1, 2: 2, 3: 1})
	first.awaitVersion(t, run)
	second := openCached(t, Options{URL: database.API}, server.URL())
	for name, instance := range map[string]cached{"first": first, "second": second} {
		hits := instance.reads(t, "hit")
		for id, want := range map[int64]int{1: 1, 3: 1} {
			if got := instance.edition(t, id); got != want {
				t.Errorf("%s instance: item %d has edition %d, want %d", name, id, got, want)
			}
		}
		if got := instance.reads(t, "hit") - hits; got != 2 {
			t.Errorf("%s instance: %d hits of 2 unchanged documents", name, got)
		}
		if got := instance.edition(t, 2); got != 2 {
			t.Errorf("%s instance: item 2 has edition %d, want 2", name, got)
		}
	}
	if first.reads(t, "stale")+second.reads(t, "stale") == 0 {
		t.Error("the changed document was not in the cache, so the test proves nothing")
	}
}

// TestUsedDocumentsStayCached publishes more versions than are kept. A document that is read after each of them stays in the cache, although
// its first version has left the lineage.
func TestUsedDocumentsStayCached(t *testing.T) {
	database := testdb.New(t)
	l := newTimeline(t, database)
	generation := l.load(content{1: 1, 2: 1})
	s := openCached(t, Options{URL: database.API}, "memory://8MiB")
	s.fill(t, 1)
	for edition := 2; edition < 10; edition++ {
		s.awaitVersion(t, l.write(generation, content{1: 1, 2: edition}))
		l.prune(3)
		hits := s.reads(t, "hit")
		s.edition(t, 1)
		if s.reads(t, "hit") != hits+1 {
			t.Errorf("edition %d: a document that is used has left the cache", edition)
		}
	}
}

// TestNewerDocumentsEndUseOfCache commits a delta that the store does not follow. Once a lookup has returned a document of it, or has found
// that a document is removed, documents of the earlier version must not come from the cache.
func TestNewerDocumentsEndUseOfCache(t *testing.T) {
	for name, meet := range map[string]func(t *testing.T, s cached){
		"changed document": func(t *testing.T, s cached) {
			if got := s.edition(t, 2); got != 2 {
				t.Fatalf("item 2 has edition %d, want 2", got)
			}
		},
		"removed document": func(t *testing.T, s cached) {
			if got := s.edition(t, 4); got != 0 {
				t.Fatalf("item 4 has edition %d, want none", got)
			}
		},
		"condition": func(t *testing.T, s cached) {
			held := Match{ETags: []uint64{publishtest.NewRow("item", 2, 2).ETag}}
			result, err := s.Get(s.Snapshot().Collection([]byte(collection)).Path(nil), sql.IntID(2), held, nil)
			if err != nil || !result.NotModified || len(result.Body) != 0 {
				t.Fatalf("a condition that holds: %+v, %v", result, err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			database := testdb.New(t)
			l := newTimeline(t, database)
			l.load(content{1: 1, 2: 1, 3: 1, 4: 1})
			l.editions = 1
			s := openCached(t, Options{URL: database.API, Poll: time.Hour}, "memory://8MiB")
			s.fill(t, 1)
			// change does not notify.
			f := &fixture{t: t, database: database}
			one, two := publishtest.NewRow("item", 2, 1), publishtest.NewRow("item", 2, 2)
			endpoint := s.Snapshot().Collection([]byte(collection)).Path(nil)
			f.change(endpoint,
				fmt.Sprintf("update catalog.%s set etag = %d, body = '%s' where id = 1", endpoint.table, int64(one.ETag), one.Body),
				fmt.Sprintf("update catalog.%s set etag = %d, body = '%s' where id = 2", endpoint.table, int64(two.ETag), two.Body),
				fmt.Sprintf("delete from catalog.%s where id = 4", endpoint.table))
			if got := s.edition(t, 1); got != 1 {
				t.Fatalf("item 1 has edition %d, want 1, from the cache", got)
			}
			stored := s.stored(t)
			meet(t, s)
			if got := s.edition(t, 1); got != 2 {
				t.Errorf("item 1 has edition %d after a newer version was met", got)
			}
			if s.stored(t) != stored {
				t.Error("a document of a version that is not served was stored")
			}
			if s.reads(t, "skipped") == 0 {
				t.Error("the cache was read")
			}
		})
	}
}

// TestDatabasesShareServer uses one server for two databases that have a collection of the same name.
func TestDatabasesShareServer(t *testing.T) {
	server := redistest.New(t)
	var instances []cached
	for edition := 1; edition <= 2; edition++ {
		database := testdb.New(t)
		newTimeline(t, database).load(content{1: edition, 2: edition})
		instances = append(instances, openCached(t, Options{URL: database.API}, server.URL()))
	}
	for range 3 {
		for i, instance := range instances {
			instance.fill(t, 1)
			if got := instance.edition(t, 1); got != i+1 {
				t.Errorf("database %d: edition %d", i+1, got)
			}
		}
	}
	for i, instance := range instances {
		if instance.reads(t, "stale") > 0 {
			t.Errorf("database %d replaces documents of the other", i+1)
		}
	}
}

// TestReusedRun repeats a run with other documents, as a server does that was promoted before it received the run. The documents of the lost
// run must not come from the cache.
func TestReusedRun(t *testing.T) {
	server := redistest.New(t)
	database := testdb.New(t)
	l := newTimeline(t, database)
	generation := l.load(content{1: 1, 2: 1})
	lost := l.write(generation, content{1: 2, 2: 1})
	first := openCached(t, Options{URL: database.API}, server.URL())
	first.fill(t, 1)

	table := sql.DocumentTable(collection, "item", generation)
	row := publishtest.NewRow("item", 3, 1)
	l.exec("update catalog."+table+" set etag = $1, body = $2 where id = 1", int64(row.ETag), row.Body)
	l.exec("update catalog.run set finished_at = finished_at + interval '1 minute' where id = $1", lost)
	l.exec("update catalog.version set published_at = published_at + interval '1 minute'")
	second := openCached(t, Options{URL: database.API}, server.URL())
	if got := second.edition(t, 1); got != 3 {
		t.Errorf("edition %d, want 3", got)
	}
	if second.reads(t, "stale") != 1 {
		t.Error("the document of the lost run was not in the cache, so the test proves nothing")
	}
}

// TestLineageIsBounded publishes more changes than a lineage may have, and versions that are not kept.
func TestLineageIsBounded(t *testing.T) {
	database := testdb.New(t)
	l := newTimeline(t, database)
	generation := l.load(content{1: 1, 2: 1, 3: 1})
	steps := func(limit int) (runs []int64) {
		t.Helper()
		s := &tier{known: map[string]*record{}, seen: map[string]*seen{}, changes: limit}
		store := open(t, Options{URL: database.API})
		publishtest.Eventually(t, "the newest version is served", func() bool {
			c := store.Snapshot().Collection([]byte(collection))
			return c != nil && c.Run == l.runs[len(l.runs)-1]
		})
		s.follower = store.follower
		read, err := s.read(t.Context(), store.Snapshot().Collection([]byte(collection)))
		if err != nil {
			t.Fatal(err)
		}
		for _, version := range read.versions {
			runs = append(runs, version.stamp.Run)
		}
		return runs
	}
	check := func(what string, got []int64, want ...int64) {
		t.Helper()
		if !slices.Equal(got, want) {
			t.Errorf("%s: the lineage has the runs %v, want %v", what, got, want)
		}
	}
	check("one version", steps(10), generation)
	two := l.write(generation, content{1: 2, 2: 2, 3: 1})
	three := l.write(generation, content{1: 3, 2: 3, 3: 1})
	check("three versions", steps(10), three, two, generation)
	check("room for both", steps(4), three, two, generation)
	check("room for the last", steps(3), three, two)
	check("no room", steps(1), three)
	l.prune(2)
	check("two versions are kept", steps(10), three, two)
}

// TestJudge compares documents of each version with the lineage.
func TestJudge(t *testing.T) {
	stamp := func(run int64) cache.Stamp { return cache.Stamp{Run: run, PublishedAt: 1000 + run} }
	ids := func(ids ...int64) map[int64]struct{} {
		set := map[int64]struct{}{}
		for _, id := range ids {
			set[id] = struct{}{}
		}
		return set
	}
	l := &lineage{steps: []step{{stamp(9), ids(1)}, {stamp(7), ids(2)}, {stamp(4), nil}}}
	for _, c := range []struct {
		from    cache.Stamp
		id      int64
		age     int
		current bool
	}{
		{stamp(9), 1, 0, true},
		{stamp(9), 2, 0, true},
		{stamp(9), 3, 0, true},
		{stamp(7), 1, 0, false},
		{stamp(7), 2, 1, true},
		{stamp(7), 3, 1, true},
		{stamp(4), 1, 0, false},
		{stamp(4), 2, 0, false},
		{stamp(4), 3, 2, true},
		{stamp(3), 3, 0, false},
		{stamp(8), 3, 0, false},
		{stamp(10), 3, 0, false},
		{cache.Stamp{Run: 9, PublishedAt: 1}, 3, 0, false},
	} {
		if age, current := l.judge(c.from, c.id); age != c.age || current != c.current {
			t.Errorf("document %s of version %d: %d, %v, want %d, %v", strconv.FormatInt(c.id, 10), c.from.Run, age, current, c.age, c.current)
		}
	}
}

// TestTextsAreCached publishes a delta of a collection whose ids are texts.
func TestTextsAreCached(t *testing.T) {
	database := testdb.New(t)
	publisher := publishtest.NewPublisher(t, database)
	ids := []string{`"`, "A", "AC/DC", "a", strings.Repeat("ä", sql.MaxIDLength/2)}
	table := publishtest.Table{Endpoint: sql.Endpoint{Name: "item", IDParts: 1}}
	for _, id := range ids {
		table.Rows = append(table.Rows, publishtest.NewTextRow("item", 1, id))
	}
	publisher.Publish(collection, table)
	s := openCached(t, Options{URL: database.API}, redistest.New(t).URL())
	read := func(id string) Result {
		t.Helper()
		result, err := s.Get(s.Snapshot().Collection([]byte(collection)).Path(nil), sql.TextID(id), Match{}, nil)
		if err != nil {
			t.Fatalf("%q: %v", id, err)
		}
		return result
	}
	check := func(row publishtest.Row) {
		t.Helper()
		got := read(row.ID.Text())
		edition := fmt.Sprintf(`"edition": %d,`, row.ETag>>40)
		if quoted, _ := json.Marshal(row.ID.Text()); got.ETag != row.ETag || !bytes.Contains(got.Body, quoted) || !strings.Contains(string(got.Body), edition) {
			t.Errorf("%q: %016x, %s, want %016x, %s", row.ID, got.ETag, got.Body, row.ETag, row.Body)
		}
	}
	for _, row := range table.Rows {
		publishtest.Eventually(t, "the document is in the cache", func() bool {
			hits := s.reads(t, "hit")
			check(row)
			return s.reads(t, "hit") > hits
		})
	}
	changed := publishtest.NewTextRow("item", 2, "A")
	f := &fixture{t: t, database: database}
	endpoint := s.Snapshot().Collection([]byte(collection)).Path(nil)
	s.awaitVersion(t, f.change(endpoint,
		fmt.Sprintf("update catalog.%s set etag = %d, body = '%s' where id = 'A'", endpoint.table, int64(changed.ETag), changed.Body),
		fmt.Sprintf("insert into catalog.text_change (collection, generation, run_id, document, id, kind) values ('%s', %d, $run, 'item', 'A', 'changed')",
			collection, endpoint.Generation),
		"update catalog.run r set state = 'published', finished_at = v.published_at, generation = r.id from catalog.version v where v.run_id = r.id"))
	hits := s.reads(t, "hit")
	check(changed)
	if s.reads(t, "hit") != hits {
		t.Error("the changed document came from the cache")
	}
	for _, id := range []int{0, 2, 3, 4} {
		check(table.Rows[id])
	}
	if got := s.reads(t, "hit") - hits; got != 4 {
		t.Errorf("%d hits of 4 unchanged documents", got)
	}
}
