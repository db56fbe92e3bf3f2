package main

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// home identifies the .run directory for which the state was saved. A moved directory keeps its device and inode; a copy has others.
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

// relativeTo returns a path below the directory relative to it, so that it survives a move, and any other path unchanged.
func relativeTo(directory, path string) string {
	if relative, err := filepath.Rel(directory, path); path != "" && err == nil && filepath.IsLocal(relative) {
		return relative
	}
	return path
}

// isOwn reports whether the directory exists, is not a link and belongs to this user. In /tmp, another user could have created it.
func isOwn(directory string) bool {
	info, err := os.Lstat(directory)
	if err != nil || !info.IsDir() {
		return false
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(owner.Uid) == os.Geteuid()
}
