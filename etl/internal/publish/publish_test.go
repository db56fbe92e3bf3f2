package publish

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"systemscale/sql"
	"systemscale/sql/testdb"
)

var endpoints = []sql.Endpoint{{Name: "summary", List: true}, {Name: "item", Path: ""}, {Name: "parts", Path: "parts"}}

func open(t *testing.T, database testdb.Database, collection string) *Session {
	t.Helper()
	session, err := Open(t.Context(), database.ETL, collection, 1)
	if err != nil {
		t.Fatalf("open %s: %v", collection, err)
	}
	t.Cleanup(session.Close)
	return session
}

// fill appends count items to every endpoint. The body has the run, the endpoint and the id.
func fill(t *testing.T, load *Load, count int) {
	t.Helper()
	for id := int64(1); id <= int64(count); id++ {
		for d := range endpoints {
			if err := load.Append(d, sql.IntID(id*2), uint64(id)<<60+uint64(id), body(load.run.ID(), d, id)); err != nil {
				t.Fatalf("append: %v", err)
			}
		}
	}
}

func body(run int64, endpoint int, id int64) []byte {
	// Long enough for some thousand rows to take several blocks.
	return fmt.Appendf(nil, `{"run": %d, "document": %d, "id": %d, "text": "%s"}`, run, endpoint, id, strings.Repeat("x", 800))
}

func begin(t *testing.T, ctx context.Context, session *Session) *Load {
	t.Helper()
	run, err := session.Begin(ctx, Generation)
	if err != nil {
		t.Fatalf("begin: %v", err)
	}
	load, err := run.Load(ctx, endpoints, 2)
	if err != nil {
		t.Fatalf("load: %v", err)
	}
	return load
}

func publish(t *testing.T, session *Session, count int) Published {
	t.Helper()
	load := begin(t, t.Context(), session)
	fill(t, load, count)
	published, err := load.Publish(t.Context(), Record{}, func(string) {})
	if err != nil {
		t.Fatalf("publish: %v", err)
	}
	return published
}

// tables returns the existing document tables.
func tables(t *testing.T, conn *pgx.Conn) string {
	t.Helper()
	return scalar[string](t, conn, `select coalesce(string_agg(tablename, ' ' order by tablename collate "C"), '') from pg_tables
		where schemaname = 'catalog' and tablename ~ '_g[0-9]+$'`)
}

func scalar[T any](t *testing.T, conn *pgx.Conn, query string, arguments ...any) T {
	t.Helper()
	var value T
	if err := conn.QueryRow(t.Context(), query, arguments...).Scan(&value); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return value
}

