// Package redis runs a Redis or Valkey server as a document cache: in memory only, in its own directory.
package redis

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"systemscale/infra/process"
)

const (
	startLimit = 30 * time.Second
	stopLimit  = 5 * time.Second
)

// Server is the configuration of one server. All paths are absolute.
type Server struct {
	Program   string           // path of redis-server or valkey-server
	Socket    string           // unix socket, which only Account can use; "": none
	Listen    string           // address and port; "": none
	Memory    int64            // maximum size of the documents, in bytes; the least recently used are removed. 0: no limit
	Options   []string         // further arguments, such as --maxmemory-policy noeviction; the last of a name counts
	Log       string           // file
	Directory string           // working directory, to which Account has access; "": that of Log
	Account   *process.Account // nil: the account of this process
	Tied      bool             // see process.Daemon
}

// Start starts the server and waits until it responds.
func (s Server) Start(ctx context.Context) (*process.Running, error) {
	// It saves nothing: a document cache that was emptied is slower, and not wrong.
	arguments := []string{"--save", "", "--appendonly", "no", "--daemonize", "no", "--maxmemory", fmt.Sprint(s.Memory), "--maxmemory-policy", "allkeys-lru"}
	if s.Socket == "" {
		arguments = append(arguments, "--unixsocket", "")
	} else {
		// The socket of a server that was killed remains.
		if err := os.Remove(s.Socket); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("remove the socket of a Redis that was killed: %w", err)
		}
		arguments = append(arguments, "--unixsocket", s.Socket, "--unixsocketperm", "700")
	}
	if s.Listen == "" {
		arguments = append(arguments, "--port", "0")
	} else {
		host, port, err := net.SplitHostPort(s.Listen)
		if err != nil {
			return nil, fmt.Errorf("address of Redis: %w", err)
		}
		arguments = append(arguments, "--bind", host, "--port", port)
	}
	running, err := process.Daemon{
		Name: "Redis", Path: s.Program, Args: append(arguments, s.Options...), Dir: cmp.Or(s.Directory, filepath.Dir(s.Log)), Log: s.Log,
		Account: s.Account, Tied: s.Tied,
	}.Start()
	if err != nil {
		return nil, err
	}
	if err := running.Await(ctx, startLimit, s.respond); err != nil {
		return nil, errors.Join(err, Stop(context.WithoutCancel(ctx), running.Identity))
	}
	return running, nil
}

// respond returns nil if the server responds, also if it only replies that a password is needed.
func (s Server) respond(ctx context.Context) error {
	network, address := "tcp", s.Listen
	if s.Socket != "" {
		network, address = "unix", s.Socket
	}
	if address == "" {
		return nil // TLS only, in Options
	}
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, network, address)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(time.Second)); err != nil {
		return err
	}
	if _, err := conn.Write([]byte("PING\r\n")); err != nil {
		return err
	}
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		return err
	}
	if !strings.HasPrefix(line, "+PONG") && !strings.HasPrefix(line, "-NOAUTH") {
		return fmt.Errorf("it responds to PING with %q", line)
	}
	return nil
}

// Stop stops a server. It has no data to lose.
func Stop(ctx context.Context, server process.Identity) error {
	err := process.Stop(ctx, server, syscall.SIGTERM, stopLimit)
	if errors.Is(err, process.ErrStillRunning) {
		err = process.Stop(ctx, server, syscall.SIGKILL, stopLimit)
	}
	if err != nil {
		return fmt.Errorf("stop Redis: %w", err)
	}
	return nil
}
