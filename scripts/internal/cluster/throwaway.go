package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"systemscale/scripts/internal/process"
	"systemscale/scripts/internal/program"
)

// Purpose is what a throwaway cluster is for.
type Purpose int

// A cluster for tests saves what only a power cut would need, and its memory. One for measuring runs exactly as the
// settings say.
const (
	Testing Purpose = iota
	Measuring
)

// Throwaway starts a cluster in a new directory under parent, which is the system's temporary one if empty, with the settings
// given. It returns the superuser's URL and a function that stops the server and removes the directory; calling that
// twice is harmless. The cluster is reached through its unix socket only, so that any number run side by side.
func Throwaway(ctx context.Context, parent, settings string, purpose Purpose) (adminURL string, remove func() error, err error) {
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
		return "", nil, fmt.Errorf("make room for a throwaway cluster: %w", err)
	}
	var server process.Identity
	remove = sync.OnceValue(func() error {
		stopErr := Stop(context.WithoutCancel(ctx), server)
		return errors.Join(stopErr, os.RemoveAll(directory))
	})
	if err := account.MakeDirectory(directory, 0o755); err != nil {
		return "", nil, errors.Join(fmt.Errorf("make room for a throwaway cluster: %w", err), remove())
	}
	if blocked := account.Blocked(directory); blocked != "" {
		return "", nil, errors.Join(fmt.Errorf("the user %s, whom Postgres is to run as, may not enter %s: choose a directory "+
			"that everybody may enter with TMPDIR", account.Name, blocked), remove())
	}
	cluster := Cluster{
		Postgres: postgres, Directory: filepath.Join(directory, "data"), Sockets: directory, Port: 5432,
		Log: filepath.Join(directory, "log"), Password: NewPassword(), Settings: settings, Account: account,
	}
	if purpose == Testing {
		cluster.Override = []string{
			"fsync = off", "synchronous_commit = off", "full_page_writes = off", // nothing here outlives the run
			"shared_buffers = 128MB",
			"max_connections = 300", // every package's tests at once
		}
	}
	if err := cluster.Create(ctx); err != nil {
		return "", nil, errors.Join(err, remove())
	}
	if _, err := cluster.Configure(); err != nil {
		return "", nil, errors.Join(err, remove())
	}
	running, err := cluster.Start(ctx)
	if err != nil {
		return "", nil, errors.Join(err, remove())
	}
	server = running.Identity
	return cluster.URL(Superuser, cluster.Password, "postgres"), remove, nil
}
