// Package regular opens regular files and rejects all others: opening a named pipe blocks until its other end is opened, a device
// may be endless, and neither can be read twice. It follows symbolic links.
//
// A State detects whether a file has been replaced or modified.
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
	// O_NONBLOCK has no effect on a regular file. The file may be replaced after a check of its path, so the open file is checked.
	return open(path, os.O_RDONLY, 0)
}

// Create opens a file for writing. It truncates the file, or creates it with the permissions of os.Create. It does not wait for the
// reader of a named pipe.
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

// Check returns an error with the name and the kind of the file unless it is regular.
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

// State identifies a file and its last modification. Get a State from StateOf or Look.
type State struct {
	info    fs.FileInfo
	changed time.Time // time of the last metadata change; zero if the system does not report it
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

// Look returns the state of a file. It opens the file: without that, a network file system may return cached metadata.
func Look(path string) (State, error) {
	file, err := Open(path)
	if err != nil {
		return State{}, err
	}
	defer func() { _ = file.Close() }() // only read
	return StateOf(file)
}

// Differs describes the difference to a later state. It returns "" if there is none.
func (s State) Differs(now State) string {
	switch {
	case !os.SameFile(s.info, now.info):
		return "another file has its name now"
	case s.info.Size() != now.info.Size():
		return fmt.Sprintf("its size changed from %d to %d bytes", s.info.Size(), now.info.Size())
	case !s.info.ModTime().Equal(now.info.ModTime()):
		return "it was modified at " + now.info.ModTime().Format(time.RFC3339)
	case !s.changed.Equal(now.changed):
		return "it was modified, or its metadata changed, at " + now.changed.Format(time.RFC3339)
	}
	return ""
}

// The granularity of file times: that of the kernel's clock is up to 10 ms; some file systems store whole seconds, others only even ones.
const (
	fine   = 10 * time.Millisecond
	coarse = 2 * time.Second
)

// Unsettled returns the duration from now during which a write might not change the file's times, because it comes too soon after
// the last one. A reader that waits that long before it reads detects every later write.
func (s State) Unsettled(now time.Time) time.Duration {
	last, granularity := s.info.ModTime(), fine
	if s.changed.After(last) {
		last = s.changed
	}
	if s.info.ModTime().Nanosecond() == 0 && s.changed.Nanosecond() == 0 {
		granularity = coarse
	}
	// A time in the future comes from another clock, with which now cannot be compared.
	age := now.Sub(last)
	if age < 0 || age >= granularity {
		return 0
	}
	return granularity - age
}
