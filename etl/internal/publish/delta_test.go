package publish

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"systemscale/sql"
	"systemscale/sql/testdb"
)

// render compares documents with the published version, spools the differences and publishes a delta, as a run does. All endpoints have the
// same ids.
func render(
	t *testing.T, database testdb.Database, session *Session, ids []int64, etag func(endpoint int, id int64) uint64,
) (Published, Changes, error) {
	t.Helper()
	run, err := session.Begin(t.Context(), Delta)
	if err != nil {
		t.Fatal(err)
	}
	spool := NewSpool(t.TempDir(), len(endpoints), 1_000_000)
	defer func() { _ = spool.Close() }()
	comparison := compare(t, database, endpoints)
	tables := make([]Table, len(endpoints))
	for _, id := range ids {
		for d := range endpoints {
			kind, err := take(comparison, d, id, etag(d, id), spool.Remove)
			if err != nil {
				t.Fatal(err)
			}
			if kind != Unchanged {
				if err := spool.Put(d, sql.IntID(id), etag(d, id), edition(etag(d, id))); err != nil {
					t.Fatal(err)
				}
			}
			tables[d] = Table{Name: endpoints[d].Name, Rows: tables[d].Rows + 1}
		}
	}
	if err := finish(comparison, spool.Remove); err != nil {
		t.Fatal(err)
	}
	changes := comparison.Changes()
	comparison.Close()
	published, err := run.PublishDelta(t.Context(), spool, endpoints, changes, tables, Record{Plan: &changes})
	if err != nil {
		return published, changes, errors.Join(err, run.Abort(err, Record{}))
	}
	return published, changes, nil
}

// rollBack returns to the version of a run; 0 is the version before the live one.
func rollBack(t *testing.T, session *Session, to int64) (Published, error) {
	t.Helper()
	target, err := session.Target(t.Context(), to)
	if err != nil {
		return Published{}, err
	}
	run, err := session.Begin(t.Context(), Rollback)
	if err != nil {
		t.Fatal(err)
	}
	published, _, err := run.PublishRollback(t.Context(), target, nil)
	if err != nil {
		return published, errors.Join(err, run.Abort(err, Record{}))
	}
	return published, nil
}

// state describes the data that readers can see: version, documents and page anchors.
func state(t *testing.T, conn *pgx.Conn) string {
	t.Helper()
	version, err := readVersion(t.Context(), conn, "things")
	if err != nil {
		t.Fatal(err)
	}
	parts := []string{}
	for _, d := range version.Endpoints {
		table := sql.DocumentTable("things", d.Name, version.Generation)
		part := scalar[string](t, conn,
			"select count(*) || ' ' || coalesce(md5(string_agg(id || ' ' || etag || ' ' || body, ',' order by id)), '') from catalog."+table)
		parts = append(parts, d.Name+" "+part)
		if !d.List {
			continue
		}
		wrong := scalar[int](t, conn, `
			with wanted as (select (n - 1) / 100 as page, id
			                from (select id, row_number() over (order by id) n from catalog.`+table+`) x where n % 100 = 1),
			     found as (select page, first_id from catalog.page_anchor where collection = 'things' and generation = $1)
			select count(*) from wanted full join found using (page)
			where wanted.id is distinct from found.first_id`, version.Generation)
		if wrong != 0 {
			t.Errorf("%d page anchors are wrong", wrong)
		}
	}
	return strings.Join(parts, "\n")
}

func constant(etag uint64) func(int, int64) uint64 { return func(int, int64) uint64 { return etag } }

