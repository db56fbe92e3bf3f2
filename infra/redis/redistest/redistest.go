// Package redistest starts private Redis servers for tests.
package redistest

import (
	"context"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"systemscale/infra/process"
	"systemscale/infra/program"
	"systemscale/infra/redis"
)

// Server is a private Redis server on a unix socket. Its methods fail the test on an error.
type Server struct {
	t       testing.TB
	server  redis.Server
	running *process.Running
}

// New starts a server, which is stopped at the end of the test. options are further arguments of redis-server. If Redis is not installed,
// the test is skipped, or fails if REQUIRE_DB=1.
func New(t testing.TB, options ...string) *Server {
	t.Helper()
	path, err := program.FindRedis()
	if err != nil {
		if os.Getenv("REQUIRE_DB") == "1" {
			t.Fatalf("%v, but REQUIRE_DB=1 requires it: run ./scripts/task test, or install redis-server", err)
		}
		t.Skip(err)
	}
	// Not t.TempDir: the path of a socket must be short.
	directory, err := os.MkdirTemp("", "redis")
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{t: t, server: redis.Server{
		Program: path, Socket: filepath.Join(directory, "redis.sock"), Log: filepath.Join(directory, "log"), Options: options,
	}}
	t.Cleanup(func() {
		s.Kill()
		_ = os.RemoveAll(directory)
	})
	s.Start()
	return s
}

// URL returns the URL of the server's socket.
func (s *Server) URL() string { return "unix://" + s.server.Socket }

// Start starts the server again after Kill. It is empty then.
func (s *Server) Start() {
	s.t.Helper()
	running, err := s.server.Start(context.Background())
	if err != nil {
		s.t.Fatal(err)
	}
	s.running = running
}

// Kill kills the server and waits until it has ended.
func (s *Server) Kill() {
	s.t.Helper()
	if err := process.Stop(context.Background(), s.running.Identity, syscall.SIGKILL, time.Minute); err != nil {
		s.t.Error(err)
	}
}

// Pause stops the server's process from running. Its connections stay open.
func (s *Server) Pause() { s.signal(syscall.SIGSTOP) }

// Resume continues a paused server.
func (s *Server) Resume() { s.signal(syscall.SIGCONT) }

func (s *Server) signal(signal syscall.Signal) {
	s.t.Helper()
	if err := syscall.Kill(s.running.PID, signal); err != nil {
		s.t.Fatalf("signal Redis: %v", err)
	}
}

// Do sends a command, and returns the reply.
func (s *Server) Do(words ...string) *rueidis.RedisMessage {
	s.t.Helper()
	option, err := rueidis.ParseURL(s.URL())
	if err != nil {
		s.t.Fatal(err)
	}
	option.ForceSingleClient, option.DisableCache = true, true
	client, err := rueidis.NewClient(option)
	if err != nil {
		s.t.Fatal(err)
	}
	defer client.Close()
	reply, err := client.Do(context.Background(), client.B().Arbitrary(words...).Build()).ToMessage()
	if err != nil && !rueidis.IsRedisNil(err) {
		s.t.Fatalf("%v: %v", words, err)
	}
	return &reply
}