func TestPublishMakesAGenerationLive(t *testing.T) {
	database := testdb.New(t)
	const count = 12_000 // of each endpoint: about 10 MB, three blocks
	published := publish(t, open(t, database, "things"), count)

	// The rest is read with the API's role, because its rights are tested too.
	conn := testdb.Connect(t, database.API)
	rows, err := conn.Query(t.Context(), sql.Query("api/select_versions"))
	if err != nil {
		t.Fatal(err)
	}
	type version struct {
		Collection      string
		Generation, Run int64
		Endpoints       []sql.Endpoint
		At              time.Time
	}
	live, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[version])
	if err != nil {
		t.Fatal(err)
	}
	want := version{Collection: "things", Generation: published.Run, Run: published.Run, Endpoints: endpoints, At: live.At}
	if diff := cmp.Diff(want, live); diff != "" {
		t.Errorf("version row (-want +got):\n%s", diff)
	}
	for d, endpoint := range endpoints {
		table := sql.DocumentTable("things", endpoint.Name, live.Generation)
		if n := scalar[int](t, conn, sql.QueryFor("etl/count_rows", "table", table)); n != count || published.Tables[d].Rows != count {
			t.Errorf("%s holds %d rows and %d are reported, want %d", table, n, published.Tables[d].Rows, count)
		}
		var etag int64
		var got string
		statement := sql.QueryFor("api/get_documents", "identity", "0", "table", table)
		if err := conn.QueryRow(t.Context(), statement, []int64{2 * 9_999}).Scan(nil, nil, &etag, &got); err != nil {
			t.Fatal(err)
		}
		id := uint64(9_999)
		if uint64(etag) != id<<60+id || !strings.Contains(got, fmt.Sprintf(`"id": 9999, "run": %d,`, published.Run)) ||
			!strings.Contains(got, fmt.Sprintf(`"document": %d`, d)) {
			t.Errorf("%s 9999: etag %x, body %.80s", table, uint64(etag), got)
		}
		// Vacuum skips a page that another process, such as the checkpointer, has pinned. One of ten may be on such a page.
		fetches := 0
		for i := range 10 {
			plan := explain(t, conn, fmt.Sprintf("select etag from catalog.%s where id = %d", table, 4+2000*i))
			if !strings.Contains(plan, "Index Only Scan") {
				t.Fatalf("a lookup of the etag alone does not use the index only:\n%s", plan)
			}
			if !strings.Contains(plan, "Heap Fetches: 0") {
				fetches++
			}
		}
		if fetches > 1 {
			t.Errorf("%d of 10 lookups of etags read %s", fetches, table)
		}
		if _, err := conn.Exec(t.Context(), "begin read write; delete from catalog."+table); err == nil {
			t.Errorf("the API's role can delete from %s", table)
		}
		_, _ = conn.Exec(t.Context(), "rollback")
	}

	// Page 53 of 100 documents begins at the 5301st.
	var first int64
	listed := sql.DocumentTable("things", "summary", live.Generation)
	const anchor = "select first_id from catalog.page_anchor where collection = 'things' and generation = $1 and page = 53"
	if err := conn.QueryRow(t.Context(), anchor, live.Generation).Scan(&first); err != nil || first != 2*5301 {
		t.Errorf("anchor 53 is %d (%v), want %d", first, err, 2*5301)
	}
	var run int64
	var at time.Time
	var bodies []string
	list := sql.QueryFor("api/list_documents", "identity", "0", "table", listed, "page_anchor", "page_anchor")
	err = conn.QueryRow(t.Context(), list, "things", live.Generation, 53, 7, 3, "summary", 0).Scan(nil, nil, &run, &at, nil, &bodies)
	if run != live.Run || !at.Equal(live.At) {
		t.Errorf("the page is of run %d, published at %v, want %d and %v", run, at, live.Run, live.At)
	}
	if err != nil || len(bodies) != 3 || !strings.Contains(bodies[0], `"id": 5308,`) || !strings.Contains(bodies[2], `"id": 5310,`) {
		t.Errorf("the page holds %d bodies (%v), want 5308 to 5310: %.300q", len(bodies), err, bodies)
	}
}

func explain(t *testing.T, conn *pgx.Conn, query string) string {
	t.Helper()
	rows, err := conn.Query(t.Context(), "explain (analyze, costs off, timing off) "+query)
	if err != nil {
		t.Fatal(err)
	}
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(lines, "\n")
}

func TestOnlyThePreviousGenerationIsKept(t *testing.T) {
	database := testdb.New(t)
	conn := testdb.Connect(t, database.ETL)
	// The name of this collection begins with the other's name.
	publish(t, open(t, database, "things_item"), 1)
	for range 3 {
		session := open(t, database, "things")
		publish(t, session, 1)
		session.Close()
	}
	const want = "things_item_g3 things_item_g4 things_item_item_g1 things_item_parts_g1 things_item_summary_g1 " +
		"things_parts_g3 things_parts_g4 things_summary_g3 things_summary_g4"
	if got := tables(t, conn); got != want {
		t.Errorf("tables %s, want %s", got, want)
	}
	if n := scalar[int](t, conn, "select count(*) from catalog.page_anchor where collection = 'things'"); n != 2 {
		t.Errorf("%d page anchors, want one for each of two generations", n)
	}
}

func TestOpenRemovesRemainsOfKilledRun(t *testing.T) {
	database := testdb.New(t)
	conn := testdb.Connect(t, database.ETL)
	session := open(t, database, "things")
	publish(t, session, 1)
	before := tables(t, conn)
	begin(t, t.Context(), session)
	if got := tables(t, conn); got == before {
		t.Fatal("the second run created no tables")
	}
	session.Close() // as if killed: neither published nor aborted
	open(t, database, "things")
	if got := tables(t, conn); got != before {
		t.Errorf("tables %s, want %s", got, before)
	}
	state := scalar[string](t, conn, "select state || ' ' || error from catalog.run where id = 2")
	if !strings.HasPrefix(state, "failed killed") {
		t.Errorf("the killed run is %q", state)
	}
}

