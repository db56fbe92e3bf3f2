package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"systemscale/infra/nginx"
	"systemscale/infra/postgres"
	"systemscale/infra/program"
)

type upCommand struct {
	CSV            string   `name:"csv" help:"Load this directory's CSV files instead of a generated sample." placeholder:"DIR"`
	Shape          string   `help:"Load the files of --csv with this shape file, as another collection beside those that are served." placeholder:"FILE" env:"SHAPE"`
	Accept         []string `help:"Publish although these gates fail, such as removed,changed." placeholder:"GATE,..." env:"ACCEPT"`
	Products       count    `help:"Generate this many products (default: 10000)." placeholder:"N"`
	GatewayPort    number   `help:"Port of the gateway, on 127.0.0.1 (default: 8080)." placeholder:"PORT" env:"GATEWAY_PORT"`
	GatewayTLSPort number   `name:"gateway-tls-port" help:"Port of the gateway for TLS (default: the first free port from 8443)." placeholder:"PORT" env:"GATEWAY_TLS_PORT"`
	Aliases        string   `help:"File of addresses of older clients that the gateway maps to documents, such as '/reviews/meta?product_id={id} /reviews/{id}/meta' in each line. Without it, those of the last up remain." placeholder:"FILE" env:"ALIASES"`
	Cache          string   `help:"Document cache of the API: redis starts a private one, none removes it, and a URL such as memory://256MiB is passed on. Without it, that of the last up remains." placeholder:"URL" env:"CACHE"`

	aliases    string     // text of the file Aliases
	collection collection // of Shape
}

func (upCommand) Help() string {
	return "Without --csv and --products, up keeps a loaded catalog. With --shape, it adds a collection.\n\nExamples:\n\n" +
		"  stack up\n\n  stack up --csv ../my-csvs --gateway-port 8090\n\n  stack up --csv ../books --shape ../books.yaml"
}

// count is a number of products; 0 if the flag is missing.
type count int

// UnmarshalText is called by kong.
func (c *count) UnmarshalText(text []byte) error {
	value, err := strconv.Atoi(string(text))
	if err != nil || value < 1 {
		return fmt.Errorf("PRODUCTS=%s: must be a whole number, 1 or more", text)
	}
	*c = count(value)
	return nil
}

// number is a port; 0 if the flag is missing.
type number int

// UnmarshalText is called by kong.
func (n *number) UnmarshalText(text []byte) error {
	value, err := strconv.ParseUint(string(text), 10, 16)
	if err != nil || value == 0 {
		return fmt.Errorf("%q is not a port: GATEWAY_PORT and GATEWAY_TLS_PORT are numbers from 1 to 65535", text)
	}
	*n = number(value)
	return nil
}

// Run starts the servers that do not run. After an error or a signal, it stops those that it started.
func (c upCommand) Run(ctx context.Context, location location, console console) error {
	if c.CSV != "" && c.Products != 0 {
		return errors.New("CSV and PRODUCTS exclude each other: load your own files or a generated sample")
	}
	for _, gate := range c.Accept {
		if !slices.Contains(gates, gate) {
			return fmt.Errorf("ACCEPT=%s: there is no gate %q; there are %s", strings.Join(c.Accept, ","), gate, strings.Join(gates, ", "))
		}
	}
	if err := c.checkFiles(); err != nil { // before anything is installed or started
		return err
	}
	if c.Aliases != "" {
		text, err := os.ReadFile(c.Aliases)
		if err != nil {
			return fmt.Errorf("ALIASES: %w", err)
		}
		if _, err := nginx.ParseAliases(c.Aliases, string(text)); err != nil {
			return err
		}
		c.aliases = string(text)
	}
	needs := []program.Need{program.NeedPostgres, program.NeedNGINX}
	if c.Cache == privateRedis {
		needs = append(needs, program.NeedRedis)
	}
	if err := installer(console).Ensure(ctx, needs...); err != nil {
		return err
	}
	if err := os.MkdirAll(location.State, 0o755); err != nil {
		return fmt.Errorf("create the directory of the stack: %w", err)
	}
	stack, release, err := location.open(console)
	if err != nil {
		return err
	}
	defer release()
	defer stack.claims.Release()
	if err := stack.up(ctx, c); err != nil {
		if ctx.Err() != nil {
			err = fmt.Errorf("interrupted: %w", err)
		}
		return errors.Join(err, stack.undo(context.WithoutCancel(ctx)))
	}
	return nil
}

// checkFiles checks --csv and --shape. With a shape, CSV is empty afterwards: the files are of its collection.
func (c *upCommand) checkFiles() error {
	if c.CSV != "" {
		var err error
		if c.CSV, err = filepath.Abs(c.CSV); err != nil {
			return err
		}
		if err := refuseOddPath(c.CSV); err != nil {
			return fmt.Errorf("CSV: %w", err)
		}
	}
	if c.Shape != "" {
		var err error
		c.collection, err = readCollection(c.Shape, c.CSV)
		c.CSV = ""
		return err
	}
	if c.CSV == "" {
		return nil
	}
	_, _, err := describeFiles(c.CSV)
	return err
}

