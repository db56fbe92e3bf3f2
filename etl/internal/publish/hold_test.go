package publish

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"systemscale/sql"
	"systemscale/sql/testdb"
)

// shortenPatience shortens the wait for a collection until t ends.
func shortenPatience(t *testing.T) {
	patience := holdPatience
	holdPatience = patience / 8
	t.Cleanup(func() { holdPatience = patience })
}

// endHold ends the connection that holds a session's collection, and waits until the server has released it.
func endHold(t *testing.T, database testdb.Database, session *Session) {
	t.Helper()
	admin, pid := testdb.Connect(t, database.AdminURL), session.hold.PgConn().PID()
	if !scalar[bool](t, admin, "select pg_terminate_backend($1)", pid) {
		t.Fatal("no connection holds the collection")
	}
	eventuallyTrue(t, func() bool {
		return scalar[int](t, admin, "select count(*) from pg_locks where pid = $1", pid) == 0
	})
}

// TestHoldDoesNotBlockVacuum checks the transaction that is open during a run. If it had an id or a snapshot, vacuum could not remove rows
// that are deleted meanwhile.
func TestHoldDoesNotBlockVacuum(t *testing.T) {
	database := testdb.New(t)
	session := open(t, database, "things")
	state := scalar[string](t, testdb.Connect(t, database.AdminURL),
		"select format('%s, xid %s, xmin %s', state, backend_xid, backend_xmin) from pg_stat_activity where pid = $1",
		session.hold.PgConn().PID())
	if state != "idle in transaction, xid , xmin " {
		t.Errorf("the connection that holds the collection is %s", state)
	}
}

// TestReadersCannotHold takes all locks that the API's role can take. Neither a run nor a rollback waits for them.
func TestReadersCannotHold(t *testing.T) {
	shortenPatience(t)
	database := testdb.New(t)
	session := open(t, database, "things")
	publish(t, session, 1)
	session.Close()
	reader := testdb.Connect(t, database.API)
	for _, statement := range []string{
		"begin",
		"select pg_advisory_lock(hashtextextended('systemscale things', 0))",
		"lock table catalog.run, catalog.version, catalog.change, catalog.page_anchor, catalog.things_item_g1 in access share mode",
	} {
		if _, err := reader.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	session = open(t, database, "things")
	load := begin(t, t.Context(), session)
	if _, err := Open(t.Context(), database.ETL, "things", 1); !errors.As(err, new(*HeldError)) {
		t.Errorf("a second session: %v, want a HeldError", err)
	}
	// A lock on the tables of an unpublished generation would block the creation of their keys.
	other := testdb.Connect(t, database.API)
	for _, table := range []string{load.streams.tables[1], sql.HoldTable("things")} {
		if _, err := other.Exec(t.Context(), `begin read write; lock table catalog."`+table+`" in access share mode`); err == nil ||
			!strings.Contains(err.Error(), "permission denied") {
			t.Errorf("the API's role locks %s: %v", table, err)
		}
		if _, err := other.Exec(t.Context(), "rollback"); err != nil {
			t.Fatal(err)
		}
	}
	fill(t, load, 2)
	if _, err := load.Publish(t.Context(), Record{}, func(string) {}); err != nil {
		t.Fatal(err)
	}
	if scalar[int](t, other, "select count(*) from catalog."+load.streams.tables[1]) != 2 {
		t.Error("the API's role cannot read the published documents")
	}
}

// TestEarlierBuildsAreKeptOut opens a collection that a build before version 4 of the schema holds, and the reverse.
func TestEarlierBuildsAreKeptOut(t *testing.T) {
	shortenPatience(t)
	database := testdb.New(t)
	earlier := testdb.Connect(t, database.ETL)
	const lock = "select pg_try_advisory_lock(hashtextextended('systemscale things', 0))"
	if !scalar[bool](t, earlier, lock) {
		t.Fatal("the lock is not free")
	}
	_, err := Open(t.Context(), database.ETL, "things", 1)
	if held := new(HeldError); !errors.As(err, &held) {
		t.Errorf("Open = %v, want a HeldError", err)
	}
	if _, err := earlier.Exec(t.Context(), "select pg_advisory_unlock_all()"); err != nil {
		t.Fatal(err)
	}
	open(t, database, "things")
	if scalar[bool](t, earlier, lock) {
		t.Error("an earlier build takes the collection as well")
	}
}

// TestManyOpenAtOnce opens a collection, whose table of locks does not exist yet, concurrently. One session must succeed.
func TestManyOpenAtOnce(t *testing.T) {
	t.Run("builds with the table", func(t *testing.T) { openManyAtOnce(t, testdb.New(t)) })
	t.Run("while a reader has the lock of earlier builds", func(t *testing.T) {
		database := testdb.New(t)
		_, err := testdb.Connect(t, database.API).Exec(t.Context(), "select pg_advisory_lock(hashtextextended('systemscale things', 0))")
		if err != nil {
			t.Fatal(err)
		}
		openManyAtOnce(t, database)
	})
}

func openManyAtOnce(t *testing.T, database testdb.Database) {
	shortenPatience(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	opened := make(chan error)
	const many = 8
	for range many {
		go func() {
			session, err := Open(ctx, database.ETL, "things", 1)
			if err == nil {
				t.Cleanup(session.Close)
			}
			opened <- err
		}()
	}
	won := 0
	for range many {
		err := <-opened
		if held := new(HeldError); err == nil {
			won++
		} else if !errors.As(err, &held) || held.Process == 0 {
			t.Errorf("Open = %v, want a HeldError that names the process", err)
		}
	}
	if won != 1 {
		t.Errorf("%d sessions hold the collection, want 1", won)
	}
}

// TestHoldEndsWithConnection ends the connection of a session that holds the collection.
func TestHoldEndsWithConnection(t *testing.T) {
	database := testdb.New(t)
	session := open(t, database, "things")
	endHold(t, database, session)
	open(t, database, "things")
}

// TestNoTableForUnknownCollection misspells the collection of a rollback.
func TestNoTableForUnknownCollection(t *testing.T) {
	database := testdb.New(t)
	_, err := OpenPublished(t.Context(), database.ETL, "thinks", 1)
	if missing := new(NotRetainedError); !errors.As(err, &missing) {
		t.Errorf("OpenPublished = %v, want a NotRetainedError", err)
	}
	if n := scalar[int](t, testdb.Connect(t, database.ETL), "select count(*) from pg_tables where tablename like 'thinks%'"); n != 0 {
		t.Errorf("%d tables are left", n)
	}
}
