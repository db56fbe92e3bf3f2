package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/dustin/go-humanize/english"
	"github.com/goccy/go-json"

	"systemscale/infra/process"
)

// state is the content of .run/state.json, which up writes for later runs of up, down and status. It contains passwords, so only its owner
// can read it.
type state struct {
	Passwords passwords   `json:"passwords"`
	Postgres  postgresRun `json:"postgres"`
	Instances []instance  `json:"instances"`
	Gateway   gatewayRun  `json:"gateway"`
	Redis     redisRun    `json:"redis"`
	Cache     string      `json:"cache,omitempty"`   // of documents: redis, none, a URL, or "" for none
	Aliases   string      `json:"aliases,omitempty"` // the text of the last aliases file
	Catalog   catalog     `json:"catalog"`
	Loading   catalog     `json:"loading"` // set while a load runs; after an interrupted load, it may be published or not

	Collections []collection `json:"collections,omitempty"` // of other shape files

	Home    home     `json:"home"`
	Servers string   `json:"servers"` // directory of the files of Postgres and NGINX
	Sockets string   `json:"sockets"` // directory of the unix sockets
	Outside []string `json:"outside"` // directories outside .run that belong to the stack

	path   string
	moved  bool   // .run was moved since the state was saved
	copied string // if this .run is a copy: the original
}

type passwords struct {
	Superuser string `json:"superuser"`
	ETL       string `json:"etl"`
	API       string `json:"api"`
}

type postgresRun struct {
	Process process.Identity `json:"process"`
	Port    int              `json:"port"`
}

// instance is one running API server.
type instance struct {
	Process process.Identity `json:"process"`
	Socket  string           `json:"socket"` // for NGINX
	Port    int              `json:"port"`   // for direct requests
	Admin   int              `json:"admin"`  // admin port
	Build   string           `json:"build"`  // fingerprint of its binary and settings
}

type gatewayRun struct {
	Process process.Identity `json:"process"`
	Port    int              `json:"port"`
	TLSPort int              `json:"tlsPort"`
	Refresh int              `json:"refresh"` // port of the refresh endpoint
	Cache   int64            `json:"cache"`   // size of the cache in bytes
}

// redisRun is the private Redis for the document cache.
type redisRun struct {
	Process process.Identity `json:"process"`
	Socket  string           `json:"socket"`
}

// catalog identifies the files of a load.
type catalog struct {
	Directory   string `json:"directory"`
	Products    int    `json:"products"` // size of a generated sample; 0 for the user's own files
	Fingerprint string `json:"fingerprint"`
	Run         int64  `json:"run,omitempty"` // run that published it; 0 if unknown
}

// same reports whether the other catalog has the same files.
func (c catalog) same(other catalog) bool {
	other.Run = c.Run
	return c == other
}

func (c catalog) String() string {
	if c.Products > 0 {
		return "the generated sample of " + english.Plural(c.Products, "product", "")
	}
	return "the catalog from " + c.Directory
}

// collection is a collection that up has loaded with a shape file, beside the catalog.
type collection struct {
	Name      string `json:"name"`
	Shape     string `json:"shape"` // path of the shape file
	Directory string `json:"directory"`
}

// readState reads the state, or returns an empty one if there is none. All paths in it are absolute.
func readState(directory string) (*state, error) {
	read := &state{path: filepath.Join(directory, "state.json")}
	text, err := os.ReadFile(read.path)
	if errors.Is(err, os.ErrNotExist) {
		return read, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the state of the stack: %w", err)
	}
	if err := json.Unmarshal(text, read); err != nil {
		return nil, fmt.Errorf("%s is damaged (%w): stop the servers by hand, remove %s, and start again", read.path, err, directory)
	}
	return read, read.settle(directory)
}

// save writes the state atomically.
func (s *state) save() error {
	directory := filepath.Dir(s.path)
	var err error
	if s.Home, err = homeOf(directory); err != nil {
		return err
	}
	saved := *s
	saved.Instances = slices.Clone(s.Instances)
	saved.eachPath(func(path *string) { *path = relativeTo(directory, *path) })
	text, err := json.MarshalIndent(saved, "", "  ")
	if err != nil {
		return fmt.Errorf("write the state of the stack: %w", err)
	}
	return replaceFile(s.path, append(text, '\n'))
}

// replaceFile replaces a file atomically. Only its owner can read it.
func replaceFile(path string, text []byte) error {
	var self *process.Account
	return self.WriteFile(path, text, 0o600)
}

// lock ensures that only one up or down runs in the directory. The lock ends with the process.
func lock(directory string) (release func(), err error) {
	file, err := os.OpenFile(filepath.Join(directory, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", directory, err)
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = file.Close()
		return nil, fmt.Errorf("another up or down is running in %s: wait until it ends", directory)
	}
	return func() { _ = file.Close() }, nil
}

// eachPath calls do with every path in the state that may be below .run.
func (s *state) eachPath(do func(path *string)) {
	do(&s.Servers)
	do(&s.Sockets)
	do(&s.Catalog.Directory)
	do(&s.Loading.Directory)
	do(&s.Redis.Socket)
	for i := range s.Instances {
		do(&s.Instances[i].Socket)
	}
}

// settle makes the paths absolute and detects whether the directory was moved or copied since the state was saved. A copy has no running
// servers and no directories outside .run: those belong to the original.
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
		case *path == former || strings.HasPrefix(*path, former+"/"): // from a state of an earlier version
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
	// Moved to another file system, or copied. It is a copy if the directory in the state still exists.
	original, err := homeOf(former)
	if _, savedErr := os.Stat(filepath.Join(former, "state.json")); err != nil || savedErr != nil ||
		s.Home.Inode != 0 && original != s.Home {
		s.moved = true
		return nil
	}
	s.copied = former
	s.Postgres.Process, s.Gateway.Process, s.Redis.Process = process.Identity{}, process.Identity{}, process.Identity{}
	for i := range s.Instances {
		s.Instances[i].Process = process.Identity{}
	}
	if slices.Contains(s.Outside, s.Servers) {
		s.Servers = ""
	}
	s.Sockets, s.Outside = "", nil
	return nil
}

// formerHome returns the former path of .run for a state of an earlier version, which has no home but absolute paths.
func (s *state) formerHome(directory string) string {
	switch {
	case s.Servers != "" && filepath.IsAbs(s.Servers) && !slices.Contains(s.Outside, s.Servers):
		return s.Servers
	case s.Catalog.Products > 0 && filepath.IsAbs(s.Catalog.Directory):
		return filepath.Dir(filepath.Dir(s.Catalog.Directory)) // it is .run/csv/SIZE
	}
	return directory
}

// runs reports whether any server of the stack runs.
func (s *state) runs() bool {
	return s.Postgres.Process.Alive() || s.Gateway.Process.Alive() || s.Redis.Process.Alive() ||
		slices.ContainsFunc(s.Instances, func(instance instance) bool { return instance.Process.Alive() })
}
