package main

import (
	"context"
	"fmt"
	"path/filepath"
	"text/tabwriter"

	"systemscale/infra/process"
)

type statusCommand struct{}

func (statusCommand) Help() string {
	return "Example:\n\n  stack status"
}

// Run prints the state and the addresses of each server.
func (statusCommand) Run(ctx context.Context, location location, console console) error {
	state, err := readState(location.State)
	if err != nil {
		return err
	}
	table := tabwriter.NewWriter(console.out, 0, 0, 2, ' ', 0)
	row := func(name string, identity process.Identity, where string) {
		if !identity.Alive() {
			fmt.Fprintf(table, "%s\tstopped\t\t\n", name)
			return
		}
		fmt.Fprintf(table, "%s\truns\tpid %d\t%s\n", name, identity.PID, where)
	}
	row("Postgres", state.Postgres.Process, address(state.Postgres.Port))
	for i, instance := range state.Instances {
		where := fmt.Sprintf("http://%s  admin http://%s", address(instance.Port), address(instance.Admin))
		if err := instance.ready(ctx); err != nil {
			where += "  not ready"
		}
		row(fmt.Sprintf("API %d", i+1), instance.Process, where)
	}
	if state.Cache == privateRedis {
		row("Redis", state.Redis.Process, "unix://"+state.Redis.Socket)
	}
	row("NGINX", state.Gateway.Process, fmt.Sprintf("http://%s  https://%s  refresh endpoint http://%s",
		address(state.Gateway.Port), address(state.Gateway.TLSPort), address(state.Gateway.Refresh)))
	if err := table.Flush(); err != nil {
		return err
	}
	if state.Catalog.Directory != "" {
		console.printf("catalog   from %s", state.Catalog.Directory)
	}
	for _, c := range state.Collections {
		console.printf("collection %s from %s", c.Name, c.Directory)
	}
	return nil
}

// welcome prints the addresses of a running stack.
func (s *stack) welcome() {
	gateway := "http://" + address(s.Gateway.Port)
	if len(s.Collections) > 0 {
		s.printf("\n%sAll addresses are described at %s/docs", s.describeCollections(), gateway)
	}
	if s.Catalog == (catalog{}) {
		s.printf("\nDashboard: http://%s/\nVariables for scripts: %s/env   Logs: %[2]s/log   Stop: ./scripts/task down",
			address(s.Instances[0].Admin), s.State)
		return
	}
	s.printf(`
The catalog from %s is served at %s/ (the storefront), described at %[2]s/docs

  curl '%[2]s/products?page=1&count=5'
  curl %[2]s/products/1
  curl %[2]s/products/1/styles
  curl %[2]s/products/1/related
  curl -i %[2]s/api/fec2/any/products/1      the path of existing clients; X-Cache is HIT or MISS
  curl --cacert %[4]s https://%[5]s/products/1

Dashboard: http://%[6]s/
Variables for scripts: %[3]s/env   Logs: %[3]s/log   Stop: ./scripts/task down`, s.Catalog.Directory, gateway, s.State,
		shellWord(certificateIn(filepath.Join(s.Servers, "nginx")).certificate), address(s.Gateway.TLSPort), address(s.Instances[0].Admin))
}
