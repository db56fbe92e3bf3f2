package command

import (
	"strings"
	"testing"

	"systemscale/sql/testdb"
)

// TestSettingsOfTheRole runs every command that connects, as a role whose settings would end statements and sessions, reject writes, and
// change the meaning of names.
func TestSettingsOfTheRole(t *testing.T) {
	database := testdb.NewEmpty(t)
	testdb.Hostile(t, database)
	succeed := func(want int, args ...string) (stdout string) {
		t.Helper()
		code, stdout, stderr := etl(t.Context(), append(args, "--database", database.ETL)...)
		if code != want {
			t.Fatalf("%v: exit code %d, want %d: %s", args, code, want, stderr)
		}
		return stdout
	}
	succeed(exitOK, "migrate")
	before, after := shopFiles(t, 300, nil), shopFiles(t, 300, map[int]string{7: "another", 8: ""})
	of := func(command, directory string, args ...string) []string {
		args = append([]string{command, "--csv", directory, "--shape", directory + "/shop.yaml"}, args...)
		if command == "run" {
			args = append(args, "--rejects", t.TempDir())
		}
		return args
	}
	succeed(exitOK, of("run", before)...)
	succeed(exitChanges, of("plan", after)...)
	succeed(exitOK, of("run", after, "--mode", "delta")...)
	succeed(exitOK, of("run", before, "--mode", "generation")...)
	succeed(exitOK, "rollback", "--no-hold", "--collection", "shop")
	succeed(exitOK, "rollback", "--no-hold", "--collection", "shop", "--to", "1")
	if history := succeed(exitOK, "history", "--collection", "shop"); strings.Contains(history, "1970") ||
		strings.Count(history, "published") != 5 {
		t.Errorf("the history is\n%s", history)
	}
	conn := testdb.Connect(t, database.AdminURL)
	if got := written(t, conn, "shop", "item", 7); !strings.Contains(got, "item 7") {
		t.Errorf("item 7 is %s", got)
	}
}
