package testdb

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

// Directory returns a new directory, which belongs to the account of servers, such as for an archive of the log. It is removed when t ends.
func Directory(t testing.TB) string {
	t.Helper()
	directory, err := os.MkdirTemp("", "systemscale-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(directory) })
	own(t, directory)
	return directory
}

// AsServer returns a command that runs as the account of servers, in a directory.
func AsServer(t testing.TB, directory, name string, arguments ...string) *exec.Cmd {
	t.Helper()
	command := exec.CommandContext(t.Context(), name, arguments...)
	command.Dir = directory
	command.SysProcAttr = &syscall.SysProcAttr{Credential: account(t)}
	return command
}

// Backup writes a base backup into a directory, which must not exist or be empty.
func (s *Server) Backup(directory string) {
	s.t.Helper()
	s.program("pg_basebackup", "--dbname", s.URL("postgres"), "--pgdata", directory, "--wal-method", "none", "--checkpoint", "fast",
		"--no-sync", "--no-manifest")
}

// Restore starts another server from a base backup of s, with additional settings, such as a restore_command and a recovery target. It
// returns when the server accepts connections.
func (s *Server) Restore(backup string, settings ...string) *Server {
	s.t.Helper()
	restored := newServer(s.t, s.password)
	restored.program("cp", "-a", backup, restored.directory)
	restored.program("touch", filepath.Join(restored.directory, "recovery.signal"))
	restored.configure(append(settings, "archive_mode = off")...)
	restored.Start()
	return restored
}

// Stop stops the server in the fast mode, as for an upgrade: it disconnects clients and writes all data.
func (s *Server) Stop() {
	s.t.Helper()
	s.program("pg_ctl", "stop", "--pgdata", s.directory, "--mode", "fast", "--wait")
	s.Kill() // the shell that would have stopped it
}

// MoveLog moves the write-ahead log to another directory, which must not exist. The server is restarted.
func (s *Server) MoveLog(directory string) {
	s.t.Helper()
	s.Stop()
	log := filepath.Join(s.directory, "pg_wal")
	s.program("cp", "-a", log, directory)
	s.program("rm", "-r", log)
	s.program("ln", "-s", directory, log)
	s.Start()
}

// Log returns the text of the server's log.
func (s *Server) Log() string {
	s.t.Helper()
	text, err := os.ReadFile(s.directory + ".log")
	if err != nil {
		s.t.Fatal(err)
	}
	return string(text)
}

// Running reports whether the server accepts connections.
func (s *Server) Running() bool {
	conn, err := s.connect()
	if err == nil {
		_ = conn.Close(context.Background())
	}
	return err == nil
}

// Try runs a statement as the superuser and returns its error.
func (s *Server) Try(statement string) error {
	conn, err := s.connect()
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(context.Background()) }()
	_, err = conn.Exec(context.Background(), statement)
	return err
}
