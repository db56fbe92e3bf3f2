package measure

import (
	"os/exec"
	"strings"
	"testing"
)

func TestProcessListShowsNoPassword(t *testing.T) {
	const url = "postgres://etl:secret@127.0.0.1:5432/bench"
	for _, command := range []*exec.Cmd{exec.Command("etl", "run", "--database", url, "--csv", "x"), exec.Command("pgbench", "-n", url)} {
		hideURLs(command)
		if list := strings.Join(command.Args, " "); strings.Contains(list, "secret") || len(command.Args) < 2 {
			t.Errorf("the arguments are %s", list)
		}
		variables := strings.Join(command.Env, "\n")
		if !strings.Contains(variables, "DATABASE_URL="+url) && !strings.Contains(variables, "PGPASSWORD=secret") {
			t.Errorf("the environment of %s has no database", command.Args[0])
		}
	}
}
