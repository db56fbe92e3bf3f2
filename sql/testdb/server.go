package testdb

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"systemscale/infra/port/porttest"
	"systemscale/sql/migrate"
)

// startTimeout limits the start of a server and the run time of its tools.
const startTimeout = 2 * time.Minute

// Server is a PostgreSQL server of one test, which can kill, freeze and promote it. It is removed when the test ends.
//
// PATH must contain the programs of PostgreSQL, which stack postgres ensures. If the test runs as root, the server runs as the user
// postgres or nobody, because PostgreSQL refuses to run as root.
type Server struct {
	Address string // host:port

	t         testing.TB
	directory string // the data directory
	password  string // of the superuser
	frozen    []int  // processes
	alive     io.Closer
	ended     chan struct{}
}

// NewServer starts an empty server with additional settings, such as "archive_mode = on". Like New, it skips the test if there is no
// database.
func NewServer(t testing.TB, settings ...string) *Server {
	t.Helper()
	adminURL(t)
	s := newServer(t, randomHex(16))
	passwordFile := s.directory + ".password"
	if err := os.WriteFile(passwordFile, []byte(s.password), 0o600); err != nil {
		t.Fatal(err)
	}
	own(t, passwordFile)
	s.program("initdb", "--pgdata", s.directory, "--username", "postgres", "--pwfile", passwordFile, "--auth", "scram-sha-256",
		"--encoding", "UTF8", "--locale", "C", "--no-sync")
	s.configure(append([]string{
		"wal_level = replica", "max_wal_senders = 4", "hot_standby = on", "fsync = off", "full_page_writes = off", "shared_buffers = 32MB",
		"default_toast_compression = lz4", "jit = off",
	}, settings...)...)
	s.Start()
	return s
}

// NewReplica starts a streaming replica of s.
func (s *Server) NewReplica() *Server {
	s.t.Helper()
	replica := newServer(s.t, s.password)
	replica.program("pg_basebackup", "--dbname", s.URL("postgres"), "--pgdata", replica.directory, "--wal-method", "stream",
		"--checkpoint", "fast", "--write-recovery-conf", "--no-sync")
	replica.configure()
	replica.Start()
	return replica
}

// New creates a migrated database on s.
func (s *Server) New() Database {
	s.t.Helper()
	return NewOn(s.t, s.URL("postgres"))
}

// NewOn creates a migrated database in a cluster of t, whose superuser's URL is given. It is not dropped.
func NewOn(t testing.TB, adminURL string) Database {
	t.Helper()
	database := create(t, adminURL)
	if err := migrate.Up(context.Background(), database.ETL); err != nil {
		t.Fatalf("migrate the test database: %v", err)
	}
	return database
}

// URL returns the superuser's URL of a database.
func (s *Server) URL(database string) string {
	address := url.URL{
		Scheme: "postgres", User: url.UserPassword("postgres", s.password), Host: s.Address, Path: "/" + database, RawQuery: "sslmode=disable",
	}
	return address.String()
}

func newServer(t testing.TB, password string) *Server {
	t.Helper()
	parent, err := os.MkdirTemp("", "systemscale-test-")
	if err != nil {
		t.Fatalf("create a directory for a server: %v", err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(parent); err != nil {
			t.Errorf("remove a server's files: %v", err)
		}
	})
	own(t, parent)
	return &Server{t: t, Address: porttest.Address(t), directory: filepath.Join(parent, "data"), password: password}
}

// configure appends the given settings and the server's own ones to the configuration.
func (s *Server) configure(settings ...string) {
	s.t.Helper()
	_, port, _ := net.SplitHostPort(s.Address)
	settings = append(settings, "port = "+port, "listen_addresses = '127.0.0.1'", "unix_socket_directories = ''")
	file, err := os.OpenFile(filepath.Join(s.directory, "postgresql.conf"), os.O_APPEND|os.O_WRONLY, 0)
	if err == nil {
		_, err = file.WriteString("\n" + strings.Join(settings, "\n") + "\n")
		_ = file.Close()
	}
	if err != nil {
		s.t.Fatalf("configure Postgres: %v", err)
	}
}

