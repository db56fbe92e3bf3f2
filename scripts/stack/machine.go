package main

import (
	"errors"
	"fmt"
	"net"
	"regexp"
	"strconv"
	"syscall"
)

// loopback is the only address that anything of the stack listens on.
const loopback = "127.0.0.1"

func address(port int) string { return net.JoinHostPort(loopback, strconv.Itoa(port)) }

// isFree reports whether a server could listen on the loopback port. Any other trouble than "taken" is returned.
func isFree(port int) (bool, error) {
	listener, err := net.Listen("tcp4", address(port))
	switch {
	case err == nil:
		return true, listener.Close()
	case errors.Is(err, syscall.EADDRINUSE):
		return false, nil
	case errors.Is(err, syscall.EACCES):
		return false, fmt.Errorf("port %d is reserved for root: choose one above 1023", port)
	default:
		return false, fmt.Errorf("port %d: %w", port, err)
	}
}

// claimPort returns an error that says what to do when the port, which people chose and type, is taken. The variable is what
// chooses another.
func claimPort(port int, variable string) error {
	free, err := isFree(port)
	if err != nil {
		return err
	}
	if !free {
		return fmt.Errorf("port %d is taken by another program: stop that one, or choose another port, "+
			"such as %s=%d ./scripts/task up", port, variable, port+10)
	}
	return nil
}

// freePort returns the first free port from the preferred one on that is not in avoid. Nobody types these ports, so
// one that is taken is no reason to stop.
func freePort(preferred int, avoid ...int) (int, error) {
	const attempts = 200
next:
	for port := preferred; port < preferred+attempts; port++ {
		for _, other := range avoid {
			if port == other {
				continue next
			}
		}
		free, err := isFree(port)
		if err != nil {
			return 0, err
		}
		if free {
			return port, nil
		}
	}
	return 0, fmt.Errorf("all ports from %d to %d are taken: stop some of the programs that listen there", preferred, preferred+attempts-1)
}

const megabyte = 1 << 20

// spare is what has to be left on the disk beside the data: logs, Postgres's own files, build results.
const spare = 500 * megabyte

// requireSpace returns an error that says what to do when the file system of the directory has not room for the data
// and something to spare.
func requireSpace(directory string, data int64) error {
	var system syscall.Statfs_t
	if err := syscall.Statfs(directory, &system); err != nil {
		return fmt.Errorf("look at the disk under %s: %w", directory, err)
	}
	return compareSpace(directory, int64(system.Bavail)*int64(system.Bsize), data+spare)
}

func compareSpace(directory string, free, needed int64) error {
	if free >= needed {
		return nil
	}
	return fmt.Errorf("the disk under %s has %d MB left and this needs %d MB: make room, or load fewer products (PRODUCTS=1000)",
		directory, free/megabyte, needed/megabyte)
}

// longestSocketPath is what every system that this runs on allows (macOS: 104 bytes with the closing zero; Linux: 108).
const longestSocketPath = 103

var plainPath = regexp.MustCompile(`^[A-Za-z0-9/._-]+$`)

// fitsSocket reports whether the stack's sockets may be in the directory: their longest name has to fit, and must need no quoting
// in URLs, in lists of addresses and in the servers' configurations, all of which it gets into.
func fitsSocket(directory string) bool {
	return len(directory)+len("/postgres/.s.PGSQL.65535") <= longestSocketPath && plainPath.MatchString(directory)
}
