package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"systemscale/infra/nginx"
)

// openAccessLog makes a named pipe, the access log of the gateway, and copies what NGINX writes into it to out. The returned function ends
// this after the last line. NGINX opens its log by name, as its own user: it may open neither the standard output of another user nor a
// socket, such as the one that systemd passes on.
func openAccessLog(gateway nginx.Gateway, out io.Writer) (path string, finish func(), err error) {
	path = filepath.Join(gateway.Prefix, "access.pipe")
	if err := os.MkdirAll(gateway.Prefix, 0o755); err != nil {
		return "", nil, fmt.Errorf("create the access log: %w", err)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", nil, fmt.Errorf("create the access log: %w", err)
	}
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		return "", nil, fmt.Errorf("create the access log: %w", err)
	}
	if account := gateway.Account; account != nil {
		if err := os.Chown(path, int(account.UID), int(account.GID)); err != nil {
			return "", nil, fmt.Errorf("create the access log: %w", err)
		}
	}
	reading, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return "", nil, fmt.Errorf("open the access log: %w", err)
	}
	// As long as it is open, there is a writer, and reading does not end.
	holding, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return "", nil, errors.Join(fmt.Errorf("open the access log: %w", err), reading.Close())
	}
	copied := make(chan struct{})
	go func() {
		defer close(copied)
		_, _ = io.Copy(out, reading) // after an error, the lines are lost
		_ = reading.Close()
	}()
	return path, func() {
		_ = holding.Close()
		<-copied
	}, nil
}
