package testdb

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"os"
	osexec "os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"systemscale/infra/port/porttest"
)

// Pooler starts a PgBouncer in front of the cluster and returns a function that redirects a URL of the database to it. mode is its
// pool_mode; settings are further lines of its configuration. If PgBouncer is not installed, the test is skipped, or fails if
// REQUIRE_DB=1.
func Pooler(t testing.TB, database Database, mode string, settings ...string) func(databaseURL string) string {
	t.Helper()
	program := findPooler(t)
	server, err := url.Parse(database.ETL)
	if err != nil {
		t.Fatal(err)
	}
	directory, err := os.MkdirTemp("", "pgbouncer")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(directory) })
	address := porttest.Address(t)
	_, port, _ := net.SplitHostPort(address)
	users := ""
	for _, role := range []string{database.ETL, database.API} {
		parsed, err := url.Parse(role)
		if err != nil {
			t.Fatal(err)
		}
		password, _ := parsed.User.Password()
		users += fmt.Sprintf("%q %q\n", parsed.User.Username(), password)
	}
	lines := append([]string{
		"[databases]", fmt.Sprintf("* = host=%s port=%s", server.Hostname(), server.Port()),
		"[pgbouncer]", "listen_addr = 127.0.0.1", "listen_port = " + port, "unix_socket_dir =", "auth_type = plain",
		"auth_file = " + filepath.Join(directory, "users.txt"), "pool_mode = " + mode, "max_client_conn = 500",
	}, settings...)
	for name, text := range map[string]string{"users.txt": users, "pgbouncer.ini": strings.Join(lines, "\n") + "\n"} {
		if err := os.WriteFile(filepath.Join(directory, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	log, err := os.Create(filepath.Join(directory, "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = log.Close() }()
	command := osexec.Command(program, filepath.Join(directory, "pgbouncer.ini"))
	command.Stdout, command.Stderr = log, log
	asOrdinaryUser(t, command, directory)
	if err := command.Start(); err != nil {
		t.Fatalf("start PgBouncer: %v", err)
	}
	t.Cleanup(func() {
		_ = command.Process.Signal(syscall.SIGTERM)
		_ = command.Wait()
	})
	through := func(databaseURL string) string {
		parsed, err := url.Parse(databaseURL)
		if err != nil {
			t.Fatal(err)
		}
		parsed.Host = address
		return parsed.String()
	}
	awaitPooler(t, through(database.API), log.Name())
	return through
}

func findPooler(t testing.TB) string {
	t.Helper()
	for _, name := range []string{"pgbouncer", "/usr/sbin/pgbouncer"} { // Debian's is outside an ordinary user's PATH
		if path, err := osexec.LookPath(name); err == nil {
			return path
		}
	}
	if os.Getenv("REQUIRE_DB") == "1" {
		t.Fatal("PgBouncer is not installed, but REQUIRE_DB=1 requires it: run ./scripts/task test, or install pgbouncer")
	}
	t.Skip("PgBouncer is not installed")
	return ""
}

// asOrdinaryUser runs the command as the user nobody if this process is root: PgBouncer refuses to run as root.
func asOrdinaryUser(t testing.TB, command *osexec.Cmd, directory string) {
	t.Helper()
	if os.Geteuid() != 0 {
		return
	}
	const nobody = 65534
	for _, path := range []string{directory, filepath.Join(directory, "users.txt"), filepath.Join(directory, "pgbouncer.ini")} {
		if err := os.Chown(path, nobody, nobody); err != nil {
			t.Fatal(err)
		}
	}
	command.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
}

func awaitPooler(t testing.TB, databaseURL, log string) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		conn, err := pgx.Connect(ctx, databaseURL)
		if err == nil {
			_ = conn.Close(ctx)
			cancel()
			return
		}
		cancel()
		if time.Now().After(deadline) {
			text, _ := os.ReadFile(log)
			t.Fatalf("connect to PgBouncer: %v\n%s", err, text)
		}
		time.Sleep(20 * time.Millisecond)
	}
}
