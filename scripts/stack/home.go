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
		return home{}, fmt.Errorf("look at %s: %w", directory, err)
	}
	found := home{Path: directory}
	if system, ok := info.Sys().(*syscall.Stat_t); ok {
		found.Device, found.Inode = uint64(system.Dev), system.Ino
	}
	return found, nil
}

// eachPath calls do with every path of the state that may be below .run.
func (state *state) eachPath(do func(path *string)) {
	do(&state.Servers)
	do(&state.Sockets)
	do(&state.Catalog.Directory)
	do(&state.Loading.Directory)
	for i := range state.Instances {
		do(&state.Instances[i].Socket)
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
func (state *state) settle(directory string) error {
	present, err := homeOf(directory)
	if err != nil {
		return err
	}
	if state.Home == (home{}) {
		state.Home.Path = state.formerHome(directory)
	}
	former := state.Home.Path
	state.eachPath(func(path *string) {
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
	if present.Device == state.Home.Device && present.Inode == state.Home.Inode {
		state.moved = true
		return nil
	}
	// Moved to another file system, or copied. The original is there if the directory is the one that the state knows.
	original, err := homeOf(former)
	if _, savedErr := os.Stat(filepath.Join(former, "state.json")); err != nil || savedErr != nil ||
		state.Home.Inode != 0 && original != state.Home {
		state.moved = true
		return nil
	}
	state.copied = former
	state.Postgres.Process, state.Gateway.Process = process.Identity{}, process.Identity{}
	for i := range state.Instances {
		state.Instances[i].Process = process.Identity{}
	}
	if slices.Contains(state.Outside, state.Servers) {
		state.Servers = ""
	}
	state.Sockets, state.Passing, state.Outside = "", "", nil
	return nil
}

// formerHome returns where .run was when a state without a home was saved: such a state has absolute paths.
func (state *state) formerHome(directory string) string {
	switch {
	case state.Servers != "" && filepath.IsAbs(state.Servers) && !slices.Contains(state.Outside, state.Servers):
		return state.Servers
	case state.Catalog.Products > 0 && filepath.IsAbs(state.Catalog.Directory):
		return filepath.Dir(filepath.Dir(state.Catalog.Directory)) // csv/SIZE below it
	}
	return directory
}

// runs reports whether any server of the stack runs.
func (state *state) runs() bool {
	return state.Postgres.Process.Alive() || state.Gateway.Process.Alive() ||
		slices.ContainsFunc(state.Instances, func(instance instance) bool { return instance.Process.Alive() })
}

// moveIn makes a clone that was moved or copied ready for up.
func (stack *stack) moveIn(ctx context.Context) error {
	if stack.moved && stack.runs() {
		// They have the old paths in their settings.
		stack.say("the clone was moved while its servers ran: restarting them")
		return stack.stopServers(ctx)
	}
	if stack.copied == "" {
		return nil
	}
	stack.say("this is a copy of the clone in %s, whose servers and database stay its own: it gets new ones", filepath.Dir(stack.copied))
	// Copied while Postgres ran, its files are of no use. They are kept: to throw them away is not for a program to decide.
	data := filepath.Join(stack.State, "postgres", "data")
	if err := os.Rename(data, data+".copied-"+postgres.NewPassword()[:8]); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("put the copied database aside: %w", err)
	}
	if err := os.RemoveAll(filepath.Join(stack.State, "nginx")); err != nil {
		return fmt.Errorf("remove the copied cache: %w", err)
	}
	stack.Passwords, stack.Postgres.Port = passwords{}, 0
	return stack.save()
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
		return fmt.Errorf("the path %q holds a line break, another control character or bytes that are no UTF-8: "+
			"rename the directory", path)
	}
	return nil
}
