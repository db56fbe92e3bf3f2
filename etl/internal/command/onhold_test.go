package command

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"systemscale/etl/internal/publish"
	"systemscale/sql/testdb"
)

// shopCommands runs commands for the collection shop.
type shopCommands struct {
	t        *testing.T
	database testdb.Database
}

// run runs etl run, and returns everything that it printed.
func (s shopCommands) run(want int, directory string, args ...string) string {
	s.t.Helper()
	code, stdout, stderr := at(s.t, s.database, directory, "run", args...)
	must(s.t, want, code, stdout, stderr)
	return stdout + stderr
}

// command runs another command.
func (s shopCommands) command(want int, name string, args ...string) string {
	s.t.Helper()
	code, stdout, stderr := etl(s.t.Context(), append([]string{name, "--database", s.database.ETL, "--collection", "shop"}, args...)...)
	must(s.t, want, code, stdout, stderr)
	return stdout + stderr
}

func contains(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("no %q in\n%s", part, text)
		}
	}
}

// TestNightsAfterARollback runs the same bad dump for several nights, and then a corrected one.
func TestNightsAfterARollback(t *testing.T) {
	good, bad := shopFiles(t, 20, nil), shopFiles(t, 20, map[int]string{7: "bad"})
	corrected := shopFiles(t, 20, map[int]string{7: "good"})
	t.Run("until it is released", func(t *testing.T) {
		s := shopCommands{t, testdb.New(t)}
		s.run(exitOK, good)
		s.run(exitOK, bad)
		contains(t, s.command(exitOK, "rollback", "--reason", "item 7 is bad"), "are on hold, until etl release --collection shop")
		for _, mode := range []string{"auto", "delta", "generation"} {
			contains(t, s.run(exitOnHold, bad, "--mode", mode), "item 7 is bad", "etl release --collection shop ends the hold")
		}
		// It reads nothing: the files need not exist.
		empty := t.TempDir()
		text, err := os.ReadFile(filepath.Join(bad, "shop.yaml"))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(empty, "shop.yaml"), text, 0o600); err != nil {
			t.Fatal(err)
		}
		s.run(exitOnHold, empty)
		s.run(exitOnHold, corrected)
		contains(t, s.command(exitOK, "history"), "shop is on hold since", "item 7 is bad")
		contains(t, s.command(exitOK, "release"), "no longer on hold", "item 7 is bad")
		contains(t, s.command(exitOK, "release"), "not on hold")
		s.run(exitFiles, empty)
		contains(t, s.run(exitOK, corrected), "is published")
	})
	t.Run("until there is another dump", func(t *testing.T) {
		s := shopCommands{t, testdb.New(t)}
		s.run(exitOK, good)
		s.run(exitOK, bad)
		s.command(exitOK, "rollback", "--release-on-new-dump")
		for _, mode := range []string{"auto", "generation"} {
			contains(t, s.run(exitOnHold, bad, "--mode", mode), "rolled back from version 2 to 1", "A run with another dump ends the hold")
		}
		contains(t, s.run(exitOK, corrected), "is published")
		contains(t, s.run(exitOK, bad), "is published") // the hold has ended
	})
	t.Run("another dump with the live documents", func(t *testing.T) {
		s := shopCommands{t, testdb.New(t)}
		s.run(exitOK, good)
		s.run(exitOK, bad)
		s.command(exitOK, "rollback", "--release-on-new-dump")
		contains(t, s.run(exitOK, good), "nothing changed")
		contains(t, s.command(exitOK, "release"), "not on hold")
	})
	t.Run("no hold", func(t *testing.T) {
		s := shopCommands{t, testdb.New(t)}
		s.run(exitOK, good)
		s.run(exitOK, bad)
		s.command(exitOK, "rollback", "--no-hold")
		contains(t, s.run(exitOK, bad), "is published")
		contains(t, s.command(exitUsage, "rollback", "--no-hold", "--reason", "x"), "--no-hold")
	})
}

func TestHold(t *testing.T) {
	s := shopCommands{t, testdb.New(t)}
	contains(t, s.command(exitUsage, "hold", "--reason", "x"), "no collection shop")
	contains(t, s.command(exitUsage, "release"), "no collection shop")
	first := shopFiles(t, 20, nil)
	s.run(exitOK, first)
	contains(t, s.command(exitUsage, "hold"), "--reason")
	contains(t, s.command(exitUsage, "hold", "--reason", " "), "--reason must not be empty")
	s.command(exitOK, "hold", "--reason", "one")
	s.command(exitOK, "hold", "--reason", "another")
	contains(t, s.run(exitOnHold, first), "another")
	// The plan of a dump that is not published yet can be looked at.
	code, stdout, stderr := at(t, s.database, shopFiles(t, 20, map[int]string{3: "new"}), "plan")
	must(t, exitChanges, code, stdout, stderr)
	code, stdout, stderr = etl(t.Context(), "drop", "shop", "--yes", "--database", s.database.ETL)
	must(t, exitOK, code, stdout, stderr)
	s.run(exitOK, first)
}

// TestHoldDuringARun sets a hold after the run has looked for one.
func TestHoldDuringARun(t *testing.T) {
	s := shopCommands{t, testdb.New(t)}
	s.run(exitOK, shopFiles(t, 20, nil))
	session, err := publish.Open(t.Context(), s.database.ETL, "shop", 1)
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	run, err := session.Begin(t.Context(), publish.Delta)
	if err != nil {
		t.Fatal(err)
	}
	s.command(exitOK, "hold", "--reason", "stop")
	err = run.Unchanged(t.Context(), publish.Record{})
	if !is[*publish.OnHoldError](err) {
		t.Errorf("the run ends with %v", err)
	}
	if err := run.Abort(err, publish.Record{}); err != nil {
		t.Error(err)
	}
}
