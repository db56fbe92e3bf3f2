package rung

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"systemscale/infra/process"
	"systemscale/infra/program"
	"systemscale/scripts/measure/server"
)

// addRedis starts a private Redis that keeps its data in memory only, and returns its address. The name of the rung is that of its log.
func (r *Running) addRedis(ctx context.Context, data Data, name string) (string, error) {
	path, err := program.FindInPath("redis-server", "valkey-server")
	if err != nil {
		return "", err
	}
	addresses, err := server.FreeAddresses(1)
	if err != nil {
		return "", err
	}
	host, port, err := net.SplitHostPort(addresses[0])
	if err != nil {
		return "", err
	}
	directory := filepath.Join(data.Directory, name+"-redis")
	if err := os.MkdirAll(directory, 0o700); err != nil {
		return "", err
	}
	// As much memory as the caches of the other rungs may use, and no copy on disk.
	running, err := process.Daemon{
		Name: "Redis", Path: path, Dir: directory, Log: data.log(name, "redis", 0), Tied: true,
		Args: []string{
			"--bind", host, "--port", port, "--dir", directory, "--save", "", "--appendonly", "no",
			"--maxmemory", "2gb", "--maxmemory-policy", "allkeys-lru",
		},
	}.Start()
	if err != nil {
		return "", err
	}
	r.add("redis", running.PID, func() error {
		return process.Stop(context.Background(), running.Identity, syscall.SIGTERM, time.Minute)
	})
	return addresses[0], running.Await(ctx, 20*time.Second, func(ctx context.Context) error { return ping(ctx, addresses[0]) })
}

// ping returns nil if a Redis answers at the address.
func ping(ctx context.Context, address string) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	deadline, _ := ctx.Deadline()
	if err := conn.SetDeadline(deadline); err != nil {
		return err
	}
	if _, err := conn.Write([]byte("PING\r\n")); err != nil {
		return err
	}
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err == nil && !strings.HasPrefix(line, "+PONG") {
		err = fmt.Errorf("redis answers %q", line)
	}
	return err
}