// Start starts the server, for the first time or after Kill, and waits until it accepts connections.
func (s *Server) Start() {
	s.t.Helper()
	log, err := os.OpenFile(s.directory+".log", os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = log.Close() }()
	// The shell stops the server at the end of its input, which Kill or the end of the test's process closes.
	command := exec.Command("/bin/sh", "-c", `exec 3<&0; postgres -D "$0" <&- 3<&- & read -r _ <&3; kill -QUIT $!; wait`, s.directory)
	command.SysProcAttr = &syscall.SysProcAttr{Credential: account(s.t), Setpgid: true}
	command.Dir = filepath.Dir(s.directory)
	command.Stdout, command.Stderr = log, log
	input, err := command.StdinPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		s.t.Fatalf("start Postgres: %v", err)
	}
	ended := make(chan struct{})
	go func() {
		_ = command.Wait()
		close(ended)
	}()
	s.alive, s.ended = input, ended
	s.t.Cleanup(s.Kill)
	for deadline := time.Now().Add(startTimeout); ; time.Sleep(20 * time.Millisecond) {
		conn, err := s.connect()
		if err == nil {
			_ = conn.Close(context.Background())
			return
		}
		if time.Now().After(deadline) {
			text, _ := os.ReadFile(s.directory + ".log")
			s.t.Fatalf("start Postgres: %v\n%s", err, text)
		}
	}
}

// Kill stops the server immediately, like a crash, and waits for its end.
func (s *Server) Kill() {
	s.Thaw()
	_ = s.alive.Close()
	select {
	case <-s.ended:
	case <-time.After(startTimeout):
		s.t.Errorf("the server on %s does not end", s.Address)
	}
}

// Freeze suspends all processes of the server: connections stay open, but the server does not respond.
func (s *Server) Freeze() {
	s.t.Helper()
	text, err := os.ReadFile(filepath.Join(s.directory, "postmaster.pid"))
	if err != nil {
		s.t.Fatal(err)
	}
	first, _, _ := strings.Cut(string(text), "\n")
	postmaster, err := strconv.Atoi(first)
	if err != nil {
		s.t.Fatal(err)
	}
	var others string
	s.Query("select coalesce(string_agg(pid::text, ' '), '') from pg_stat_activity where pid <> pg_backend_pid()", &others)
	s.frozen = []int{postmaster} // first, so that it cannot start other processes
	for _, pid := range strings.Fields(others) {
		number, err := strconv.Atoi(pid)
		if err != nil {
			s.t.Fatal(err)
		}
		s.frozen = append(s.frozen, number)
	}
	for _, pid := range s.frozen {
		_ = syscall.Kill(pid, syscall.SIGSTOP) // a connection may have ended
	}
}

// Thaw reverts Freeze.
func (s *Server) Thaw() {
	for _, pid := range s.frozen {
		_ = syscall.Kill(pid, syscall.SIGCONT)
	}
	s.frozen = nil
}

// Promote makes a replica a primary.
func (s *Server) Promote() {
	s.t.Helper()
	s.program("pg_ctl", "promote", "--pgdata", s.directory, "--wait")
}

// Set changes a setting that takes effect on reload. It affects only this server, not its replicas.
func (s *Server) Set(name, value string) {
	s.t.Helper()
	s.Exec("alter system set "+pgx.Identifier{name}.Sanitize()+" = '"+value+"'", "select pg_reload_conf()")
}

// Exec runs statements as the superuser.
func (s *Server) Exec(statements ...string) {
	s.t.Helper()
	run(s.t, s.URL("postgres"), statements...)
}

// Query runs a query as the superuser and scans its only column and row.
func (s *Server) Query(statement string, result any) {
	s.t.Helper()
	conn, err := s.connect()
	if err != nil {
		s.t.Fatalf("connect to the server: %v", err)
	}
	defer func() { _ = conn.Close(context.Background()) }()
	if err := conn.QueryRow(context.Background(), statement).Scan(result); err != nil {
		s.t.Fatalf("%s: %v", statement, err)
	}
}

func (s *Server) connect() (*pgx.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return pgx.Connect(ctx, s.URL("postgres"))
}

// program runs a PostgreSQL program as the account of the server.
func (s *Server) program(name string, arguments ...string) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	command := exec.CommandContext(ctx, name, arguments...)
	command.Dir = filepath.Dir(s.directory)
	command.SysProcAttr = &syscall.SysProcAttr{Credential: account(s.t)}
	if out, err := command.CombinedOutput(); err != nil {
		s.t.Fatalf("%s: %v\n%s", name, err, bytes.ReplaceAll(out, []byte(s.password), []byte("...")))
	}
}

// account returns the account of servers, or nil for the user of this process.
func account(t testing.TB) *syscall.Credential {
	t.Helper()
	if os.Geteuid() != 0 {
		return nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		found, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, uidErr := strconv.ParseUint(found.Uid, 10, 32)
		gid, gidErr := strconv.ParseUint(found.Gid, 10, 32)
		if uidErr == nil && gidErr == nil && uid != 0 {
			return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
		}
	}
	t.Fatal("a server cannot run as root, and there is neither a user postgres nor a user nobody")
	return nil
}

// own makes the account of servers the owner of a file.
func own(t testing.TB, path string) {
	t.Helper()
	credential := account(t)
	if credential == nil {
		return
	}
	if err := os.Chown(path, int(credential.Uid), int(credential.Gid)); err != nil {
		t.Fatal(err)
	}
}
