// Package regular opens regular files, and refuses everything else that a path can name: opening a named pipe waits for its other
// end, a device may never end, and neither can be read a second time. Symbolic links are followed.
//
// Its State tells whether a file is still the one that was looked at, with the same bytes in it.
package regular

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// ErrNotRegular is wrapped by the errors about files that are not regular.
var ErrNotRegular = errors.New("is not a regular file")

// Open opens a file for reading. It does not wait for the writer of a named pipe.
func Open(path string) (*os.File, error) {
	// O_NONBLOCK changes nothing for a regular file. The path may name another file by now than the one that a check before the
	// open would have seen, so what was opened is checked.
	return open(path, os.O_RDONLY, 0)
}

// Create opens a file for writing, and empties it or creates it with the permissions of os.Create. It does not wait for the reader
// of a named pipe.
func Create(path string) (*os.File, error) {
	file, err := open(path, os.O_RDWR|os.O_CREATE, 0o666)
	if err != nil {
		return nil, err
	}
	if err := file.Truncate(0); err != nil {
		_ = file.Close() // nothing was written
		return nil, err
	}
	return file, nil
}

func open(path string, flag int, permissions fs.FileMode) (*os.File, error) {
	if info, err := os.Stat(path); err == nil { // opening a device can have effects
		if err := Check(path, info); err != nil {
			return nil, err
		}
	}
	file, err := os.OpenFile(path, flag|syscall.O_NONBLOCK, permissions)
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	if err == nil {
		err = Check(path, info)
	}
	if err != nil {
		_ = file.Close() // nothing was written
		return nil, err
	}
	return file, nil
}

// Check returns an error that names the file and what it is, unless it is regular.
func Check(path string, info fs.FileInfo) error {
	kind := "something else"
	switch mode := info.Mode(); {
	case mode.IsRegular():
		return nil
	case mode.IsDir():
		kind = "a directory"
	case mode&fs.ModeNamedPipe != 0:
		kind = "a named pipe"
	case mode&fs.ModeSocket != 0:
		kind = "a socket"
	case mode&fs.ModeDevice != 0:
		kind = "a device"
	}
	return fmt.Errorf("%s %w but %s", filepath.Base(path), ErrNotRegular, kind)
}

// State is what tells whether a file was replaced or written to. The zero State is that of no file.
type State struct {
	info    fs.FileInfo
	changed time.Time // of the file's metadata; zero where the system does not tell
}

// StateOf returns the state of an open file.
func StateOf(file *os.File) (State, error) {
	info, err := file.Stat()
	if err != nil {
		return State{}, err
	}
	return State{info, changeTime(info)}, nil
}

// Size returns the file's size in bytes.
func (s State) Size() int64 { return s.info.Size() }

// Look returns the state of a file. It opens the file, because a network file system may answer from a cache otherwise.
func Look(path string) (State, error) {
	file, err := Open(path)
	if err != nil {
		return State{}, err
	}
	defer func() { _ = file.Close() }() // only read
	return StateOf(file)
}

// Differs says how a later state differs, or nothing when it is the same.
func (s State) Differs(now State) string {
	switch {
	case !os.SameFile(s.info, now.info):
		return "the name is that of another file now"
	case s.info.Size() != now.info.Size():
		return fmt.Sprintf("its size went from %d to %d bytes", s.info.Size(), now.info.Size())
	case !s.info.ModTime().Equal(now.info.ModTime()):
		return "it was written to at " + now.info.ModTime().Format(time.RFC3339)
	case !s.changed.Equal(now.changed):
		return "it was written to, or its metadata changed, at " + now.changed.Format(time.RFC3339)
	}
	return ""
}

// Granularities of the times of files: that of the kernel's clock, up to 10 ms, and that of file systems which store seconds, or
// every other second.
const (
	fine   = 10 * time.Millisecond
	coarse = 2 * time.Second
)

// Unsettled returns for how long a later write could leave the file's times as they are, because it would come too soon after the
// last one. A reader that waits so long first cannot miss a write.
func (s State) Unsettled(now time.Time) time.Duration {
	last, granularity := s.info.ModTime(), fine
	if s.changed.After(last) {
		last = s.changed
	}
	if s.info.ModTime().Nanosecond() == 0 && s.changed.Nanosecond() == 0 {
		granularity = coarse
	}
	// A time beyond now is that of another clock, from which nothing follows.
	age := now.Sub(last)
	if age < 0 || age >= granularity {
		return 0
	}
	return granularity - age
}
