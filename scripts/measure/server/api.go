package server

import (
	"context"
	"net/http"
	"path/filepath"
	"time"

	"systemscale/infra/process"
	"systemscale/scripts/measure/load"
)

// API is the configuration of an API process.
type API struct {
	Name     string // for messages and the log
	Program  string // path of the binary
	Database string // URL
	Logs     string // directory of the log
	Socket   string // path of a unix socket on which it listens too; "": none
	Flags    []string
	Env      []string // such as GOMAXPROCS=1
}

// Start starts an API process on a loopback address and waits until it returns documents. It returns the process also with an error,
// unless it could not be started.
func (a API) Start(ctx context.Context) (*Server, error) {
	addresses, err := FreeAddresses(2)
	if err != nil {
		return nil, err
	}
	args := []string{"--listen", addresses[0], "--admin", addresses[1]}
	if a.Socket != "" {
		args = append(args, "--listen", "unix:"+a.Socket)
	}
	s, err := Start(ctx, process.Daemon{
		Name: a.Name, Path: a.Program, Args: append(args, a.Flags...),
		Env: append([]string{"DATABASE_URL=" + a.Database}, a.Env...), Log: filepath.Join(a.Logs, a.Name+".log"),
	}, addresses[0])
	if s == nil {
		return nil, err
	}
	s.Admin = addresses[1]
	if err != nil {
		return s, err
	}
	// Pages of the list have connections of their own.
	return s, s.Await(ctx, 20*time.Second, func(ctx context.Context) error {
		_, _, err := load.Get(ctx, s.Address, "/products?page=1&count=1", "", http.StatusOK)
		return err
	})
}
