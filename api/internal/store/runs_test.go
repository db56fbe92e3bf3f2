package store

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"systemscale/api/internal/publishtest"
	"systemscale/sql/testdb"
)

func TestRuns(t *testing.T) {
	f := newFixture(t, 1, Options{Poll: time.Hour})
	first := f.document("").Run
	second := f.change(f.list(), `update catalog.run set verdict = 'passed', error = 'none', started_at = now() - interval '3 seconds',
		sources = '[{"file": "a.csv", "read": 9, "used": 7, "rejected": {"orphan": 2}, "repaired": {"quote": 1}}]',
		documents = '[{"name": "item", "rows": 7, "bytes": 99}]' where id = $run`)
	runs, err := f.Runs(t.Context(), collection, 10)
	if err != nil || len(runs) != 2 || runs[1].ID != first || runs[1].State != "running" || runs[1].FinishedAt != nil || runs[1].Live {
		t.Fatalf("got %+v, %v", runs, err)
	}
	newest := runs[0]
	if newest.FinishedAt == nil || newest.FinishedAt.Sub(newest.StartedAt) != 3*time.Second {
		t.Errorf("started at %v, finished at %v, want 3 s between them", newest.StartedAt, newest.FinishedAt)
	}
	want := Run{
		ID: second, State: "published", Mode: "delta", Verdict: "passed", Error: "none", Live: true,
		StartedAt: newest.StartedAt, FinishedAt: newest.FinishedAt,
		Sources: []RunSource{{
			File: "a.csv", Read: 9, Used: 7, Rejected: map[string]int64{"orphan": 2}, Repaired: map[string]int64{"quote": 1},
		}},
		Documents: []RunDocument{{"item", 7, 99}},
	}
	if diff := cmp.Diff(want, newest); diff != "" {
		t.Errorf("the newest run (-want +got):\n%s", diff)
	}
	if runs, err := f.Runs(t.Context(), collection, 1); err != nil || len(runs) != 1 {
		t.Errorf("of one: %d runs, %v", len(runs), err)
	}

	database := testdb.New(t)
	between, url := newProxy(t, database.API)
	between.down()
	away := open(t, Options{URL: url, Poll: time.Hour})
	if _, err := away.Runs(t.Context(), collection, 1); !errors.Is(err, ErrUnavailable) {
		t.Errorf("without a database: %v, want %v", err, ErrUnavailable)
	}
}

// TestRunsTakeOneConnection makes several concurrent calls while the database does not respond.
func TestRunsTakeOneConnection(t *testing.T) {
	database := testdb.New(t)
	between, url := newProxy(t, database.API)
	f := &fixture{
		Store: open(t, Options{URL: url, Poll: time.Hour}), t: t, database: database, publisher: publishtest.NewPublisher(t, database),
	}
	f.publish(1, 1)
	// Two workers of documents and one of pages, the follower and the listener.
	publishtest.Eventually(t, "the store is connected", func() bool { return between.connections() == 5 })
	between.stall()
	impatient, cancel := context.WithCancel(t.Context())
	errs := make(chan error)
	for range 20 {
		go func() {
			_, err := f.Runs(impatient, collection, 1)
			errs <- err
		}()
	}
	publishtest.Eventually(t, "one connects", func() bool { return between.connections() >= 6 })
	time.Sleep(100 * time.Millisecond) // time for the others to connect, if they do
	cancel()
	for range 20 {
		if err := <-errs; !errors.Is(err, ErrOverloaded) && !errors.Is(err, ErrUnavailable) {
			t.Errorf("got %v, want %v or %v", err, ErrOverloaded, ErrUnavailable)
		}
	}
	if got := between.connections(); got != 6 {
		t.Errorf("20 concurrent calls opened %d connections, want one", got-5)
	}
	between.resume()
	if runs, err := f.Runs(t.Context(), collection, 1); err != nil || len(runs) != 1 {
		t.Errorf("after them: %d runs, %v", len(runs), err)
	}
}

func TestHolds(t *testing.T) {
	f := newFixture(t, 1, Options{Poll: time.Hour})
	if holds, err := f.Holds(t.Context()); err != nil || len(holds) != 0 {
		t.Errorf("without a hold: %v, %v", holds, err)
	}
	conn := testdb.Connect(t, f.database.ETL)
	execute := func(statement string, arguments ...any) {
		t.Helper()
		if _, err := conn.Exec(t.Context(), statement, arguments...); err != nil {
			t.Fatal(err)
		}
	}
	since := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	execute("insert into catalog.hold (collection, reason, author, since) values ($1, 'why', 'ann@host', $2)", collection, since)
	holds, err := f.Holds(t.Context())
	if want := []Hold{{collection, "why", "ann@host", since}}; err != nil || len(holds) != 1 || !holds[0].Since.Equal(since) ||
		!cmp.Equal(want, holds, cmpopts.IgnoreFields(Hold{}, "Since")) {
		t.Errorf("%+v, %v, want %+v", holds, err, want)
	}
	execute("drop table catalog.hold") // as in the schema of earlier builds
	if holds, err := f.Holds(t.Context()); err != nil || len(holds) != 0 {
		t.Errorf("with an earlier schema: %v, %v", holds, err)
	}
}
