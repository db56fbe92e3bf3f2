package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"systemscale/api/internal/publishtest"
	"systemscale/sql"
	"systemscale/sql/testdb"
)

type changes struct {
	Collection string
	Since      int64
	Version    int64
	Changes    []struct {
		Version  int64
		Document string
		ID       int64
		Kind     string
		Path     *string
	}
	Next *string
}

// describeChanges returns a feed as one line, with the versions counted from first.
func describeChanges(t *testing.T, result Result, first, since int64) string {
	t.Helper()
	var got changes
	if err := json.Unmarshal(result.Body, &got); err != nil {
		t.Fatalf("not JSON: %v: %s", err, result.Body)
	}
	if got.Collection != collection || got.Since != since || got.Version != result.Run || got.Changes == nil {
		t.Errorf("got %s of run %d", result.Body, result.Run)
	}
	text := fmt.Sprint(got.Version-first, ":")
	for _, c := range got.Changes {
		path := "none"
		if c.Path != nil {
			path = *c.Path
		}
		text += fmt.Sprintf(" %d %s %d %s %s,", c.Version-first, c.Document, c.ID, c.Kind, path)
	}
	if got.Next != nil {
		text += " " + *got.Next
	}
	return text
}

func TestChanges(t *testing.T) {
	f := newFixture(t, 3, Options{Poll: time.Hour})
	things := f.Snapshot().Collection([]byte(collection))
	first := things.Run
	conn := testdb.Connect(t, f.database.ETL)
	if _, err := conn.Exec(t.Context(), "update catalog.run set state = 'published', generation = id, finished_at = now()"); err != nil {
		t.Fatal(err)
	}
	log := func(document string, id int64, kind string) string {
		return fmt.Sprintf("insert into catalog.change (collection, generation, run_id, document, id, kind) "+
			"values ('%s', %d, $run, '%s', %d, '%s')",
			collection, things.Generation, document, id, kind)
	}
	second := f.change(things.List, log("item", 1, "changed"), log("page", 1, "changed"), log("detail", 3, "removed"))
	third := f.change(things.List, log("detail", 2, "added"))

	// There are no changes since the followed version, until it is a newer one.
	if result, err := f.Changes(things, first, Cursor{}, 10, nil); err != nil || result.Run != first {
		t.Errorf("since the version that is followed: run %d, %v", result.Run, err)
	}
	if _, err := f.List(things.List, 0, 1, nil); err != nil {
		t.Fatal(err)
	}
	things = f.Snapshot().Collection([]byte(collection))

	get := func(since int64, after Cursor, limit int64) string {
		t.Helper()
		result, err := f.Changes(things, since, after, limit, nil)
		if err != nil {
			return err.Error()
		}
		return describeChanges(t, result, first, since)
	}
	for _, c := range []struct {
		since int64
		after Cursor
		limit int64
		want  string
	}{
		{
			first,
			Cursor{},
			10,
			"2: 1 detail 3 removed /things/3/detail, 1 item 1 changed /things/1, 1 page 1 changed none, 2 detail 2 added /things/2/detail,",
		},
		{
			first,
			Cursor{},
			2,
			fmt.Sprintf("2: 1 detail 3 removed /things/3/detail, 1 item 1 changed /things/1, "+
				"/things/changes?since=%d&after=%d.item.1&count=2", first, second),
		},
		{first, Cursor{second, "item", sql.IntID(1)}, 2, "2: 1 page 1 changed none, 2 detail 2 added /things/2/detail,"},
		{
			first,
			Cursor{second, "item", sql.IntID(1)},
			1,
			fmt.Sprintf("2: 1 page 1 changed none, /things/changes?since=%d&after=%d.page.1&count=1", first, second),
		},
		{second, Cursor{}, 10, "2: 2 detail 2 added /things/2/detail,"},
		{third, Cursor{}, 10, "2:"},
		{third + 1, Cursor{}, 10, ErrHistoryTooShort.Error()},
		{1<<63 - 1, Cursor{}, 10, ErrHistoryTooShort.Error()},
		{first, Cursor{third, "detail", sql.IntID(2)}, 10, "2:"},
		{first, Cursor{third, "zzz", sql.IntID(1<<63 - 1)}, 10, "2:"},
		{first, Cursor{third + 1, "detail", sql.IntID(2)}, 10, ErrBadCursor.Error()},
		{first, Cursor{first, "detail", sql.IntID(2)}, 10, ErrBadCursor.Error()},
		{second, Cursor{second, "zzz", sql.IntID(5)}, 10, ErrBadCursor.Error()},
		{third, Cursor{second, "item", sql.IntID(1)}, 10, ErrBadCursor.Error()},
		{first - 1, Cursor{}, 10, ErrHistoryTooShort.Error()},
	} {
		if got := get(c.since, c.after, c.limit); got != c.want {
			t.Errorf("since %d after %v, %d: got %s, want %s", c.since, c.after, c.limit, got, c.want)
		}
	}
	if f.list().Run != third {
		t.Errorf("after the answer of run %d, run %d is followed", third, f.list().Run)
	}

	// Another generation: the change log does not contain its differences.
	fourth := f.publish(2, 3)
	const finish = "update catalog.run set state = 'published', generation = id, finished_at = now() where id = $1"
	if _, err := conn.Exec(t.Context(), finish, fourth); err != nil {
		t.Fatal(err)
	}
	result, err := f.Changes(things, second, Cursor{}, 10, []byte("kept"))
	if !errors.Is(err, ErrHistoryTooShort) || result.Run != fourth || string(result.Body) != "kept" {
		t.Errorf("across a flip: %v, run %d, %q; want %v, run %d and the buffer back",
			err, result.Run, result.Body, ErrHistoryTooShort, fourth)
	}
	if got := get(fourth, Cursor{}, 10); got != fmt.Sprintf("%d:", fourth-first) {
		t.Errorf("since the flip: got %s", got)
	}
}

