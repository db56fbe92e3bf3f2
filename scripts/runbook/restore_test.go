package runbook

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"systemscale/sql/testdb"
)

// TestPointInTimeRecovery restores a base backup and the archived log into a second server, up to a time before a bad run, and serves it.
func TestPointInTimeRecovery(t *testing.T) {
	archive := testdb.Directory(t)
	primary := testdb.NewServer(t, "archive_mode = on", "archive_command = 'cp %p "+archive+"/%f'")
	database := primary.New()
	s := newSite(t)
	s.publish(database.ETL, 1)
	backup := filepath.Join(testdb.Directory(t), "base")
	step(t, "base backup", func() { primary.Backup(backup) })
	s.publish(database.ETL, 2)
	var before time.Time
	primary.Query("select clock_timestamp()", &before)

	a, b := s.instance(database.API), s.instance(database.API)
	g := s.gateway(a, b)
	l := newLoad(t, g, 2, 3)
	l.more(200)
	s.publish(database.ETL, 3) // the bad one
	s.serves(3)
	var segment string
	primary.Query("select pg_walfile_name(pg_switch_wal())", &segment)
	eventually(t, "the log is archived", func() bool {
		var archived bool
		primary.Query("select coalesce(last_archived_wal >= '"+segment+"', false) from pg_stat_archiver", &archived)
		return archived
	})

	var restored *testdb.Server
	step(t, "restore", func() {
		restored = primary.Restore(backup, "restore_command = 'cp "+archive+"/%f %p'",
			"recovery_target_time = '"+before.UTC().Format("2006-01-02 15:04:05.999999")+"+00'", "recovery_target_action = promote")
		eventually(t, "the recovery has ended", func() bool {
			var recovering bool
			restored.Query("select pg_is_in_recovery()", &recovering)
			return !recovering
		})
	})
	const stopped = "recovery stopping before commit of transaction" // operators look for it
	if log := restored.Log(); !strings.Contains(log, stopped) {
		t.Errorf("%q is not in the log:\n%s", stopped, log)
	}
	url := at(t, database, restored)
	step(t, "restart both instances", func() { s.roll(url.API) })
	s.serves(2)
	l.more(200)
	l.allow(4)
	s.publish(url.ETL, 4)
	s.serves(4)
	l.more(200)
	l.stop()
}
