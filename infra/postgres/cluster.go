// Package postgres runs a private Postgres with its own data directory, reached through a unix socket
// (and a loopback port if configured), started and stopped without touching any system service.
package postgres

import (
	"context"
	"crypto/rand"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"systemscale/infra/process"
	"systemscale/infra/program"
	"systemscale/sql"
)

//go:embed postgresql.conf
var settings string

// Superuser is the role that initdb creates.
const Superuser = "postgres"

// Cluster is the location and address of a cluster. All paths are absolute.
type Cluster struct {
	Postgres  program.Postgres
	Directory string           // the data directory; its parent, which holds postgresql.conf, must belong to this process
	Sockets   string           // directory of the unix socket; must belong to Account
	Port      int              // names the socket, and is the TCP port if Loopback
	Loopback  bool             // listen on 127.0.0.1 too
	Log       string           // file of the server's log
	Password  string           // the superuser's; used when the cluster is created
	Override  []string         // lines after the settings, which override them
	Account   *process.Account // nil: the account of this process, which must not be root
}

// Accounts are the users that a server may run as when this process is root, best first.
var Accounts = []string{"postgres", "nobody"}

// MajorOf returns the major version of Postgres that made the data directory, and 0 if it has none.
func MajorOf(directory string) int {
	text, err := process.ReadFile(filepath.Join(directory, "PG_VERSION"))
	if err != nil {
		return 0
	}
	major, _ := strconv.Atoi(strings.TrimSpace(string(text)))
	return major
}

// Create creates the data directory unless it exists. An interrupted call leaves nothing that looks like a
// cluster.
func (c Cluster) Create(ctx context.Context) error {
	if MajorOf(c.Directory) != 0 {
		return nil
	}
	unfinished := c.Directory + ".unfinished"
	if err := os.RemoveAll(unfinished); err != nil {
		return fmt.Errorf("remove an unfinished cluster: %w", err)
	}
	if err := c.Account.MakeDirectory(unfinished, 0o700); err != nil {
		return fmt.Errorf("create the cluster: %w", err)
	}
	passwordFile := c.Directory + ".password"
	if err := c.Account.WriteFile(passwordFile, []byte(c.Password), 0o600); err != nil {
		return fmt.Errorf("create the cluster: %w", err)
	}
	defer func() { _ = os.Remove(passwordFile) }()
	command := exec.CommandContext(ctx, filepath.Join(c.Postgres.Bin, "initdb"),
		"--pgdata", unfinished, "--username", Superuser, "--pwfile", passwordFile, "--auth", "scram-sha-256",
		"--encoding", "UTF8", "--locale", "C")
	command.Dir = filepath.Dir(c.Directory)
	command.Env = c.Account.Environment()
	command.SysProcAttr = c.Account.Attributes()
	command.Cancel = func() error { return command.Process.Signal(syscall.SIGTERM) }
	if out, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("create the cluster: initdb: %w\n%s", err, out)
	}
	if err := os.Rename(unfinished, c.Directory); err != nil {
		return fmt.Errorf("create the cluster: %w", err)
	}
	return nil
}

// Configure writes postgresql.conf and reports whether that changed it, so that a running server needs a restart. It is beside the data
// directory, in which the server's account may put links.
func (c Cluster) Configure() (changed bool, err error) {
	text := c.configuration()
	path := ConfigurationFile(c.Directory)
	if present, err := os.ReadFile(path); err == nil && string(present) == text {
		return false, nil
	}
	var self *process.Account
	if err := self.WriteFile(path, []byte(text), 0o644); err != nil {
		return false, fmt.Errorf("configure Postgres: %w", err)
	}
	return true, nil
}

// ConfigurationFile returns the path of the postgresql.conf of a data directory.
func ConfigurationFile(directory string) string {
	return filepath.Join(filepath.Dir(directory), "postgresql.conf")
}