func TestDelta(t *testing.T) {
	database := testdb.New(t)
	conn := testdb.Connect(t, database.API)
	session := openThings(t, database)
	load(t, session, endpoints, sequence(1, 1000, 1), constant(1))

	// 1 and 1000 are removed, 2000 is added, and one document of 500 changes.
	ids := append(sequence(2, 999, 1), 2000)
	etag := func(endpoint int, id int64) uint64 {
		if endpoint == 1 && id == 500 {
			return 1<<63 + 5
		}
		return 1
	}
	published, changes, err := render(t, database, session, ids, etag)
	if err != nil {
		t.Fatal(err)
	}
	got := state(t, conn)
	version, err := readVersion(t.Context(), conn, "things")
	if err != nil || version.Run != published.Run || version.Generation != 1 || version.Rows != 3*999 {
		t.Errorf("the version row is %+v (%v), want run %d in generation 1", version, err, published.Run)
	}
	if live := session.Live(); fmt.Sprint(live) != fmt.Sprint(version) {
		t.Errorf("the live version of the session is %+v", live)
	}
	if changes.Items != (Items{Published: 1000, Added: 1, Changed: 1, Removed: 2}) {
		t.Errorf("items %+v", changes.Items)
	}
	const logged = "item/1/removed/1 item/500/changed/1 item/1000/removed/1 item/2000/added/- " +
		"parts/1/removed/1 parts/1000/removed/1 parts/2000/added/- summary/1/removed/1 summary/1000/removed/1 summary/2000/added/-"
	log := scalar[string](t, conn, `
		select string_agg(format('%s/%s/%s/%s', document, id, kind, coalesce((old_body ->> 'etag'), '-')), ' '
		                  order by document collate "C", id)
		from catalog.change where run_id = 2 and generation = 1 and old_etag is not distinct from (old_body ->> 'etag')::bigint`)
	if log != logged {
		t.Errorf("the log is\n%s, want\n%s", log, logged)
	}
	// A generation of the same catalog must be equal.
	load(t, session, endpoints, ids, etag)
	if want := state(t, conn); got != want {
		t.Errorf("after the delta\n%s, want\n%s", got, want)
	}
}

// TestDeltaFails covers the errors of a delta before its commit, after which nothing has changed.
func TestDeltaFails(t *testing.T) {
	database := testdb.New(t)
	conn := testdb.Connect(t, database.ETL)
	session := openThings(t, database)
	load(t, session, endpoints, sequence(1, 300, 1), constant(1))
	before := state(t, conn)
	for name, c := range map[string]struct{ spoil, mend, want string }{
		"a trigger that fails": {
			`create function catalog.refuse() returns trigger language plpgsql as 'begin raise exception ''boom''; end';
			 create trigger refuse before update on catalog.things_parts_g1 execute function catalog.refuse()`,
			"drop trigger refuse on catalog.things_parts_g1", "boom",
		},
		"a row that was not compared": {
			"insert into catalog.things_item_g1 select 7777, 1, '{}'", "delete from catalog.things_item_g1 where id = 7777",
			"were found: nothing is published",
		},
		"another run published": {
			`with r as (insert into catalog.run (collection, state, mode, holder) values ('things', 'published', 'generation', 'test') returning id)
			 update catalog.version set run_id = r.id from r`, "update catalog.version set run_id = 1", "another run published things",
		},
	} {
		t.Run(name, func(t *testing.T) {
			run, err := session.Begin(t.Context(), Delta)
			if err != nil {
				t.Fatal(err)
			}
			spool := NewSpool(t.TempDir(), len(endpoints), 100)
			defer func() { _ = spool.Close() }()
			changes := Changes{}
			for d := range endpoints {
				if err := errors.Join(spool.Put(d, sql.IntID(5), 2, edition(2)), spool.Put(d, sql.IntID(7777), 2, edition(2)), spool.Remove(d, sql.IntID(6))); err != nil {
					t.Fatal(err)
				}
				changes.Endpoints = append(changes.Endpoints, EndpointCounts{Counts: Counts{Added: 1, Changed: 1, Removed: 1}})
			}
			if _, err := conn.Exec(t.Context(), c.spoil); err != nil {
				t.Fatal(err)
			}
			_, err = run.PublishDelta(t.Context(), spool, endpoints, changes, nil, Record{})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("PublishDelta = %v, want %q in it", err, c.want)
			}
			if err := run.Abort(err, Record{}); err != nil {
				t.Fatal(err)
			}
			if _, err := conn.Exec(t.Context(), c.mend); err != nil {
				t.Fatal(err)
			}
			if got := state(t, conn); got != before {
				t.Errorf("after the failure\n%s, want\n%s", got, before)
			}
			if n := scalar[int](t, conn, "select count(*) from catalog.change"); n != 0 {
				t.Errorf("%d changes are logged", n)
			}
			if s := scalar[string](t, conn, "select state from catalog.run where id = $1", run.ID()); s != "failed" {
				t.Errorf("the run is %s", s)
			}
		})
	}
}

