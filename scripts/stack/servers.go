package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"systemscale/infra/nginx"
	"systemscale/infra/postgres"
	"systemscale/infra/process"
	"systemscale/infra/program"
	"systemscale/sql"
)

// databaseName is the database that the stack's cluster holds.
const databaseName = "systemscale"

// accounts are the users that the servers run as; nil means the one who runs this. The API runs as NGINX does: only that one then
// has to reach its sockets, and it knows nothing but what NGINX may read anyway.
type accounts struct{ postgres, nginx, api *process.Account }

// placeServers decides where the servers' files and sockets are, and makes the directories. That is under .run unless the
// users that the servers run as may not go there, or the path is too long for a socket. Each account has directories in which only it
// writes, and all that is above them is this user's.
func (stack *stack) placeServers() (accounts, error) {
	var found accounts
	var err error
	if found.postgres, err = process.Unprivileged(postgres.Accounts...); err != nil {
		return found, err
	}
	if found.nginx, err = process.Unprivileged(nginx.Accounts...); err != nil {
		return found, err
	}
	found.api = found.nginx
	if err := stack.chooseServers(found); err != nil {
		return found, err
	}
	if stack.Sockets == "" || !fitsSocket(stack.Sockets) || !isOwn(stack.Sockets) {
		if stack.Sockets = filepath.Join(stack.Servers, "run"); !fitsSocket(stack.Sockets) {
			if stack.Sockets, err = stack.makeOutside(os.TempDir()); err != nil {
				return found, err
			}
		}
	}
	if err := stack.placePassing(); err != nil {
		return found, err
	}
	for _, directory := range []struct {
		path  string
		owner *process.Account
		mode  os.FileMode
	}{
		{stack.Sockets, nil, 0o755},
		{filepath.Join(stack.Servers, "postgres"), nil, 0o755},
		// Connecting there takes a password.
		{filepath.Join(stack.Sockets, "postgres"), found.postgres, 0o755},
		{filepath.Join(stack.Servers, "nginx"), nil, 0o755},
		{filepath.Join(stack.Sockets, "nginx"), found.nginx, 0o700},
		{filepath.Join(stack.Sockets, "api"), found.api, 0o700},
	} {
		if err := directory.owner.MakeDirectory(directory.path, directory.mode); err != nil {
			return found, fmt.Errorf("make room for the servers: %w", err)
		}
	}
	for _, former := range []string{"cache", "temp", "nginx.pid", "access.json"} { // where they were before there was NGINX's own directory
		if err := os.RemoveAll(filepath.Join(stack.Servers, "nginx", former)); err != nil {
			return found, fmt.Errorf("remove a former cache: %w", err)
		}
	}
	return found, stack.save()
}

// memory is where Linux has a file system in memory.
const memory = "/dev/shm"

// placePassing decides where answers are on their way into NGINX's cache: on another file system than the cache, if there is one, so that a disk
// that is full costs copies in the cache, not answers. The memory is empty when the machine has started, and anybody may make files there.
func (stack *stack) placePassing() error {
	if stack.Passing != "" {
		if isOwn(stack.Passing) {
			return nil
		}
		stack.Outside = slices.DeleteFunc(stack.Outside, func(directory string) bool { return directory == stack.Passing })
		stack.Passing = ""
	}
	if !nginx.AnotherFileSystem(memory, stack.Servers) {
		return nil
	}
	var err error
	if stack.Passing, err = stack.makeOutside(memory); err != nil {
		stack.Passing = ""
		stack.say("%v: a full disk will cost answers", err)
	}
	return nil
}

// fitCache decides how much NGINX's cache may take. While NGINX runs it stays.
func (stack *stack) fitCache(directory string) (nginx.Size, error) {
	const wanted nginx.Size = 2 << 30
	if stack.Gateway.Cache != 0 && stack.Gateway.Process.Alive() {
		return nginx.Size(stack.Gateway.Cache), nil
	}
	size, err := nginx.FitCache(directory, wanted)
	if err != nil {
		return 0, err
	}
	if size < wanted {
		stack.say("the file system of %s has no room for a cache of %s: NGINX's cache takes %s", directory, wanted, size)
	}
	return size, nil
}

