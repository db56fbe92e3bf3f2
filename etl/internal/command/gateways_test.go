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

// everything puts a copy of every document of a shop into a node, in both encodings, of a version.
func everything(node *gatewaytest.Gateway, version int64, items int) {
	for id := 1; id <= items; id++ {
		for _, encoding := range []string{"identity", "gzip"} {
			node.Hold(version, gatewaytest.Copy{Path: fmt.Sprintf("/shop/%d", id), Encoding: encoding}, gatewaytest.Copy{Path: fmt.Sprintf("/shop/%d/tags", id), Encoding: encoding})
		}
	}
}

// bookmarks returns the bookmark of each gateway.
func bookmarks(t *testing.T, conn *pgx.Conn, nodes ...*gatewaytest.Gateway) string {
	t.Helper()
	var said []string
	for _, node := range nodes {
		var run int64
		if err := conn.QueryRow(t.Context(), "select run_id from catalog.cache_node where address = $1 and collection = 'shop'", node.URL).Scan(&run); err != nil {
			t.Fatal(err)
		}
		said = append(said, fmt.Sprint(run))
	}
	return strings.Join(said, " ")
}

// wantRefreshed compares what a node was asked to refresh, in both encodings, with paths.
func wantRefreshed(t *testing.T, what string, node *gatewaytest.Gateway, paths ...string) {
	t.Helper()
	var want []string
	for _, path := range paths {
		want = append(want, path+" gzip", path+" identity")
	}
	slices.Sort(want)
	if got := node.Refreshed(); !slices.Equal(got, want) {
		t.Errorf("%s: refreshed are\n%s\nwant\n%s", what, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestRunRefreshesExactlyWhatChanged publishes in every mode, with a node that holds a copy of everything, and one that holds nothing.
func TestRunRefreshesExactlyWhatChanged(t *testing.T) {
	database := testdb.New(t)
	conn := testdb.Connect(t, database.API)
	full, empty := gatewaytest.New(t), gatewaytest.New(t)
	t.Setenv("GATEWAYS", full.URL+"/,"+empty.URL+","+full.URL) // one twice
	live := int64(0)
	publish := func(what string, changed []string, says string, command func() (int, string, string), gone ...string) {
		t.Helper()
		everything(full, live, 60)
		live++
		full.Publish(live, gone...)
		code, stdout, stderr := command()
		must(t, exitOK, code, stdout, stderr)
		wantRefreshed(t, what, full, changed...)
		if asked := empty.Refreshed(); len(asked) > 0 {
			t.Errorf("%s: the empty cache was asked to refresh %v", what, asked)
		}
		if full.Lists() != 1 || empty.Lists() != 1 {
			t.Errorf("%s: the lists were not refreshed once", what)
		}
		if !strings.Contains(stdout, full.URL+": "+says) || strings.Contains(stderr, "WARN") {
			t.Errorf("%s: no %q in\n%s%s", what, says, stdout, stderr)
		}
		if n := strings.Count(stdout, full.URL); n != 1 {
			t.Errorf("%s: the node that was named twice was told %d times", what, n)
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
			return etl(t.Context(), append([]string{"rollback", "--database", database.ETL, "--collection", "shop"}, args...)...)
		}
	}
	const ownWay = "cached copies expire on their own, and lists are refreshed"
	publish("the first version", nil, "the changes since version 0 are not in the change log: "+ownWay, run(nil))
	publish("a delta", []string{"/shop/3", "/shop/9", "/shop/9/tags"}, "3 documents changed since version 1; copies: 6 refreshed, 0 already fresh, 0 not in the cache", run(map[int]string{3: "three", 9: ""}), "/shop/9", "/shop/9/tags")
	publish("a rollback", []string{"/shop/3", "/shop/9", "/shop/9/tags"}, "3 documents changed since version 2", rollback())
	publish("a generation", nil, "the changes since version 3 are not in the change log: "+ownWay, run(map[int]string{5: "five"}, "--mode", "generation"))
	publish("a delta above the limit", nil, "more than 2 documents changed since version 4: "+ownWay, run(map[int]string{5: "5", 6: "6", 7: "7"}, "--refresh-limit", "2"))
	publish("a delta at the limit", []string{"/shop/6", "/shop/7"}, "2 documents changed since version 5", run(map[int]string{5: "5"}, "--refresh-limit", "2"))
	publish("a rollback to other tables", nil, "the changes since version 6 are not in the change log: "+ownWay, rollback("--to", "3"))

	code, stdout, stderr := run(nil)()
	if text := must(t, exitOK, code, stdout, stderr); !strings.Contains(text, full.URL+": is up to date with version 7") || len(full.Asked()) > 0 {
		t.Errorf("a run that finds nothing changed told the cache something:\n%s", text)
	}
}

// TestLeftOffRunsAreTold has a node away during some runs, and another learn of everything once.
func TestLeftOffRunsAreTold(t *testing.T) {
	database := testdb.New(t)
	conn := testdb.Connect(t, database.API)
	node, other := gatewaytest.New(t), gatewaytest.New(t)
	version := int64(0)
	publish := func(names map[int]string, args ...string) (said string) {
		t.Helper()
		version++
		node.Publish(version)
		code, stdout, stderr := at(t, database, shopFiles(t, 40, names), "run", append(args, "--gateway", node.URL, "--gateway", other.URL)...)
		must(t, exitOK, code, stdout, stderr)
		return stdout + stderr
	}
	away := func(w http.ResponseWriter, _ *http.Request) bool { w.WriteHeader(http.StatusForbidden); return true }

	publish(nil)
	node.Spoil(away)
	text := publish(map[int]string{1: "one", 2: "two"})
	if !strings.Contains(text, "the refresh of a gateway failed") || !strings.Contains(text, node.URL+": the response to HEAD /status has status 403") || !strings.Contains(text, other.URL+": 2 documents changed") {
		t.Errorf("it says %s", text)
	}
	publish(map[int]string{1: "one", 2: "second", 3: "three"})
	if got := bookmarks(t, conn, node, other); got != "1 3" {
		t.Errorf("the bookmarks are at %s, want 1 3", got)
	}
	// Behind its first runs the node is there again, cut off in the middle, and then there for good.
	everything(node, 1, 40)
	node.Asked()
	var refreshes atomic.Int64 // the node answers several requests at once
	node.Spoil(func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.HasPrefix(r.URL.Path, "/refresh/") {
			return false
		}
		if refreshes.Add(1) > 2 {
			return away(w, r)
		}
		return false
	})
	refresh := func(want int) (stdout, stderr string) {
		t.Helper()
		code, stdout, stderr := etl(t.Context(), "refresh", "--database", database.ETL, "--collection", "shop", "--gateway", node.URL)
		must(t, want, code, stdout, stderr)
		return stdout, stderr
	}
	if _, stderr := refresh(exitRefresh); !strings.Contains(stderr, "403: the gateway does not trust this machine") {
		t.Errorf("it says %s", stderr)
	}
	if got := bookmarks(t, conn, node); got != "1" {
		t.Errorf("the bookmark is at %s, want 1", got)
	}
	node.Spoil(nil)
	node.Asked()
	publish(map[int]string{1: "one", 2: "second", 3: "three", 4: "four"})
	held := map[string]bool{}
	for _, c := range node.Refreshed() {
		held[c] = true
	}
	for id := 1; id <= 40; id++ {
		for _, encoding := range []string{"identity", "gzip"} {
			c := gatewaytest.Copy{Path: fmt.Sprintf("/shop/%d", id), Encoding: encoding}
			want := int64(1)
			if id <= 4 {
				want = version
			}
			if got := node.Held(c); got != want {
				t.Errorf("the copy %v is of version %d, want %d", c, got, want)
			}
			if id > 4 && held[c.Path+" "+encoding] {
				t.Errorf("%v did not change and was refreshed", c)
			}
		}
	}
	if got := bookmarks(t, conn, node, other); got != "4 4" {
		t.Errorf("the bookmarks are at %s, want 4 4", got)
	}
	if stdout, _ := refresh(exitOK); !strings.Contains(stdout, "is up to date with version 4") {
		t.Errorf("it says %s", stdout)
	}
	// A node that was never told is told of the last version.
	stranger := gatewaytest.New(t)
	everything(stranger, 1, 40)
	stranger.Publish(4)
	node.URL = stranger.URL
	refresh(exitOK)
	wantRefreshed(t, "a new node", stranger, "/shop/4")

	// While a node is away, the log is cut off: as many runs pass as are kept.
	node = other
	node.Spoil(away)
	publish(map[int]string{1: "1"}, "--keep", "1")
	if got := bookmarks(t, conn, node); got != "4" {
		t.Errorf("the bookmark is at %s, want 4", got)
	}
	if publish(map[int]string{1: "1", 2: "zwei"}, "--keep", "1"); bookmarks(t, conn, node) != "4" {
		t.Errorf("the lists were not refreshed, and the bookmark is at %s", bookmarks(t, conn, node))
	}
	node.Spoil(nil)
	node.Asked()
	node.Lists()
	said := publish(map[int]string{1: "eins"}, "--keep", "1")
	if !strings.Contains(said, "the changes since version 4 are not in the change log") || node.Lists() != 1 || len(node.Refreshed()) > 0 || bookmarks(t, conn, node) != "7" {
		t.Errorf("it says %s, and the bookmark is at %s", said, bookmarks(t, conn, node))
	}
}

// TestKilledBeforeTheRefresh ends a run with kill -9 between its commit and its first word to the cache. The next run finds nothing changed,
// and tells the cache.
func TestKilledBeforeTheRefresh(t *testing.T) {
	database := testdb.New(t)
	conn := testdb.Connect(t, database.API)
	program := filepath.Join(build(t, "systemscale/etl"), "etl")
	code, stdout, stderr := at(t, database, shopFiles(t, 30, nil), "run") // without the cache: its first run is the one that is killed
	must(t, exitOK, code, stdout, stderr)

	node := gatewaytest.New(t)
	everything(node, 1, 30)
	node.Publish(2)
	asked := make(chan struct{}, 100)
	node.Spoil(func(_ http.ResponseWriter, r *http.Request) bool {
		asked <- struct{}{}
		<-r.Context().Done()
		return true
	})
	directory := shopFiles(t, 30, map[int]string{7: "seven"})
	command := exec.Command(program, "run", "--database", database.ETL, "--csv", directory, "--shape", filepath.Join(directory, "shop.yaml"),
		"--rejects", t.TempDir(), "--gateway", node.URL)
	command.Stderr = os.Stderr
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	<-asked // the test's own time limit ends this
	_ = command.Process.Kill()
	_ = command.Wait()
	if name := written(t, conn, "shop", "brief", 7); !strings.Contains(name, "seven") || bookmarks(t, conn, node) != "1" {
		t.Fatalf("the document is %s and the bookmark at %s", name, bookmarks(t, conn, node))
	}
	node.Spoil(nil)
	code, stdout, stderr = at(t, database, directory, "run", "--gateway", node.URL)
	if text := must(t, exitOK, code, stdout, stderr); !strings.Contains(text, "nothing changed, and version 2 stays") {
		t.Errorf("it says %s", text)
	}
	wantRefreshed(t, "the next run", node, "/shop/7")
	if got := bookmarks(t, conn, node); got != "2" {
		t.Errorf("the bookmark is at %s, want 2", got)
	}
}

// TestInterruptedRefresh ends the run's context while the cache is told: what is published is published, and the exit code says so.
func TestInterruptedRefresh(t *testing.T) {
	database := testdb.New(t)
	code, stdout, stderr := at(t, database, shopFiles(t, 30, nil), "run")
	must(t, exitOK, code, stdout, stderr)
	ctx, interrupt := context.WithCancel(t.Context())
	node := gatewaytest.New(t)
	node.Spoil(func(_ http.ResponseWriter, r *http.Request) bool {
		interrupt()
		<-r.Context().Done()
		return true
	})
	directory := shopFiles(t, 30, map[int]string{7: "seven"})
	code, stdout, stderr = etl(ctx, "run", "--database", database.ETL, "--csv", directory, "--shape", filepath.Join(directory, "shop.yaml"),
		"--rejects", t.TempDir(), "--gateway", node.URL)
	if text := must(t, exitOK, code, stdout, stderr); !strings.Contains(text, "version 2 is published") || !strings.Contains(stderr, "context canceled") {
		t.Errorf("it says\n%s%s", text, stderr)
	}
}

func TestRefreshFails(t *testing.T) {
	node := gatewaytest.New(t)
	for _, c := range []struct {
		name string
		args []string
		code int
		says string
	}{
		{"no node", nil, exitUsage, "--gateway or GATEWAYS must name a gateway"},
		{"no address", []string{"--gateway", "cache-a:8281"}, exitUsage, "given by the address of its refresh endpoint, http://host:port"},
		{"a negative limit", []string{"--gateway", node.URL, "--refresh-limit=-1"}, exitUsage, "--refresh-limit must not be negative"},
		{"no database", []string{"--gateway", node.URL, "--database", "postgres://127.0.0.1:1/none"}, exitDatabase, "connect to the database"},
		{"no schema", []string{"--gateway", node.URL, "--database", testdb.NewEmpty(t).ETL}, exitDatabase, "run etl migrate"},
		{"nothing is published", []string{"--gateway", node.URL, "--database", testdb.New(t).ETL}, exitOK, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			args := append([]string{"refresh"}, c.args...)
			if !slices.Contains(args, "--database") {
				args = append(args, "--database", "postgres://127.0.0.1:1/none")
			}
			code, stdout, stderr := etl(t.Context(), args...)
			if code != c.code || !strings.Contains(stderr, c.says) || c.says == "" && !strings.Contains(stdout, "nothing is published of products") {
				t.Errorf("exit code %d, want %d: %s%s", code, c.code, stdout, stderr)
			}
		})
	}
	if asked := node.Asked(); len(asked) > 0 {
		t.Errorf("the node was asked %v", asked)
	}
}
