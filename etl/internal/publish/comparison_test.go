package publish

import (
	"context"
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"systemscale/sql"
	"systemscale/sql/testdb"
)

// load publishes a generation whose endpoints have the same ids. etag returns the etag of a document.
func load(t testing.TB, session *Session, of []sql.Endpoint, ids []int64, etag func(endpoint int, id int64) uint64) Published {
	t.Helper()
	run, err := session.Begin(context.Background(), Generation)
	if err != nil {
		t.Fatal(err)
	}
	load, err := run.Load(context.Background(), of, 2)
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range ids {
		for d := range of {
			if err := load.Append(d, sql.IntID(id), etag(d, id), edition(etag(d, id))); err != nil {
				t.Fatal(err)
			}
		}
	}
	published, err := load.Publish(context.Background(), Record{}, func(string) {})
	if err != nil {
		t.Fatal(err)
	}
	return published
}

// edition returns a body that contains the etag of the document.
func edition(etag uint64) []byte { return fmt.Appendf(nil, `{"etag": %d}`, etag) }

func compare(t testing.TB, database testdb.Database, rendered []sql.Endpoint) *Comparison {
	t.Helper()
	comparison, err := Compare(context.Background(), database.ETL, "things", rendered)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(comparison.Close)
	return comparison
}

// take compares a document, and calls removed with each removed id before it.
func take(c *Comparison, endpoint int, id int64, etag uint64, removed func(endpoint int, id sql.ID) error) (Kind, error) {
	if err := takeRemoved(endpoint, func() (sql.ID, bool, error) { return c.NextRemoved(endpoint, sql.IntID(id)) }, removed); err != nil {
		return Unchanged, err
	}
	return c.Compare(endpoint, sql.IntID(id), etag), nil
}

// finish finishes a comparison, and calls removed with each removed id after the last document.
func finish(c *Comparison, removed func(endpoint int, id sql.ID) error) error {
	for endpoint := range c.rendered {
		if err := takeRemoved(endpoint, func() (sql.ID, bool, error) { return c.NextRemaining(endpoint) }, removed); err != nil {
			return err
		}
	}
	return c.Finish()
}

func takeRemoved(endpoint int, next func() (sql.ID, bool, error), removed func(endpoint int, id sql.ID) error) error {
	for {
		id, found, err := next()
		if err != nil || !found {
			return err
		}
		if err := removed(endpoint, id); err != nil {
			return err
		}
	}
}

func ignore(int, sql.ID) error { return nil }

func sequence(from, to, step int64) []int64 {
	var ids []int64
	for id := from; id <= to; id += step {
		ids = append(ids, id)
	}
	return ids
}

// TestComparison compares more than two batches of each endpoint. Ids in the middle and at both ends are only published or only rendered;
// one endpoint is no longer rendered, and another is not published.
func TestComparison(t *testing.T) {
	database := testdb.New(t)
	session := openThings(t, database)
	const last = 2*fetched + 5_000
	published := load(t, session, endpoints, sequence(10, last, 1), func(_ int, id int64) uint64 { return uint64(id) << 40 })
	rendered := []sql.Endpoint{{Name: "new", Path: "new"}, {Name: "summary", List: true}, {Name: "item"}}

	var removed []string
	note := func(endpoint int, id sql.ID) error {
		removed = append(removed, fmt.Sprintf("%d:%s", endpoint, id))
		return nil
	}
	comparison := compare(t, database, rendered)
	if comparison.Version().Run != published.Run {
		t.Errorf("compared with version %d, want %d", comparison.Version().Run, published.Run)
	}
	got := map[string][]int64{}
	// 1 to 9 and the last are new; 10, 11, 30,000 and everything above last-2 are removed; multiples of 10,000 are changed.
	for _, id := range append(sequence(1, last-2, 1), last+100) {
		if id == 10 || id == 11 || id == 30_000 {
			continue
		}
		etag := uint64(id) << 40
		if id%10_000 == 0 {
			etag++
		}
		for d := range rendered {
			kind, err := take(comparison, d, id, etag, note)
			if err != nil {
				t.Fatal(err)
			}
			if kind != Unchanged {
				key := fmt.Sprintf("%d %d", d, kind)
				got[key] = append(got[key], id)
			}
		}
	}
	if err := finish(comparison, note); err != nil {
		t.Fatal(err)
	}
	for d := 1; d <= 2; d++ {
		if added := got[fmt.Sprint(d, " ", Added)]; !slices.Equal(added, append(sequence(1, 9, 1), last+100)) {
			t.Errorf("added %v", added)
		}
		if changed := got[fmt.Sprint(d, " ", Changed)]; !slices.Equal(changed, []int64{10_000, 20_000, 40_000}) {
			t.Errorf("changed %v", changed)
		}
	}
	slices.Sort(removed)
	wantRemoved := []string{"1:10", "1:11", "1:30000", "1:44999", "1:45000", "2:10", "2:11", "2:30000", "2:44999", "2:45000"}
	if diff := cmp.Diff(wantRemoved, removed); diff != "" {
		t.Errorf("removed (-want +got):\n%s", diff)
	}
	all := int64(last - 9)
	same := Counts{Added: 10, Changed: 3, Removed: 5, Unchanged: all - 8}
	want := Changes{
		Endpoints: []EndpointCounts{{"new", Counts{Added: all + 5}}, {"summary", same}, {"item", same}, {"parts", Counts{Removed: all}}},
		Items:     Items{Published: all, Added: 10, Changed: 3, Removed: 5},
	}
	if diff := cmp.Diff(want, comparison.Changes()); diff != "" {
		t.Errorf("changes: want (-), got (+)\n%s", diff)
	}
	bodies, err := comparison.Bodies(1, []sql.ID{sql.IntID(10_000), sql.IntID(5)})
	if err != nil || len(bodies) != 1 || string(bodies[sql.IntID(10_000)]) != string(edition(10_000<<40)) {
		t.Errorf("bodies %v (%v)", bodies, err)
	}
}

