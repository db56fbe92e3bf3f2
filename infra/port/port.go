// Package port claims loopback ports, so that two programs of this project never choose the same one, however long it takes until a
// server listens there.
//
// A port that is only bound and closed again may be taken by any program: another stack, another test, or an outgoing connection if it is
// one of the ports that the kernel hands out. A claim is a locked file in a directory that all of a user's clones share.
// The ports that Next tries are below those that the kernel hands out. Other programs and other users do not respect claims: a server must
// still expect that its port is taken.
package port

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
)

// Loopback is the address of every port here.
const Loopback = "127.0.0.1"

// First is the first of the ports for tests and measurements, which no user chooses.
const First = 20_000

// attempts is the number of ports tried from the preferred one on.
const attempts = 2000

// ErrTaken is wrapped by the errors for a port that belongs to another owner.
var ErrTaken = errors.New("taken")

// Address returns the port's address.
func Address(number int) string { return net.JoinHostPort(Loopback, strconv.Itoa(number)) }

// Claim is the right to listen on a port. It is held until Release, or until the process ends. If it has an owner, the port
// afterwards still belongs to the owner for as long as that file exists.
type Claim struct {
	Number int

	file *os.File
}

// Claims holds claims until they are released together. The zero value holds none. It is for one goroutine.
type Claims struct{ held []*Claim }

// Take is the function Take; the claim is released with the others.
func (c *Claims) Take(number int, owner string) error {
	claim, err := Take(number, owner)
	if err == nil {
		c.held = append(c.held, claim)
	}
	return err
}

// Hold is the function Hold; the claim is released with the others.
func (c *Claims) Hold(number int) error {
	claim, err := Hold(number)
	if err == nil {
		c.held = append(c.held, claim)
	}
	return err
}

// Next is the function Next; the claim is released with the others.
func (c *Claims) Next(preferred int, owner string) (int, error) {
	claim, err := Next(preferred, owner)
	if err != nil {
		return 0, err
	}
	c.held = append(c.held, claim)
	return claim.Number, nil
}

// Release releases all claims.
func (c *Claims) Release() {
	for _, claim := range c.held {
		claim.Release()
	}
	c.held = nil
}

// Take claims a port for an owner: the absolute path of a file, or "". A port that belongs to another, or on which anything listens,
// is an error that wraps ErrTaken.
func Take(number int, owner string) (*Claim, error) {
	claim, err := hold(number)
	if err != nil {
		return nil, err
	}
	if former, err := claim.owner(); err != nil || former != "" && former != owner && exists(former) {
		claim.Release()
		return nil, errors.Join(fmt.Errorf("port %d is %w: it belongs to %s", number, ErrTaken, cmp.Or(former, "another program")), err)
	}
	if err := IsFree(number); err != nil {
		claim.Release()
		return nil, err
	}
	if err := claim.note(owner); err != nil {
		claim.Release()
		return nil, err
	}
	return claim, nil
}

// Hold claims a port only until Release, even one that belongs to an owner that does not use it now: for a port that a user has chosen.
func Hold(number int) (*Claim, error) {
	claim, err := hold(number)
	if err != nil {
		return nil, err
	}
	if err := IsFree(number); err != nil {
		claim.Release()
		return nil, err
	}
	return claim, nil
}

// Next claims the first free port from the preferred one on. No user chooses these ports, so a taken one is no error.
func Next(preferred int, owner string) (*Claim, error) {
	for number := preferred; number < preferred+attempts; number++ {
		claim, err := Take(number, owner)
		if err == nil {
			return claim, nil
		}
		if !errors.Is(err, ErrTaken) {
			return nil, err
		}
	}
	return nil, fmt.Errorf("all ports from %d to %d are taken: stop some of the programs that use them", preferred, preferred+attempts-1)
}

// Release releases the claim. The owner keeps the port.
func (c *Claim) Release() { _ = c.file.Close() }

// IsFree returns nil if a server could listen on the port, and an error that wraps ErrTaken if another server does.
func IsFree(number int) error {
	listener, err := net.Listen("tcp4", Address(number))
	switch {
	case err == nil:
		return listener.Close()
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("port %d is %w by another program", number, ErrTaken)
	case errors.Is(err, syscall.EACCES):
		return fmt.Errorf("port %d is reserved for root: choose one above 1023", number)
	default:
		return fmt.Errorf("port %d: %w", number, err)
	}
}

// HandedOut reports whether the kernel may give the port to an outgoing connection.
func HandedOut(number int) bool {
	first, last := 32768, 65535 // Linux; macOS begins at 49152
	if text, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range"); err == nil {
		if fields := strings.Fields(string(text)); len(fields) == 2 {
			lowest, lowErr := strconv.Atoi(fields[0])
			highest, highErr := strconv.Atoi(fields[1])
			if lowErr == nil && highErr == nil {
				first, last = lowest, highest
			}
		}
	}
	return first <= number && number <= last
}

// directory returns the directory of this user's claims.
var directory = sync.OnceValues(func() (string, error) {
	parent := "/tmp" // not TMPDIR, which differs from shell to shell
	if info, err := os.Stat("/run"); os.Geteuid() == 0 && err == nil && info.IsDir() {
		parent = "/run" // where only root may write
	}
	return claimsIn(parent)
})

// claimsIn makes the directory of this user's claims. In a parent that others may write to, the name could be theirs, or a link.
func claimsIn(parent string) (string, error) {
	path := filepath.Join(parent, fmt.Sprintf("systemscale-ports-%d", os.Geteuid()))
	if err := os.Mkdir(path, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return "", fmt.Errorf("claim a port: %w", err)
	}
	info, err := os.Lstat(path)
	if err != nil {
		return "", fmt.Errorf("claim a port: %w", err)
	}
	if owner, ok := info.Sys().(*syscall.Stat_t); !info.IsDir() || !ok || int(owner.Uid) != os.Geteuid() || info.Mode().Perm()&0o022 != 0 {
		return "", fmt.Errorf("claim a port: %s is not a directory that only you can write to: remove it", path)
	}
	return path, nil
}

// hold locks the port's file.
func hold(number int) (*Claim, error) {
	if number < 1 || number > 65535 {
		return nil, fmt.Errorf("port %d: ports are numbers from 1 to 65535", number)
	}
	parent, err := directory()
	if err != nil {
		return nil, err
	}
	file, err := os.OpenFile(filepath.Join(parent, strconv.Itoa(number)), os.O_CREATE|os.O_RDWR|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, fmt.Errorf("claim port %d: %w", number, err)
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = file.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("port %d is %w: another stack is about to use it", number, ErrTaken)
		}
		return nil, fmt.Errorf("claim port %d: %w", number, err)
	}
	return &Claim{number, file}, nil
}

// owner returns the port's owner, or "".
func (c *Claim) owner() (string, error) {
	text, err := io.ReadAll(io.NewSectionReader(c.file, 0, 64<<10))
	if err != nil {
		return "", fmt.Errorf("claim port %d: %w", c.Number, err)
	}
	return string(text), nil
}

func (c *Claim) note(owner string) error {
	err := c.file.Truncate(0)
	if err == nil {
		_, err = c.file.WriteAt([]byte(owner), 0)
	}
	if err != nil {
		return fmt.Errorf("claim port %d: %w", c.Number, err)
	}
	return nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return !errors.Is(err, os.ErrNotExist)
}
