package command

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"systemscale/sql/testdb"
)

// TestPooler runs every command that uses the database through PgBouncer. In session mode they work, with settings that the pooler rejects
// or ignores. In the other modes they fail before they write, and the message names the remedy.
func TestPooler(t *testing.T) {
	const ignores = "ignore_startup_parameters = synchronous_commit,client_connection_check_interval"
	for _, c := range []struct {
		name, mode string
		settings   []string
	}{
		{"session", "session", nil},
		{"session that ignores settings", "session", []string{ignores}},
		{"transaction", "transaction", nil},
		{"transaction that ignores settings", "transaction", []string{ignores, "default_pool_size = 3"}},
		{"transaction over one connection", "transaction", []string{"default_pool_size = 1"}},
		{"transaction in turns", "transaction", []string{"server_round_robin = 1", "min_pool_size = 5"}},
		{"transaction over two in turns", "transaction", []string{"server_round_robin = 1", "default_pool_size = 2", "min_pool_size = 2"}},
		{"statement", "statement", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			database := testdb.NewEmpty(t)
			through := testdb.Pooler(t, database, c.mode, c.settings...)(database.ETL)
			directory := shopFiles(t, 20, nil)
			shape := filepath.Join(directory, "shop.yaml")
			read := []string{"--csv", directory, "--shape", shape}
			commands := [][]string{
				{"migrate"},
				append([]string{"run", "--rejects", filepath.Join(directory, "rejects")}, read...),
				append([]string{"run", "--mode", "generation", "--rejects", filepath.Join(directory, "rejects")}, read...),
				append([]string{"plan"}, read...),
				{"history", "--collection", "shop"},
				{"rollback", "--no-hold", "--collection", "shop"},
			}
			direct := testdb.Connect(t, database.ETL)
			if c.mode != "session" {
				if code, _, stderr := etl(t.Context(), "migrate", "--database", through); code != exitDatabase ||
					!strings.Contains(stderr, "pool in session mode") {
					t.Errorf("migrate: exit code %d, %s", code, stderr)
				}
				if code, _, stderr := etl(t.Context(), "migrate", "--database", database.ETL); code != exitOK {
					t.Fatalf("migrate without the pooler: exit code %d, %s", code, stderr)
				}
				commands = commands[1:]
			}
			for _, command := range commands {
				code, _, stderr := etl(t.Context(), append(command, "--database", through)...)
				if c.mode == "session" {
					if code != exitOK {
						t.Errorf("%s: exit code %d, %s", command[0], code, stderr)
					}
					continue
				}
				if code != exitDatabase || !strings.Contains(stderr, "pool in session mode") || !strings.Contains(stderr, "--database") {
					t.Errorf("%s: exit code %d, want %d: %s", command[0], code, exitDatabase, stderr)
				}
			}
			wanted := 3
			if c.mode != "session" {
				wanted = 0
			}
			if got := runsIn(t, direct); got != wanted {
				t.Errorf("%d runs are registered, want %d", got, wanted)
			}
		})
	}
}

func runsIn(t *testing.T, conn *pgx.Conn) (runs int) {
	t.Helper()
	if err := conn.QueryRow(t.Context(), "select count(*) from catalog.run").Scan(&runs); err != nil {
		t.Fatal(err)
	}
	return runs
}
