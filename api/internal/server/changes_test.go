package server

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strings"
	"testing"

	"systemscale/api/internal/publishtest"
	"systemscale/api/internal/store"
	"systemscale/sql/testdb"
)

func TestChanges(t *testing.T) {
	s, _ := fakeSite(t)
	run := s.publish("things", things(1, 3)...)
	for _, c := range []struct {
		query string
		since int64
		after string
		count int64
	}{
		{"since=0", 0, "0..0", 100},
		{"since=7", 7, "0..0", 100},
		{"count=1000&since=7", 7, "0..0", 1000},
		{"since=7&count=1&utm_source=x", 7, "0..0", 1},
		{"since=7&after=9.item.12", 7, "9.item.12", 100},
		{"since=7&after=9.a_1.12", 7, "9.a_1.12", 100},
		{"since=7&after=9.item.0", 7, "9.item.0", 100},
		{"since=7&after=9.item.-12", 7, "9.item.-12", 100},
		{"since=7&after=9%2eitem%2e12", 7, "9.item.12", 100},
		{"since=7&count=1001", 7, "0..0", 1000},
		{"since=7&count=99999999999999999999", 7, "0..0", 1000},
		{"since=9223372036854775807", math.MaxInt64, "0..0", 100},
		{"since=99999999999999999999", math.MaxInt64, "0..0", 100},
		{"since=7&after=9223372036854775807.item.9223372036854775807", 7, "9223372036854775807.item.9223372036854775807", 100},
	} {
		t.Run(c.query, func(t *testing.T) {
			r := s.send("GET", "/things/changes?"+c.query)
			var got struct {
				Collection, After string
				Since, Count      int64
			}
			if err := json.Unmarshal([]byte(r.body), &got); err != nil || r.status != http.StatusOK {
				t.Fatalf("%d %q: %v", r.status, r.body, err)
			}
			if got.Collection != "things" || got.Since != c.since || got.After != c.after || got.Count != c.count {
				t.Errorf("the store got %+v, want %+v", got, c)
			}
			checkTiming(t, r)
			checkHeaders(t, r, append(common(run, pageCaching),
				"Content-Type", "application/json; charset=utf-8", "ETag", pageTag(t, s, run))...)
		})
	}
}

func TestChangesFromDatabase(t *testing.T) {
	s, database := realSite(t, store.Options{})
	first := s.publish("things", things(1, 3)...)
	conn := testdb.Connect(t, database.ETL)
	// The rows that the ETL writes at the end of a run, and for a run that changes two documents in place.
	for _, statement := range []string{
		"update catalog.run set state = 'published', generation = id, finished_at = now()",
		"insert into catalog.run (collection, mode, holder, state, generation, finished_at) " +
			"values ('things', 'delta', 'test', 'published', $1, now())",
		"insert into catalog.change (collection, generation, run_id, document, id, kind) " +
			"select 'things', $1, max(id), 'item', 2, 'changed' from catalog.run",
		"insert into catalog.change (collection, generation, run_id, document, id, kind) " +
			"select 'things', $1, max(id), 'detail', 3, 'removed' from catalog.run",
		"update catalog.version set run_id = (select max(id) from catalog.run), published_at = now()",
	} {
		arguments := []any{first}
		if !strings.Contains(statement, "$1") {
			arguments = nil
		}
		if _, err := conn.Exec(t.Context(), statement, arguments...); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	publishtest.Eventually(t, "the run is followed", func() bool { return s.store.Snapshot().Collection([]byte("things")).Run > first })
	type feed struct {
		Version int64
		Changes []struct{ Path, Kind string }
		Next    string
	}
	get := func(target string) (response, feed) {
		t.Helper()
		r := s.send("GET", target)
		var got feed
		if err := json.Unmarshal([]byte(r.body), &got); err != nil || r.status != http.StatusOK {
			t.Fatalf("%s: %d %s: %v", target, r.status, r.body, err)
		}
		checkTiming(t, r)
		checkHeaders(t, r, append(common(got.Version, pageCaching), "Content-Type", "application/json; charset=utf-8")...)
		return r, got
	}
	target, paths := fmt.Sprintf("/things/changes?since=%d&count=1", first), []string(nil)
	for range 2 {
		r, got := get(target)
		if len(got.Changes) != 1 || got.Version <= first {
			t.Fatalf("%s: %s", target, r.body)
		}
		paths = append(paths, got.Changes[0].Kind+" "+got.Changes[0].Path)
		if held := s.send("GET", target, "If-None-Match", r.header.Get("ETag")); held.status != http.StatusNotModified {
			t.Errorf("%s: %d for one who has it", target, held.status)
		}
		target = got.Next
	}
	if want := []string{"removed /things/3/detail", "changed /things/2"}; !slices.Equal(paths, want) || target != "" {
		t.Errorf("changed: %q and then %q, want %q", paths, target, want)
	}
	for _, since := range []int64{first - 1, first + 100, math.MaxInt64} {
		r := s.send("GET", fmt.Sprintf("/things/changes?since=%d", since))
		checkFixed(t, r, http.StatusGone)
		checkHeaders(t, r, "X-Data-Version", fmt.Sprint(first+1))
	}
	s.publish("bare", onlyItems(1, 3))
	checkFixed(t, s.send("GET", "/bare/changes?since=0"), http.StatusGone)
}

func TestRevalidateChangesWithoutLookup(t *testing.T) {
	s, f := fakeSite(t)
	run := s.publish("things", things(1, 3)...)
	tag := fmt.Sprintf(`"v%d-%x"`, run, run)
	r := s.send("GET", "/things/changes?since=1", "If-None-Match", tag)
	if r.status != http.StatusNotModified || f.seen != 0 {
		t.Errorf("got %d after %d lookups, want 304 after none", r.status, f.seen)
	}
	checkHeaders(t, r, append(common(run, pageCaching), "ETag", tag)...)
	checkProblem(t, s.send("GET", "/things/changes?since=x", "If-None-Match", tag), http.StatusBadRequest)
}

func TestChangesBeforeLogBegins(t *testing.T) {
	s, f := fakeSite(t)
	run := s.publish("things", things(1, 3)...)
	f.fail = fmt.Errorf("since 1: %w", store.ErrHistoryTooShort)
	r := s.send("GET", "/things/changes?since=1")
	checkFixed(t, r, http.StatusGone)
	checkTiming(t, r)
	checkHeaders(t, r, "X-Data-Version", fmt.Sprint(run), "X-Accel-Expires", "")
	if !strings.Contains(r.body, "The change log does not contain all changes since that version. "+
		"Read all documents again, then continue from the version in X-Data-Version.") {
		t.Errorf("the response does not contain the remedy: %s", r.body)
	}
}