func TestComparisonOfTheLargestID(t *testing.T) {
	database := testdb.New(t)
	load(t, openThings(t, database), endpoints, []int64{1, math.MaxInt64}, func(int, int64) uint64 { return 7 })
	for _, test := range []struct {
		name     string
		rendered []int64
		removed  int64
	}{
		{"kept", []int64{1, math.MaxInt64}, 0},
		{"removed", []int64{1}, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			comparison := compare(t, database, endpoints)
			for _, id := range test.rendered {
				for d := range endpoints {
					if kind, err := take(comparison, d, id, 7, ignore); kind != Unchanged || err != nil {
						t.Errorf("Compare = %v, %v, want Unchanged", kind, err)
					}
				}
			}
			if err := finish(comparison, ignore); err != nil {
				t.Fatal(err)
			}
			if got := comparison.Changes().Items.Removed; got != test.removed {
				t.Errorf("%d items removed, want %d", got, test.removed)
			}
		})
	}
}

func TestComparisonCountsItemZero(t *testing.T) {
	database := testdb.New(t)
	ids := []int64{-1, 0, 1}
	load(t, openThings(t, database), endpoints, ids, constant(1))
	comparison := compare(t, database, endpoints)
	for _, id := range ids {
		etag := uint64(1)
		if id == 0 {
			etag = 2
		}
		for d := range endpoints {
			if _, err := take(comparison, d, id, etag, ignore); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := finish(comparison, ignore); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Items{Published: 3, Changed: 1}, comparison.Changes().Items); diff != "" {
		t.Errorf("items (-want +got):\n%s", diff)
	}
}

func TestComparisonWithNothing(t *testing.T) {
	comparison := compare(t, testdb.New(t), endpoints)
	for d := range endpoints {
		if kind, err := take(comparison, d, 7, 7, ignore); kind != Added || err != nil {
			t.Errorf("Compare = %v, %v, want Added", kind, err)
		}
	}
	if err := finish(comparison, ignore); err != nil {
		t.Fatal(err)
	}
	if changes := comparison.Changes(); changes.Differing() != int64(len(endpoints)) || changes.Items != (Items{}) {
		t.Errorf("changes %+v", changes)
	}
}

// TestComparisonReadsOneSnapshot publishes during a comparison, which must not see the new version.
func TestComparisonReadsOneSnapshot(t *testing.T) {
	database := testdb.New(t)
	session := openThings(t, database)
	ids := sequence(1, 3*fetched, 1)
	load(t, session, endpoints[:1], ids, func(int, int64) uint64 { return 1 })
	comparison := compare(t, database, endpoints[:1])
	for i, id := range ids {
		if i == fetched/2 {
			conn := testdb.Connect(t, database.ETL)
			if _, err := conn.Exec(t.Context(), "update catalog.things_summary_g1 set etag = 2, body = '{}'"); err != nil {
				t.Fatal(err)
			}
		}
		if kind, err := take(comparison, 0, id, 1, ignore); kind != Unchanged || err != nil {
			t.Fatalf("Compare(%d) = %v, %v, want Unchanged", id, kind, err)
		}
	}
	if err := finish(comparison, ignore); err != nil {
		t.Fatal(err)
	}
	if bodies, err := comparison.Bodies(0, []sql.ID{sql.IntID(7)}); err != nil || string(bodies[sql.IntID(7)]) != string(edition(1)) {
		t.Errorf("the body is %s (%v), want the compared one", bodies[sql.IntID(7)], err)
	}
}

func TestComparisonEndsWithItsContext(t *testing.T) {
	database := testdb.New(t)
	load(t, openThings(t, database), endpoints, []int64{1}, func(int, int64) uint64 { return 1 })
	ctx, cancel := context.WithCancel(t.Context())
	comparison, err := Compare(ctx, database.ETL, "things", endpoints)
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if _, err := take(comparison, 0, 1, 1, ignore); err == nil {
		// The fetched rows are still valid; the last row cannot be reached.
		if err := finish(comparison, ignore); err == nil {
			t.Error("a comparison continued after its context had ended")
		}
	}
	comparison.Close()
	comparison.Close()
}

func openThings(t testing.TB, database testdb.Database) *Session {
	t.Helper()
	session, err := Open(context.Background(), database.ETL, "things", 1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(session.Close)
	return session
}

// BenchmarkComparison compares documents with an equal published version.
func BenchmarkComparison(b *testing.B) {
	const rows = 50_000
	database := testdb.New(b)
	load(b, openThings(b, database), endpoints, sequence(1, rows, 1), func(_ int, id int64) uint64 { return uint64(id) })
	b.ReportAllocs()
	for b.Loop() {
		comparison := compare(b, database, endpoints)
		for id := int64(1); id <= rows; id++ {
			for d := range endpoints {
				if kind, err := take(comparison, d, id, uint64(id), ignore); kind != Unchanged || err != nil {
					b.Fatal(kind, err)
				}
			}
		}
		if err := finish(comparison, ignore); err != nil {
			b.Fatal(err)
		}
		comparison.Close()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(rows*len(endpoints)), "ns/document")
}
