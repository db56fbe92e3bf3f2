package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"systemscale/infra/nginx"
	"systemscale/infra/postgres"
	"systemscale/infra/process"
	"systemscale/infra/program"
	"systemscale/sql"
)

const (
	// databaseName is the stack's database.
	databaseName = "systemscale"

	defaultGatewayPort = 8080
	defaultTLSPort     = 8443
	firstPostgresPort  = 15432
	firstRefreshPort   = 8281
)

// accounts are the users that the servers run as; nil is the user of this process. The API runs as the same user as NGINX, so that no other
// user needs access to its sockets. It reads no data that NGINX may not read.
type accounts struct{ postgres, nginx, api *process.Account }

// placeServers chooses and creates the directories of the servers' files and sockets. They are in .run unless a server's user has no access
// to it or the path is too long for a socket. Each account has its own directories; their parents belong to this user.
func (s *stack) placeServers() (accounts, error) {
	var found accounts
	var err error
	if found.postgres, err = process.Unprivileged(postgres.Accounts...); err != nil {
		return found, err
	}
	if found.nginx, err = process.Unprivileged(nginx.Accounts...); err != nil {
		return found, err
	}
	found.api = found.nginx
	if err := s.chooseServers(found); err != nil {
		return found, err
	}
	if s.Sockets == "" || !fitsSocket(s.Sockets) || !isOwn(s.Sockets) {
		if s.Sockets = filepath.Join(s.Servers, "run"); !fitsSocket(s.Sockets) {
			if s.Sockets, err = s.makeOutside(os.TempDir()); err != nil {
				return found, err
			}
		}
	}
	for _, directory := range []struct {
		path  string
		owner *process.Account
		mode  os.FileMode
	}{
		{s.Sockets, nil, 0o755},
		{filepath.Join(s.Servers, "postgres"), nil, 0o755},
		// Connections need a password.
		{filepath.Join(s.Sockets, "postgres"), found.postgres, 0o755},
		{filepath.Join(s.Servers, "nginx"), nil, 0o755},
		{filepath.Join(s.Sockets, "nginx"), found.nginx, 0o700},
		{filepath.Join(s.Sockets, "api"), found.api, 0o700},
	} {
		if err := directory.owner.MakeDirectory(directory.path, directory.mode); err != nil {
			return found, fmt.Errorf("create the directories of the servers: %w", err)
		}
	}
	for _, former := range []string{"cache", "temp", "nginx.pid", "access.json"} { // their places in earlier versions
		if err := os.RemoveAll(filepath.Join(s.Servers, "nginx", former)); err != nil {
			return found, fmt.Errorf("remove an earlier cache: %w", err)
		}
	}
	return found, s.save()
}

// fitCache returns the size of NGINX's cache. It does not change while NGINX runs.
func (s *stack) fitCache(directory string) (nginx.Size, error) {
	const wanted nginx.Size = 2 << 30
	if s.Gateway.Cache != 0 && s.Gateway.Process.Alive() {
		return nginx.Size(s.Gateway.Cache), nil
	}
	size, err := nginx.FitCache(directory, wanted)
	if err != nil {
		return 0, err
	}
	if size < wanted {
		s.progressf("the file system of %s has no room for a cache of %s: NGINX's cache gets %s", directory, wanted, size)
	}
	return size, nil
}

