package publish

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"testing"

	"systemscale/sql"
	"systemscale/sql/testdb"
)

// TestDatabaseErrors has the database refuse all connections, and calls every function and method that uses it. The list must be complete.
func TestDatabaseErrors(t *testing.T) {
	database := testdb.New(t)
	session := openThings(t, database)
	one := endpoints[:1]
	load(t, session, one, sequence(1, 3*fetched, 1), // more than the comparison reads ahead
		func(int, int64) uint64 { return 1 })
	target, err := session.Target(t.Context(), 1)
	if !errors.As(err, new(*NotRetainedError)) { // it is live
		t.Fatal(err)
	}
	run, err := session.Begin(t.Context(), Generation)
	if err != nil {
		t.Fatal(err)
	}
	loading, err := run.Load(t.Context(), one, 1)
	if err != nil {
		t.Fatal(err)
	}
	others, err := Open(t.Context(), database.ETL, "others", 1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(others.Close)
	otherRun, err := others.Begin(t.Context(), Generation)
	if err != nil {
		t.Fatal(err)
	}
	appending, err := otherRun.Load(t.Context(), one, 1) // no method may be called after an error of Append
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(appending.streams.abandon)
	comparison := compare(t, database, one)
	journal := openJournal(t, database, 10)
	spool := NewSpool(t.TempDir(), len(one), 10)

	refuseConnections(t, database)
	ctx, url, yield := t.Context(), database.ETL, func(string) error { return nil }
	calls := map[string]func() error{
		"Open":          func() error { _, err := Open(ctx, url, "things", 1); return err },
		"OpenPublished": func() error { _, err := OpenPublished(ctx, url, "things", 1); return err },
		"Compare":       func() error { _, err := Compare(ctx, url, "things", one); return err },
		"OpenJournal":   func() error { _, err := OpenJournal(ctx, url, "things", "http://gateway", 1); return err },
		"History":       func() error { _, err := History(ctx, url, "things", 1); return err },

		"Session.Register":         func() error { return session.Register(ctx, []string{"http://gateway"}) },
		"Session.Target":           func() error { _, err := session.Target(ctx, 0); return err },
		"Session.Begin":            func() error { _, err := session.Begin(ctx, Delta); return err },
		"Run.Load":                 func() error { _, err := (&Run{session: session}).Load(ctx, one, 1); return err },
		"Run.PublishDelta":         func() error { _, err := run.PublishDelta(ctx, spool, one, Changes{}, nil, Record{}); return err },
		"Run.PublishRollback":      func() error { _, _, err := run.PublishRollback(ctx, target, nil); return err },
		"Run.Unchanged":            func() error { return run.Unchanged(ctx, Record{}) },
		"Session.Drop":             func() error { return session.Drop(ctx) },
		"Run.Abort":                func() error { return run.Abort(errors.New("test"), Record{}) },
		"Load.Publish":             func() error { _, err := loading.Publish(ctx, Record{}, func(string) {}); return err },
		"Comparison.Finish":        func() error { return finish(comparison, ignore) },
		"Comparison.Bodies":        func() error { _, err := comparison.Bodies(0, []sql.ID{sql.IntID(1)}); return err },
		"Journal.Paths":            func() error { return journal.Paths(ctx, yield) },
		"Journal.Finish":           func() error { return journal.Finish(ctx) },
		"Load.Append":              func() error { return appendUntilError(appending) },
		"Comparison.NextRemaining": func() error { return nextUntilError(comparison) },
		"Comparison.NextRemoved":   nil, // is NextRemaining with a bound
	}
	complete(t, calls, session, run, loading, comparison, journal)
	// These last, in this order: Bodies may be called only after Finish, which ends the reader, and Abort ends the streams.
	last := []string{"Comparison.NextRemaining", "Comparison.Finish", "Comparison.Bodies", "Run.Abort"}
	for name := range calls {
		if calls[name] != nil && !slices.Contains(last, name) {
			last = append([]string{name}, last...)
		}
	}
	for _, name := range last {
		if err := calls[name](); !errors.As(err, new(*DatabaseError)) {
			t.Errorf("%s = %v, want a *DatabaseError", name, err)
		}
	}
}

// refuseConnections has the database end all connections and refuse new ones.
func refuseConnections(t *testing.T, database testdb.Database) {
	t.Helper()
	admin := testdb.Connect(t, database.AdminURL)
	for _, statement := range []string{
		"update pg_database set datallowconn = false where datname = current_database()",
		"select pg_terminate_backend(pid, 10000) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()",
	} {
		if _, err := admin.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
}

// complete checks that calls has every method of some values that returns an error.
func complete(t *testing.T, calls map[string]func() error, values ...any) {
	t.Helper()
	for _, of := range values {
		typ := reflect.TypeOf(of)
		for i := range typ.NumMethod() {
			method := typ.Method(i)
			results := method.Type.NumOut()
			if results == 0 || method.Type.Out(results-1) != reflect.TypeFor[error]() {
				continue
			}
			if name := typ.Elem().Name() + "." + method.Name; !has(calls, name) {
				t.Errorf("%s returns an error, and is not tested", name)
			}
		}
	}
}

func has(calls map[string]func() error, name string) bool { _, found := calls[name]; return found }

// appendUntilError fills blocks until the stream that sends them has failed.
func appendUntilError(l *Load) error {
	body := make([]byte, 1<<20)
	for id := int64(1); ; id++ {
		if err := l.Append(0, sql.IntID(id), 1, body); err != nil {
			return err
		}
	}
}

// nextUntilError reads all that is published.
func nextUntilError(c *Comparison) error {
	for endpoint := range c.rendered {
		for {
			_, found, err := c.NextRemaining(endpoint)
			if err != nil {
				return err
			}
			if !found {
				break
			}
		}
	}
	return context.Canceled
}
