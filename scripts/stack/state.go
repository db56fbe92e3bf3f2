package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"systemscale/scripts/internal/process"
)

// state is what up leaves for the next up, for down and for status: .run/state.json. It holds passwords, so only its
// owner may read it.
type state struct {
	Passwords passwords  `json:"passwords"`
	Postgres  postgres   `json:"postgres"`
	Instances []instance `json:"instances"`
	Gateway   gatewayRun `json:"gateway"`
	Catalog   catalog    `json:"catalog"`

	Servers string   `json:"servers"` // directory of what Postgres and NGINX write
	Sockets string   `json:"sockets"` // directory of the unix sockets
	Passing string   `json:"passing"` // directory of answers on their way into NGINX's cache; "": under Servers
	Outside []string `json:"outside"` // directories outside .run that belong to the stack as well

	path string
}

type passwords struct {
	Superuser string `json:"superuser"`
	ETL       string `json:"etl"`
	API       string `json:"api"`
}

type postgres struct {
	Process process.Identity `json:"process"`
	Port    int              `json:"port"`
}

// instance is one running API server.
type instance struct {
	Process process.Identity `json:"process"`
	Socket  string           `json:"socket"` // where NGINX reaches it
	Port    int              `json:"port"`   // where people reach it
	Admin   int              `json:"admin"`  // port of live and ready
	Build   string           `json:"build"`  // fingerprint of the binary that was started
}

type gatewayRun struct {
	Process process.Identity `json:"process"`
	Port    int              `json:"port"`
	TLSPort int              `json:"tlsPort"`
	Refresh int              `json:"refresh"` // port of the refresh door
	Cache   int64            `json:"cache"`   // size of the cache in bytes
}

// catalog says what was loaded last.
type catalog struct {
	Directory   string `json:"directory"`
	Products    int    `json:"products"` // 0: the directory is the user's
	Fingerprint string `json:"fingerprint"`
}

// readState reads the state, which is empty when there is none.
func readState(directory string) (*state, error) {
	read := &state{path: filepath.Join(directory, "state.json")}
	text, err := os.ReadFile(read.path)
	if errors.Is(err, os.ErrNotExist) {
		return read, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read what runs: %w", err)
	}
	if err := json.Unmarshal(text, read); err != nil {
		return nil, fmt.Errorf("%s is damaged (%w): stop what still runs by hand, remove %s, and begin anew", read.path, err, directory)
	}
	return read, nil
}

// save writes the state so that it is either the old or the new one, whatever happens.
func (state *state) save() error {
	text, err := json.MarshalIndent(state, "", "  ")
	if err != nil {
		return fmt.Errorf("note what runs: %w", err)
	}
	return replaceFile(state.path, append(text, '\n'))
}

// replaceFile writes a file that only its owner may read in place of the one that is there.
func replaceFile(path string, text []byte) error {
	draft := path + ".new"
	if err := os.WriteFile(draft, text, 0o600); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := os.Rename(draft, path); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

// lock makes sure that one up or down at a time works in the directory. The lock ends with the process.
func lock(directory string) (release func(), err error) {
	file, err := os.OpenFile(filepath.Join(directory, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", directory, err)
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = file.Close()
		return nil, fmt.Errorf("another up or down is at work in %s: wait until it is done", directory)
	}
	return func() { _ = file.Close() }, nil
}
