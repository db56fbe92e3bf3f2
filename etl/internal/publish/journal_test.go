package publish

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"systemscale/sql"
	"systemscale/sql/testdb"
)

const gatewayAddress = "http://127.0.0.1:8281"

func openJournal(t *testing.T, database testdb.Database, limit int64) *Journal {
	t.Helper()
	journal, err := OpenJournal(t.Context(), database.ETL, "things", gatewayAddress, limit)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(journal.Close)
	return journal
}

// paths returns the paths of a journal, sorted.
func paths(t *testing.T, journal *Journal) string {
	t.Helper()
	var all []string
	if err := journal.Paths(t.Context(), func(path string) error { all = append(all, path); return nil }); err != nil {
		t.Fatal(err)
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

func TestJournalOfFirstVersion(t *testing.T) {
	database := testdb.New(t)
	session := openThings(t, database)
	if err := session.Register(t.Context(), []string{gatewayAddress}); err != nil {
		t.Fatal(err)
	}
	if journal := openJournal(t, database, 10); journal.Live() != 0 {
		t.Errorf("with nothing published, run %d is live", journal.Live())
	}
	load(t, session, endpoints, sequence(1, 300, 1), constant(1))
	if journal := openJournal(t, database, 10); journal.Since() != 0 || journal.Logged() {
		t.Errorf("after the first load: since %d, logged %v; want 0, false", journal.Since(), journal.Logged())
	}
}

// publishChanges registers a gateway, whose bookmark is then at run 1, and publishes changes with runs 2 and 3. It returns the paths of the
// changed documents, sorted.
func publishChanges(t *testing.T, database testdb.Database) (_ *Session, changed string) {
	t.Helper()
	session := openThings(t, database)
	session.keep = 100
	if err := session.Register(t.Context(), []string{gatewayAddress}); err != nil {
		t.Fatal(err)
	}
	ids := sequence(1, 300, 1)
	load(t, session, endpoints, ids, constant(1))
	if err := openJournal(t, database, 10).Finish(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := session.Register(t.Context(), []string{gatewayAddress}); err != nil { // a registered gateway keeps its bookmark
		t.Fatal(err)
	}

	list := slices.IndexFunc(endpoints, func(d sql.Endpoint) bool { return d.List })
	item := slices.IndexFunc(endpoints, func(d sql.Endpoint) bool { return !d.List && d.Path == "" })
	parts := slices.IndexFunc(endpoints, func(d sql.Endpoint) bool { return !d.List && d.Path != "" })
	if list < 0 || item < 0 || parts < 0 {
		t.Fatalf("the endpoints %v lack a kind", endpoints)
	}
	// 7 changes twice, 8 in two documents, 9 in the list alone; 300 is removed and added again.
	etag := func(changed map[int64][]int, to uint64) func(int, int64) uint64 {
		return func(endpoint int, id int64) uint64 {
			if slices.Contains(changed[id], endpoint) {
				return to
			}
			return 1
		}
	}
	second := map[int64][]int{7: {item}, 8: {item, parts}, 9: {list}}
	if _, _, err := render(t, database, session, ids[:299], etag(second, 2)); err != nil {
		t.Fatal(err)
	}
	third := map[int64][]int{7: {item}, 8: {item, parts}, 9: {list}, 10: {parts}}
	if _, _, err := render(t, database, session, ids, etag(third, 3)); err != nil {
		t.Fatal(err)
	}
	path := func(id string, endpoint int) string {
		if p := endpoints[endpoint].Path; p != "" {
			return "/things/" + id + "/" + p
		}
		return "/things/" + id
	}
	all := []string{path("7", item), path("8", item), path("8", parts), path("10", parts), path("300", item), path("300", parts)}
	slices.Sort(all)
	return session, strings.Join(all, " ")
}

func TestJournal(t *testing.T) {
	database := testdb.New(t)
	session, want := publishChanges(t, database)
	journal := openJournal(t, database, 6)
	if journal.Since() != 1 || journal.Live() != 3 || !journal.Logged() || journal.Changed() != 6 || journal.TooMany() {
		t.Errorf("since run %d, live %d, logged %v, %d changed, too many %v; want 1, 3, true, 6, false",
			journal.Since(), journal.Live(), journal.Logged(), journal.Changed(), journal.TooMany())
	}
	// An open journal does not include later runs.
	if _, err := rollBack(t, session, 0); err != nil {
		t.Fatal(err)
	}
	if got := paths(t, journal); got != want {
		t.Errorf("the paths are\n%s, want\n%s", got, want)
	}
	if err := journal.Finish(t.Context()); err != nil {
		t.Fatal(err)
	}
	if journal := openJournal(t, database, 5); journal.Since() != 3 || journal.Live() != 4 || !journal.TooMany() {
		t.Errorf("after the rollback: since run %d, live %d, too many %v; want 3, 4, true", journal.Since(), journal.Live(), journal.TooMany())
	}
	if got := paths(t, openJournal(t, database, 6)); got != want {
		t.Errorf("after the rollback, the paths are\n%s, want\n%s", got, want)
	}
}

// TestFinishKeepsNewerBookmark finishes two refreshes of one gateway, the one that started first last.
func TestFinishKeepsNewerBookmark(t *testing.T) {
	database := testdb.New(t)
	session, _ := publishChanges(t, database)
	slow := openJournal(t, database, 6)
	if _, err := rollBack(t, session, 0); err != nil {
		t.Fatal(err)
	}
	fast := openJournal(t, database, 6)
	for _, journal := range []*Journal{fast, slow} {
		if err := journal.Finish(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if journal := openJournal(t, database, 6); journal.Since() != 4 {
		t.Errorf("the bookmark is at run %d, want 4", journal.Since())
	}
}

func TestPathsReturnsErrorOfYield(t *testing.T) {
	database := testdb.New(t)
	publishChanges(t, database)
	stop := errors.New("stop")
	yielded := 0
	err := openJournal(t, database, 6).Paths(t.Context(), func(string) error { yielded++; return stop })
	if !errors.Is(err, stop) || yielded != 1 {
		t.Errorf("Paths = %v after %d paths, want the error of the first yield", err, yielded)
	}
}

// TestJournalAcrossGenerations publishes a generation and rolls back to the tables of the bookmark. Between the two, caches may have
// stored documents of the other tables.
func TestJournalAcrossGenerations(t *testing.T) {
	database := testdb.New(t)
	session, _ := publishChanges(t, database)
	load(t, session, endpoints, sequence(1, 300, 1), constant(9))
	if _, err := rollBack(t, session, 3); err != nil {
		t.Fatal(err)
	}
	if journal := openJournal(t, database, 6); journal.Since() != 1 || journal.Live() != 5 || journal.Logged() {
		t.Errorf("since run %d, live %d, logged %v; want 1, 5, false", journal.Since(), journal.Live(), journal.Logged())
	}
}

// TestPublishingNotifies listens while every kind of run publishes.
func TestPublishingNotifies(t *testing.T) {
	database := testdb.New(t)
	session := openThings(t, database)
	listener := testdb.Connect(t, database.API)
	if _, err := listener.Exec(t.Context(), "listen "+sql.VersionChannel); err != nil {
		t.Fatal(err)
	}
	heard := func(what string) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		notification, err := listener.WaitForNotification(ctx)
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		version, err := readVersion(t.Context(), listener, "things")
		if err != nil || notification.Payload != "things" || version.Run != session.Live().Run {
			t.Errorf("%s: heard %q, while version %d (%v) was live; want %d", what, notification.Payload, version.Run, err, session.Live().Run)
		}
	}
	ids := sequence(1, 10, 1)
	load(t, session, endpoints, ids, constant(1))
	heard("a generation")
	if _, _, err := render(t, database, session, ids, constant(2)); err != nil {
		t.Fatal(err)
	}
	heard("a delta")
	if _, err := rollBack(t, session, 0); err != nil {
		t.Fatal(err)
	}
	heard("a rollback")
}
