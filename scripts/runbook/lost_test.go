package runbook

import (
	"testing"

	"systemscale/sql/testdb"
)

// TestLostDatabase removes the database under load. etl run rebuilds it on an empty server.
func TestLostDatabase(t *testing.T) {
	t.Parallel()
	lost := testdb.NewServer(t)
	database := lost.New()
	s := newSite(t)
	l := s.serve(database)

	l.refuse.Store(true)
	lost.Kill()
	l.more(200)
	empty := testdb.NewServer(t)
	rebuilt := empty.New()
	step(t, "etl run into an empty database", func() { s.publish(rebuilt.ETL, 1) })
	s.roll(rebuilt.API)
	s.serves(1)
	eventually(t, "nothing is refused any more", func() bool {
		before := l.refused.Load()
		l.more(200)
		return l.refused.Load() == before
	})
	l.refuse.Store(false)
	l.allow(2)
	s.publish(rebuilt.ETL, 2)
	s.serves(2)
	l.more(200)
	l.stop()
}
