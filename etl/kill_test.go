package main

import (
	"context"
	"fmt"
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

// TestKilledRunsHarmNothing ends runs with kill -9 at moments spread over their whole length. After each, what is
// live must be exactly one of the two catalogs, complete; and in the end a run must succeed and clear up behind the dead.
func TestKilledRunsHarmNothing(t *testing.T) {
	database := testdb.New(t)
	conn := testdb.Connect(t, database.API)
	binaries := build(t, "systemscale/etl", "systemscale/scripts/generate")
	command := func(csv string) *exec.Cmd {
		cmd := exec.Command(filepath.Join(binaries, "etl"), "run", "--database", database.ETL, "--csv", csv, "--rejects", filepath.Join(binaries, "rejects"),
			"--accept", "removed", "--accept", "changed", "--keep", "1")
		cmd.Stderr = nil // its log is of no interest; what it did is
		return cmd
	}
	const products = 8_000
	// Two catalogs, published in full once each, so that it is known what each looks like.
	var csv, known [2]string
	var longest time.Duration
	for i := range csv {
		csv[i] = filepath.Join(t.TempDir(), "csv")
		if out, err := exec.Command(filepath.Join(binaries, "generate"), "--products", strconv.Itoa(products), "--seed", strconv.Itoa(i+1), "--out", csv[i]).CombinedOutput(); err != nil {
			t.Fatalf("generate: %v\n%s", err, out)
		}
		began := time.Now()
		if out, err := command(csv[i]).CombinedOutput(); err != nil {
			t.Fatalf("etl: %v\n%s", err, out)
		}
		longest = max(longest, time.Since(began))
		known[i] = fingerprint(t, conn)
	}
	if known[0] == known[1] {
		t.Fatal("the two catalogs look the same, so no mixture could be told")
	}

	const kills = 15
	live := known[1]
	published := 0
	for i := range kills {
		next := i % 2
		if live == known[next] {
			next = 1 - next
		}
		cmd := command(csv[next])
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		// The moment of the kill is what is tested, so this is no wait for anything.
		time.Sleep(longest * time.Duration(i+1) / kills)
		_ = cmd.Process.Kill()
		if cmd.Wait() == nil {
			published++
		}
		// The server may still be finishing what the dead had sent.
		settled(t, database)
		got := fingerprint(t, conn)
		if got != live && got != known[next] {
			t.Fatalf("killed after %v of %v: what is live is neither the old catalog nor the new one", longest*time.Duration(i+1)/kills, longest)
		}
		live = got
	}
	if published == kills {
		t.Errorf("none of %d runs was killed before its end", kills)
	}

	if out, err := command(csv[0]).CombinedOutput(); err != nil {
		t.Fatalf("the run after the killed ones: %v\n%s", err, out)
	}
	if fingerprint(t, conn) != known[0] {
		t.Error("the run after the killed ones published something else")
	}
	var generations, running int
	err := conn.QueryRow(t.Context(), `
		select (select count(distinct substring(tablename from '_g([0-9]+)$')) from pg_tables where schemaname = 'catalog' and tablename like 'products\_%'),
		       (select count(*) from catalog.run where state = 'running')`).Scan(&generations, &running)
	if err != nil || generations != 2 || running != 0 {
		t.Errorf("%d generations of tables and %d runs that seem to run (%v), want 2 and 0", generations, running, err)
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

// fingerprint describes all that is live: the documents, how many there are, and every etag and id.
func fingerprint(t *testing.T, conn *pgx.Conn) string {
	t.Helper()
	var generation int64
	var documents []sql.Document
	if err := conn.QueryRow(t.Context(), "select generation, documents from catalog.version where collection = 'products'").Scan(&generation, &documents); err != nil {
		t.Fatal(err)
	}
	var parts []string
	for _, d := range documents {
		var part string
		err := conn.QueryRow(t.Context(), `select format('%s %s %s', count(*), sum(etag), sum(id::numeric * (etag % 1000003))) from catalog.`+
			sql.DocumentTable("products", d.Name, generation)).Scan(&part)
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, fmt.Sprintf("%s: %s", d.Name, part))
	}
	return strings.Join(parts, "\n")
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
