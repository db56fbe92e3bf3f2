package postgres

import (
	"context"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"systemscale/infra/process"
	"systemscale/infra/program"
)

func TestConfiguration(t *testing.T) {
	cluster := Cluster{
		Postgres: program.Postgres{Version: program.Version{Major: 15}}, Sockets: "/it's/here", Port: 7,
		Override: []string{"fsync = off"},
	}
	text := cluster.configuration()
	for _, want := range []string{"jit = off\n", "port = 7\n", "listen_addresses = ''\n", "unix_socket_directories = '/it''s/here'\n", "\nfsync = off\n"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in %q", want, text)
		}
	}
	if strings.Contains(text, "wal_compression = on\n") {
		t.Errorf("the configuration of PostgreSQL 15 lacks lz4: %q", text)
	}
	cluster.Postgres.Version.Major, cluster.Loopback = 14, true
	text = cluster.configuration()
	if !strings.Contains(text, "wal_compression = on\n") || !strings.Contains(text, "listen_addresses = '127.0.0.1'\n") {
		t.Errorf("PostgreSQL 14 on loopback: %q", text)
	}
}

func TestMajorOf(t *testing.T) {
	directory := t.TempDir()
	if got := MajorOf(directory); got != 0 {
		t.Errorf("an empty directory is of version %d", got)
	}
	if err := os.WriteFile(filepath.Join(directory, "PG_VERSION"), []byte("15\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := MajorOf(directory); got != 15 {
		t.Errorf("MajorOf() = %d, want 15", got)
	}
}

func TestURL(t *testing.T) {
	text := Cluster{Sockets: "/a b/c", Port: 7}.URL("role", "word", "name")
	config, err := pgx.ParseConfig(text)
	if err != nil || config.Host != "/a b/c" || config.Port != 7 || config.User != "role" || config.Password != "word" || config.Database != "name" {
		t.Errorf("%s means %+v, %v", text, config, err)
	}
}

func TestAdopt(t *testing.T) {
	cluster := Cluster{Directory: t.TempDir()}
	lockFile := filepath.Join(cluster.Directory, "postmaster.pid")
	write := func(pid int) {
		t.Helper()
		if err := os.WriteFile(lockFile, []byte(strconv.Itoa(pid)+"\n"+cluster.Directory+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := cluster.Adopt(); err != nil || got != (process.Identity{}) {
		t.Errorf("without a lock file: %v, %v", got, err)
	}
	server := exec.Command("/bin/sleep", "600")
	server.Dir = cluster.Directory // as for Postgres
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Process.Kill(); _ = server.Wait() })
	write(server.Process.Pid)
	if got, err := cluster.Adopt(); err != nil || got.PID != server.Process.Pid || !got.Alive() {
		t.Errorf("a server without a record: %v, %v, want pid %d", got, err, server.Process.Pid)
	}
	write(os.Getpid()) // not a Postgres
	if got, err := cluster.Adopt(); err != nil || got != (process.Identity{}) {
		t.Errorf("a stranger with the pid: %v, %v", got, err)
	}
	if _, err := os.Stat(lockFile); err == nil {
		t.Error("the lock file that points at a stranger stayed")
	}
}

// TestThrowaway meets the real settings: the installed version must accept each of them.
func TestThrowaway(t *testing.T) {
	for _, test := range []struct {
		purpose   Purpose
		fsync     string
		addresses string
	}{{Testing, "off", "127.0.0.1"}, {Measuring, "on", ""}} {
		adminURL, remove, err := Throwaway(t.Context(), "", test.purpose)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = remove() })
		parsed, err := url.Parse(adminURL)
		if err != nil {
			t.Fatal(err)
		}
		connection, err := pgx.Connect(t.Context(), adminURL)
		if err != nil {
			t.Fatal(err)
		}
		var directory string
		if err := connection.QueryRow(t.Context(), "select current_setting('data_directory')").Scan(&directory); err != nil {
			t.Fatal(err)
		}
		for setting, want := range map[string]string{
			"fsync": test.fsync, "jit": "off", "default_toast_compression": "lz4", "listen_addresses": test.addresses,
			"server_encoding": "UTF8", "lc_collate": "C", "password_encryption": "scram-sha-256",
		} {
			var got string
			if err := connection.QueryRow(t.Context(), "select current_setting($1)", setting).Scan(&got); err != nil || got != want {
				t.Errorf("%s = %q, %v, want %q", setting, got, err, want)
			}
		}
		if err := connection.Close(context.Background()); err != nil {
			t.Error(err)
		}
		parsed.User = url.UserPassword(Superuser, "wrong")
		if connection, err := pgx.Connect(t.Context(), parsed.String()); err == nil {
			_ = connection.Close(context.Background())
			t.Error("a wrong password is let in")
		}
		if err := remove(); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(filepath.Dir(directory)); err == nil {
			t.Errorf("%s stayed", directory)
		}
		if err := remove(); err != nil {
			t.Errorf("remove again: %v", err)
		}
	}
}
