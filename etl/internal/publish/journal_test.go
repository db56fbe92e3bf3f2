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

const door = "http://127.0.0.1:8281"

func openJournal(t *testing.T, database testdb.Database, limit int64) *Journal {
	t.Helper()
	journal, err := OpenJournal(t.Context(), database.ETL, "things", door, limit)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(journal.Close)
	return journal
}

// paths returns what a journal yields, sorted.
func paths(t *testing.T, journal *Journal) string {
	t.Helper()
	var all []string
	if err := journal.Paths(t.Context(), func(path string) error { all = append(all, path); return nil }); err != nil {
		t.Fatal(err)
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

// TestJournal registers a gateway before anything is published, and reads the journal after each kind of run.
func TestJournal(t *testing.T) {
	database := testdb.New(t)
	session := openThings(t, database)
	session.keep = 100
	if err := session.Register(t.Context(), []string{door}); err != nil {
		t.Fatal(err)
	}
	if journal := openJournal(t, database, 10); journal.Live() != 0 {
		t.Errorf("with nothing published, run %d is live", journal.Live())
	}
	ids := sequence(1, 300, 1)
	load(t, session, documents, ids, constant(1))
	if journal := openJournal(t, database, 10); journal.Since() != 0 || journal.Logged() {
		t.Errorf("after the first load: told of %d, logged %v", journal.Since(), journal.Logged())
	} else if err := journal.Finish(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := session.Register(t.Context(), []string{door}); err != nil { // who is known already keeps the bookmark
		t.Fatal(err)
	}

	// 7 changes twice, 8 in two documents, 9 in the list alone; 300 goes and comes back.
	etag := func(changed map[int64][]int, to uint64) func(int, int64) uint64 {
		return func(document int, id int64) uint64 {
			if slices.Contains(changed[id], document) {
				return to
			}
			return 1
		}
	}
	list := slices.IndexFunc(documents, func(d sql.Endpoint) bool { return d.List })
	item := slices.IndexFunc(documents, func(d sql.Endpoint) bool { return !d.List && d.Path == "" })
	parts := slices.IndexFunc(documents, func(d sql.Endpoint) bool { return !d.List && d.Path != "" })
	if list < 0 || item < 0 || parts < 0 {
		t.Fatalf("the documents %v lack a kind", documents)
	}
	if _, _, err := render(t, database, session, ids[:299], etag(map[int64][]int{7: {item}, 8: {item, parts}, 9: {list}}, 2)); err != nil {
		t.Fatal(err)
	}
	if _, _, err := render(t, database, session, ids, etag(map[int64][]int{7: {item}, 8: {item, parts}, 9: {list}, 10: {parts}}, 3)); err != nil {
		t.Fatal(err)
	}
	path := func(id string, document int) string {
		if p := documents[document].Path; p != "" {
			return "/things/" + id + "/" + p
		}
		return "/things/" + id
	}
	all := []string{path("7", item), path("8", item), path("8", parts), path("10", parts), path("300", item), path("300", parts)}
	slices.Sort(all)
	want := strings.Join(all, " ")
	journal := openJournal(t, database, 6)
	if journal.Since() != 1 || journal.Live() != 3 || !journal.Logged() || journal.Changed() != 6 || journal.TooMany() {
		t.Errorf("the journal leads from %d to %d: logged %v, %d changed, too many %v", journal.Since(), journal.Live(), journal.Logged(), journal.Changed(), journal.TooMany())
	}
	// What is published while it is read is for the next.
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
		t.Errorf("the next leads from %d to %d, too many %v", journal.Since(), journal.Live(), journal.TooMany())
	}
	if got := paths(t, openJournal(t, database, 6)); got != want {
		t.Errorf("of the rollback, the paths are\n%s, want\n%s", got, want)
	}

	// The slower of two refreshes of one gateway does not move its bookmark back.
	slow, fast := openJournal(t, database, 6), (*Journal)(nil)
	if _, err := rollBack(t, session, 0); err != nil {
		t.Fatal(err)
	}
	fast = openJournal(t, database, 6)
	for _, journal := range []*Journal{fast, slow} {
		if err := journal.Finish(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if journal := openJournal(t, database, 6); journal.Since() != 5 {
		t.Errorf("the bookmark is at %d, want 5", journal.Since())
	}

	stop := errors.New("stop")
	if _, err := rollBack(t, session, 0); err != nil {
		t.Fatal(err)
	}
	yielded := 0
	if err := openJournal(t, database, 6).Paths(t.Context(), func(string) error { yielded++; return stop }); !errors.Is(err, stop) || yielded != 1 {
		t.Errorf("Paths = %v after %d paths, want what yield returned first", err, yielded)
	}

	// There and back again: the tables are those of the bookmark, and the caches may hold what was live in between.
	load(t, session, documents, ids, constant(9))
	if _, err := rollBack(t, session, 6); err != nil {
		t.Fatal(err)
	}
	if journal := openJournal(t, database, 6); journal.Since() != 5 || journal.Live() != 8 || journal.Logged() {
		t.Errorf("the journal leads from %d to %d, and all of it is logged: %v", journal.Since(), journal.Live(), journal.Logged())
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
	load(t, session, documents, ids, constant(1))
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
