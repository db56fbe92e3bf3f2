package process

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
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
	return nil, fmt.Errorf("this runs as root, and a server needs another user, but none of the users %s exists: create one of them, "+
		"or run this as an ordinary user", strings.Join(names, ", "))
}

func (a *Account) credential() *syscall.Credential {
	if a == nil {
		return nil
	}
	return &syscall.Credential{Uid: a.UID, Gid: a.GID}
}

// Attributes returns the attributes with which a command runs as the account, in a new process group.
func (a *Account) Attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Credential: a.credential()}
}

// passedOn are the variables of this process's environment that another account's processes get. The others may contain secrets of this
// user, or change how a program works, such as PGOPTIONS.
var passedOn = []string{"PATH", "LANG", "LANGUAGE", "TZ", "GODEBUG", "GORACE", "GOTRACEBACK", "GOCOVERDIR", "GOMEMLIMIT", "GOGC"}

// Environment returns the environment for the account's processes: this process's, or the harmless part of it if they run as another user.
func (a *Account) Environment() []string {
	if a == nil {
		return os.Environ()
	}
	return slices.DeleteFunc(os.Environ(), func(variable string) bool {
		name, _, _ := strings.Cut(variable, "=")
		return !slices.Contains(passedOn, name) && !strings.HasPrefix(name, "LC_")
	})
}

// Run runs a program as the account. If the program fails, the error contains its output. Changes in a directory of the account are made
// this way: links in it then lead only to files that the account can reach itself.
func (a *Account) Run(ctx context.Context, name string, args ...string) error {
	command := exec.CommandContext(ctx, name, args...)
	command.Dir, command.Env, command.SysProcAttr = "/", a.Environment(), a.Attributes()
	if out, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("%s as %s: %w\n%s", name, cmp.Or(a.name(), "this user"), err, out)
	}
	return nil
}

func (a *Account) name() string {
	if a == nil {
		return ""
	}
	return a.Name
}

// MakeDirectory creates a directory and its missing parents, and gives it to the account; with a nil account, to the user of this
// process. One that exists keeps its content. A link is an error, and so is a parent that the account itself may change.
func (a *Account) MakeDirectory(path string, mode os.FileMode) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	if replaceable, err := a.mayReplace(filepath.Dir(path)); err != nil || replaceable {
		return errors.Join(err, fmt.Errorf("the user %s may change %s, in which root would create a directory: remove it", a.name(),
			filepath.Dir(path)))
	}
	if err := os.Mkdir(path, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	// By its descriptor: the name could lead elsewhere.
	directory, err := os.OpenFile(path, os.O_RDONLY|syscall.O_DIRECTORY|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return fmt.Errorf("%s is a link or a file instead of a directory: remove it (%w)", path, err)
	}
	defer func() { _ = directory.Close() }()
	if err := a.own(directory); err != nil {
		return err
	}
	return directory.Chmod(mode)
}

// mayReplace reports whether the account may replace what this process makes in the directory: then a name in it can become a link at any
// moment. One like /tmp is fine: there no user can touch what belongs to another.
func (a *Account) mayReplace(directory string) (bool, error) {
	if a == nil {
		return false, nil
	}
	info, err := os.Stat(directory)
	if err != nil {
		return false, err
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	switch {
	case !ok:
		return false, nil
	case owner.Uid == a.UID:
		return true, nil
	case info.Mode()&os.ModeSticky != 0:
		return false, nil
	case owner.Gid == a.GID:
		return info.Mode()&0o020 != 0, nil
	}
	return info.Mode()&0o002 != 0, nil
}

// WriteFile replaces a file atomically, and gives it to the account. The directory must belong to this process.
// A link of that name is replaced and not followed.
func (a *Account) WriteFile(path string, text []byte, mode os.FileMode) (err error) {
	draft := path + ".new"
	if err := os.Remove(draft); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("write %s: %w", path, err)
	}
	file, err := os.OpenFile(draft, os.O_CREATE|os.O_EXCL|os.O_WRONLY|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	_, err = file.Write(text)
	err = errors.Join(err, a.own(file), file.Chmod(mode), file.Close())
	if err == nil {
		err = os.Rename(draft, path)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", path, errors.Join(err, os.Remove(draft)))
	}
	return nil
}

// own makes the account the owner of an open file; with a nil account, the user of this process.
func (a *Account) own(file *os.File) error {
	switch {
	case a != nil:
		return file.Chown(int(a.UID), int(a.GID))
	case os.Geteuid() == 0:
		return file.Chown(0, 0)
	}
	return nil
}

// Blocked returns the first directory on the way to path that the account may not pass through, or "". A directory
// that does not exist yet is passable. Access control lists are ignored.
func (a *Account) Blocked(path string) string {
	if a == nil {
		return ""
	}
	at := "/"
	for _, name := range append([]string{""}, strings.Split(strings.Trim(filepath.Clean(path), "/"), "/")...) {
		at = filepath.Join(at, name)
		info, err := os.Stat(at)
		if err != nil {
			return ""
		}
		if owner, ok := info.Sys().(*syscall.Stat_t); ok && !a.mayPass(info.Mode(), owner.Uid, owner.Gid) {
			return at
		}
	}
	return ""
}

// mayPass is the kernel's rule: the owner's bits for the owner, else the group's for the group, else the others'.
func (a *Account) mayPass(mode os.FileMode, uid, gid uint32) bool {
	switch {
	case a.UID == uid:
		return mode&0o100 != 0
	case a.GID == gid:
		return mode&0o010 != 0
	default:
		return mode&0o001 != 0
	}
}

// ReadFile reads a small file from a directory that may belong to a server's account. It follows no link, and does not wait where the
// account has put a pipe.
func ReadFile(path string) ([]byte, error) {
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("read %s: it is not a regular file", path)
	}
	return io.ReadAll(io.LimitReader(file, 1<<20))
}
