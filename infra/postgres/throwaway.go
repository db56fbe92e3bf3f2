package postgres

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"sync"

	"systemscale/infra/port"
	"systemscale/infra/process"
	"systemscale/infra/program"
)

// Purpose is the purpose of a throwaway cluster.
type Purpose int

// A cluster for tests omits protection against power cuts, and saves memory; its URL names a loopback port, so that a test can put a proxy
// in between. A cluster for measuring has the real settings, except the number of connections, and is reached through its socket.
const (
	Testing Purpose = iota
	Measuring
)

// Throwaway starts a cluster in a new directory under parent, which is the system's temporary one if empty. It returns the superuser's
// URL and a function that stops the server and removes the directory; calling that
// twice is harmless. Any number run side by side.
func Throwaway(ctx context.Context, parent string, purpose Purpose) (adminURL string, remove func() error, err error) {
	postgres, err := program.FindPostgres(0)
	if err != nil {
		return "", nil, err
	}
	account, err := process.Unprivileged(Accounts...)
	if err != nil {
		return "", nil, err
	}
	directory, err := os.MkdirTemp(parent, "systemscale-test-")
	if err != nil {
		return "", nil, fmt.Errorf("create the directory of a temporary cluster: %w", err)
	}
	var server process.Identity
	var claims port.Claims
	remove = sync.OnceValue(func() error {
		stopErr := Stop(context.WithoutCancel(ctx), server)
		claims.Release()
		return errors.Join(stopErr, os.RemoveAll(directory))
	})
	var self *process.Account
	sockets := filepath.Join(directory, "run")
	if err := errors.Join(self.MakeDirectory(directory, 0o755), account.MakeDirectory(sockets, 0o755)); err != nil {
		return "", nil, errors.Join(fmt.Errorf("create the directory of a temporary cluster: %w", err), remove())
	}
	if blocked := account.Blocked(directory); blocked != "" {
		return "", nil, errors.Join(fmt.Errorf("PostgreSQL would run as the user %s, who may not enter %s: choose a directory "+
			"that any user may enter, with TMPDIR", account.Name, blocked), remove())
	}
	cluster := Cluster{
		Postgres: postgres, Directory: filepath.Join(directory, "data"), Sockets: sockets, Port: 5432,
		Log: filepath.Join(directory, "log"), Password: NewPassword(), Account: account,
	}
	switch purpose {
	case Measuring:
		// pgbench with as many clients as the API has, which needs a few connections only.
		cluster.Override = []string{"max_connections = 400"}
	case Testing:
		cluster.Override = []string{
			"fsync = off", "synchronous_commit = off", "full_page_writes = off", // nothing here outlives the run
			"shared_buffers = 128MB",
			"max_connections = 300", // every package's tests at once
		}
	}
	if err := cluster.Create(ctx); err != nil {
		return "", nil, errors.Join(err, remove())
	}
	running, err := cluster.startAnywhere(ctx, purpose, &claims)
	if err != nil {
		return "", nil, errors.Join(err, remove())
	}
	server = running.Identity
	if purpose == Testing {
		return (&url.URL{
			Scheme: "postgres", User: url.UserPassword(Superuser, cluster.Password), Path: "/postgres",
			Host: net.JoinHostPort("127.0.0.1", strconv.Itoa(cluster.Port)), RawQuery: "sslmode=disable",
		}).String(), remove, nil
	}
	return cluster.URL(Superuser, cluster.Password, "postgres"), remove, nil
}

// startAnywhere starts a cluster for tests on a port that no other process claims before it is released, and any other on its socket alone.
func (c *Cluster) startAnywhere(ctx context.Context, purpose Purpose, claims *port.Claims) (*process.Running, error) {
	c.Loopback = purpose == Testing
	attempts := 1
	if c.Loopback {
		attempts = 3 // a program of others may take the port before Postgres does
	}
	for attempt := 1; ; attempt++ {
		if c.Loopback {
			var err error
			if c.Port, err = claims.Next(port.First, ""); err != nil {
				return nil, err
			}
		}
		if _, err := c.Configure(); err != nil {
			return nil, err
		}
		running, err := c.Start(ctx)
		if err == nil || attempt == attempts || !errors.Is(port.IsFree(c.Port), port.ErrTaken) {
			return running, err
		}
	}
}
