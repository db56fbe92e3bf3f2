package main

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
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

// relativeTo returns a path below the directory so that it stays right when the directory is moved, and any other unchanged.
func relativeTo(directory, path string) string {
	if relative, err := filepath.Rel(directory, path); path != "" && err == nil && filepath.IsLocal(relative) {
		return relative
	}
	return path
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