// Arguments returns the server's arguments for a data directory.
func Arguments(directory string) []string {
	return []string{"-D", directory, "--config_file=" + ConfigurationFile(directory)}
}

func (c Cluster) configuration() string {
	addresses := ""
	if c.Loopback {
		addresses = "127.0.0.1"
	}
	var text strings.Builder
	text.WriteString(settings)
	text.WriteString("\n# ---- this machine\n")
	fmt.Fprintf(&text, "port = %d\nlisten_addresses = '%s'\nunix_socket_directories = '%s'\n",
		c.Port, addresses, strings.ReplaceAll(c.Sockets, "'", "''"))
	if c.Postgres.Version.Major < 15 {
		text.WriteString("wal_compression = on\n") // the algorithm can be chosen from 15 on
	}
	for _, line := range c.Override {
		text.WriteString(line + "\n")
	}
	return text.String()
}

// Start starts the server and waits until it is ready.
func (c Cluster) Start(ctx context.Context) (*process.Running, error) {
	running, err := process.Daemon{
		Name: "Postgres", Path: filepath.Join(c.Postgres.Bin, "postgres"), Args: Arguments(c.Directory),
		Dir: c.Directory, Log: c.Log, Account: c.Account,
	}.Start()
	if err != nil {
		return nil, err
	}
	// After a crash the server first replays its log, at most max_wal_size of it.
	if err := running.Await(ctx, 2*time.Minute, c.Ready); err != nil {
		return nil, errors.Join(err, Stop(context.WithoutCancel(ctx), running.Identity))
	}
	return running, nil
}

// Ready returns nil when the server answers its superuser.
func (c Cluster) Ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	connection, err := sql.Dial(ctx, c.URL(Superuser, c.Password, "postgres"))
	if err != nil {
		return err
	}
	return connection.Close(ctx)
}

// Stop stops a server in the fast mode: it disconnects clients and writes all data. It waits long, because after a kill
// the next start would have to recover the rest.
func Stop(ctx context.Context, identity process.Identity) error {
	if err := process.Stop(ctx, identity, syscall.SIGINT, 2*time.Minute); err != nil {
		return fmt.Errorf("stop Postgres: %w", err)
	}
	return nil
}

// Adopt returns the server that runs on the data directory without a record of its start, or the zero Identity. It removes
// the lock file of a server that has ended if another process has its pid now: Postgres itself would take that process for
// the server.
func (c Cluster) Adopt() (process.Identity, error) {
	path := filepath.Join(c.Directory, "postmaster.pid")
	text, err := process.ReadFile(path)
	if err != nil {
		return process.Identity{}, nil
	}
	line, _, _ := strings.Cut(string(text), "\n")
	pid, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		return process.Identity{}, nil
	}
	identity, err := process.Of(pid)
	if err != nil {
		return process.Identity{}, nil // gone; Postgres removes the file itself
	}
	if process.WorksIn(pid, c.Directory, c.Account) {
		return identity, nil
	}
	if err := os.Remove(path); err != nil {
		return process.Identity{}, fmt.Errorf("remove the lock file of a server that was killed: %w", err)
	}
	return process.Identity{}, nil
}

// URL returns the URL of a database of the cluster, through the unix socket, which costs less per lookup than
// TCP does.
func (c Cluster) URL(role, password, database string) string {
	query := url.Values{"host": {c.Sockets}, "port": {strconv.Itoa(c.Port)}}.Encode()
	return (&url.URL{
		Scheme: "postgres", User: url.UserPassword(role, password), Path: "/" + database,
		RawQuery: strings.ReplaceAll(query, "+", "%20"), // libpq and pgx decode no other form of a space
	}).String()
}

// NewPassword returns a random password that needs no quoting anywhere.
func NewPassword() string {
	raw := make([]byte, 16)
	_, _ = rand.Read(raw) // never fails: crypto/rand aborts the program instead
	return hex.EncodeToString(raw)
}
