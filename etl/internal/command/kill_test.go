package command

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"systemscale/sql"
	"systemscale/sql/testdb"
)

// killing runs etl, and kills it, on two catalogs that share most items, and few documents.
type killing struct {
	t                   *testing.T
	database            testdb.Database
	conn                *pgx.Conn
	binaries, temporary string
	csv, fingerprints   [2]string
	live                int // index of the published catalog
	killed, published   int
}

func newKilling(t *testing.T) *killing {
	database := testdb.New(t)
	k := &killing{
		t: t, database: database, conn: testdb.Connect(t, database.API),
		binaries: build(t, "systemscale/etl", "systemscale/scripts/generate"), temporary: t.TempDir(), live: 1,
	}
	for i := range k.csv {
		k.csv[i] = filepath.Join(t.TempDir(), "csv")
		products := strconv.Itoa(2_000 + 50*i)
		generate := exec.Command(filepath.Join(k.binaries, "generate"), "--products", products, "--seed", strconv.Itoa(i+1), "--out", k.csv[i])
		if out, err := generate.CombinedOutput(); err != nil {
			t.Fatalf("generate: %v\n%s", err, out)
		}
		if out, err := k.load(i, "generation").CombinedOutput(); err != nil {
			t.Fatalf("etl: %v\n%s", err, out)
		}
		k.fingerprints[i] = fingerprint(t, k.conn)
	}
	if k.fingerprints[0] == k.fingerprints[1] {
		t.Fatal("the two catalogs are equal, so a mixture would not be noticed")
	}
	return k
}

func (k *killing) command(args ...string) *exec.Cmd {
	return exec.Command(filepath.Join(k.binaries, "etl"), append(args, "--database", k.database.ETL, "--keep", "1")...)
}

func (k *killing) load(catalog int, mode string) *exec.Cmd {
	return k.command("run", "--csv", k.csv[catalog], "--mode", mode,
		"--rejects", filepath.Join(k.binaries, "rejects"), "--temp", k.temporary, "--accept", "changed")
}

// finish runs a command to its end, which publishes the other catalog.
func (k *killing) finish(name string, command func(catalog int) *exec.Cmd) (took time.Duration) {
	k.t.Helper()
	began := time.Now()
	if out, err := command(1 - k.live).CombinedOutput(); err != nil {
		k.t.Fatalf("%s: %v\n%s", name, err, out)
	}
	took = time.Since(began)
	if k.live = 1 - k.live; fingerprint(k.t, k.conn) != k.fingerprints[k.live] {
		k.t.Fatalf("%s: the live documents are not those of the published catalog", name)
	}
	return took
}

// kill starts a command and kills it after a while, or, with awaited, as soon as the other catalog is live.
func (k *killing) kill(name string, command func(catalog int) *exec.Cmd, after time.Duration, awaited bool) {
	k.t.Helper()
	cmd := command(1 - k.live)
	if err := cmd.Start(); err != nil {
		k.t.Fatal(err)
	}
	time.Sleep(after) // the moment of the kill, which is under test
	for deadline := time.Now().Add(time.Minute); awaited && fingerprint(k.t, k.conn) == k.fingerprints[k.live]; {
		if time.Now().After(deadline) {
			k.t.Fatalf("%s: it publishes nothing", name)
		}
		time.Sleep(5 * time.Millisecond)
	}
	_ = cmd.Process.Kill()
	if cmd.Wait() != nil {
		k.killed++
	}
	// The server may still execute the last statement.
	settled(k.t, k.database)
	switch got := fingerprint(k.t, k.conn); got {
	case k.fingerprints[k.live]:
	case k.fingerprints[1-k.live]:
		k.live = 1 - k.live
		k.published++
	default:
		k.t.Fatalf("%s killed after %v: the live documents are of neither catalog:\n%s", name, after, got)
	}
	if entries, err := os.ReadDir(k.temporary); err != nil || len(entries) > 0 {
		k.t.Fatalf("%s left temporary files: %v (%v)", name, entries, err)
	}
}

