package store

import (
	"errors"
	"testing"
	"time"

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
	if newest.ID != second || newest.State != "published" || newest.Mode != "delta" || newest.Verdict != "passed" || newest.Error != "none" || !newest.Live ||
		newest.FinishedAt == nil || newest.FinishedAt.Sub(newest.StartedAt) != 3*time.Second ||
		len(newest.Sources) != 1 || newest.Sources[0].Rejected["orphan"] != 2 || newest.Sources[0].Repaired["quote"] != 1 || newest.Sources[0].Used != 7 ||
		len(newest.Documents) != 1 || newest.Documents[0] != (RunDocument{"item", 7, 99}) {
		t.Errorf("got %+v", newest)
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
