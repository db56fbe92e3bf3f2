package server

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"strings"
	"testing"

	"systemscale/api/internal/store"
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
		{"since=7&count=1&page=x", 7, "0..0", 1},
		{"since=7&after=9.item.12", 7, "9.item.12", 100},
		{"since=7&after=9.a_1.12", 7, "9.a_1.12", 100},
		{"since=7&after=9%2eitem%2e12", 7, "9.item.12", 100},
		{"since=7&since=8", 7, "0..0", 100},
		{"since=9223372036854775807", math.MaxInt64, "0..0", 100},
		{"since=99999999999999999999", math.MaxInt64, "0..0", 100},
		{"since=7&after=9223372036854775807.item.9223372036854775807", 7, "9223372036854775807.item.9223372036854775807", 100},
	} {
		t.Run(c.query, func(t *testing.T) {
			r := s.ask("GET", "/things/changes?"+c.query)
			var got struct {
				Collection, After string
				Since, Count      int64
			}
			if err := json.Unmarshal([]byte(r.body), &got); err != nil || r.status != http.StatusOK {
				t.Fatalf("%d %q: %v", r.status, r.body, err)
			}
			if got.Collection != "things" || got.Since != c.since || got.After != c.after || got.Count != c.count {
				t.Errorf("the store is asked %+v, want %+v", got, c)
			}
			checkTiming(t, r)
			checkHeaders(t, r, append(common(run, pageCaching), "Content-Type", "application/json; charset=utf-8", "ETag", pageTag(t, s, run))...)
		})
	}
}

func TestChangesAreRevalidatedWithoutALookup(t *testing.T) {
	s, f := fakeSite(t)
	run := s.publish("things", things(1, 3)...)
	tag := fmt.Sprintf(`"v%d-%x"`, run, run)
	r := s.ask("GET", "/things/changes?since=1", "If-None-Match", tag)
	if r.status != http.StatusNotModified || f.seen != 0 {
		t.Errorf("got %d after %d lookups, want 304 after none", r.status, f.seen)
	}
	checkHeaders(t, r, append(common(run, pageCaching), "ETag", tag)...)
	checkProblem(t, s.ask("GET", "/things/changes?since=x", "If-None-Match", tag), http.StatusBadRequest)
}

func TestChangesBeyondTheLog(t *testing.T) {
	s, f := fakeSite(t)
	run := s.publish("things", things(1, 3)...)
	f.fail = fmt.Errorf("since 1: %w", store.ErrHistoryTooShort)
	r := s.ask("GET", "/things/changes?since=1")
	checkFixed(t, r, http.StatusGone)
	checkTiming(t, r)
	checkHeaders(t, r, "X-Data-Version", fmt.Sprint(run), "X-Accel-Expires", "")
	if !strings.Contains(r.body, "The change log does not reach back to that version. Read everything anew, then ask from the version in X-Data-Version.") {
		t.Errorf("the answer does not say what to do: %s", r.body)
	}
}