func TestNotification(t *testing.T) {
	f := newFixture(t, 1, Options{Poll: time.Hour})
	conn := testdb.Connect(t, f.database.ETL)
	run := f.publish(2, 1)
	// The test cannot detect when the store begins to listen, so it repeats the notification.
	publishtest.Eventually(t, "the notified version is read", func() bool {
		if _, err := conn.Exec(t.Context(), "select pg_notify($1, $2)", sql.VersionChannel, collection); err != nil {
			t.Fatal(err)
		}
		return f.document("").Run == run
	})
}

// TestPageTotals reads pages of all sizes. Each has the number of documents that its own version has, as the run recorded it.
func TestPageTotals(t *testing.T) {
	f := newFixture(t, 1250, Options{Poll: time.Hour})
	list := f.list()
	for _, c := range []struct {
		skip, limit, want int64
	}{
		{0, 1, 1}, {0, MaxPage, 1000}, {1000, MaxPage, 250}, {37, MaxPage, 1000}, {1249, 5, 1}, {1250, MaxPage, 0}, {1 << 52, 10, 0},
	} {
		result, err := f.List(list, c.skip, c.limit, nil)
		var documents []struct{ ID int64 }
		if err := json.Unmarshal(result.Body, &documents); err != nil {
			t.Fatalf("%d after %d: %v: %.80s", c.limit, c.skip, err, result.Body)
		}
		if err != nil || result.Total != 1250 || int64(len(documents)) != c.want {
			t.Errorf("%d after %d: %d documents of %d, %v; want %d of 1250", c.limit, c.skip, len(documents), result.Total, err, c.want)
		}
		for i, d := range documents {
			if d.ID != c.skip+int64(i)+1 {
				t.Fatalf("%d after %d: document %d has id %d", c.limit, c.skip, i, d.ID)
			}
		}
	}
	// The number recorded by the page's run, which the store need not have followed yet.
	f.change(list, "delete from catalog."+list.table+" where id = 1250")
	conn := testdb.Connect(t, f.database.ETL)
	for _, c := range []struct {
		documents string
		want      int64
	}{{`[{"name": "item", "rows": 7}, {"name": "page", "rows": 1249}]`, 1249}, {`[{"name": "item", "rows": 7}]`, -1}, {`[]`, -1}} {
		const set = "update catalog.run set documents = $1 where id = (select run_id from catalog.version)"
		if _, err := conn.Exec(t.Context(), set, c.documents); err != nil {
			t.Fatal(err)
		}
		if result, err := f.List(f.list(), 0, 5, nil); err != nil || result.Total != c.want {
			t.Errorf("with the recorded documents %s: a total of %d, %v, want %d", c.documents, result.Total, err, c.want)
		}
	}
}
