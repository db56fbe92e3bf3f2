package main

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"syscall"

	"systemscale/infra/port"
)

// loopback is the only address on which the servers listen.
const loopback = port.Loopback

func address(number int) string { return port.Address(number) }

// claimTyped claims a port that users choose, until this run ends. The error names the variable that changes it.
func (s *stack) claimTyped(number int, variable string) error {
	err := s.claims.Hold(number)
	if errors.Is(err, port.ErrTaken) {
		return fmt.Errorf("%w: stop that one, or choose another port, such as %s=%d ./scripts/task up", err, variable, number+10)
	}
	return err
}

// claimPort claims the present port of the stack, or, if it is 0 or taken, the first free one from first on. The claim lasts as long as the
// stack exists.
func (s *stack) claimPort(present, first int) (int, error) {
	if present != 0 && !port.HandedOut(present) {
		err := s.claims.Take(present, s.path)
		if err == nil || !errors.Is(err, port.ErrTaken) {
			return present, err
		}
	}
	return s.claims.Next(first, s.path)
}

// startAttempts is the maximum number of starts of a server whose port is taken between claim and start.
const startAttempts = 3

// onFreePorts calls start, which starts a server and returns its ports, and calls it again if the start failed and another program has
// taken one of the ports: only this project's programs respect claims.
func (s *stack) onFreePorts(start func() (ports []int, err error)) error {
	for attempt := 1; ; attempt++ {
		ports, err := start()
		if err == nil || attempt == startAttempts || !slices.ContainsFunc(ports, isTaken) {
			return err
		}
		s.progressf("another program has taken the port: trying the next one")
	}
}

func isTaken(number int) bool { return errors.Is(port.IsFree(number), port.ErrTaken) }

const megabyte = 1 << 20

// spare is the free space that is needed in addition to the data: for logs, Postgres's own files and build results.
const spare = 500 * megabyte

// requireSpace returns an error if the file system of the directory has no room for that many bytes of data and for spare.
func requireSpace(directory string, data int64) error {
	var system syscall.Statfs_t
	if err := syscall.Statfs(directory, &system); err != nil {
		return fmt.Errorf("read the free space of %s: %w", directory, err)
	}
	return compareSpace(directory, int64(system.Bavail)*int64(system.Bsize), data+spare)
}

func compareSpace(directory string, free, needed int64) error {
	if free >= needed {
		return nil
	}
	return fmt.Errorf("the disk under %s has %d MB free, and %d MB are needed: free some space, or load fewer products (PRODUCTS=1000)",
		directory, free/megabyte, needed/megabyte)
}

// longestSocketPath is the maximum on all supported systems: macOS allows 104 bytes with the terminating zero, Linux 108.
const longestSocketPath = 103

var plainPath = regexp.MustCompile(`^[A-Za-z0-9/._-]+$`)

// fitsSocket reports whether the directory can hold the stack's sockets: the longest path must fit, and must need no quoting in URLs, in
// lists of addresses and in the servers' configurations.
func fitsSocket(directory string) bool {
	return len(directory)+len("/postgres/.s.PGSQL.65535") <= longestSocketPath && plainPath.MatchString(directory)
}