// needsCatalog reports whether a catalog is to be served: not if there are only collections with a shape file.
func (c *upCommand) needsCatalog(s *state) bool {
	return c.CSV != "" || c.Products != 0 || s.Catalog != (catalog{}) || s.Loading != (catalog{}) || c.Shape == "" && len(s.Collections) == 0
}

func (s *stack) up(ctx context.Context, command upCommand) error {
	if err := s.moveIn(ctx); err != nil {
		return err
	}
	if !s.Gateway.Process.Alive() {
		// The workers of a killed NGINX still listen on the ports.
		if err := nginx.Stop(ctx, s.Gateway.Process); err != nil {
			return err
		}
	}
	if command.Aliases != "" {
		s.Aliases = command.aliases
	}
	if command.Cache != "" {
		s.Cache = command.Cache
	}
	requested := gatewayPorts{clients: int(command.GatewayPort), tls: int(command.GatewayTLSPort)}
	ports, err := s.claimGatewayPorts(requested)
	if err != nil {
		return err
	}
	accounts, err := s.placeServers()
	if err != nil {
		return err
	}
	empty := postgres.MajorOf(s.data()) == 0
	if empty {
		s.Collections = nil
	}
	var chosen choice
	if command.needsCatalog(s.state) {
		if chosen, err = s.choose(command.CSV, int(command.Products), empty); err != nil {
			return err
		}
	}
	if chosen.wanted || !s.Postgres.Process.Alive() {
		if err := requireSpace(s.State, chosen.space); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(s.logs(), 0o755); err != nil {
		return fmt.Errorf("create the directory of the logs: %w", err)
	}
	if err := s.offerPages(ctx); err != nil {
		return err
	}
	if err := s.build(ctx); err != nil {
		return err
	}
	database, err := s.startPostgres(ctx, accounts.postgres)
	if err != nil {
		return err
	}
	if err := s.tool(ctx, database.etlURL, s.out, "etl", "migrate"); err != nil {
		return err
	}
	if chosen.wanted {
		if err := s.load(ctx, database.etlURL, chosen, command.Accept); err != nil {
			return err
		}
	}
	if command.Shape != "" {
		if err := s.loadCollection(ctx, database.etlURL, command.collection, command.Accept); err != nil {
			return err
		}
	}
	if err := s.serve(ctx, accounts, database, requested, ports, chosen.wanted || command.Shape != ""); err != nil {
		return err
	}
	if err := s.writeEnvironment(database); err != nil {
		return err
	}
	s.welcome()
	return nil
}

// serve starts the instances and NGINX. loaded reports that the catalog has changed.
func (s *stack) serve(ctx context.Context, accounts accounts, database database, requested, ports gatewayPorts, loaded bool) error {
	attempts := 0
	return s.onFreePorts(func() (_ []int, err error) {
		if attempts++; attempts > 1 {
			s.claims.Release() // the instances listen on theirs
			if ports, err = s.claimGatewayPorts(requested); err != nil {
				return nil, err
			}
		}
		cacheURL, err := s.startCache(ctx, accounts.api)
		if err != nil {
			return nil, err
		}
		if err := s.startInstances(ctx, accounts.api, database.apiURL, cacheURL, ports.refresh); err != nil {
			return nil, err
		}
		if loaded {
			if err := s.awaitVersions(ctx, database.apiURL); err != nil {
				return nil, err
			}
		}
		return []int{ports.tls, ports.refresh}, s.startGateway(ctx, accounts.nginx, ports, loaded)
	})
}

// moveIn prepares a clone that was moved or copied for up.
func (s *stack) moveIn(ctx context.Context) error {
	if s.moved && s.runs() {
		// Their settings contain the old paths.
		s.progressf("the clone was moved while its servers ran: restarting the servers")
		return s.stopServers(ctx)
	}
	if s.copied == "" {
		return nil
	}
	s.progressf("this is a copy of the clone in %s: starting new servers with a new database", filepath.Dir(s.copied))
	// A copy of a running Postgres's files is unusable. It is kept, because only the user may decide to delete data.
	data := filepath.Join(s.State, "postgres", "data")
	if err := os.Rename(data, data+".copied-"+postgres.NewPassword()[:8]); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("move the copied database away: %w", err)
	}
	if err := os.RemoveAll(filepath.Join(s.State, "nginx")); err != nil {
		return fmt.Errorf("remove the copied cache: %w", err)
	}
	s.Passwords, s.Postgres.Port = passwords{}, 0
	return s.save()
}
