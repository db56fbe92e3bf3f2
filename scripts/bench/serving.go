package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"systemscale/sql"
)

// serving is all that runs while requests are measured. Only what is being measured is asked.
type serving struct {
	command  *apiCommand
	api      *server   // asked directly
	behind   []*server // NGINX's
	plain    *server   // the plain handler
	gateways *gateways
	postgres int    // pid
	pgbench  string // its script
	hot      []document
	shop     *shop
}

// start starts everything.
func (s *serving) start(ctx context.Context) (err error) {
	c := s.command
	table, err := s.askPostgres(ctx)
	if err != nil {
		return err
	}
	lookup := query("lookup", "table", table)
	s.pgbench = filepath.Join(c.Work, "lookup.sql")
	script := fmt.Sprintf("\\set id random(1, %d)\n%s;\n", c.Products, strings.ReplaceAll(strings.TrimSpace(lookup), "$1", ":id"))
	if err := os.WriteFile(s.pgbench, []byte(script), 0o644); err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
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
		instance, err := c.startAPI(ctx, name, s.gateways.socket(name), []string{"GOMAXPROCS=1"})
		if err != nil {
			return err
		}
		s.behind = append(s.behind, instance)
		s.gateways.upstreams = append(s.gateways.upstreams, "unix:"+s.gateways.socket(name))
	}
	addresses, err := freeAddresses(1)
	if err != nil {
		return err
	}
	if s.plain, err = start(ctx, filepath.Join(c.Work, "pool.log"), addresses[0], nil, self, "pool-server", "--database", c.apiURL(), "--table", table, "--listen", addresses[0]); err != nil {
		return err
	}
	if s.hot, err = hotDocuments(ctx, s.api.address, c.Products); err != nil {
		return err
	}
	if err := errors.Join(s.gateways.startCached(ctx), s.gateways.startUncached(ctx)); err != nil {
		return err
	}
	headers, _, err := get(ctx, s.gateways.cached.address, s.hot[0].path, "", http.StatusOK)
	if err != nil {
		return err
	}
	if err := s.gateways.startStatic(ctx, s.hot, headers); err != nil {
		return err
	}
	s.shop = newShop(c.Products)
	return s.compare(ctx)
}

// compare is an error unless everybody answers the same.
func (s *serving) compare(ctx context.Context) error {
	for _, at := range []struct {
		address string
		header  header
	}{{s.plain.address, plain}, {s.gateways.uncached.address, plain}, {s.gateways.cached.address, plain}, {s.gateways.cached.address, zipped}, {s.gateways.static.address, plain}} {
		if err := compare(ctx, at.address, s.hot, at.header); err != nil {
			return err
		}
	}
	return nil
}

// startAPI starts an API process, on a unix socket as well if one is given.
func (c *apiCommand) startAPI(ctx context.Context, name, socket string, env []string) (*server, error) {
	addresses, err := freeAddresses(2)
	if err != nil {
		return nil, err
	}
	arguments := []string{"--database", c.apiURL(), "--listen", addresses[0], "--admin", addresses[1]}
	if socket != "" {
		arguments = append(arguments, "--listen", "unix:"+socket)
	}
	s, err := start(ctx, filepath.Join(c.Work, name+".log"), addresses[0], env, c.program("api"), append(arguments, strings.Fields(c.APIFlags)...)...)
	if err == nil {
		s.admin = addresses[1]
	}
	return s, err
}

// askPostgres returns the table of the styles documents that are live, and notes the server's pid.
func (s *serving) askPostgres(ctx context.Context) (table string, err error) {
	conn, err := sql.Dial(ctx, s.command.etlURL())
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close(ctx) }()
	var generation int64
	if err := conn.QueryRow(ctx, query("generation"), "products").Scan(&generation); err != nil {
		return "", err
	}
	s.postgres = parentOf(int(conn.PgConn().PID()))
	return sql.DocumentTable("products", "styles", generation), nil
}

// stop stops everything that was started.
func (s *serving) stop() error {
	for _, one := range append([]*server{s.api, s.plain}, s.behind...) {
		if one != nil {
			one.stop()
		}
	}
	if s.gateways == nil {
		return nil
	}
	return s.gateways.close()
}
