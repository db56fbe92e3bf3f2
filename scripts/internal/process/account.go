package process

import (
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// Account is a user that a daemon runs as. A nil *Account is the user of this process.
type Account struct {
	Name string
	UID  uint32
	GID  uint32
}

// Unprivileged returns the first of the accounts that exists on this machine when this process is root, and
// nil when it is not: then there is nothing to drop.
func Unprivileged(names ...string) (*Account, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range names {
		found, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, uidErr := strconv.ParseUint(found.Uid, 10, 32)
		gid, gidErr := strconv.ParseUint(found.Gid, 10, 32)
		if uidErr != nil || gidErr != nil || uid == 0 {
			continue
		}
		return &Account{Name: name, UID: uint32(uid), GID: uint32(gid)}, nil
	}
	return nil, fmt.Errorf("this runs as root and none of the users %s exists to run a server as: create one of them, "+
		"or run this as an ordinary user", strings.Join(names, ", "))
}

func (account *Account) credential() *syscall.Credential {
	if account == nil {
		return nil
	}
	return &syscall.Credential{Uid: account.UID, Gid: account.GID}
}

// Attributes returns what makes a command run as the account, in a process group of its own.
func (account *Account) Attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Credential: account.credential()}
}

// MakeDirectory creates the directory, with what is missing above it, and makes the account its owner.
func (account *Account) MakeDirectory(path string, mode os.FileMode) error {
	if err := os.MkdirAll(path, 0o755); err != nil {
		return err
	}
	if err := os.Chmod(path, mode); err != nil {
		return err
	}
	return account.Own(path)
}

// Own makes the account the owner of one file or directory.
func (account *Account) Own(path string) error {
	if account == nil {
		return nil
	}
	return os.Chown(path, int(account.UID), int(account.GID))
}

// Blocked returns the first directory on the way to path that the account may not pass through, or "". What
// does not exist yet blocks nobody. Access control lists are not looked at.
func (account *Account) Blocked(path string) string {
	if account == nil {
		return ""
	}
	at := "/"
	for _, name := range append([]string{""}, strings.Split(strings.Trim(filepath.Clean(path), "/"), "/")...) {
		at = filepath.Join(at, name)
		info, err := os.Stat(at)
		if err != nil {
			return ""
		}
		if owner, ok := info.Sys().(*syscall.Stat_t); ok && !account.mayPass(info.Mode(), owner.Uid, owner.Gid) {
			return at
		}
	}
	return ""
}

// mayPass is the kernel's rule: the owner's bits for the owner, else the group's for the group, else the others'.
func (account *Account) mayPass(mode os.FileMode, uid, gid uint32) bool {
	switch {
	case account.UID == uid:
		return mode&0o100 != 0
	case account.GID == gid:
		return mode&0o010 != 0
	default:
		return mode&0o001 != 0
	}
}
