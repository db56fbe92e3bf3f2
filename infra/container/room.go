package container

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
)

// machineState is where netavark and its name service note what runs. No setting changes it.
const machineState = "/run/containers"

// A room is a mount namespace in which machineState is empty, and in which podman's mounts are not those of the machine. It ends with
// this process.
type room struct {
	holder *exec.Cmd // keeps the namespace
	stay   io.Closer // its input: the holder ends when it is closed
}

// openRoom makes a room.
func openRoom() (*room, error) {
	if err := os.MkdirAll(machineState, 0o700); err != nil {
		return nil, fmt.Errorf("separate podman from the machine: %w", err)
	}
	const hold = `mount -t tmpfs tmpfs "$1" && echo ready && exec cat >/dev/null`
	holder := exec.Command("unshare", "--mount", "sh", "-c", hold, "sh", machineState)
	holder.Stderr = os.Stderr
	stay, inErr := holder.StdinPipe()
	out, outErr := holder.StdoutPipe()
	if err := errors.Join(inErr, outErr); err != nil {
		return nil, fmt.Errorf("separate podman from the machine: %w", err)
	}
	if err := holder.Start(); err != nil {
		return nil, fmt.Errorf("separate podman from the machine: %w", err)
	}
	r := &room{holder: holder, stay: stay}
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "ready\n" {
		return nil, errors.Join(fmt.Errorf("separate podman from the machine: unshare or mount failed: %w", err), r.close())
	}
	return r, nil
}

// command returns a command that runs in the room, in the present directory. Its Dir has no effect.
func (r *room) command(ctx context.Context, name string, arguments ...string) *exec.Cmd {
	directory, err := os.Getwd()
	if err != nil {
		directory = "/"
	}
	// nsenter leaves the present directory, and its own option for one leads outside the namespace.
	const enter = `cd "$1" && shift && exec "$@"`
	return exec.CommandContext(ctx, "nsenter", append([]string{
		"--mount=/proc/" + strconv.Itoa(r.holder.Process.Pid) + "/ns/mnt", "sh", "-c", enter, "sh", directory, name,
	}, arguments...)...)
}

// close ends the holder. The namespace stays for the containers that still run.
func (r *room) close() error {
	return errors.Join(r.stay.Close(), r.holder.Wait())
}
