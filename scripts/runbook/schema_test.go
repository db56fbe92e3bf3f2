package runbook

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"systemscale/sql/testdb"
)

// TestUpgradeUnderLoad migrates from the schema before the last migration, and replaces the instances in turn. EARLIER_PROGRAMS is a
// directory with an api and an etl that know only the former schema; without it, they are the present ones.
func TestUpgradeUnderLoad(t *testing.T) {
	server := testdb.NewServer(t)
	database := server.New()
	s := newSite(t)
	present, earlier := s.programs, os.Getenv("EARLIER_PROGRAMS")
	if earlier == "" {
		s.publish(database.ETL, 1)
	}
	newest, down := lastMigration(t)
	conn := testdb.Connect(t, database.ETL)
	if _, err := conn.Exec(t.Context(), down+"; update public.schema_migrations set version = "+strconv.Itoa(newest-1)); err != nil {
		t.Fatal(err)
	}
	if earlier != "" {
		s.programs = earlier
		s.publish(database.ETL, 1)
	}

	// The API accepts the former schema.
	s.instance(database.API)
	s.instance(database.API)
	l := newLoad(t, s.gateway(s.instances...), 1)
	l.more(200)
	s.programs = present
	// etl may need the new one. It then changes nothing, and names the remedy.
	l.allow(2)
	s.edition(2)
	run := s.etlCommand(database.ETL, "run", "--csv", s.csv, "--shape", s.shape, "--accept", "changed")
	if out, err := run.CombinedOutput(); err != nil && (run.ProcessState.ExitCode() != 4 || !strings.Contains(string(out), "etl migrate")) {
		t.Errorf("a run on the former schema: %v\n%s", err, out)
	}
	l.more(200)
	step(t, "migrate", func() { s.etl(0, database.ETL, "migrate") })
	l.more(200)
	l.allow(3)
	if earlier != "" {
		s.programs = earlier
	}
	s.publish(database.ETL, 3)
	s.serves(3)
	s.programs = present
	step(t, "replace the first instance", func() {
		s.instances[0].stop()
		s.instances[0].start(database.API)
	})
	l.allow(4)
	s.publish(database.ETL, 4) // an earlier and a present instance serve it
	s.serves(4)
	l.more(200)
	step(t, "replace both instances", func() { s.roll(database.API) })
	l.allow(5)
	s.publish(database.ETL, 5)
	s.serves(5)
	l.more(200)
	l.stop()
}

// lastMigration returns the number of the last migration and the statements that revert it.
func lastMigration(t *testing.T) (number int, down string) {
	t.Helper()
	found, err := filepath.Glob("../../sql/migrations/*.down.sql")
	if err != nil || len(found) == 0 {
		t.Fatalf("no migrations: %v", err)
	}
	last := found[len(found)-1]
	text, err := os.ReadFile(last)
	if err != nil {
		t.Fatal(err)
	}
	if number, err = strconv.Atoi(strings.SplitN(filepath.Base(last), "_", 2)[0]); err != nil {
		t.Fatal(err)
	}
	return number, string(text)
}
