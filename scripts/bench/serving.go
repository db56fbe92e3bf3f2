package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"systemscale/infra/process"
	"systemscale/scripts/ladder/rung"
	"systemscale/scripts/measure"
	"systemscale/scripts/measure/load"
	"systemscale/scripts/measure/server"
	"systemscale/sql"
)

// hotCount is the number of documents that are requested repeatedly.
const hotCount = 2000

// serving contains the servers that run while requests are measured. Only the one being measured gets requests.
type serving struct {
	command   *apiCommand
	api       *server.Server   // measured directly
	instances []*server.Server // upstreams of the gateways
	pool      *rung.Running    // the plain handler
	empty     *server.Server   // answers without a body
	gateways  *gateways
	postgres  int    // pid
	pgbench   string // path of its script
	hot       []load.Document
	shop      *load.Shop
}

// start starts all servers and checks that they return the same documents.
func (s *serving) start(ctx context.Context) error {
	c := s.command
	table, err := s.readDatabase(ctx)
	if err != nil {
		return err
	}
	if err := s.writeScript(query("lookup", "table", table)); err != nil {
		return err
	}
	if s.gateways, err = newGateways(c.Work); err != nil {
		return err
	}
	if s.api, err = c.startAPI(ctx, "api", "", nil); err != nil {
		return err
	}
	for i := range c.Instances {
		name := fmt.Sprintf("api-%d", i+1)
		instance, err := c.startAPI(ctx, name, s.gateways.Socket(name), []string{"GOMAXPROCS=1"})
		s.instances = append(s.instances, instance)
		if err != nil {
			return err
		}
		s.gateways.Upstreams = append(s.gateways.Upstreams, "unix:"+s.gateways.Socket(name))
	}
	if s.pool, err = rung.Lookups().Start(ctx, rung.Data{DatabaseURL: c.APIURL(), Directory: c.Work}); err != nil {
		return err
	}
	if s.empty, err = c.startEmpty(ctx); err != nil {
		return err
	}
	if s.hot, err = load.HotStyles(ctx, s.api.Address, c.Products, hotCount); err != nil {
		return err
	}
	if err := errors.Join(s.gateways.startCached(ctx), s.gateways.startUncached(ctx), s.gateways.startProxy(ctx, s.hot[0].Path)); err != nil {
		return err
	}
	headers, _, err := load.Get(ctx, s.gateways.cached.Address, s.hot[0].Path, "", http.StatusOK)
	if err != nil {
		return err
	}
	if err := s.gateways.startStatic(ctx, s.hot, headers); err != nil {
		return err
	}
	s.shop = load.NewShop(c.Products)
	return s.compare(ctx)
}

// readDatabase returns the table of the published styles documents, and sets postgres.
func (s *serving) readDatabase(ctx context.Context) (table string, err error) {
	conn, err := sql.Dial(ctx, s.command.ETLURL())
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close(ctx) }()
	var generation int64
	if err := conn.QueryRow(ctx, query("generation"), "products").Scan(&generation); err != nil {
		return "", err
	}
	s.postgres = process.Parent(int(conn.PgConn().PID()))
	return sql.DocumentTable("products", "styles", generation), nil
}

// writeScript writes pgbench's script, which looks up random products.
func (s *serving) writeScript(lookup string) error {
	s.pgbench = filepath.Join(s.command.Work, "lookup.sql")
	lookup = strings.ReplaceAll(strings.TrimSpace(lookup), "$1", ":id")
	return os.WriteFile(s.pgbench, fmt.Appendf(nil, "\\set id random(1, %d)\n%s;\n", s.command.Products, lookup), 0o644)
}

// compare returns an error unless all servers return the same documents.
func (s *serving) compare(ctx context.Context) error {
	for _, at := range []struct {
		address string
		header  load.Header
	}{
		{s.pool.Address, load.NoHeader},
		{s.gateways.proxy.Address, load.NoHeader},
		{s.gateways.uncached.Address, load.NoHeader},
		{s.gateways.cached.Address, load.NoHeader},
		{s.gateways.cached.Address, load.AcceptGzip},
		{s.gateways.static.Address, load.NoHeader},
	} {
		if err := load.Compare(ctx, at.address, s.hot, at.header); err != nil {
			return err
		}
	}
	return nil
}

// startAPI starts an API process, which also listens on a unix socket if the path is not empty. It returns the process also with an error.
func (c *apiCommand) startAPI(ctx context.Context, name, socket string, env []string) (*server.Server, error) {
	return server.API{
		Name: name, Program: c.Program("api"), Database: c.APIURL(), Logs: c.Work, Socket: socket, Flags: strings.Fields(c.APIFlags), Env: env,
	}.Start(ctx)
}

// startEmpty builds and starts the empty handler. It returns the process also with an error.
func (c *apiCommand) startEmpty(ctx context.Context) (*server.Server, error) {
	if _, err := measure.Run(ctx, "go", "build", "-buildvcs=false", "-o", c.Program("empty"), "systemscale/scripts/bench/empty"); err != nil {
		return nil, err
	}
	addresses, err := server.FreeAddresses(1)
	if err != nil {
		return nil, err
	}
	return server.Start(ctx, process.Daemon{
		Name: "empty", Path: c.Program("empty"), Args: []string{"--listen", addresses[0]}, Log: filepath.Join(c.Work, "empty.log"),
	}, addresses[0])
}

// stop stops all servers.
func (s *serving) stop() error {
	var errs []error
	for _, one := range append([]*server.Server{s.api, s.empty}, s.instances...) {
		errs = append(errs, one.Stop())
	}
	if s.pool != nil {
		errs = append(errs, s.pool.Stop())
	}
	if s.gateways != nil {
		errs = append(errs, s.gateways.Close())
	}
	return errors.Join(errs...)
}
