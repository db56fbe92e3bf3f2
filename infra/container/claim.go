package container

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// claimFile is locked by the process that runs containers, and names its directory.
const claimFile = "/var/tmp/systemscale-podman.lock"

// claimMachine waits until no other process runs containers, and removes what one that was killed has left. The claim ends when the file
// is closed.
func claimMachine(ctx context.Context) (*os.File, error) {
	file, err := os.OpenFile(claimFile, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, fmt.Errorf("wait for other containers: %w", err)
	}
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			break
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, errors.Join(fmt.Errorf("wait for other containers: %w", err), file.Close())
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(fmt.Errorf("wait for the containers of another process: %w", ctx.Err()), file.Close())
		case <-tick.C:
		}
	}
	left, err := io.ReadAll(io.LimitReader(file, 4096))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("find what another process has left: %w", err), file.Close())
	}
	directory := string(left)
	if strings.HasPrefix(filepath.Base(directory), prefix) && filepath.IsAbs(directory) {
		if _, err := os.Stat(directory); err == nil {
			left, err := enter(directory)
			if err == nil {
				err = left.remove()
			}
			if err != nil {
				return nil, errors.Join(fmt.Errorf("remove the containers that another process has left: %w", err), file.Close())
			}
		}
	}
	return file, nil
}

// note writes the directory of this process into its claim.
func note(claim *os.File, directory string) error {
	if err := claim.Truncate(0); err != nil {
		return fmt.Errorf("note the directory of podman: %w", err)
	}
	if _, err := claim.WriteAt([]byte(directory), 0); err != nil {
		return fmt.Errorf("note the directory of podman: %w", err)
	}
	return nil
}
