package command

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"

	"systemscale/etl/internal/cacherefresh/gatewaytest"
	"systemscale/sql/testdb"
)

// holdAll stores a copy of every document of a shop in a gateway, in both encodings, with a version.
func holdAll(gateway *gatewaytest.Gateway, version int64, items int) {
	for id := 1; id <= items; id++ {
		for _, encoding := range []string{"identity", "gzip"} {
			gateway.Hold(version, gatewaytest.Copy{Path: fmt.Sprintf("/shop/%d", id), Encoding: encoding}, gatewaytest.Copy{
				Path: fmt.Sprintf("/shop/%d/tags", id), Encoding: encoding,
			})
		}
	}
}

// bookmarks returns the bookmark of each gateway.
func bookmarks(t *testing.T, conn *pgx.Conn, gateways ...*gatewaytest.Gateway) string {
	t.Helper()
	var runs []string
	for _, gateway := range gateways {
		var run int64
		if err := conn.QueryRow(t.Context(), "select run_id from catalog.gateway where address = $1 and collection = 'shop'",
			gateway.URL).Scan(&run); err != nil {
			t.Fatal(err)
		}
		runs = append(runs, fmt.Sprint(run))
	}
	return strings.Join(runs, " ")
}

// wantRefreshed compares the paths that a gateway refreshed, in both encodings.
func wantRefreshed(t *testing.T, what string, gateway *gatewaytest.Gateway, paths ...string) {
	t.Helper()
	var want []string
	for _, path := range paths {
		want = append(want, path+" gzip", path+" identity")
	}
	slices.Sort(want)
	if got := gateway.Refreshed(); !slices.Equal(got, want) {
		t.Errorf("%s: refreshed\n%s\nwant\n%s", what, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestRunRefreshesExactlyTheChanges publishes in every mode, with a gateway that has a copy of every document, and one without copies.
func TestRunRefreshesExactlyTheChanges(t *testing.T) {
	database := testdb.New(t)
	conn := testdb.Connect(t, database.API)
	full, empty := gatewaytest.New(t), gatewaytest.New(t)
	t.Setenv("GATEWAYS", full.URL+"/,"+empty.URL+","+full.URL) // one twice
	live := int64(0)
	publish := func(what string, changed []string, result string, command func() (int, string, string), gone ...string) {
		t.Helper()
		holdAll(full, live, 60)
		live++
		full.Publish(live, gone...)
		code, stdout, stderr := command()
		must(t, exitOK, code, stdout, stderr)
		wantRefreshed(t, what, full, changed...)
		if refreshed := empty.Refreshed(); len(refreshed) > 0 {
			t.Errorf("%s: the empty gateway refreshed %v", what, refreshed)
		}
		if full.Lists() != 1 || empty.Lists() != 1 {
			t.Errorf("%s: the lists were not refreshed once", what)
		}
		if !strings.Contains(stdout, full.URL+": "+result) || strings.Contains(stderr, "WARN") {
			t.Errorf("%s: the output does not contain %q, or has a warning:\n%s%s", what, result, stdout, stderr)
		}
		if n := strings.Count(stdout, full.URL); n != 1 {
			t.Errorf("%s: the gateway that was named twice was refreshed %d times", what, n)
		}
		if got, want := bookmarks(t, conn, full, empty), fmt.Sprintf("%d %d", live, live); got != want {
			t.Errorf("%s: the bookmarks are at %s, want %s", what, got, want)
		}
	}
	run := func(files map[int]string, args ...string) func() (int, string, string) {
		return func() (int, string, string) {
			return at(t, database, shopFiles(t, 60, files), "run", append(args, "--max-removed", "100%")...)
		}
	}
	rollback := func(args ...string) func() (int, string, string) {
		return func() (int, string, string) {
			return etl(t.Context(), append([]string{"rollback", "--no-hold", "--database", database.ETL, "--collection", "shop"}, args...)...)
		}
	}
	const expire = "cached copies expire on their own, and lists are refreshed"
	publish("the first version", nil, "the changes since version 0 are not in the change log: "+expire, run(nil))
	publish("a delta", []string{"/shop/3", "/shop/9", "/shop/9/tags"},
		"3 documents changed since version 1; copies: 6 refreshed, 0 already fresh, 0 not in the cache", run(map[int]string{3: "three", 9: ""}),
		"/shop/9", "/shop/9/tags")
	publish("a rollback", []string{"/shop/3", "/shop/9", "/shop/9/tags"}, "3 documents changed since version 2", rollback())
	publish("a generation", nil, "the changes since version 3 are not in the change log: "+expire,
		run(map[int]string{5: "five"}, "--mode", "generation"))
	publish("a delta above the limit", nil, "more than 2 documents changed since version 4: "+expire,
		run(map[int]string{5: "5", 6: "6", 7: "7"}, "--refresh-limit", "2"))
	publish("a delta at the limit", []string{"/shop/6", "/shop/7"}, "2 documents changed since version 5",
		run(map[int]string{5: "5"}, "--refresh-limit", "2"))
	publish("a rollback to other tables", nil, "the changes since version 6 are not in the change log: "+expire, rollback("--to", "3"))

	code, stdout, stderr := run(nil)()
	if text := must(t, exitOK, code, stdout, stderr); !strings.Contains(text, full.URL+": is up to date with version 7") ||
		len(full.Requests()) > 0 {
		t.Errorf("a run without changes refreshed the gateway:\n%s", text)
	}
}

// failing publishes a shop whose gateway rejects the requests of some runs. The other gateway is refreshed after every run.
type failing struct {
	t              *testing.T
	database       testdb.Database
	conn           *pgx.Conn
	gateway, other *gatewaytest.Gateway
	version        int64
}

func newFailing(t *testing.T) *failing {
	database := testdb.New(t)
	return &failing{
		t: t, database: database, conn: testdb.Connect(t, database.API),
		gateway: gatewaytest.New(t), other: gatewaytest.New(t),
	}
}

// publish publishes a version of the shop, and returns the output of the run.
func (f *failing) publish(names map[int]string, args ...string) (output string) {
	f.t.Helper()
	f.version++
	f.gateway.Publish(f.version)
	args = append(args, "--gateway", f.gateway.URL, "--gateway", f.other.URL)
	code, stdout, stderr := at(f.t, f.database, shopFiles(f.t, 40, names), "run", args...)
	must(f.t, exitOK, code, stdout, stderr)
	return stdout + stderr
}

// refresh runs etl refresh for a gateway.
func (f *failing) refresh(gateway *gatewaytest.Gateway, want int) (stdout, stderr string) {
	f.t.Helper()
	code, stdout, stderr := etl(f.t.Context(), "refresh", "--database", f.database.ETL, "--collection", "shop", "--gateway", gateway.URL)
	must(f.t, want, code, stdout, stderr)
	return stdout, stderr
}

func (f *failing) wantBookmarks(want string, gateways ...*gatewaytest.Gateway) {
	f.t.Helper()
	if got := bookmarks(f.t, f.conn, gateways...); got != want {
		f.t.Errorf("the bookmarks are at %s, want %s", got, want)
	}
}

func forbid(w http.ResponseWriter, _ *http.Request) bool {
	w.WriteHeader(http.StatusForbidden)
	return true
}

// TestRefreshAfterFailures has a gateway reject all requests, then those after the first two refreshes, and then none.
func TestRefreshAfterFailures(t *testing.T) {
	f := newFailing(t)
	f.publish(nil)
	f.gateway.Spoil(forbid)
	text := f.publish(map[int]string{1: "one", 2: "two"})
	for _, want := range []string{
		"the refresh of a gateway failed", f.gateway.URL + ": the response to HEAD /status has status 403",
		f.other.URL + ": 2 documents changed",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the output does not contain %q:\n%s", want, text)
		}
	}
	f.publish(map[int]string{1: "one", 2: "second", 3: "three"})
	f.wantBookmarks("1 3", f.gateway, f.other)

	holdAll(f.gateway, 1, 40)
	f.gateway.Requests()
	var refreshes atomic.Int64 // the gateway serves several requests at once
	f.gateway.Spoil(func(w http.ResponseWriter, r *http.Request) bool {
		return strings.HasPrefix(r.URL.Path, "/refresh/") && refreshes.Add(1) > 2 && forbid(w, r)
	})
	if _, stderr := f.refresh(f.gateway, exitRefresh); !strings.Contains(stderr, "403: the gateway does not trust this machine") {
		t.Errorf("stderr %q", stderr)
	}
	f.wantBookmarks("1", f.gateway)

	f.gateway.Spoil(nil)
	f.gateway.Requests()
	f.publish(map[int]string{1: "one", 2: "second", 3: "three", 4: "four"})
	refreshed := map[string]bool{}
	for _, c := range f.gateway.Refreshed() {
		refreshed[c] = true
	}
	for id := 1; id <= 40; id++ {
		for _, encoding := range []string{"identity", "gzip"} {
			c := gatewaytest.Copy{Path: fmt.Sprintf("/shop/%d", id), Encoding: encoding}
			want := int64(1)
			if id <= 4 {
				want = f.version
			}
			if got := f.gateway.Held(c); got != want {
				t.Errorf("the copy %v is of version %d, want %d", c, got, want)
			}
			if id > 4 && refreshed[c.Path+" "+encoding] {
				t.Errorf("%v did not change and was refreshed", c)
			}
		}
	}
	f.wantBookmarks("4 4", f.gateway, f.other)
	if stdout, _ := f.refresh(f.gateway, exitOK); !strings.Contains(stdout, "is up to date with version 4") {
		t.Errorf("a second refresh: %s", stdout)
	}
}

// TestRefreshOfNewGateway refreshes a gateway without a bookmark: the last version's changes are refreshed.
func TestRefreshOfNewGateway(t *testing.T) {
	f := newFailing(t)
	f.publish(nil)
	f.publish(map[int]string{1: "one", 2: "two"})
	f.publish(map[int]string{1: "one", 2: "two", 4: "four"})
	unknown := gatewaytest.New(t)
	holdAll(unknown, 1, 40)
	unknown.Publish(3)
	f.refresh(unknown, exitOK)
	wantRefreshed(t, "a new gateway", unknown, "/shop/4")
}

// TestRefreshAfterTruncation has a gateway reject requests until the change log no longer reaches back to its bookmark.
func TestRefreshAfterTruncation(t *testing.T) {
	f := newFailing(t)
	f.publish(nil)
	f.gateway.Spoil(forbid)
	f.publish(map[int]string{1: "1"}, "--keep", "1")
	f.wantBookmarks("1", f.gateway)
	f.publish(map[int]string{1: "1", 2: "zwei"}, "--keep", "1")
	f.wantBookmarks("1", f.gateway) // the lists were not refreshed either
	f.gateway.Spoil(nil)
	f.gateway.Requests()
	f.gateway.Lists()
	text := f.publish(map[int]string{1: "eins"}, "--keep", "1")
	if !strings.Contains(text, "the changes since version 1 are not in the change log") {
		t.Errorf("the output is\n%s", text)
	}
	if lists, refreshed := f.gateway.Lists(), f.gateway.Refreshed(); lists != 1 || len(refreshed) > 0 {
		t.Errorf("lists refreshed %d times, want 1; documents %v, want none", lists, refreshed)
	}
	f.wantBookmarks("4", f.gateway)
}

// TestKilledBeforeTheRefresh ends a run with kill -9 between its commit and its first request to the gateway. The next run finds no
// changes, and refreshes the gateway.
func TestKilledBeforeTheRefresh(t *testing.T) {
	database := testdb.New(t)
	conn := testdb.Connect(t, database.API)
	program := filepath.Join(build(t, "systemscale/etl"), "etl")
	code, stdout, stderr := at(t, database, shopFiles(t, 30, nil), "run") // the killed run is the first with a gateway
	must(t, exitOK, code, stdout, stderr)

	gateway := gatewaytest.New(t)
	holdAll(gateway, 1, 30)
	gateway.Publish(2)
	requested := make(chan struct{}, 100)
	gateway.Spoil(func(_ http.ResponseWriter, r *http.Request) bool {
		requested <- struct{}{}
		<-r.Context().Done()
		return true
	})
	directory := shopFiles(t, 30, map[int]string{7: "seven"})
	command := exec.Command(program, "run", "--database", database.ETL, "--csv", directory, "--shape", filepath.Join(directory, "shop.yaml"),
		"--rejects", t.TempDir(), "--gateway", gateway.URL)
	command.Stderr = os.Stderr
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	<-requested
	_ = command.Process.Kill()
	_ = command.Wait()
	if name := written(t, conn, "shop", "brief", 7); !strings.Contains(name, "seven") || bookmarks(t, conn, gateway) != "1" {
		t.Fatalf("the document is %s and the bookmark at %s", name, bookmarks(t, conn, gateway))
	}
	gateway.Spoil(nil)
	code, stdout, stderr = at(t, database, directory, "run", "--gateway", gateway.URL)
	if text := must(t, exitOK, code, stdout, stderr); !strings.Contains(text, "nothing changed, and version 2 stays") {
		t.Errorf("the output is %s", text)
	}
	wantRefreshed(t, "the next run", gateway, "/shop/7")
	if got := bookmarks(t, conn, gateway); got != "2" {
		t.Errorf("the bookmark is at %s, want 2", got)
	}
}

// TestInterruptedRefresh ends the context of a run during the refresh: the run has published, and its exit code is 0.
func TestInterruptedRefresh(t *testing.T) {
	database := testdb.New(t)
	code, stdout, stderr := at(t, database, shopFiles(t, 30, nil), "run")
	must(t, exitOK, code, stdout, stderr)
	ctx, interrupt := context.WithCancel(t.Context())
	gateway := gatewaytest.New(t)
	gateway.Spoil(func(_ http.ResponseWriter, r *http.Request) bool {
		interrupt()
		<-r.Context().Done()
		return true
	})
	directory := shopFiles(t, 30, map[int]string{7: "seven"})
	code, stdout, stderr = etl(ctx, "run", "--database", database.ETL, "--csv", directory, "--shape", filepath.Join(directory, "shop.yaml"),
		"--rejects", t.TempDir(), "--gateway", gateway.URL)
	if text := must(t, exitOK, code, stdout, stderr); !strings.Contains(text, "version 2 is published") ||
		!strings.Contains(stderr, "context canceled") {
		t.Errorf("the output is\n%s%s", text, stderr)
	}
}

func TestRefreshFails(t *testing.T) {
	gateway := gatewaytest.New(t)
	for _, c := range []struct {
		name string
		args []string
		code int
		want string
	}{
		{"no gateway", nil, exitUsage, "--gateway or GATEWAYS must name a gateway"},
		{"no address", []string{"--gateway", "cache-a:8281"}, exitUsage, "given by the address of its refresh endpoint, http://host:port"},
		{"a negative limit", []string{"--gateway", gateway.URL, "--refresh-limit=-1"}, exitUsage, "--refresh-limit must not be negative"},
		{"no database", []string{"--gateway", gateway.URL, "--database", "postgres://127.0.0.1:1/none"}, exitDatabase, "connect to the database"},
		{"no schema", []string{"--gateway", gateway.URL, "--database", testdb.NewEmpty(t).ETL}, exitDatabase, "run etl migrate"},
		{"nothing is published", []string{"--gateway", gateway.URL, "--database", testdb.New(t).ETL}, exitOK, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			args := append([]string{"refresh"}, c.args...)
			if !slices.Contains(args, "--database") {
				args = append(args, "--database", "postgres://127.0.0.1:1/none")
			}
			code, stdout, stderr := etl(t.Context(), args...)
			if code != c.code || !strings.Contains(stderr, c.want) || c.want == "" && !strings.Contains(stdout, "nothing is published of products") {
				t.Errorf("exit code %d, want %d: %s%s", code, c.code, stdout, stderr)
			}
		})
	}
	if requests := gateway.Requests(); len(requests) > 0 {
		t.Errorf("requests to the gateway: %v", requests)
	}
}

// TestGatewaysOfOneName names gateways by a host name. Each has the bookmark of its address. A name without an address fails no run.
func TestGatewaysOfOneName(t *testing.T) {
	database := testdb.New(t)
	gateway := gatewaytest.New(t)
	t.Setenv("GATEWAYS", "dns+"+gateway.URL+","+gateway.URL+",dns+http://gateway.invalid:8281")
	gateway.Publish(1)
	code, stdout, stderr := at(t, database, shopFiles(t, 3, nil), "run")
	if text := must(t, exitOK, code, stdout, stderr); strings.Count(text, gateway.URL+": ") != 1 || !strings.Contains(stderr, "gateway.invalid") {
		t.Errorf("want a refresh of %s, and a warning:\n%s%s", gateway.URL, stdout, stderr)
	}
	if got := bookmarks(t, testdb.Connect(t, database.API), gateway); got != "1" {
		t.Errorf("the bookmark is %s, want 1", got)
	}
	if code, stdout, stderr := etl(t.Context(), "refresh", "--database", database.ETL, "--collection", "shop"); code != exitRefresh {
		t.Errorf("etl refresh: exit code %d, want %d:\n%s%s", code, exitRefresh, stdout, stderr)
	}
}

// TestOldNamesOfGateways names gateways by the old flag and variable. They are refreshed, and one warning names the new ones.
func TestOldNamesOfGateways(t *testing.T) {
	database := testdb.New(t)
	for _, c := range []struct {
		name      string
		args      []string
		variables map[string]string // set to the address
		warnings  int
	}{
		{name: "the flag", args: []string{"--gateway"}},
		{name: "the variable", variables: map[string]string{"GATEWAYS": ""}},
		{name: "the old flag", args: []string{"--cache"}, warnings: 1},
		{name: "the old variable", variables: map[string]string{"CACHE_NODES": ""}, warnings: 1},
		{
			name: "all of them", args: []string{"--gateway", "--cache"}, variables: map[string]string{"GATEWAYS": "", "CACHE_NODES": ""},
			warnings: 1,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			gateway := gatewaytest.New(t)
			for name := range c.variables {
				t.Setenv(name, gateway.URL)
			}
			gateway.Publish(1)
			args := []string{}
			for _, flag := range c.args {
				args = append(args, flag, gateway.URL)
			}
			code, stdout, stderr := at(t, database, shopFiles(t, 3, nil), "run", args...)
			if text := must(t, exitOK, code, stdout, stderr); strings.Count(text, gateway.URL+": ") != 1 {
				t.Errorf("the gateway is not refreshed once:\n%s%s", stdout, stderr)
			}
			if got := strings.Count(stderr, "--cache and CACHE_NODES are"); got != c.warnings {
				t.Errorf("%d warnings, want %d:\n%s", got, c.warnings, stderr)
			}
		})
	}
	t.Run("the flag overrides the old variable", func(t *testing.T) {
		const absent = "http://127.0.0.1:1"
		t.Setenv("CACHE_NODES", absent)
		gateway := gatewaytest.New(t)
		gateway.Publish(1)
		code, stdout, stderr := at(t, database, shopFiles(t, 3, nil), "run", "--gateway", gateway.URL)
		if text := must(t, exitOK, code, stdout, stderr); strings.Count(text, gateway.URL+": ") != 1 || strings.Contains(text+stderr, absent) {
			t.Errorf("want a refresh of %s alone:\n%s%s", gateway.URL, stdout, stderr)
		}
	})
}
