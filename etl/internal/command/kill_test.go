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

// TestKilledRunsHarmNothing ends runs with kill -9 at moments spread over their whole length: loads of a generation, deltas, and
// rollbacks. After each, what is live must be exactly the catalog before or the one after it, complete, with its page anchors; and in the
// end a run must succeed and clear up behind the dead.
func TestKilledRunsHarmNothing(t *testing.T) {
	database := testdb.New(t)
	conn := testdb.Connect(t, database.API)
	binaries, temporary := build(t, "systemscale/etl", "systemscale/scripts/generate"), t.TempDir()
	command := func(args ...string) *exec.Cmd {
		return exec.Command(filepath.Join(binaries, "etl"), append(args, "--database", database.ETL, "--keep", "1")...)
	}
	load := func(csv, mode string) *exec.Cmd {
		return command("run", "--csv", csv, "--mode", mode, "--rejects", filepath.Join(binaries, "rejects"), "--temp", temporary, "--accept", "changed")
	}
	// Two catalogs, each published once, so that it is known what it looks like. They share most items, and few documents.
	var csv, known [2]string
	for i := range csv {
		csv[i] = filepath.Join(t.TempDir(), "csv")
		products := strconv.Itoa(2_000 + 50*i)
		if out, err := exec.Command(filepath.Join(binaries, "generate"), "--products", products, "--seed", strconv.Itoa(i+1), "--out", csv[i]).CombinedOutput(); err != nil {
			t.Fatalf("generate: %v\n%s", err, out)
		}
		if out, err := load(csv[i], "generation").CombinedOutput(); err != nil {
			t.Fatalf("etl: %v\n%s", err, out)
		}
		known[i] = fingerprint(t, conn)
	}
	if known[0] == known[1] {
		t.Fatal("the two catalogs look the same, so no mixture could be told")
	}
	live, killed, published := 1, 0, 0
	for _, kind := range []struct {
		name    string
		command func(next int) *exec.Cmd
		kills   int
	}{
		{"generation", func(next int) *exec.Cmd { return load(csv[next], "generation") }, 17},
		{"delta", func(next int) *exec.Cmd { return load(csv[next], "delta") }, 17},
		// After the deltas the version before the live one is the other catalog, in the same tables.
		{"rollback", func(int) *exec.Cmd { return command("rollback") }, 17},
	} {
		// Once to its end, to know how long it takes.
		began := time.Now()
		if out, err := kind.command(1 - live).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", kind.name, err, out)
		}
		longest := time.Since(began)
		if live = 1 - live; fingerprint(t, conn) != known[live] {
			t.Fatalf("%s: what is live is not the catalog that was published", kind.name)
		}
		for i := range kind.kills {
			cmd := kind.command(1 - live)
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			// The moment of the kill is what is tested, so this is no wait for anything: from the start, before it can have done
			// anything, to when it has published, however long that takes this time.
			moment := longest * time.Duration(i) / time.Duration(kind.kills-1)
			time.Sleep(moment)
			for deadline := time.Now().Add(time.Minute); i == kind.kills-1 && fingerprint(t, conn) == known[live]; time.Sleep(5 * time.Millisecond) {
				if time.Now().After(deadline) {
					t.Fatalf("%s: it publishes nothing", kind.name)
				}
			}
			_ = cmd.Process.Kill()
			if cmd.Wait() != nil {
				killed++
			}
			// The server may still be finishing what the dead had sent.
			settled(t, database)
			switch got := fingerprint(t, conn); got {
			case known[live]:
			case known[1-live]:
				live = 1 - live
				published++
			default:
				t.Fatalf("%s killed after %v of %v: what is live is neither the old catalog nor the new one:\n%s", kind.name, moment, longest, got)
			}
			if entries, err := os.ReadDir(temporary); err != nil || len(entries) > 0 {
				t.Fatalf("%s left temporary files: %v (%v)", kind.name, entries, err)
			}
		}
	}
	if killed == 0 || published == 0 {
		t.Errorf("%d runs were killed and %d had published by then: the moments are not spread", killed, published)
	}

	for _, mode := range []string{"delta", "generation", "generation"} {
		live = 1 - live
		if out, err := load(csv[live], mode).CombinedOutput(); err != nil {
			t.Fatalf("the %s after the killed ones: %v\n%s", mode, err, out)
		}
		if fingerprint(t, conn) != known[live] {
			t.Errorf("the %s after the killed ones published something else", mode)
		}
	}
	var generations, running, changes int
	err := conn.QueryRow(t.Context(), `
		select (select count(distinct substring(tablename from '_g([0-9]+)$')) from pg_tables where schemaname = 'catalog' and tablename like 'products\_%'),
		       (select count(*) from catalog.run where state = 'running'), (select count(*) from catalog.change)`).Scan(&generations, &running, &changes)
	if err != nil || generations != 2 || running != 0 || changes != 0 {
		t.Errorf("%d generations of tables, %d runs that seem to run and %d changes (%v), want 2, 0 and 0", generations, running, changes, err)
	}
}

// build compiles commands into a directory, without the race detector: it is Postgres that is raced here.
func build(t *testing.T, packages ...string) string {
	t.Helper()
	directory := t.TempDir()
	if out, err := exec.Command("go", append([]string{"build", "-o", directory + "/"}, packages...)...).CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return directory
}

// fingerprint describes all that is live: every id, etag and body, and the page anchors.
func fingerprint(t *testing.T, conn *pgx.Conn) string {
	t.Helper()
	var generation int64
	var documents []sql.Endpoint
	if err := conn.QueryRow(t.Context(), "select generation, documents from catalog.version where collection = 'products'").Scan(&generation, &documents); err != nil {
		t.Fatal(err)
	}
	var parts []string
	for _, d := range documents {
		var part string
		err := conn.QueryRow(t.Context(), `select count(*) || ' ' || md5(string_agg(id || ' ' || etag || ' ' || md5(body::text), ',' order by id)) from catalog.`+
			sql.DocumentTable("products", d.Name, generation)).Scan(&part)
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, fmt.Sprintf("%s: %s", d.Name, part))
	}
	var anchors string
	if err := conn.QueryRow(t.Context(), "select coalesce(string_agg(page || ' ' || first_id, ',' order by page), '') from catalog.page_anchor where collection = 'products' and generation = $1", generation).Scan(&anchors); err != nil {
		t.Fatal(err)
	}
	return strings.Join(append(parts, "anchors: "+anchors), "\n")
}

// settled waits until no connection of a dead run is left.
func settled(t *testing.T, database testdb.Database) {
	t.Helper()
	admin := testdb.Connect(t, database.AdminURL)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for {
		var left int
		err := admin.QueryRow(ctx, "select count(*) from pg_stat_activity where datname = current_database() and application_name = 'systemscale-etl'").Scan(&left)
		if err != nil {
			t.Fatalf("wait for the dead run's connections to end: %v", err)
		}
		if left == 0 {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
}
