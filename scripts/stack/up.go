package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"systemscale/infra/nginx"
	"systemscale/infra/port"
	"systemscale/infra/postgres"
	"systemscale/infra/program"
)

const (
	defaultGatewayPort  = 8080
	defaultTLSPort      = 8443
	defaultProducts     = 10_000
	firstPostgresPort   = 15432
	firstInstancePort   = 8081
	firstAdminPort      = 8181
	firstRefreshPort    = 8281
	instanceCount       = 2
	stopInstanceLimit   = 15 * time.Second // its pause and its drain take 11
	readyInstanceLimit  = 30 * time.Second
	healthInstanceLimit = 10 * time.Second // for one that runs, while a restarted Postgres comes back to it
)

type upCommand struct {
	CSV            string   `name:"csv" help:"Load this directory's CSV files instead of a generated sample." placeholder:"DIR"`
	Accept         []string `help:"Publish although these gates fail, such as removed,changed." placeholder:"GATE,..." env:"ACCEPT"`
	Products       count    `help:"Generate this many products (default: 10000)." placeholder:"N"`
	GatewayPort    number   `help:"Port of the gateway, on 127.0.0.1 (default: 8080)." placeholder:"PORT" env:"GATEWAY_PORT"`
	GatewayTLSPort number   `name:"gateway-tls-port" help:"Port of the gateway for TLS (default: the first free port from 8443)." placeholder:"PORT" env:"GATEWAY_TLS_PORT"`
}

func (upCommand) Help() string {
	return "Without --csv and --products, up keeps a loaded catalog.\n\nExamples:\n\n" +
		"  stack up\n\n  stack up --csv ../my-csvs --gateway-port 8090"
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

// stack is one run of up or down.
type stack struct {
	location
	console
	*state

	claims  port.Claims                   // of ports, until this run ends
	started []func(context.Context) error // undoes what this run has started, in the order of starting
}

// Run starts whatever does not run yet. When it fails or is interrupted, what it has started is stopped again.
func (c upCommand) Run(ctx context.Context, location location, console console) error {
	if c.CSV != "" && c.Products != 0 {
		return errors.New("CSV and PRODUCTS exclude each other: load your own files or a generated sample")
	}
	for _, gate := range c.Accept {
		if !slices.Contains(gates, gate) {
			return fmt.Errorf("ACCEPT=%s: there is no gate %q; there are %s", strings.Join(c.Accept, ","), gate, strings.Join(gates, ", "))
		}
	}
	if c.CSV != "" { // before anything is installed or started
		var err error
		if c.CSV, err = filepath.Abs(c.CSV); err != nil {
			return err
		}
		if err := refuseOddPath(c.CSV); err != nil {
			return fmt.Errorf("CSV: %w", err)
		}
		if _, _, err := describeFiles(c.CSV); err != nil {
			return err
		}
	}
	if err := installer(console).Ensure(ctx, program.NeedPostgres, program.NeedNGINX); err != nil {
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

// open takes hold of what runs here, until release is called. Nobody else changes it meanwhile.
func (l location) open(console console) (opened *stack, release func(), err error) {
	release, err = lock(l.State)
	if err != nil {
		return nil, nil, err
	}
	state, err := readState(l.State)
	if err != nil {
		release()
		return nil, nil, err
	}
	return &stack{location: l, console: console, state: state}, release, nil
}

func (s *stack) undo(ctx context.Context) error {
	if len(s.started) == 0 {
		return nil
	}
	s.progressf("stopping the servers that were started")
	var errs []error
	for _, stop := range slices.Backward(s.started) {
		errs = append(errs, stop(ctx))
	}
	return errors.Join(errors.Join(errs...), s.save())
}

func (s *stack) up(ctx context.Context, command upCommand) error {
	if err := s.moveIn(ctx); err != nil {
		return err
	}
	if !s.Gateway.Process.Alive() {
		// The workers of one that was killed still hold the ports.
		if err := nginx.Stop(ctx, s.Gateway.Process); err != nil {
			return err
		}
	}
	ports, err := s.claimGatewayPorts(command)
	if err != nil {
		return err
	}
	accounts, err := s.placeServers()
	if err != nil {
		return err
	}
	chosen, err := s.choose(command, postgres.MajorOf(s.data()) == 0)
	if err != nil {
		return err
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
	if err := s.serve(ctx, command, accounts, database, ports, chosen.wanted); err != nil {
		return err
	}
	if err := s.writeEnvironment(database); err != nil {
		return err
	}
	s.welcome()
	return nil
}

// serve makes the instances run, and NGINX in front of them. loaded says that the catalog is another than before.
func (s *stack) serve(ctx context.Context, command upCommand, accounts accounts, database database, ports gatewayPorts, loaded bool) error {
	attempts := 0
	return s.onFreePorts(func() (_ []int, err error) {
		if attempts++; attempts > 1 {
			s.claims.Release() // the others listen by now
			if ports, err = s.claimGatewayPorts(command); err != nil {
				return nil, err
			}
		}
		if err := s.startInstances(ctx, accounts.api, database.apiURL, ports.refresh); err != nil {
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

func (s *stack) data() string              { return filepath.Join(s.Servers, "postgres", "data") }
func (s *stack) logs() string              { return filepath.Join(s.State, "log") }
func (s *stack) binary(name string) string { return filepath.Join(s.State, "bin", name) }

// build builds the programs and puts those in place that have changed. Each takes its place in one step, so
// that one that runs is not disturbed.
func (s *stack) build(ctx context.Context) error {
	fresh := s.binary("fresh")
	if err := os.MkdirAll(fresh, 0o755); err != nil {
		return fmt.Errorf("create the directory of the programs: %w", err)
	}
	s.progressf("building the programs")
	command := exec.CommandContext(ctx, "go", "build", "-o", fresh+"/", "./etl", "./api", "./scripts/generate")
	command.Dir = s.Root
	command.Stdout, command.Stderr = s.err, s.err
	if err := runGently(command); err != nil {
		return fmt.Errorf("build the programs: %w", err)
	}
	for _, name := range []string{"etl", "api", "generate"} {
		if err := os.Rename(filepath.Join(fresh, name), s.binary(name)); err != nil {
			return fmt.Errorf("install %s: %w", name, err)
		}
	}
	return os.Remove(fresh)
}

// runGently runs a child that, when ctx ends, gets one signal from here and none from the terminal: for the ETL a
// second one would mean to give up cleaning.
func runGently(command *exec.Cmd) error {
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	command.Cancel = func() error { return command.Process.Signal(syscall.SIGTERM) }
	command.WaitDelay = 30 * time.Second
	return command.Run()
}

// tool runs one of the built programs with its result on out and the rest on the console. The database's URL holds a password and
// therefore goes where ps does not show it.
func (s *stack) tool(ctx context.Context, databaseURL string, out io.Writer, name string, arguments ...string) error {
	command := exec.CommandContext(ctx, s.binary(name), arguments...)
	command.Env = append(os.Environ(), "DATABASE_URL="+databaseURL)
	command.Dir = s.Root
	command.Stdout, command.Stderr = out, s.err
	if err := runGently(command); err != nil {
		return fmt.Errorf("%s %s: %w", name, arguments[0], err)
	}
	return nil
}
