package main

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"syscall"

	"systemscale/infra/port"
)

// loopback is the only address that anything of the stack listens on.
const loopback = port.Loopback

func address(number int) string { return port.Address(number) }

// claimTyped claims a port that people choose and type until this run ends. The variable is what chooses another.
func (s *stack) claimTyped(number int, variable string) error {
	err := s.claims.Hold(number)
	if errors.Is(err, port.ErrTaken) {
		return fmt.Errorf("%w: stop that one, or choose another port, such as %s=%d ./scripts/task up", err, variable, number+10)
	}
	return err
}

// claimPort claims the port that the stack has had, or else the first from first on. Nobody types these ports, so one that is taken is
// no reason to stop. It stays the stack's for as long as the stack exists.
func (s *stack) claimPort(present, first int) (int, error) {
	if present != 0 && !port.HandedOut(present) {
		err := s.claims.Take(present, s.path)
		if err == nil || !errors.Is(err, port.ErrTaken) {
			return present, err
		}
	}
	return s.claims.Next(first, s.path)
}

// startAttempts is how often a server is started whose port is taken between claim and start.
const startAttempts = 3

// onFreePorts starts a server, which says on which ports, and starts it again on others if those were taken meanwhile: a program
// that is not of this project knows nothing of claims.
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

// spare is what has to be left on the disk beside the data: logs, Postgres's own files, build results.
const spare = 500 * megabyte

// requireSpace returns an error that says what to do when the file system of the directory has not room for the data
// and something to spare.
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

// longestSocketPath is what every system that this runs on allows (macOS: 104 bytes with the closing zero; Linux: 108).
const longestSocketPath = 103

var plainPath = regexp.MustCompile(`^[A-Za-z0-9/._-]+$`)

// fitsSocket reports whether the stack's sockets may be in the directory: their longest name has to fit, and must need no quoting
// in URLs, in lists of addresses and in the servers' configurations, all of which it gets into.
func fitsSocket(directory string) bool {
	return len(directory)+len("/postgres/.s.PGSQL.65535") <= longestSocketPath && plainPath.MatchString(directory)
}
