package store

import (
	"slices"
	"testing"

	"systemscale/api/internal/publishtest"
	"systemscale/sql"
	"systemscale/sql/testdb"
)

// TestSettingsOfTheRole serves as a role whose settings would end idle sessions and give names another meaning.
func TestSettingsOfTheRole(t *testing.T) {
	f := newFixture(t, 3, Options{})
	testdb.Hostile(t, f.database)
	s := open(t, Options{URL: f.database.API, Timeout: publishtest.Patience})
	publishtest.Eventually(t, "the store is ready", func() bool { return s.Ready() == nil })
	admin := testdb.Connect(t, f.database.AdminURL)
	sessions := func() (pids []int32) {
		err := admin.QueryRow(t.Context(), `select array_agg(pid) from pg_stat_activity
			where datname = current_database() and application_name = 'systemscale-api'`).Scan(&pids)
		if err != nil {
			t.Fatal(err)
		}
		return pids
	}
	first := sessions()
	for range 20 {
		endpoint := s.Snapshot().Collection([]byte(collection)).Path(nil)
		result, err := s.Get(endpoint, sql.IntID(2), Match{}, nil)
		if err != nil {
			t.Fatal(err)
		}
		checkBody(t, "item", 2, result)
	}
	if runs, err := s.Runs(t.Context(), collection, 5); err != nil || len(runs) != 1 {
		t.Errorf("%d runs (%v), want 1", len(runs), err)
	}
	again := sessions()
	for _, pid := range first {
		if !slices.Contains(again, pid) {
			t.Errorf("session %d has ended", pid)
		}
	}
}