// TestResponseToDeltaCommitIsLost breaks the connection after the server has received the commit. The run is reported as published.
func TestResponseToDeltaCommitIsLost(t *testing.T) {
	database := testdb.New(t)
	conn := testdb.Connect(t, database.ETL)
	first := openThings(t, database)
	load(t, first, endpoints, sequence(1, 300, 1), constant(1))
	first.Close()
	address := breakAtCommit(t, database.ETL, func() {
		eventuallyTrue(t, func() bool { return scalar[int](t, conn, "select run_id from catalog.version") == 2 })
	})
	session := openThrough(t, database.ETL, address)
	published, _, err := render(t, database, session, sequence(2, 300, 1), constant(1))
	if err != nil || published.Run != 2 {
		t.Errorf("published %+v, %v; want run 2", published, err)
	}
}

// TestRollback rolls back and forth between versions of both modes. After each rollback the documents must equal those of the first time.
func TestRollback(t *testing.T) {
	database := testdb.New(t)
	conn := testdb.Connect(t, database.ETL)
	session, err := Open(t.Context(), database.ETL, "things", 100)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(session.Close)
	if _, err := rollBack(t, session, 0); err == nil || !strings.Contains(err.Error(), "nothing is published") {
		t.Errorf("with nothing published: %v", err)
	}
	looks := map[int64]string{}
	delta := func(ids []int64, etag uint64) {
		t.Helper()
		published, _, err := render(t, database, session, ids, func(_ int, id int64) uint64 {
			if id%3 == 0 {
				return etag
			}
			return 1
		})
		if err != nil {
			t.Fatal(err)
		}
		looks[published.Run] = state(t, conn)
	}
	generation := func(ids []int64, etag uint64) {
		t.Helper()
		published := load(t, session, endpoints, ids, constant(etag))
		looks[published.Run] = state(t, conn)
	}
	back := func(to, want int64) {
		t.Helper()
		published, err := rollBack(t, session, to)
		if err != nil {
			t.Fatalf("back to %d: %v", to, err)
		}
		if got := state(t, conn); got != looks[want] {
			t.Errorf("back to %d:\n%s, want\n%s", to, got, looks[want])
		}
		looks[published.Run] = state(t, conn)
		// Documents that the tables have already are not written again.
		table := sql.DocumentTable("things", endpoints[0].Name, session.Live().Generation)
		if n := scalar[int](t, conn,
			"select count(*) from catalog.change c join catalog."+table+" d using (id) where document = $1 and run_id = $2 and old_etag = etag",
			endpoints[0].Name, published.Run); n != 0 {
			t.Errorf("back to %d: %d unchanged documents were written", to, n)
		}
	}
	generation(sequence(1, 250, 1), 1) // 1
	if _, err := rollBack(t, session, 0); err == nil || !strings.Contains(err.Error(), "no version before 1") {
		t.Errorf("with one version: %v", err)
	}
	delta(sequence(5, 250, 1), 2)     // 2: removes and changes
	delta(sequence(1, 300, 1), 3)     // 3: adds these again, and more
	delta(sequence(1, 300, 2), 2)     // 4
	generation(sequence(7, 90, 1), 9) // 5
	delta(sequence(1, 90, 1), 8)      // 6
	back(0, 5)                        // 7: reverts a delta
	back(0, 6)                        // 8: reverts the rollback
	back(2, 2)                        // 9: into an older generation, over two deltas
	back(4, 4)                        // 10: forward again
	delta(sequence(100, 400, 1), 7)   // 11: a delta after a rollback
	back(1, 1)                        // 12
	back(11, 11)                      // 13
	back(5, 5)                        // 14
	back(3, 3)                        // 15
	for run := int64(1); run < 15; run++ {
		back(run, run)
	}
	_, err = rollBack(t, session, 999)
	var refused *NotRetainedError
	if !errors.As(err, &refused) || !strings.Contains(err.Error(), "run 999 has published no version") ||
		!strings.Contains(err.Error(), "--to takes one of 28 (") {
		t.Errorf("to an unknown run: %v", err)
	}
	if _, err = rollBack(t, session, session.Live().Run); !errors.As(err, &refused) || !strings.Contains(err.Error(), "is the live version") {
		t.Errorf("to the live run: %v", err)
	}
}

