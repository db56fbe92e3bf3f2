package nginx

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
)

// Command checks what Start checks, and returns the command that runs NGINX as a child of this process, not started. NGINX reloads its
// configuration on SIGHUP, finishes its requests and ends on SIGQUIT, and ends at once on SIGTERM. The caller sets the outputs; Log is
// not used.
func (g Gateway) Command(ctx context.Context) (*exec.Cmd, error) {
	if err := g.prepare(ctx); err != nil {
		return nil, err
	}
	command := exec.Command(g.NGINX.Path, g.foreground()...)
	command.Dir, command.Env, command.SysProcAttr = g.Prefix, g.Account.Environment(), g.Account.Attributes()
	return command, nil
}

// foreground are the arguments with which NGINX serves and stays the process that was started.
func (g Gateway) foreground() []string {
	return append(g.arguments(g.configuration()), "-g", "daemon off;")
}

// prepare checks what NGINX detects too late, and removes the sockets of an NGINX that was killed, which could not be bound again.
func (g Gateway) prepare(ctx context.Context) error {
	if err := errors.Join(g.checkSockets(), g.checkCache(ctx)); err != nil {
		return err
	}
	sockets, err := filepath.Glob(filepath.Join(g.Sockets, "*.sock"))
	if err != nil {
		return fmt.Errorf("find the sockets of an NGINX that was killed: %w", err)
	}
	for _, path := range sockets {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove a socket of an NGINX that was killed: %w", err)
		}
	}
	return nil
}
