package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// location holds the directories of the project and of the servers' files. After resolve, both are absolute.
type location struct {
	Root  string `help:"Directory of the project (default: found from the working directory)." placeholder:"DIR"`
	State string `help:"Directory for the files of the servers (default: .run in the project)." placeholder:"DIR"`
}

// resolve sets the defaults.
func (l *location) resolve() error {
	var err error
	if l.Root == "" {
		if l.Root, err = projectRoot("."); err != nil {
			return err
		}
	}
	if l.Root, err = filepath.Abs(l.Root); err != nil {
		return err
	}
	if err := refuseOddPath(l.Root); err != nil {
		return err
	}
	if l.State == "" {
		l.State = filepath.Join(l.Root, ".run")
	}
	l.State, err = realPath(l.State)
	return err
}

// realPath returns the absolute path and resolves the links in the part that exists, so that .run has one path.
func realPath(path string) (string, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	if err := refuseOddPath(path); err != nil {
		return "", err
	}
	for at := path; ; at = filepath.Dir(at) {
		if resolved, err := filepath.EvalSymlinks(at); err == nil {
			return filepath.Join(resolved, strings.TrimPrefix(path, at)), refuseOddPath(resolved)
		}
		if at == filepath.Dir(at) {
			return path, nil
		}
	}
}

// projectRoot returns the nearest directory at or above from that contains this module's go.mod.
func projectRoot(from string) (string, error) {
	directory, err := filepath.Abs(from)
	if err != nil {
		return "", err
	}
	for at := directory; ; at = filepath.Dir(at) {
		text, err := os.ReadFile(filepath.Join(at, "go.mod"))
		if err == nil && strings.HasPrefix(string(text), "module systemscale\n") {
			return at, nil
		}
		if at == filepath.Dir(at) {
			return "", fmt.Errorf("%s is not in the project: change the directory, or use --root", directory)
		}
	}
}

// refuseOddPath returns an error for a path with control characters or invalid UTF-8, which would break configuration files and messages.
func refuseOddPath(path string) error {
	if strings.ContainsFunc(path, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\uFFFD' }) {
		return fmt.Errorf("the path %q contains a control character, such as a line break, or bytes that are not UTF-8: "+
			"rename the directory", path)
	}
	return nil
}