// chooseServers decides where the servers' files are.
func (stack *stack) chooseServers(found accounts) error {
	if stack.Servers != "" && stack.Servers != stack.State && isOwn(stack.Servers) {
		return nil
	}
	blocked := cmp.Or(found.postgres.Blocked(stack.State), found.nginx.Blocked(stack.State))
	stack.Servers = stack.State
	if blocked == "" {
		return nil
	}
	// Unlike /tmp this is not emptied when the machine starts.
	outside, err := stack.makeOutside("/var/tmp")
	if err != nil {
		return err
	}
	for _, name := range []string{"postgres", "nginx"} {
		// What is there was made where everybody could go.
		if err := os.Rename(filepath.Join(stack.State, name), filepath.Join(outside, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("only root may enter %s, and Postgres and NGINX have files in %s: move the clone where everybody may enter, "+
				"or start afresh with ./scripts/task down -- --purge (%w)", blocked, stack.State, err)
		}
	}
	stack.Servers = outside
	stack.say("only root may enter %s: Postgres and NGINX keep their files in %s", blocked, outside)
	return nil
}

// makeOutside makes a directory that the stack owns though it is not under .run. Its name cannot be foreseen, so
// nobody else can have prepared it.
func (stack *stack) makeOutside(parent string) (string, error) {
	path, err := os.MkdirTemp(parent, "systemscale-")
	if err != nil {
		return "", fmt.Errorf("make room outside %s: %w", stack.State, err)
	}
	stack.Outside = append(stack.Outside, path)
	var self *process.Account
	return path, self.MakeDirectory(path, 0o755)
}

// database is how the programs reach the stack's database.
type database struct{ etlURL, apiURL string }

func (stack *stack) startPostgres(ctx context.Context, account *process.Account) (database, error) {
	directory := stack.data()
	major := postgres.MajorOf(directory)
	installation, err := program.FindPostgres(major)
	if err != nil {
		if major != 0 {
			err = fmt.Errorf("%w\nthe catalog in %s was made by that version: install it again, or start afresh with ./scripts/task down -- --purge", err, directory)
		}
		return database{}, err
	}
	if major == 0 {
		stack.Passwords = passwords{Superuser: postgres.NewPassword(), ETL: postgres.NewPassword(), API: postgres.NewPassword()}
		stack.Catalog = catalog{} // the one that it held is gone
		if err := stack.save(); err != nil {
			return database{}, err
		}
	} else if stack.Passwords == (passwords{}) {
		return database{}, fmt.Errorf("%s holds a cluster, but its password is gone with %s: start afresh with ./scripts/task down -- --purge", directory, stack.path)
	}
	server := postgres.Cluster{
		Postgres: installation, Directory: directory, Sockets: filepath.Join(stack.Sockets, "postgres"),
		Port: stack.Postgres.Port, Loopback: true, Log: filepath.Join(stack.logs(), "postgres.log"),
		Password: stack.Passwords.Superuser, Account: account,
	}
	if err := server.Create(ctx); err != nil {
		return database{}, err
	}
	if !stack.Postgres.Process.Alive() {
		if stack.Postgres.Process, err = server.Adopt(); err != nil {
			return database{}, err
		}
	}
	if err := stack.onFreePorts(func() ([]int, error) {
		err := stack.runPostgres(ctx, &server)
		return []int{server.Port}, err
	}); err != nil {
		return database{}, err
	}
	if err := stack.createDatabase(ctx, server); err != nil {
		return database{}, err
	}
	return database{
		etlURL: server.URL(sql.RoleETL, stack.Passwords.ETL, databaseName),
		apiURL: server.URL(sql.RoleAPI, stack.Passwords.API, databaseName),
	}, nil
}

// runPostgres makes the server run with the present settings, and chooses its port unless it runs.
func (stack *stack) runPostgres(ctx context.Context, server *postgres.Cluster) (err error) {
	running := stack.Postgres.Process.Alive()
	if !running {
		if server.Port, err = stack.claimPort(stack.Postgres.Port, firstPostgresPort); err != nil {
			return err
		}
	}
	changed, err := server.Configure()
	if err != nil {
		return err
	}
	if running && changed {
		stack.say("restarting Postgres, whose settings have changed")
		if err := postgres.Stop(ctx, stack.Postgres.Process); err != nil {
			return err
		}
	}
	if running && !changed {
		return nil
	}
	started, err := server.Start(ctx)
	if err != nil {
		return err
	}
	stack.Postgres = postgresRun{started.Identity, server.Port}
	if !running {
		stack.onUndo(func(ctx context.Context) error { return postgres.Stop(ctx, started.Identity) })
	}
	stack.say("Postgres %d runs on port %d", server.Postgres.Version.Major, server.Port)
	return stack.save()
}

// createDatabase makes the roles and the database where they are missing, and sets the passwords to those that we know.
func (stack *stack) createDatabase(ctx context.Context, server postgres.Cluster) error {
	config, err := pgx.ParseConfig(server.URL(postgres.Superuser, stack.Passwords.Superuser, "postgres"))
	if err != nil {
		return fmt.Errorf("prepare the database: %w", err)
	}
	// Statements with passwords stay out of the log, even when they are slow or fail.
	config.RuntimeParams["log_min_duration_statement"] = "-1"
	config.RuntimeParams["log_min_error_statement"] = "panic"
	connection, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return fmt.Errorf("prepare the database: %w", err)
	}
	defer func() { _ = connection.Close(context.WithoutCancel(ctx)) }()

	if _, err := connection.Exec(ctx, sql.Bootstrap); err != nil {
		return fmt.Errorf("create the roles: %w", err)
	}
	for role, password := range map[string]string{sql.RoleETL: stack.Passwords.ETL, sql.RoleAPI: stack.Passwords.API} {
		var statement string
		if err := connection.QueryRow(ctx, sql.Query("stack/format_password"), role, password).Scan(&statement); err != nil {
			return fmt.Errorf("set the password of %s: %w", role, err)
		}
		if _, err := connection.Exec(ctx, statement); err != nil {
			return fmt.Errorf("set the password of %s: %w", role, err)
		}
	}
	var exists bool
	if err := connection.QueryRow(ctx, sql.Query("stack/select_database"), databaseName).Scan(&exists); err != nil {
		return fmt.Errorf("look for the database: %w", err)
	}
	if !exists {
		if _, err := connection.Exec(ctx, sql.QueryFor("stack/create_database", "database", databaseName, "owner", sql.RoleETL)); err != nil {
			return fmt.Errorf("create the database: %w", err)
		}
	}
	return nil
}