// chooseServers chooses the directory of the servers' files.
func (s *stack) chooseServers(found accounts) error {
	if s.Servers != "" && s.Servers != s.State && isOwn(s.Servers) {
		return nil
	}
	blocked := cmp.Or(found.postgres.Blocked(s.State), found.nginx.Blocked(s.State))
	s.Servers = s.State
	if blocked == "" {
		return nil
	}
	// Unlike /tmp, it is not emptied when the machine starts.
	outside, err := s.makeOutside("/var/tmp")
	if err != nil {
		return err
	}
	for _, name := range []string{"postgres", "nginx"} {
		// Earlier, all users had access to the clone.
		if err := os.Rename(filepath.Join(s.State, name), filepath.Join(outside, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("only root may enter %s, and PostgreSQL and NGINX have files in %s: move the clone to a directory that any user "+
				"may enter, or remove the catalog with ./scripts/task down -- --purge (%w)", blocked, s.State, err)
		}
	}
	s.Servers = outside
	s.progressf("only root may enter %s: PostgreSQL and NGINX use %s instead", blocked, outside)
	return nil
}

// makeOutside creates a directory of the stack outside .run. Its name is random, so no other user can have created it.
func (s *stack) makeOutside(parent string) (string, error) {
	path, err := os.MkdirTemp(parent, "systemscale-")
	if err != nil {
		return "", fmt.Errorf("create a directory outside %s: %w", s.State, err)
	}
	s.Outside = append(s.Outside, path)
	var self *process.Account
	return path, self.MakeDirectory(path, 0o755)
}

// database holds the URLs of the stack's database.
type database struct{ etlURL, apiURL string }

func (s *stack) startPostgres(ctx context.Context, account *process.Account) (database, error) {
	directory := s.data()
	major := postgres.MajorOf(directory)
	installation, err := program.FindPostgres(major)
	if err != nil {
		if major != 0 {
			err = fmt.Errorf("%w\nthis version created the catalog in %s: install it, or remove the catalog with ./scripts/task down -- --purge",
				err, directory)
		}
		return database{}, err
	}
	if major == 0 {
		s.Passwords = passwords{Superuser: postgres.NewPassword(), ETL: postgres.NewPassword(), API: postgres.NewPassword()}
		s.Catalog = catalog{} // the new cluster is empty
		if err := s.save(); err != nil {
			return database{}, err
		}
	} else if s.Passwords == (passwords{}) {
		return database{}, fmt.Errorf("%s contains a database cluster, but its password was in %s, which is missing: remove the cluster with "+
			"./scripts/task down -- --purge", directory, s.path)
	}
	server := postgres.Cluster{
		Postgres: installation, Directory: directory, Sockets: filepath.Join(s.Sockets, "postgres"),
		Port: s.Postgres.Port, Loopback: true, Log: filepath.Join(s.logs(), "postgres.log"),
		Password: s.Passwords.Superuser, Account: account,
	}
	if err := server.Create(ctx); err != nil {
		return database{}, err
	}
	if !s.Postgres.Process.Alive() {
		if s.Postgres.Process, err = server.Adopt(); err != nil {
			return database{}, err
		}
	}
	if err := s.onFreePorts(func() ([]int, error) {
		err := s.runPostgres(ctx, &server)
		return []int{server.Port}, err
	}); err != nil {
		return database{}, err
	}
	if err := s.createDatabase(ctx, server); err != nil {
		return database{}, err
	}
	return database{
		etlURL: server.URL(sql.RoleETL, s.Passwords.ETL, databaseName),
		apiURL: server.URL(sql.RoleAPI, s.Passwords.API, databaseName),
	}, nil
}

// runPostgres starts the server on a free port, or restarts it if its settings have changed.
func (s *stack) runPostgres(ctx context.Context, server *postgres.Cluster) (err error) {
	running := s.Postgres.Process.Alive()
	if !running {
		if server.Port, err = s.claimPort(s.Postgres.Port, firstPostgresPort); err != nil {
			return err
		}
	}
	changed, err := server.Configure()
	if err != nil {
		return err
	}
	if running && changed {
		s.progressf("restarting PostgreSQL with changed settings")
		if err := postgres.Stop(ctx, s.Postgres.Process); err != nil {
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
	s.Postgres = postgresRun{started.Identity, server.Port}
	if !running {
		s.onUndo(func(ctx context.Context) error { return postgres.Stop(ctx, started.Identity) })
	}
	s.progressf("Postgres %d runs on port %d", server.Postgres.Version.Major, server.Port)
	return s.save()
}

// createDatabase creates the roles and the database if they are missing, and sets the passwords to those of the state.
func (s *stack) createDatabase(ctx context.Context, server postgres.Cluster) error {
	config, err := pgx.ParseConfig(server.URL(postgres.Superuser, s.Passwords.Superuser, "postgres"))
	if err != nil {
		return fmt.Errorf("prepare the database: %w", err)
	}
	// Statements with passwords must not be logged, even if they are slow or fail.
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
	for role, password := range map[string]string{sql.RoleETL: s.Passwords.ETL, sql.RoleAPI: s.Passwords.API} {
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

// claimGatewayPorts claims the ports of NGINX. A port of requested that is 0 stays as it is, or is chosen.
func (s *stack) claimGatewayPorts(requested gatewayPorts) (gatewayPorts, error) {
	present := gatewayPorts{s.Gateway.Port, s.Gateway.TLSPort, s.Gateway.Refresh}
	running := s.Gateway.Process.Alive()
	claimed := gatewayPorts{clients: cmp.Or(requested.clients, present.clients, defaultGatewayPort)}
	if claimed.clients != present.clients || !running {
		if err := s.claimTyped(claimed.clients, "GATEWAY_PORT"); err != nil {
			return gatewayPorts{}, err
		}
	}
	var err error
	switch claimed.tls = cmp.Or(requested.tls, present.tls); {
	case claimed.tls == present.tls && running && present.tls != 0:
	case requested.tls != 0:
		err = s.claimTyped(claimed.tls, "GATEWAY_TLS_PORT")
	default:
		claimed.tls, err = s.claimPort(present.tls, defaultTLSPort)
	}
	if err != nil {
		return gatewayPorts{}, err
	}
	claimed.refresh = present.refresh
	if !running || present.refresh == 0 {
		if claimed.refresh, err = s.claimPort(present.refresh, firstRefreshPort); err != nil {
			return gatewayPorts{}, err
		}
	}
	return claimed, nil
}

func (s *stack) startGateway(ctx context.Context, account *process.Account, ports gatewayPorts, forget bool) error {
	installation, err := program.FindNGINX()
	if err != nil {
		return err
	}
	directory := filepath.Join(s.Servers, "nginx")
	certificate, renewed, err := developmentCertificate(directory, account, time.Now())
	if err != nil {
		return err
	}
	cache := filepath.Join(nginx.Work(directory), "cache")
	size, err := s.fitCache(cache)
	if err != nil {
		return err
	}
	aliases, err := nginx.ParseAliases("aliases", s.Aliases)
	if err != nil {
		return err
	}
	gateway := nginx.Gateway{
		NGINX: installation, Prefix: directory, Listen: address(ports.clients),
		TLS:     nginx.TLS{Listen: address(ports.tls), Certificate: certificate.certificate, Key: certificate.key},
		Refresh: address(ports.refresh), Refreshers: []string{loopback}, Unlimited: []string{loopback},
		Sockets: filepath.Join(s.Sockets, "nginx"), Cache: cache, CacheSize: size,
		Aliases: aliases, AccessLog: filepath.Join(nginx.Work(directory), "access.json"), Log: filepath.Join(s.logs(), "nginx.log"), Account: account,
	}
	for _, instance := range s.Instances {
		gateway.Upstreams = append(gateway.Upstreams, "unix:"+instance.Socket)
	}
	changed, err := gateway.Configure(ctx)
	if err != nil {
		return err
	}
	if err := s.linkAccessLog(gateway.AccessLog); err != nil {
		return err
	}
	if forget {
		// The cached copies are of another catalog, and users expect to see the new one at once.
		if err := gateway.Forget(ctx); err != nil {
			return err
		}
	}
	if s.Gateway.Process.Alive() {
		if changed || renewed || forget {
			if changed || renewed {
				s.progressf("reloading NGINX with the new configuration")
			}
			if err := nginx.Reload(s.Gateway.Process); err != nil {
				return err
			}
		}
		err := gateway.AwaitReady(ctx)
		if err == nil {
			s.Gateway = gatewayRun{s.Gateway.Process, ports.clients, ports.tls, ports.refresh, int64(size)}
			return s.save()
		}
		s.progressf("NGINX does not respond (%v): restarting it", err)
		if err := nginx.Stop(ctx, s.Gateway.Process); err != nil {
			return err
		}
	}
	running, err := gateway.Start(ctx)
	if err != nil {
		return err
	}
	s.Gateway = gatewayRun{running.Identity, ports.clients, ports.tls, ports.refresh, int64(size)}
	s.onUndo(func(ctx context.Context) error { return nginx.Stop(ctx, running.Identity) })
	s.progressf("NGINX runs on port %d, with TLS on port %d", ports.clients, ports.tls)
	return s.save()
}

// linkAccessLog links to NGINX's access log from the directory of the logs. NGINX creates the file, also after a rotation, and may have no
// access to that directory.
func (s *stack) linkAccessLog(path string) error {
	link := filepath.Join(s.logs(), "access.json")
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

// writeEnvironment writes .run/env, which users and scripts source.
func (s *stack) writeEnvironment(database database) error {
	var instances, admins []string
	for _, instance := range s.Instances {
		instances = append(instances, "http://"+address(instance.Port))
		admins = append(admins, "http://"+address(instance.Admin))
	}
	installation, err := program.FindPostgres(postgres.MajorOf(s.data()))
	if err != nil {
		return err
	}
	text, err := formatEnvironment([]variable{
		{"DATABASE_URL", database.etlURL},
		{"API_DATABASE_URL", database.apiURL},
		{"GATEWAY_URL", "http://" + address(s.Gateway.Port)},
		{"GATEWAY_TLS_URL", "https://" + address(s.Gateway.TLSPort)},
		{"GATEWAY_CERTIFICATE", certificateIn(filepath.Join(s.Servers, "nginx")).certificate},
		{"GATEWAYS", "http://" + address(s.Gateway.Refresh)},
		{"API_URLS", strings.Join(instances, ",")},
		{"ADMIN_URLS", strings.Join(admins, ",")},
		{"POSTGRES_BIN", installation.Bin},
		{"POSTGRES_DIRECTORY", s.data()},
		{"NGINX_DIRECTORY", filepath.Join(s.Servers, "nginx")},
	})
	if err != nil {
		return err
	}
	return replaceFile(filepath.Join(s.State, "env"), text)
}
