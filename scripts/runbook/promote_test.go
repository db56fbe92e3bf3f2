package runbook

import (
	"strings"
	"testing"

	"systemscale/sql/testdb"
)

// TestPromotion loses the primary under load, promotes the replica by hand, publishes there, and adds a new replica.
func TestPromotion(t *testing.T) {
	primary := testdb.NewServer(t)
	replica := primary.NewReplica()
	database := primary.New()
	replicated(t, primary) // the roles
	s := newSite(t)
	// etl finds the primary, also behind a replica.
	both := at(t, database, replica, primary)
	s.publish(both.ETL, 1)
	s.instance(both.API)
	s.instance(both.API)
	s.serves(1)
	l := newLoad(t, s.gateway(s.instances...), 1)
	l.more(200)

	replicated(t, primary)
	primary.Kill()
	l.more(500)
	if out := s.etl(4, both.ETL, "run", "--csv", s.csv, "--shape", s.shape); !strings.Contains(out, "pg_promote()") {
		t.Errorf("a run without a primary: %s", out)
	}
	step(t, "promote the replica", func() { replica.Exec("select pg_promote()") })
	l.allow(2)
	s.publish(both.ETL, 2)
	s.serves(2)
	l.more(200)

	var second *testdb.Server
	step(t, "add a new replica", func() { second = replica.NewReplica() })
	again := at(t, database, replica, second)
	s.roll(again.API)
	l.allow(3)
	s.publish(again.ETL, 3)
	s.serves(3)
	l.more(200)

	step(t, "restart the primary in place, as for a minor version", func() {
		replica.Stop()
		l.more(200)
		replica.Start()
	})
	l.allow(4)
	s.publish(again.ETL, 4)
	s.serves(4)
	replicated(t, replica)

	// A planned switch: the primary stops in order, and the replica has everything.
	step(t, "switch to the other server", func() {
		replica.Stop()
		second.Promote()
	})
	l.allow(5)
	s.publish(again.ETL, 5)
	s.serves(5)
	l.more(200)
	l.stop()
}

// replicated waits until the replicas of a primary have its log.
func replicated(t *testing.T, primary *testdb.Server) {
	t.Helper()
	eventually(t, "the replica has the primary's log", func() bool {
		var complete bool
		primary.Query("select coalesce(bool_and(replay_lsn = pg_current_wal_lsn()), false) from pg_stat_replication", &complete)
		return complete
	})
}