// TestRetention keeps two versions before the live one, of one or more generations, and removes all others.
func TestRetention(t *testing.T) {
	database := testdb.New(t)
	conn := testdb.Connect(t, database.ETL)
	session, err := Open(t.Context(), database.ETL, "things", 2)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(session.Close)
	check := func(retained, generations, logged string) {
		t.Helper()
		got := scalar[string](t, conn, "select string_agg(id::text, ' ' order by id) from catalog.run where generation is not null")
		gotTables := scalar[string](t, conn,
			`select string_agg(distinct substring(tablename from '_g([0-9]+)$'), ' ') from pg_tables
			where schemaname = 'catalog' and tablename ~ '_g[0-9]+$'`)
		gotLog := scalar[string](t, conn, "select coalesce(string_agg(distinct run_id::text, ' '), '') from catalog.change")
		if got != retained || gotTables != generations || gotLog != logged {
			t.Errorf("kept: versions %s, generations %s, log of runs %q; want %s, %s, %q", got, gotTables, gotLog, retained, generations, logged)
		}
	}
	delta := func(etag uint64) {
		t.Helper()
		if _, _, err := render(t, database, session, []int64{1, 2}, constant(etag)); err != nil {
			t.Fatal(err)
		}
	}
	load(t, session, endpoints, []int64{1, 2}, constant(1))
	delta(2)
	check("1 2", "1", "2")
	delta(3)
	delta(4)
	check("2 3 4", "1", "3 4")
	load(t, session, endpoints, []int64{1, 2}, constant(5))
	check("3 4 5", "1 5", "4")
	delta(6)
	check("4 5 6", "1 5", "6")
	delta(7)
	check("5 6 7", "5", "6 7")
	var refused *NotRetainedError
	if _, err := rollBack(t, session, 4); !errors.As(err, &refused) {
		t.Errorf("back to a version that is not kept: %v", err)
	}
	if n := scalar[int](t, conn, "select count(distinct generation) from catalog.page_anchor"); n != 1 {
		t.Errorf("page anchors of %d generations", n)
	}
}