func TestSecondSessionGetsHeldError(t *testing.T) {
	shortenPatience(t)
	database := testdb.New(t)
	session := open(t, database, "things")
	load := begin(t, t.Context(), session)
	_, err := Open(t.Context(), database.ETL, "things", 1)
	var held *HeldError
	if !errors.As(err, &held) || held.Run != load.run.ID() || !strings.Contains(held.Error(), "process ") {
		t.Errorf("the second session: %v, want a HeldError with run %d", err, load.run.ID())
	}
	open(t, database, "others") // another collection is free
	if err := load.run.Abort(errors.New("enough"), Record{}); err != nil {
		t.Fatal(err)
	}
	session.Close()
	open(t, database, "things")
}

// baseline is the published version that a failed run must not change.
type baseline struct {
	conn   *pgx.Conn
	live   int64 // run
	tables string
}

// publishBaseline publishes a version that later runs fail to replace.
func publishBaseline(t *testing.T, database testdb.Database, session *Session) baseline {
	t.Helper()
	conn := testdb.Connect(t, database.ETL)
	first := publish(t, session, 10)
	return baseline{conn: conn, live: first.Run, tables: tables(t, conn)}
}

// abort aborts a run because of an error. It checks that nothing has changed, and that the run is recorded as failed because of cause.
func (b baseline) abort(t *testing.T, run *Run, err error, cause string) {
	t.Helper()
	if err := run.Abort(err, Record{}); err != nil {
		t.Fatal(err)
	}
	if got := tables(t, b.conn); got != b.tables {
		t.Errorf("tables %s, want %s", got, b.tables)
	}
	if got := scalar[int64](t, b.conn, "select run_id from catalog.version"); got != b.live {
		t.Errorf("version %d is live, want %d", got, b.live)
	}
	var state, message string
	if err := b.conn.QueryRow(t.Context(), "select state, error from catalog.run where id = $1", run.ID()).Scan(&state, &message); err != nil {
		t.Fatal(err)
	}
	if state != "failed" || !strings.Contains(message, cause) {
		t.Errorf("run %d is %s because of %q, want failed because of %q", run.ID(), state, message, cause)
	}
}

func TestFailedRunLeavesNothing(t *testing.T) {
	database := testdb.New(t)
	session := open(t, database, "things")
	before := publishBaseline(t, database, session)
	for _, c := range []struct {
		name    string
		load    func(t *testing.T, load *Load)
		aborted bool   // without publishing
		want    string // in the error of Publish
		cause   string // in the run's row
	}{
		{
			name:    "aborted",
			load:    func(t *testing.T, load *Load) { fill(t, load, 5_000) },
			aborted: true, cause: "files out of order",
		},
		{
			name: "a body that Postgres rejects",
			load: func(t *testing.T, load *Load) {
				if err := load.Append(0, sql.IntID(1), 1, []byte(`{"no JSON`)); err != nil {
					t.Fatal(err)
				}
			},
			want: "copy into things_summary_g", cause: "copy into things_summary_g",
		},
		{
			name: "a duplicate id",
			load: func(t *testing.T, load *Load) {
				for range 2 {
					if err := load.Append(1, sql.IntID(7), 1, []byte(`{}`)); err != nil {
						t.Fatal(err)
					}
				}
			},
			cause: "primary key",
		},
		{
			name: "a row that a trigger drops",
			load: func(t *testing.T, load *Load) {
				_, err := before.conn.Exec(t.Context(), fmt.Sprintf(`
					create function pg_temp.swallow() returns trigger language plpgsql as 'begin return null; end';
					create trigger swallow before insert on catalog.%s for each row when (new.id = 20) execute function pg_temp.swallow()`,
					load.streams.tables[2]))
				if err != nil {
					t.Fatal(err)
				}
				fill(t, load, 50)
			},
			want: "holds 49 rows, and 50 were sent", cause: "holds 49 rows",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			load := begin(t, t.Context(), session)
			c.load(t, load)
			err := errors.New(c.cause)
			if !c.aborted {
				if _, err = load.Publish(t.Context(), Record{}, func(string) {}); err == nil || !strings.Contains(err.Error(), c.want) {
					t.Fatalf("Publish = %v, want an error with %q", err, c.want)
				}
			}
			before.abort(t, load.run, err, c.cause)
		})
	}
}