// gatewayPorts are where NGINX listens.
type gatewayPorts struct{ clients, tls, refresh int }

// claimGatewayPorts decides where NGINX is to listen, and makes sure that it can. Those that it has stay unless the command says otherwise.
func (stack *stack) claimGatewayPorts(command upCommand) (gatewayPorts, error) {
	present := gatewayPorts{stack.Gateway.Port, stack.Gateway.TLSPort, stack.Gateway.Refresh}
	running := stack.Gateway.Process.Alive()
	claimed := gatewayPorts{clients: cmp.Or(command.GatewayPort, present.clients, defaultGatewayPort)}
	if claimed.clients != present.clients || !running {
		if err := stack.claimTyped(claimed.clients, "GATEWAY_PORT"); err != nil {
			return gatewayPorts{}, err
		}
	}
	var err error
	switch claimed.tls = cmp.Or(command.GatewayTLSPort, present.tls); {
	case claimed.tls == present.tls && running && present.tls != 0:
	case command.GatewayTLSPort != 0:
		err = stack.claimTyped(claimed.tls, "GATEWAY_TLS_PORT")
	default:
		claimed.tls, err = stack.claimPort(present.tls, defaultTLSPort)
	}
	if err != nil {
		return gatewayPorts{}, err
	}
	claimed.refresh = present.refresh
	if !running || present.refresh == 0 {
		if claimed.refresh, err = stack.claimPort(present.refresh, firstRefreshPort); err != nil {
			return gatewayPorts{}, err
		}
	}
	return claimed, nil
}