// TestKilledRunsHarmNothing ends runs with kill -9 at moments spread over their whole length: loads of a generation, deltas, and
// rollbacks. After each, the live documents must be exactly those of one catalog, with its page anchors. In the end a run must succeed and
// remove the remains of the killed runs.
func TestKilledRunsHarmNothing(t *testing.T) {
	k := newKilling(t)
	const kills = 17
	for _, kind := range []struct {
		name    string
		command func(catalog int) *exec.Cmd
	}{
		{"generation", func(catalog int) *exec.Cmd { return k.load(catalog, "generation") }},
		{"delta", func(catalog int) *exec.Cmd { return k.load(catalog, "delta") }},
		// After the deltas the version before the live one is the other catalog, in the same tables.
		{"rollback", func(int) *exec.Cmd { return k.command("rollback", "--no-hold") }},
	} {
		longest := k.finish(kind.name, kind.command)
		for i := range kills {
			k.kill(kind.name, kind.command, longest*time.Duration(i)/(kills-1), i == kills-1)
		}
	}
	if k.killed == 0 || k.published == 0 {
		t.Errorf("%d runs were killed, and %d of all published first: the moments are not spread", k.killed, k.published)
	}

	for _, mode := range []string{"delta", "generation", "generation"} {
		k.finish(mode+" after the killed runs", func(catalog int) *exec.Cmd { return k.load(catalog, mode) })
	}
	var generations, running, changes int
	err := k.conn.QueryRow(t.Context(), `
		select (select count(distinct substring(tablename from '_g([0-9]+)$')) from pg_tables
		        where schemaname = 'catalog' and tablename like 'products\_%'),
		       (select count(*) from catalog.run where state = 'running'),
		       (select count(*) from catalog.change)`).Scan(&generations, &running, &changes)
	if err != nil || generations != 2 || running != 0 || changes != 0 {
		t.Errorf("%d generations of tables, %d running runs and %d changes (%v), want 2, 0 and 0", generations, running, changes, err)
	}
}

// build compiles commands into a directory, without the race detector: the tests of the binaries are of races in Postgres.
func build(t *testing.T, packages ...string) string {
	t.Helper()
	directory := t.TempDir()
	if out, err := exec.Command("go", append([]string{"build", "-o", directory + "/"}, packages...)...).CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return directory
}

// fingerprint describes the live version: every id, etag and body, and the page anchors.
func fingerprint(t *testing.T, conn *pgx.Conn) string {
	t.Helper()
	var generation int64
	var documents []sql.Endpoint
	err := conn.QueryRow(t.Context(), "select generation, documents from catalog.version where collection = 'products'").
		Scan(&generation, &documents)
	if err != nil {
		t.Fatal(err)
	}
	var parts []string
	for _, d := range documents {
		var part string
		err := conn.QueryRow(t.Context(), `
			select count(*) || ' ' || md5(string_agg(id || ' ' || etag || ' ' || md5(body::text), ',' order by id))
			from catalog.`+sql.DocumentTable("products", d.Name, generation)).Scan(&part)
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, fmt.Sprintf("%s: %s", d.Name, part))
	}
	var anchors string
	err = conn.QueryRow(t.Context(), `
		select coalesce(string_agg(page || ' ' || first_id, ',' order by page), '')
		from catalog.page_anchor where collection = 'products' and generation = $1`, generation).Scan(&anchors)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(append(parts, "anchors: "+anchors), "\n")
}

// settled waits until no connection of a killed run is left.
func settled(t *testing.T, database testdb.Database) {
	t.Helper()
	admin := testdb.Connect(t, database.AdminURL)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for {
		var left int
		err := admin.QueryRow(ctx, `
			select count(*) from pg_stat_activity
			where datname = current_database() and application_name = 'systemscale-etl'`).Scan(&left)
		if err != nil {
			t.Fatalf("wait for the killed run's connections to end: %v", err)
		}
		if left == 0 {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
}
