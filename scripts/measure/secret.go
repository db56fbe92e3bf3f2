package measure

import (
	"os"
	"os/exec"
	"strconv"
	"strings"

	"systemscale/sql"
)

// hideURLs moves database URLs from a command's arguments, which every user of the machine can read, to its environment: that of
// --database to DATABASE_URL, and a separate argument to the variables of libpq.
func hideURLs(command *exec.Cmd) {
	if command.Env == nil {
		command.Env = os.Environ()
	}
	kept := command.Args[:0:0]
	for i := 0; i < len(command.Args); i++ {
		arg := command.Args[i]
		if arg == "--database" && i+1 < len(command.Args) {
			i++
			command.Env = append(command.Env, "DATABASE_URL="+command.Args[i])
			continue
		}
		if config, err := sql.ParseURL(arg); strings.HasPrefix(arg, "postgres://") && err == nil {
			command.Env = append(command.Env, "PGHOST="+config.Host, "PGPORT="+strconv.Itoa(int(config.Port)), "PGUSER="+config.User,
				"PGPASSWORD="+config.Password, "PGDATABASE="+config.Database)
			continue
		}
		kept = append(kept, arg)
	}
	command.Args = kept
}
