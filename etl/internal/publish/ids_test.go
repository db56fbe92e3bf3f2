package publish

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"systemscale/sql"
	"systemscale/sql/testdb"
)

// textEndpoints are endpoints whose ids have a number of parts.
func textEndpoints(parts int) []sql.Endpoint {
	of := slices.Clone(endpoints)
	for i := range of {
		of[i].IDParts = parts
	}
	return of
}

// oddTexts are ids that addresses, collations and quoting treat specially, in no order.
var oddTexts = []string{
	"a", "A", "b", "B", "aa", "a-b", "a_b", "a b", "10", "9", "-1", "0", "00", "1e3", "null", "ä", "a\u0308", "ß", "ss", "ﬁ", "\U0001F600", "日本",
	"styles", "%", "100%", "%2F", "a/b", "a/b/c", "+", "a+b", ";", "a;b=c", "?", "#", "&", "=", "'", `"`, `\`, "\\x41", "\t", "\n", "\x01", "\x7f",
	".a", "a.", "...", "~", "{id}", "$1", "O'Neil; drop table x", "550e8400-e29b-41d4-a716-446655440000", "550E8400-E29B-41D4-A716-446655440000",
	strings.Repeat("x", sql.MaxIDLength), strings.Repeat("x", sql.MaxIDLength-1), strings.Repeat("ü", sql.MaxIDLength/2),
}

// documents maps the ids of documents to their etags, which are the same for all endpoints.
type documents map[sql.ID]uint64

func (d documents) sorted() []sql.ID { return slices.SortedFunc(maps.Keys(d), sql.ID.Compare) }

// mutate returns documents with some of the universe added, changed and removed.
func (d documents) mutate(random *rand.Rand, universe []sql.ID) documents {
	next := maps.Clone(d)
	for range 1 + random.IntN(12) {
		id := universe[random.IntN(len(universe))]
		if random.IntN(3) == 0 {
			delete(next, id)
		} else {
			next[id] = random.Uint64()
		}
	}
	if len(next) == 0 {
		next[universe[0]] = 1
	}
	return next
}

// catalog publishes collections of any kind of ids, and keeps what each run has published.
type catalog struct {
	*testing.T
	database  testdb.Database
	conn      *pgx.Conn
	session   *Session
	endpoints []sql.Endpoint
	live      documents
	runs      map[int64]documents
}

func newCatalog(t *testing.T, parts int) *catalog {
	t.Helper()
	database := testdb.New(t)
	session, err := Open(t.Context(), database.ETL, "things", 1000)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(session.Close)
	return &catalog{
		T: t, database: database, conn: testdb.Connect(t, database.ETL), session: session, endpoints: textEndpoints(parts),
		live: documents{}, runs: map[int64]documents{},
	}
}

func (c *catalog) generation(next documents) {
	c.Helper()
	run, err := c.session.Begin(c.Context(), Generation)
	if err != nil {
		c.Fatal(err)
	}
	load, err := run.Load(c.Context(), c.endpoints, 1)
	if err != nil {
		c.Fatal(err)
	}
	for _, id := range next.sorted() {
		for e := range c.endpoints {
			if err := load.Append(e, id, next[id], edition(next[id])); err != nil {
				c.Fatal(err)
			}
		}
	}
	published, err := load.Publish(c.Context(), Record{}, func(string) {})
	if err != nil {
		c.Fatal(err)
	}
	c.live, c.runs[published.Run] = next, next
}

// delta compares and publishes as a run does. The counts must be those of the maps.
func (c *catalog) delta(next documents) {
	c.Helper()
	run, err := c.session.Begin(c.Context(), Delta)
	if err != nil {
		c.Fatal(err)
	}
	comparison, err := Compare(c.Context(), c.database.ETL, "things", c.endpoints)
	if err != nil {
		c.Fatal(err)
	}
	defer comparison.Close()
	spool := NewSpool(c.TempDir(), len(c.endpoints), 1_000_000)
	defer func() { _ = spool.Close() }()
	if err := spoolDifferences(comparison, spool, next); err != nil {
		c.Fatal(err)
	}
	changes := comparison.Changes()
	for _, found := range changes.Endpoints {
		if want := c.live.differences(next); found.Counts != want {
			c.Errorf("%s: %+v, want %+v", found.Name, found.Counts, want)
		}
	}
	comparison.Close()
	tables := make([]Table, len(c.endpoints))
	for i, e := range c.endpoints {
		tables[i] = Table{Name: e.Name, Rows: int64(len(next))}
	}
	published, err := run.PublishDelta(c.Context(), spool, c.endpoints, changes, tables, Record{Plan: &changes})
	if err != nil {
		c.Fatal(err)
	}
	c.live, c.runs[published.Run] = next, next
}

func (d documents) differences(next documents) (counts Counts) {
	for id, etag := range next {
		switch before, found := d[id]; {
		case !found:
			counts.Added++
		case before != etag:
			counts.Changed++
		default:
			counts.Unchanged++
		}
	}
	for id := range d {
		if _, found := next[id]; !found {
			counts.Removed++
		}
	}
	return counts
}

// spoolDifferences compares documents of all endpoints, and spools those that differ.
func spoolDifferences(c *Comparison, spool *Spool, next documents) error {
	removed := func(endpoint int, following func() (sql.ID, bool, error)) error {
		return takeRemoved(endpoint, following, spool.Remove)
	}
	for _, id := range next.sorted() {
		for e := range c.rendered {
			if err := removed(e, func() (sql.ID, bool, error) { return c.NextRemoved(e, id) }); err != nil {
				return err
			}
			if c.Compare(e, id, next[id]) == Unchanged {
				continue
			}
			if err := spool.Put(e, id, next[id], edition(next[id])); err != nil {
				return err
			}
		}
	}
	for e := range c.rendered {
		if err := removed(e, func() (sql.ID, bool, error) { return c.NextRemaining(e) }); err != nil {
			return err
		}
	}
	return c.Finish()
}

// check compares the live tables, their order and the page anchors with what was published last.
func (c *catalog) check() {
	c.Helper()
	generation := c.session.Live().Generation
	for _, e := range c.endpoints {
		rows, err := c.conn.Query(c.Context(), "select id, etag from catalog."+sql.DocumentTable("things", e.Name, generation)+" order by id")
		if err != nil {
			c.Fatal(err)
		}
		var id sql.ID
		var etag int64
		ids := []sql.ID{}
		_, err = pgx.ForEachRow(rows, []any{&id, &etag}, func() error {
			ids = append(ids, id)
			if want, found := c.live[id]; !found || want != uint64(etag) {
				c.Errorf("%s %q has etag %d, want %d (%v)", e.Name, id, uint64(etag), want, found)
			}
			return nil
		})
		if want := c.live.sorted(); err != nil || !slices.Equal(ids, want) {
			c.Fatalf("%s has the ids %q (%v), want %q", e.Name, ids, err, want)
		}
		if !e.List {
			continue
		}
		anchors := []sql.ID{}
		rows, err = c.conn.Query(c.Context(), "select first_id from catalog."+sql.AnchorTable(e.IDParts)+
			" where collection = 'things' and generation = $1 order by page", generation)
		if err != nil {
			c.Fatal(err)
		}
		if _, err = pgx.ForEachRow(rows, []any{&id}, func() error { anchors = append(anchors, id); return nil }); err != nil {
			c.Fatal(err)
		}
		want := []sql.ID{}
		for i := 0; i < len(ids); i += sql.AnchorEvery {
			want = append(want, ids[i])
		}
		if !slices.Equal(anchors, want) {
			c.Errorf("the page anchors are %q, want %q", anchors, want)
		}
	}
}

// checkJournal compares the paths that changed in the live tables since a run with the maps.
func (c *catalog) checkJournal(since int64) {
	c.Helper()
	const gateway = "http://gateway.example"
	if _, err := c.conn.Exec(c.Context(), "delete from catalog.gateway"); err != nil {
		c.Fatal(err)
	}
	if _, err := c.conn.Exec(c.Context(), sql.Query("etl/move_bookmark"), gateway, "things", since); err != nil {
		c.Fatal(err)
	}
	journal, err := OpenJournal(c.Context(), c.database.ETL, "things", gateway, 1_000_000)
	if err != nil {
		c.Fatal(err)
	}
	defer journal.Close()
	if !journal.Logged() {
		return
	}
	found := map[string]bool{}
	if err := journal.Paths(c.Context(), func(path string) error {
		decoded, err := url.PathUnescape(path)
		found[decoded] = true
		return err
	}); err != nil {
		c.Fatal(err)
	}
	before := c.runs[since]
	for id, etag := range c.live {
		if old, kept := before[id]; (!kept || old != etag) && !found["/things/"+id.String()] {
			c.Errorf("the journal lacks %q, which changed since run %d", id, since)
		}
	}
	for id := range before {
		if _, kept := c.live[id]; !kept && !found["/things/"+id.String()] {
			c.Errorf("the journal lacks %q, which was removed since run %d", id, since)
		}
	}
}

// universes returns ids by their number of parts.
func universes() map[int][]sql.ID {
	universe := map[int][]sql.ID{0: {}, 1: {}, 2: {}}
	for i, text := range oddTexts {
		universe[1] = append(universe[1], sql.TextID(text))
		if len(text) < 100 {
			universe[2] = append(universe[2], sql.TextID(sql.JoinID("1901", text)), sql.TextID(sql.JoinID(text, "b")))
		}
		universe[0] = append(universe[0], sql.IntID(int64(i-20)), sql.IntID(-1<<63+int64(i)))
	}
	for i := range 250 {
		universe[1] = append(universe[1], sql.TextID(fmt.Sprintf("item-%d", i)))
	}
	return universe
}

// step publishes a generation or a delta, or rolls back, at random, and compares the result with the maps.
func (c *catalog) step(random *rand.Rand, universe []sql.ID) {
	c.Helper()
	before := c.session.Live().Run
	switch random.IntN(5) {
	case 0:
		c.generation(c.live.mutate(random, universe))
	case 1, 2, 3:
		c.delta(c.live.mutate(random, universe))
	default:
		runs := slices.Sorted(maps.Keys(c.runs))
		to := runs[random.IntN(len(runs))]
		if to == before {
			return
		}
		published, err := rollBack(c.T, c.session, to)
		if err != nil {
			c.Fatalf("back to run %d: %v", to, err)
		}
		c.live, c.runs[published.Run] = c.runs[to], c.runs[to]
	}
	c.check()
	if c.Failed() {
		c.Fatalf("after run %d", c.session.Live().Run)
	}
}

// TestTextsAgainstMaps publishes and rolls back at random, and compares every version with a map.
func TestTextsAgainstMaps(t *testing.T) {
	const seed = 20260801
	for parts, ids := range universes() {
		t.Run(fmt.Sprintf("%d parts, seed %d", parts, seed), func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, uint64(parts)))
			c := newCatalog(t, parts)
			first := documents{}
			for _, id := range ids {
				first[id] = random.Uint64()
			}
			c.generation(first)
			c.check()
			for range 25 {
				before := c.session.Live().Run
				c.step(random, ids)
				c.checkJournal(before)
				if t.Failed() {
					t.Fatalf("after run %d", c.session.Live().Run)
				}
			}
		})
	}
}

// TestSequencesAgainstMaps is TestTextsAgainstMaps for many short sequences of runs with a few of the ids. SEQUENCES is their number; each
// takes about 0.1 s.
func TestSequencesAgainstMaps(t *testing.T) {
	const seed, sharing = 20261128, 100
	sequences := 30
	if given := os.Getenv("SEQUENCES"); given != "" {
		n, err := strconv.Atoi(given)
		if err != nil {
			t.Fatalf("SEQUENCES: %v", err)
		}
		sequences = n
	}
	for first := 0; first < sequences; first += sharing {
		parts := 1 + first/sharing%2
		t.Run(fmt.Sprintf("%d parts, seed %d, from %d", parts, seed, first), func(t *testing.T) {
			t.Parallel()
			c := newCatalog(t, parts) // not one for all sequences: the tables of earlier ones make everything slow
			c.endpoints = c.endpoints[:2]
			random := rand.New(rand.NewPCG(seed, uint64(first)))
			universe := universes()[parts]
			random.Shuffle(len(universe), func(i, j int) { universe[i], universe[j] = universe[j], universe[i] })
			universe = universe[:1+random.IntN(40)]
			c.generation(documents{}.mutate(random, universe))
			steps := 0
			for range min(sharing, sequences-first) {
				before := c.session.Live().Run
				for range 1 + random.IntN(3) {
					c.step(random, universe)
					steps++
				}
				c.checkJournal(before)
				if t.Failed() {
					t.Fatalf("after run %d", c.session.Live().Run)
				}
			}
			t.Logf("%d sequences with %d runs", min(sharing, sequences-first), steps)
		})
	}
}

// newMemoryComparison returns a comparison with published rows in memory, which it reads in batches of a size.
func newMemoryComparison(of []sql.Endpoint, rows []etagRow, size int) *Comparison {
	c := &Comparison{rendered: of, endpoints: make([]published, len(of)), ctx: context.Background()}
	c.empty = make(chan *batch, 2*len(of))
	for i := range of {
		c.endpoints[i].full = make(chan *batch, len(rows)/size+2)
		for batched := range slices.Chunk(rows, size) {
			c.endpoints[i].full <- &batch{endpoint: i, rows: batched}
		}
		c.endpoints[i].full <- &batch{endpoint: i}
	}
	go func() {
		for range c.empty { // a reader of a database would fill it
		}
	}()
	return c
}

// TestComparisonAgainstMaps compares random documents in random batches with maps.
func TestComparisonAgainstMaps(t *testing.T) {
	const seed, sequences = 20260802, 10_000
	random := rand.New(rand.NewPCG(seed, 0))
	for n := range sequences {
		universe := []sql.ID{}
		for i, text := range oddTexts {
			if n%2 == 0 {
				universe = append(universe, sql.TextID(text))
			} else {
				universe = append(universe, sql.IntID(int64(i)-int64(len(text))<<50))
			}
		}
		before := documents{}
		for range random.IntN(30) {
			before[universe[random.IntN(len(universe))]] = random.Uint64N(3)
		}
		after := before.mutate(random, universe)
		rows := []etagRow{}
		for _, id := range before.sorted() {
			rows = append(rows, etagRow{id, before[id]})
		}
		c := newMemoryComparison(endpoints[:1], rows, 1+random.IntN(5))
		got, want := Counts{}, before.differences(after)
		var removed []sql.ID
		note := func(_ int, id sql.ID) error { removed = append(removed, id); got.Removed++; return nil }
		var errs []error
		for _, id := range after.sorted() {
			errs = append(errs, takeRemoved(0, func() (sql.ID, bool, error) { return c.NextRemoved(0, id) }, note))
			switch c.Compare(0, id, after[id]) {
			case Added:
				got.Added++
			case Changed:
				got.Changed++
			default:
				got.Unchanged++
			}
		}
		errs = append(errs, takeRemoved(0, func() (sql.ID, bool, error) { return c.NextRemaining(0) }, note))
		close(c.empty)
		for _, id := range removed {
			if _, kept := after[id]; kept {
				t.Errorf("%q is removed and rendered", id)
			}
		}
		if err := errors.Join(errs...); err != nil || got != want || c.endpoints[0].counts != want {
			t.Fatalf("sequence %d of seed %d: %+v and %+v (%v), want %+v", n, seed, got, c.endpoints[0].counts, err, want)
		}
	}
}

// TestOtherKindOfIDs refuses documents whose ids are of another kind than the published ones, before anything is written.
func TestOtherKindOfIDs(t *testing.T) {
	database := testdb.New(t)
	session := openThings(t, database)
	load(t, session, endpoints, []int64{1}, constant(1))
	for parts, want := range map[int]string{
		1: "the ids of the shape are texts, and those of the published version of things are integers",
		2: "the ids of the shape are texts of 2 parts, and those of the published version of things are integers",
	} {
		_, err := Compare(t.Context(), database.ETL, "things", textEndpoints(parts))
		var refused *IDKindError
		if !errors.As(err, &refused) || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "etl drop things") {
			t.Errorf("%d parts: %v, want %s", parts, err, want)
		}
	}
	for _, published := range [][]sql.Endpoint{nil, endpoints} {
		if err := CheckIDs("things", published, endpoints); err != nil {
			t.Errorf("with %d published endpoints: %v", len(published), err)
		}
	}
}
