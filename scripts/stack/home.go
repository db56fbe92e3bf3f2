package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"systemscale/infra/postgres"
	"systemscale/infra/process"
)

// home is where .run was when its state was saved, and which directory it is: one that is moved stays the same, and a copy is another.
type home struct {
	Path   string `json:"path"`
	Device uint64 `json:"device"`
	Inode  uint64 `json:"inode"`
}

func homeOf(directory string) (home, error) {
	info, err := os.Stat(directory)
	if err != nil {
		return home{}, fmt.Errorf("examine %s: %w", directory, err)
	}
	found := home{Path: directory}
	if system, ok := info.Sys().(*syscall.Stat_t); ok {
		found.Device, found.Inode = uint64(system.Dev), system.Ino
	}
	return found, nil
}

// eachPath calls do with every path of the state that may be below .run.
func (s *state) eachPath(do func(path *string)) {
	do(&s.Servers)
	do(&s.Sockets)
	do(&s.Catalog.Directory)
	do(&s.Loading.Directory)
	for i := range s.Instances {
		do(&s.Instances[i].Socket)
	}
}

// relativeTo returns a path below the directory so that it stays right when the directory is moved, and any other unchanged.
func relativeTo(directory, path string) string {
	if relative, err := filepath.Rel(directory, path); path != "" && err == nil && filepath.IsLocal(relative) {
		return relative
	}
	return path
}

// settle makes the paths absolute, and finds out whether the directory has been moved or copied since the state was saved. In a copy
// nothing runs, and what the stack has outside belongs to the original.
func (s *state) settle(directory string) error {
	present, err := homeOf(directory)
	if err != nil {
		return err
	}
	if s.Home == (home{}) {
		s.Home.Path = s.formerHome(directory)
	}
	former := s.Home.Path
	s.eachPath(func(path *string) {
		switch {
		case *path == "":
		case !filepath.IsAbs(*path):
			*path = filepath.Join(directory, *path)
		case *path == former || strings.HasPrefix(*path, former+"/"): // as states once had them
			*path = filepath.Join(directory, strings.TrimPrefix(*path, former))
		}
	})
	if former == directory {
		return nil
	}
	if present.Device == s.Home.Device && present.Inode == s.Home.Inode {
		s.moved = true
		return nil
	}
	// Moved to another file system, or copied. The original is there if the directory is the one that the state knows.
	original, err := homeOf(former)
	if _, savedErr := os.Stat(filepath.Join(former, "state.json")); err != nil || savedErr != nil ||
		s.Home.Inode != 0 && original != s.Home {
		s.moved = true
		return nil
	}
	s.copied = former
	s.Postgres.Process, s.Gateway.Process = process.Identity{}, process.Identity{}
	for i := range s.Instances {
		s.Instances[i].Process = process.Identity{}
	}
	if slices.Contains(s.Outside, s.Servers) {
		s.Servers = ""
	}
	s.Sockets, s.Outside = "", nil
	return nil
}

// formerHome returns where .run was when a state without a home was saved: such a state has absolute paths.
func (s *state) formerHome(directory string) string {
	switch {
	case s.Servers != "" && filepath.IsAbs(s.Servers) && !slices.Contains(s.Outside, s.Servers):
		return s.Servers
	case s.Catalog.Products > 0 && filepath.IsAbs(s.Catalog.Directory):
		return filepath.Dir(filepath.Dir(s.Catalog.Directory)) // csv/SIZE below it
	}
	return directory
}

// runs reports whether any server of the stack runs.
func (s *state) runs() bool {
	return s.Postgres.Process.Alive() || s.Gateway.Process.Alive() ||
		slices.ContainsFunc(s.Instances, func(instance instance) bool { return instance.Process.Alive() })
}

// moveIn makes a clone that was moved or copied ready for up.
func (s *stack) moveIn(ctx context.Context) error {
	if s.moved && s.runs() {
		// They have the old paths in their settings.
		s.progressf("the clone was moved while its servers ran: restarting the servers")
		return s.stopServers(ctx)
	}
	if s.copied == "" {
		return nil
	}
	s.progressf("this is a copy of the clone in %s: starting new servers with a new database", filepath.Dir(s.copied))
	// Copied while Postgres ran, its files are of no use. They are kept: to throw them away is not for a program to decide.
	data := filepath.Join(s.State, "postgres", "data")
	if err := os.Rename(data, data+".copied-"+postgres.NewPassword()[:8]); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("move the copied database away: %w", err)
	}
	if err := os.RemoveAll(filepath.Join(s.State, "nginx")); err != nil {
		return fmt.Errorf("remove the copied cache: %w", err)
	}
	s.Passwords, s.Postgres.Port = passwords{}, 0
	return s.save()
}

// isOwn reports whether the directory is there, and is this user's: not a link, and not one that another user has made where all may.
func isOwn(directory string) bool {
	info, err := os.Lstat(directory)
	if err != nil || !info.IsDir() {
		return false
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(owner.Uid) == os.Geteuid()
}

// refuseOddPath returns an error for a path that cannot be written into files and messages, one line each.
func refuseOddPath(path string) error {
	if strings.ContainsFunc(path, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\uFFFD' }) {
		return fmt.Errorf("the path %q contains a control character, such as a line break, or bytes that are not UTF-8: "+
			"rename the directory", path)
	}
	return nil
}