func TestInterruptedRunLeavesNothing(t *testing.T) {
	database := testdb.New(t)
	session := open(t, database, "things")
	before := publishBaseline(t, database, session)
	ctx, cancel := context.WithCancel(t.Context())
	load := begin(t, ctx, session)
	fill(t, load, 100)
	cancel()
	_, err := load.Publish(ctx, Record{}, func(string) {})
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("Publish = %v, want context.Canceled", err)
	}
	before.abort(t, load.run, err, "canceled")
}

func TestRunWithoutConnectionLeavesNothing(t *testing.T) {
	database := testdb.New(t)
	session := open(t, database, "things")
	before := publishBaseline(t, database, session)
	load := begin(t, t.Context(), session)
	fill(t, load, 100)
	admin := testdb.Connect(t, database.AdminURL)
	terminate := "select count(pg_terminate_backend(pid)) from pg_stat_activity where pid = $1"
	if n := scalar[int](t, admin, terminate, session.conn.PgConn().PID()); n != 1 {
		t.Fatalf("%d connections terminated, want 1", n)
	}
	_, err := load.Publish(t.Context(), Record{}, func(string) {})
	if err == nil {
		t.Fatal("published without the session's connection")
	}
	before.abort(t, load.run, err, "publish run")
}

// TestFlipOfAFailedRun covers a slow run that another session marked as failed.
func TestFlipOfAFailedRun(t *testing.T) {
	database := testdb.New(t)
	session := open(t, database, "things")
	load := begin(t, t.Context(), session)
	fill(t, load, 1)
	conn := testdb.Connect(t, database.ETL)
	if _, err := conn.Exec(t.Context(), sql.Query("etl/fail_dead_runs"), "things"); err != nil {
		t.Fatal(err)
	}
	if _, err := load.Publish(t.Context(), Record{}, func(string) {}); err == nil ||
		!strings.Contains(err.Error(), "another session marked the run as failed") {
		t.Errorf("Publish = %v, want an error about the run's state", err)
	}
	if n := scalar[int](t, conn, "select count(*) from catalog.version"); n != 0 {
		t.Error("a run that is marked failed is live")
	}
}

// TestFlipsInARace has two loads replace the same version. The update of the version row detects it, even without locks.
func TestFlipsInARace(t *testing.T) {
	database := testdb.New(t)
	first := open(t, database, "things")
	publish(t, first, 1)
	load := begin(t, t.Context(), first)
	fill(t, load, 1)
	conn := testdb.Connect(t, database.ETL)
	if _, err := conn.Exec(t.Context(), `
		with r as (insert into catalog.run (collection, state, mode, holder)
		           values ('things', 'published', 'generation', 'test') returning id)
		update catalog.version set run_id = r.id from r`); err != nil {
		t.Fatal(err)
	}
	_, err := load.Publish(t.Context(), Record{}, func(string) {})
	if err == nil || !strings.Contains(err.Error(), "another run published things") {
		t.Errorf("Publish = %v, want an error about the other run", err)
	}
}

// TestResponseToCommitIsLost breaks the session's connection after the server has received the commit. The run is live and reported as
// published. A later run that publishes before the first has recovered is not affected.
func TestResponseToCommitIsLost(t *testing.T) {
	database := testdb.New(t)
	conn := testdb.Connect(t, database.ETL)
	var second Published
	var session *Session
	address := breakAtCommit(t, database.ETL, func() {
		eventuallyTrue(t, func() bool { return scalar[int](t, conn, "select count(*) from catalog.version") == 1 })
		endHold(t, database, session)
		other := open(t, database, "things")
		second = publish(t, other, 3)
		other.Close()
	})
	session = openThrough(t, database.ETL, address)
	first := publish(t, session, 2)
	if first.Run != 1 || second.Run != 2 {
		t.Fatalf("runs %d and %d, want 1 and 2", first.Run, second.Run)
	}
	if live := scalar[int64](t, conn, "select generation from catalog.version"); live != second.Run {
		t.Errorf("generation %d is live, want %d", live, second.Run)
	}
	const want = "things_item_g1 things_item_g2 things_parts_g1 things_parts_g2 things_summary_g1 things_summary_g2"
	if got := tables(t, conn); got != want {
		t.Errorf("tables %s, want %s", got, want)
	}
}

