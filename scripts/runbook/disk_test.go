package runbook

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"systemscale/sql/testdb"
)

// smallDisk mounts a file system of some megabytes on a new directory, which any account may use. Only root may mount; CI runs as root.
func smallDisk(t *testing.T, megabytes int) string {
	t.Helper()
	directory, err := os.MkdirTemp("", "runbook-disk-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(directory) })
	if err := syscall.Mount("tmpfs", directory, "tmpfs", 0, fmt.Sprintf("size=%dm,mode=1777", megabytes)); err != nil {
		t.Fatalf("mount a small file system: %v: this test has to run as root", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(directory, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return directory
}

// fill writes a file until the file system of a directory is full, and returns a function that removes it.
func fill(t *testing.T, directory string) (free func()) {
	t.Helper()
	file, err := os.Create(filepath.Join(directory, "filler"))
	if err != nil {
		t.Fatal(err)
	}
	block := make([]byte, 64<<10)
	for size := len(block); size > 0; size /= 2 {
		for err = nil; err == nil; {
			_, err = file.Write(block[:size])
		}
	}
	_ = file.Close()
	return func() {
		t.Helper()
		if err := os.Remove(file.Name()); err != nil {
			t.Fatal(err)
		}
	}
}

const noSpace = "No space left on device"

// TestFullDisks fills the file systems of a run and of PostgreSQL in turn. A run then fails, the published version stays, and the next run
// succeeds when there is space again.
func TestFullDisks(t *testing.T) {
	disk := smallDisk(t, 200)
	t.Setenv("TMPDIR", disk) // where the server's files go
	server := testdb.NewServer(t, "min_wal_size = 32MB", "max_wal_size = 64MB")
	t.Setenv("TMPDIR", "")
	logs := smallDisk(t, 80)
	server.MoveLog(filepath.Join(logs, "pg_wal"))
	database := server.New()
	s := newSite(t)
	l := s.serve(database)

	t.Run("temp", func(t *testing.T) {
		temp := smallDisk(t, 1)
		free := fill(t, temp)
		s.edition(2)
		out := s.etl(1, database.ETL, "run", "--csv", s.csv, "--shape", s.shape, "--temp", temp, "--accept", "changed")
		wantNoSpace(t, out)
		l.more(200)
		free()
	})
	t.Run("rejects", func(t *testing.T) {
		rejects := smallDisk(t, 1)
		free := fill(t, rejects)
		s.edition(2)
		path := filepath.Join(s.csv, "thing.csv")
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, append(text, bytes.Repeat([]byte("x,2,not a number\n"), 5)...), 0o600); err != nil {
			t.Fatal(err)
		}
		out := s.etl(1, database.ETL, "run", "--csv", s.csv, "--shape", s.shape, "--rejects", rejects, "--accept", "changed")
		wantNoSpace(t, out)
		l.more(200)
		free()
	})
	t.Run("database", func(t *testing.T) {
		free := fill(t, disk)
		s.edition(2)
		out := s.etl(4, database.ETL, "run", "--csv", s.csv, "--shape", s.shape, "--mode", "generation", "--accept", "changed")
		wantNoSpace(t, out)
		l.more(500)
		free()
	})
	l.allow(2)
	s.publish(database.ETL, 2, "--mode", "generation")
	s.serves(2)
	l.more(200)

	t.Run("log of PostgreSQL", func(t *testing.T) {
		l.refuse.Store(true)
		free := fill(t, logs)
		s.edition(3)
		l.allow(3)
		for run := 0; server.Running(); run++ { // until the segments that it has are full
			if run == 20 {
				t.Fatal("PostgreSQL still writes")
			}
			_ = server.Try("select pg_switch_wal()")
			_ = server.Try("create table if not exists public.fill ()")
			_ = server.Try("drop table if exists public.fill")
		}
		s.etl(4, database.ETL, "run", "--csv", s.csv, "--shape", s.shape, "--accept", "changed")
		l.more(200)
		free()
		server.Kill()
		server.Start()
		eventually(t, "the instances are ready", func() bool { return s.instances[0].ready() && s.instances[1].ready() })
	})
	s.serves(2)
	eventually(t, "nothing is refused any more", func() bool {
		before := l.refused.Load()
		l.more(200)
		return l.refused.Load() == before
	})
	l.refuse.Store(false)
	s.publish(database.ETL, 3)
	s.serves(3)
	l.more(200)
	l.stop()
}

func wantNoSpace(t *testing.T, output string) {
	t.Helper()
	if !strings.Contains(strings.ToLower(output), strings.ToLower(noSpace)) {
		t.Errorf("etl does not report %q:\n%s", noSpace, output)
	}
}
