package store

import (
	"errors"
	"testing"
	"time"

	"systemscale/api/internal/publishtest"
	"systemscale/sql"
	"systemscale/sql/testdb"
)

// TestMissingPrivileges revokes privileges of the store's role, while it runs and before its first read. The store is not ready then,
// reports the reason, and recovers by itself.
func TestMissingPrivileges(t *testing.T) {
	f := newFixture(t, 3, Options{Poll: 5 * time.Millisecond})
	conn := testdb.Connect(t, f.database.ETL)
	exec := func(statement string) {
		t.Helper()
		if _, err := conn.Exec(t.Context(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	ready := func() bool { return f.Ready() == nil }
	refused := func() bool { return errors.Is(f.Ready(), ErrUnreadable) }
	item := f.document("").table
	for _, c := range []struct {
		table string
		look  func() error
	}{
		{item, func() error { _, err := f.Get(f.document(""), sql.IntID(1), Match{}, nil); return err }},
		{item, func() error { _, err := f.Get(f.document(""), sql.IntID(1), Match{Any: true}, nil); return err }},
		{"page_anchor", func() error { _, err := f.List(f.list(), 0, 1, nil); return err }},
		{"change", func() error {
			_, err := f.Changes(f.Snapshot().Collection([]byte(collection)), 0, Cursor{}, 1, nil)
			return err
		}},
	} {
		exec("revoke select on catalog." + c.table + " from systemscale_api")
		publishtest.Eventually(t, "without the privilege on "+c.table+" the store is not ready", refused)
		if err := c.look(); !errors.Is(err, ErrUnreadable) {
			t.Errorf("a lookup without the privilege on %s: %v, want %v", c.table, err, ErrUnreadable)
		}
		if _, err := f.Get(f.document("detail"), sql.IntID(1), Match{}, nil); err != nil {
			t.Errorf("a lookup that needs no privilege on %s: %v", c.table, err)
		}
		exec("grant select on catalog." + c.table + " to systemscale_api")
		publishtest.Eventually(t, "with the privilege on "+c.table+" the store is ready again", ready)
		if err := c.look(); err != nil && !errors.Is(err, ErrHistoryTooShort) {
			t.Errorf("a lookup with the privilege on %s again: %v", c.table, err)
		}
	}

	// The version row itself: the last version read is served, and after the grace the reason is not a lost database.
	for _, statement := range []string{"select on catalog.version", "usage on schema catalog"} {
		exec("revoke " + statement + " from systemscale_api")
		publishtest.Eventually(t, "the loss is detected", func() bool { return f.follower.lostFor() > 0 && f.follower.denied.Load() })
		f.follower.lostSince.Add(-int64(lossGrace))
		if !refused() {
			t.Errorf("long after the loss of %s: %v, want %v", statement, f.Ready(), ErrUnreadable)
		}
		fresh := open(t, Options{URL: f.database.API, Poll: 5 * time.Millisecond})
		publishtest.Eventually(t, "a new store reports the reason", func() bool { return errors.Is(fresh.Ready(), ErrUnreadable) })
		if fresh.Snapshot() != nil {
			t.Error("a store without privileges has a snapshot")
		}
		exec("grant " + statement + " to systemscale_api")
		publishtest.Eventually(t, "with the privileges both stores are ready", func() bool { return ready() && fresh.Ready() == nil })
	}
}

// TestLookupWithoutPrivilege: the follower's interval is too long to notice first.
func TestLookupWithoutPrivilege(t *testing.T) {
	f := newFixture(t, 3, Options{Poll: time.Hour})
	conn := testdb.Connect(t, f.database.ETL)
	if _, err := conn.Exec(t.Context(), "revoke select on catalog."+f.document("").table+" from systemscale_api"); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Get(f.document(""), sql.IntID(1), Match{}, nil); !errors.Is(err, ErrUnreadable) {
		t.Errorf("a lookup without the privilege: %v, want %v", err, ErrUnreadable)
	}
	publishtest.Eventually(t, "the store is not ready", func() bool { return errors.Is(f.Ready(), ErrUnreadable) })
}

// TestNothingIsPublished covers a readable database without a published version, or without the schema.
func TestNothingIsPublished(t *testing.T) {
	for name, database := range map[string]testdb.Database{"nothing published": testdb.New(t), "not migrated": testdb.NewEmpty(t)} {
		t.Run(name, func(t *testing.T) {
			s := open(t, Options{URL: database.API, Poll: 5 * time.Millisecond})
			publishtest.Eventually(t, "the store connects", func() bool { return !errors.Is(s.Ready(), ErrNeverConnected) })
			time.Sleep(20 * time.Millisecond) // several polls
			if err := s.Ready(); !errors.Is(err, ErrNotPublished) {
				t.Errorf("Ready() = %v, want %v", err, ErrNotPublished)
			}
		})
	}
}