// TestReadersSeeOneVersion reads pages with the API's statement while deltas are published. All bodies of a page must be of its version.
func TestReadersSeeOneVersion(t *testing.T) {
	database := testdb.New(t)
	session := openThings(t, database)
	ids := sequence(1, 200, 1)
	load(t, session, endpoints, ids, constant(1))
	const deltas = 20
	done := make(chan struct{})
	var readers sync.WaitGroup
	for range 2 {
		conn := testdb.Connect(t, database.API)
		readers.Go(func() {
			statement := sql.QueryFor("api/list_documents", "identity", "0", "table", "things_summary_g1", "page_anchor", "page_anchor")
			for last := int64(0); ; {
				var run int64
				var bodies []struct{ Etag int64 }
				err := conn.QueryRow(t.Context(), statement, "things", 1, 1, 0, 100, "summary", 0).Scan(nil, nil, &run, nil, nil, &bodies)
				if err != nil {
					t.Errorf("read a page: %v", err)
					return
				}
				if len(bodies) != 100 || run < last {
					t.Errorf("%d documents of version %d after %d", len(bodies), run, last)
				}
				for _, body := range bodies {
					if body.Etag != run {
						t.Errorf("a page of version %d has %v", run, bodies)
						return
					}
				}
				last = run
				select {
				case <-done:
					return
				default:
				}
			}
		})
	}
	for n := range deltas {
		if _, _, err := render(t, database, session, ids, constant(uint64(n+2))); err != nil {
			t.Error(err)
			break
		}
	}
	close(done)
	readers.Wait()
}

// TestLoadReplacesEarlierLoad starts another load, first in the middle of one, then after a stream has failed.
func TestLoadReplacesEarlierLoad(t *testing.T) {
	database := testdb.New(t)
	conn := testdb.Connect(t, database.ETL)
	session := openThings(t, database)
	load := begin(t, t.Context(), session)
	fill(t, load, 6_000)
	former := load.streams.ctx
	again := func() *Load {
		t.Helper()
		next, err := load.run.Load(t.Context(), endpoints, load.streams.number)
		if err != nil {
			t.Fatal(err)
		}
		return next
	}
	load = again()
	if former.Err() == nil {
		t.Error("the streams of the earlier load have not ended")
	}
	if err := load.Append(0, sql.IntID(1), 1, []byte(`{"no JSON`)); err != nil {
		t.Fatal(err)
	}
	if err := load.streams.send(load.filling[0]); err != nil {
		t.Fatal(err)
	}
	<-load.streams.ctx.Done()
	load = again()
	fill(t, load, 150)
	if _, err := load.Publish(t.Context(), Record{}, func(string) {}); err != nil {
		t.Fatal(err)
	}
	if n := scalar[int](t, conn, "select count(*) from catalog.things_parts_g1"); n != 150 {
		t.Errorf("%d rows, want 150", n)
	}
	if n := scalar[int](t, conn, "select count(*) from catalog.page_anchor"); n != 2 {
		t.Errorf("%d page anchors, want 2", n)
	}
}

func TestSpool(t *testing.T) {
	directory := t.TempDir()
	spool := NewSpool(directory, 1, 2)
	if err := errors.Join(spool.Put(0, sql.IntID(1), 1, edition(1)), spool.Remove(0, sql.IntID(2))); err != nil || spool.Full() {
		t.Fatalf("full %v, %v", spool.Full(), err)
	}
	if entries, err := os.ReadDir(directory); err != nil || len(entries) > 0 {
		t.Errorf("files with names: %v (%v)", entries, err)
	}
	if err := spool.Put(0, sql.IntID(3), 1, edition(1)); err != nil || !spool.Full() {
		t.Errorf("full %v, %v; want full", spool.Full(), err)
	}
	if slices.ContainsFunc(append(spool.staged, spool.removed...), func(f *spoolFile) bool { return f != nil }) {
		t.Error("a full spool still holds files")
	}
	if err := spool.Remove(0, sql.IntID(4)); err != nil || !spool.Full() {
		t.Errorf("a document for a full spool: full %v, %v", spool.Full(), err)
	}
	if err := errors.Join(spool.Close(), spool.Close()); err != nil {
		t.Error(err)
	}
	if err := NewSpool(directory+"/missing", 1, 1).Put(0, sql.IntID(1), 1, nil); err == nil || !strings.Contains(err.Error(), "--temp") {
		t.Errorf("without a directory: %v, want the flag", err)
	}
}