// breakAtCommit starts a proxy of the server. It closes the first connection that sends a commit, after the server has received that, and
// calls meanwhile. New connections wait for its return.
func breakAtCommit(t *testing.T, databaseURL string, meanwhile func()) (address string) {
	t.Helper()
	config, err := pgx.ParseConfig(databaseURL)
	if err != nil {
		t.Fatal(err)
	}
	network, server := pgconn.NetworkAddress(config.Host, config.Port)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	gate := make(chan struct{}, 1) // full during meanwhile
	var once sync.Once
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				gate <- struct{}{}
				<-gate
				upstream, err := net.Dial(network, server)
				if err != nil {
					_ = client.Close()
					return
				}
				go func() { _, _ = io.Copy(client, upstream); _ = client.Close() }()
				buffer := make([]byte, 64<<10)
				for {
					n, err := client.Read(buffer)
					if bytes.Contains(buffer[:n], []byte("Q\x00\x00\x00\x0bcommit\x00")) {
						once.Do(func() {
							gate <- struct{}{}
							defer func() { <-gate }()
							_ = client.Close() // before the server responds
							_, _ = upstream.Write(buffer[:n])
							// The server commits, notices the end of the connection, and releases the collection.
							_ = upstream.(interface{ CloseWrite() error }).CloseWrite()
							meanwhile()
						})
					} else if n > 0 {
						_, _ = upstream.Write(buffer[:n])
					}
					if err != nil {
						_ = upstream.Close()
						return
					}
				}
			}()
		}
	}()
	return listener.Addr().String()
}

func eventuallyTrue(t *testing.T, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the condition is still false after 20 s")
		}
	}
}

// TestAbortKeepsPublishedRun covers a commit whose response was lost: the run is live, so its tables must not be dropped.
func TestAbortKeepsPublishedRun(t *testing.T) {
	database := testdb.New(t)
	session := open(t, database, "things")
	load := begin(t, t.Context(), session)
	fill(t, load, 1)
	if _, err := load.Publish(t.Context(), Record{}, func(string) {}); err != nil {
		t.Fatal(err)
	}
	conn := testdb.Connect(t, database.ETL)
	before := tables(t, conn)
	if err := load.run.Abort(errors.New("the response to the commit was lost"), Record{}); err != nil {
		t.Fatal(err)
	}
	if got := tables(t, conn); got != before || got == "" {
		t.Errorf("tables %q after the abort of a published run, want %q", got, before)
	}
	if state := scalar[string](t, conn, "select state from catalog.run"); state != "published" {
		t.Errorf("the run is %s, want published", state)
	}
}

func TestOpenFails(t *testing.T) {
	database := testdb.NewEmpty(t)
	if _, err := Open(t.Context(), database.ETL, "things", 1); !errors.Is(err, ErrNotMigrated) {
		t.Errorf("without a schema: %v, want ErrNotMigrated", err)
	}
	_, err := Open(t.Context(), "postgres://user:secret@host:port/name", "things", 1)
	if err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("a malformed URL: %v, want an error without the password", err)
	}
	_, err = Open(t.Context(), "postgres://user:secret@127.0.0.1:1/name", "things", 1)
	if err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("an unreachable database: %v, want an error without the password", err)
	}
}

// openThrough opens a session through a proxy at an address.
func openThrough(t *testing.T, databaseURL, address string) *Session {
	t.Helper()
	through, err := url.Parse(databaseURL)
	if err != nil {
		t.Fatal(err)
	}
	through.Host, through.RawQuery = address, "sslmode=disable"
	session, err := Open(t.Context(), through.String(), "things", 1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(session.Close)
	return session
}