func (stack *stack) startGateway(ctx context.Context, account *process.Account, ports gatewayPorts, forget bool) error {
	installation, err := program.FindNGINX()
	if err != nil {
		return err
	}
	directory := filepath.Join(stack.Servers, "nginx")
	certificate, renewed, err := developmentCertificate(directory, account, time.Now())
	if err != nil {
		return err
	}
	cache := filepath.Join(nginx.Work(directory), "cache")
	size, err := stack.fitCache(cache)
	if err != nil {
		return err
	}
	front := nginx.Gateway{
		NGINX: installation, Prefix: directory, Listen: address(ports.clients),
		TLS:     nginx.TLS{Listen: address(ports.tls), Certificate: certificate.certificate, Key: certificate.key},
		Refresh: address(ports.refresh), Refreshers: []string{loopback}, Unlimited: []string{loopback},
		Sockets: filepath.Join(stack.Sockets, "nginx"), Cache: cache, CacheSize: size,
		AccessLog: filepath.Join(nginx.Work(directory), "access.json"), Log: filepath.Join(stack.logs(), "nginx.log"), Account: account,
	}
	if stack.Passing != "" {
		front.Temp = filepath.Join(stack.Passing, "nginx")
	}
	for _, instance := range stack.Instances {
		front.Upstreams = append(front.Upstreams, "unix:"+instance.Socket)
	}
	changed, err := front.Configure(ctx)
	if err != nil {
		return err
	}
	if err := stack.linkAccessLog(front.AccessLog); err != nil {
		return err
	}
	if forget {
		// What is cached is of another catalog; waiting for it to expire would puzzle people.
		if err := front.Forget(ctx); err != nil {
			return err
		}
	}
	if stack.Gateway.Process.Alive() {
		if changed || renewed || forget {
			if changed || renewed {
				stack.say("NGINX takes its new configuration")
			}
			if err := nginx.Reload(stack.Gateway.Process); err != nil {
				return err
			}
		}
		err := front.AwaitReady(ctx)
		if err == nil {
			stack.Gateway = gatewayRun{stack.Gateway.Process, ports.clients, ports.tls, ports.refresh, int64(size)}
			return stack.save()
		}
		stack.say("NGINX does not answer (%v): restarting it", err)
		if err := nginx.Stop(ctx, stack.Gateway.Process); err != nil {
			return err
		}
	}
	running, err := front.Start(ctx)
	if err != nil {
		return err
	}
	stack.Gateway = gatewayRun{running.Identity, ports.clients, ports.tls, ports.refresh, int64(size)}
	stack.onUndo(func(ctx context.Context) error { return nginx.Stop(ctx, running.Identity) })
	stack.say("NGINX runs on port %d, with TLS on port %d", ports.clients, ports.tls)
	return stack.save()
}

// linkAccessLog makes NGINX's access log appear among the logs. It is elsewhere because NGINX makes the file, when it is
// rotated as well, and may not be allowed to write here.
func (stack *stack) linkAccessLog(path string) error {
	link := filepath.Join(stack.logs(), "access.json")
	if target, err := os.Readlink(link); err == nil && target == path {
		return nil
	}
	if err := os.Remove(link); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("link the access log: %w", err)
	}
	if err := os.Symlink(path, link); err != nil {
		return fmt.Errorf("link the access log: %w", err)
	}
	return nil
}

func (stack *stack) onUndo(stop func(context.Context) error) {
	stack.started = append(stack.started, stop)
}

// writeEnvironment writes .run/env, which people and scripts source.
func (stack *stack) writeEnvironment(database database) error {
	var instances, admins []string
	for _, instance := range stack.Instances {
		instances = append(instances, "http://"+address(instance.Port))
		admins = append(admins, "http://"+address(instance.Admin))
	}
	installation, err := program.FindPostgres(postgres.MajorOf(stack.data()))
	if err != nil {
		return err
	}
	text, err := formatEnvironment([]variable{
		{"DATABASE_URL", database.etlURL},
		{"API_DATABASE_URL", database.apiURL},
		{"GATEWAY_URL", "http://" + address(stack.Gateway.Port)},
		{"GATEWAY_TLS_URL", "https://" + address(stack.Gateway.TLSPort)},
		{"GATEWAY_CERTIFICATE", certificateIn(filepath.Join(stack.Servers, "nginx")).certificate},
		{"GATEWAYS", "http://" + address(stack.Gateway.Refresh)},
		{"API_URLS", strings.Join(instances, ",")},
		{"ADMIN_URLS", strings.Join(admins, ",")},
		{"POSTGRES_BIN", installation.Bin},
		{"POSTGRES_DIRECTORY", stack.data()},
		{"NGINX_DIRECTORY", filepath.Join(stack.Servers, "nginx")},
	})
	if err != nil {
		return err
	}
	return replaceFile(filepath.Join(stack.State, "env"), text)
}
