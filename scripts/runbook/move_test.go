package runbook

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"systemscale/infra/nginx"
	"systemscale/sql/testdb"
)

// TestMoveToAnotherHost moves the database, the instances and the gateway to another host under load. The hosts are servers on one machine.
func TestMoveToAnotherHost(t *testing.T) {
	t.Parallel()
	old := testdb.NewServer(t)
	database := old.New()
	s := newSite(t)
	s.publish(database.ETL, 1)
	oldInstances := []*instance{s.instance(database.API), s.instance(database.API)}
	oldGateway := s.gateway(oldInstances...)
	l := newLoad(t, oldGateway, 1)
	l.more(200)

	var replica *testdb.Server
	step(t, "replica on the new host", func() { replica = old.NewReplica() })
	moved := at(t, database, replica)
	s.instances = nil
	var g *gateway
	step(t, "instances and gateway on the new host", func() {
		s.instance(moved.API)
		s.instance(moved.API)
		g = s.gateway(s.instances...)
	})
	s.serves(1)
	l.use(g)
	l.more(200)
	step(t, "stop the old host and promote the replica", func() {
		for _, i := range oldInstances {
			i.stop()
		}
		if err := nginx.Stop(t.Context(), oldGateway.running.Identity); err != nil {
			t.Fatal(err)
		}
		old.Stop() // it sends the rest of the log to the replica first
		replica.Promote()
	})
	l.allow(2)
	s.publish(moved.ETL, 2)
	s.serves(2)
	l.more(200)
	l.stop()
}

// TestMajorUpgrade copies everything with pg_dump to a second cluster, under load, as for an upgrade to another major version.
func TestMajorUpgrade(t *testing.T) {
	t.Parallel()
	old := testdb.NewServer(t)
	database := old.New()
	s := newSite(t)
	s.publish(database.ETL, 1)
	s.publish(database.ETL, 2)
	s.instance(database.API)
	s.instance(database.API)
	l := newLoad(t, s.gateway(s.instances...), 2)
	l.more(200)

	next := testdb.NewServer(t)
	config, err := pgx.ParseConfig(database.ETL)
	if err != nil {
		t.Fatal(err)
	}
	step(t, "copy", func() {
		roles := command(t, nil, "pg_dumpall", "--dbname", old.URL("postgres"), "--roles-only")
		command(t, roles, "psql", "--quiet", "--dbname", next.URL("postgres")) // the superuser exists already, which is an error of one line
		// Its password has come along.
		admin := at(t, testdb.Database{AdminURL: old.URL("postgres")}, next).AdminURL
		file := filepath.Join(testdb.Directory(t), "dump")
		command(t, nil, "pg_dump", "--dbname", old.URL(config.Database), "--format", "directory", "--jobs", "2", "--file", file)
		command(t, nil, "pg_restore", "--dbname", admin, "--create", "--exit-on-error", "--jobs", "2", file)
		command(t, nil, "vacuumdb", "--maintenance-db", admin, "--all", "--analyze", "--quiet")
	})
	upgraded := at(t, database, next)
	step(t, "restart both instances", func() { s.roll(upgraded.API) })
	l.more(200)
	old.Stop()
	l.allow(1, 3)
	// The history came along: the next run is the third, and the one before the copy can be made live again.
	if out := s.publish(upgraded.ETL, 3); !strings.Contains(out, "version 3 is published") {
		t.Errorf("the first run after the upgrade:\n%s", out)
	}
	s.serves(3)
	s.etl(0, upgraded.ETL, "rollback", "--no-hold", "--collection", "things", "--to", "1")
	s.serves(1)
	l.more(200)
	l.stop()
}

// command runs a program of PostgreSQL, which must succeed, and returns its output.
func command(t *testing.T, input []byte, name string, arguments ...string) []byte {
	t.Helper()
	run := testdb.AsServer(t, "/", name, arguments...)
	run.Stdin = bytes.NewReader(input)
	var output, errors bytes.Buffer
	run.Stdout, run.Stderr = &output, &errors
	if err := run.Run(); err != nil {
		t.Fatalf("%s: %v\n%s", name, err, errors.Bytes())
	}
	return output.Bytes()
}
