// Command api serves the published documents over HTTP.
//
// It starts whether or not the database is up, and reports readiness on its admin port. On SIGTERM or SIGINT it shuts down in an order
// that loses no request. A second signal ends it at once.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/alecthomas/kong"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"systemscale/api/internal/admin"
	"systemscale/api/internal/admin/dashboard"
	"systemscale/api/internal/cache"
	"systemscale/api/internal/server"
	"systemscale/api/internal/store"
	"systemscale/api/web"
	"systemscale/sql/printable"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run executes the program and returns the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	stdout, stderr = printable.NewWriter(stdout), printable.NewWriter(stderr)
	if err := serve(ctx, args, stdout, stderr); err != nil {
		fmt.Fprintln(stderr, "api:", err)
		return 1
	}
	return 0
}

const description = `Serve the published documents over HTTP.

Example: TCP for direct access and a unix socket for a gateway on the same machine

  api --database postgres://systemscale_api@127.0.0.1:5432/systemscale \
      --listen 127.0.0.1:8081 --listen unix:/run/systemscale/api.sock`

// flags are the command-line flags. An address is host:port or unix:/path.
type flags struct {
	Version     kong.VersionFlag `help:"Show the version and exit."`
	Healthcheck bool             `help:"Ask the running instance with these settings whether it is ready, and exit: 0 if it is. For containers."`

	Database    string        `env:"DATABASE_URL" placeholder:"URL" help:"URL of the database, with a role that can read. The database may start after the API."`
	Listen      []string      `env:"API_LISTEN" default:"127.0.0.1:8081" placeholder:"ADDR" help:"Address to serve on: host:port or unix:/path. May be repeated or separated by commas. Default: ${default}."`
	Admin       string        `env:"API_ADMIN" default:"127.0.0.1:8181" placeholder:"ADDR" help:"Address of the admin port: /live, /ready, /metrics, /version, and the dashboard at /. Default: ${default}."`
	AdminHost   []string      `env:"API_ADMIN_HOSTS" placeholder:"NAME" help:"Host name that the admin port accepts, such as that of a proxy. It always accepts IP addresses, localhost and the machine's name; for /live, /ready and /metrics it accepts any name. May be repeated."`
	Peer        []string      `env:"API_PEERS" placeholder:"ADDR" help:"Admin address of another instance, whose requests the dashboard includes. May be repeated."`
	Gateway     string        `env:"API_GATEWAY_STATUS" placeholder:"URL" help:"URL of the gateway's stub_status, such as http://127.0.0.1:8281/status, for the hit ratio on the dashboard."`
	Documents   string        `name:"document-cache" env:"CACHE_URL" placeholder:"URL" help:"Cache of documents in front of the database: redis://[USER:PASSWORD@]HOST[:PORT][/DB], rediss:// for TLS, unix:///PATH, or memory://256MiB for one in this process. Default: none."`
	CacheWait   time.Duration `name:"document-cache-timeout" env:"API_DOCUMENT_CACHE_TIMEOUT" default:"5ms" help:"Maximum duration of a read of the document cache. Afterwards the database answers."`
	CacheTTL    time.Duration `name:"document-cache-ttl" env:"API_DOCUMENT_CACHE_TTL" default:"0s" help:"After what time a document is removed from the document cache although there is room for it. 0s: never."`
	CacheAge    time.Duration `env:"API_CACHE_AGE" default:"10s" help:"How long the gateway may use a document without revalidation, in whole seconds. Browsers get half of it."`
	DrainPause  time.Duration `env:"API_DRAIN_PAUSE" default:"1s" help:"How long to keep serving after a signal, while /ready fails."`
	DrainLimit  time.Duration `env:"API_DRAIN_LIMIT" default:"10s" help:"How long requests in progress may take to finish after that."`
	Connections int           `env:"API_CONNECTIONS" default:"2" help:"Number of database connections for lookups."`
	Batch       int           `env:"API_BATCH" default:"64" help:"Maximum number of lookups in one round trip to the database."`
	Queue       int           `env:"API_QUEUE" default:"1024" help:"Maximum number of lookups that wait for a connection; further requests get 503."`
	Timeout     time.Duration `env:"API_TIMEOUT" default:"2s" help:"Maximum duration of a lookup."`
}

// Validate is called by kong.
func (f *flags) Validate() error {
	if f.Healthcheck {
		return nil
	}
	if f.Database == "" {
		return errors.New("no database: set DATABASE_URL or --database to a URL such as postgres://user@host:5432/name")
	}
	for _, number := range []struct {
		name  string
		value int
	}{{"--connections", f.Connections}, {"--batch", f.Batch}, {"--queue", f.Queue}} {
		if number.value < 1 {
			return fmt.Errorf("%s must be at least 1, not %d", number.name, number.value)
		}
	}
	if f.Timeout < time.Millisecond {
		return fmt.Errorf("--timeout must be at least 1ms, not %s", f.Timeout)
	}
	if f.Documents != "" && (f.CacheWait < time.Millisecond || f.CacheWait > f.Timeout) {
		return fmt.Errorf("--document-cache-timeout must be at least 1ms and at most --timeout, not %s", f.CacheWait)
	}
	if f.CacheTTL != 0 && f.CacheTTL < time.Second {
		return fmt.Errorf("--document-cache-ttl must be 0s or at least 1s, not %s", f.CacheTTL)
	}
	if f.CacheAge < time.Second || f.CacheAge%time.Second != 0 {
		return fmt.Errorf("--cache-age must be whole seconds and at least 1s, not %s", f.CacheAge)
	}
	for _, name := range f.AdminHost {
		if name == "" || strings.ContainsAny(name, "/*@ ") {
			return fmt.Errorf("--admin-host must be a host name such as admin.example.org, not %q", name)
		}
	}
	if f.DrainPause < 0 || f.DrainLimit < 0 {
		return errors.New("--drain-pause and --drain-limit must not be negative")
	}
	return nil
}

// serve reads the flags, serves until ctx ends, and then shuts down.
func serve(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	var f flags
	exited := false
	parser, err := kong.New(&f, kong.Name("api"), kong.Description(description), kong.Vars{"version": printable.Version()},
		kong.Writers(stdout, stderr), kong.Exit(func(int) { exited = true }))
	if err != nil {
		return err
	}
	_, err = parser.Parse(args)
	if exited { // after --help or --version
		return nil
	}
	if err != nil {
		return fmt.Errorf("%s (see api --help)", printable.CommandLine(err, args))
	}
	if f.Healthcheck {
		return checkReady(ctx, f.Admin)
	}
	logger := slog.New(slog.NewTextHandler(stderr, nil))

	listeners, err := listenAll(append(f.Listen, f.Admin))
	if err != nil {
		return err
	}
	site, err := web.Open()
	if err != nil {
		closeAll(listeners)
		return err
	}
	metrics := prometheus.NewRegistry()
	metrics.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	documentCache, err := openCache(f, logger, metrics)
	if err != nil {
		closeAll(listeners)
		return err
	}
	documents, err := store.Open(store.Options{
		Cache:       documentCache,
		URL:         f.Database,
		Connections: f.Connections,
		Batch:       f.Batch,
		Queue:       f.Queue,
		Timeout:     f.Timeout,
		Logger:      logger,
		Registerer:  metrics,
	})
	if err != nil {
		closeAll(listeners)
		if documentCache != nil {
			documentCache.Close()
		}
		return fmt.Errorf("--database (DATABASE_URL): %w", err)
	}
	p := &program{flags: f, logger: logger, metrics: metrics, store: documents, cache: documentCache, server: server.New(documents, server.Options{
		CacheAge:   f.CacheAge,
		Logger:     logger,
		Registerer: metrics,
		Site:       site,
	})}
	return p.serve(ctx, listeners[:len(listeners)-1], listeners[len(listeners)-1])
}

// program holds the parts of a running API.
type program struct {
	flags    flags
	logger   *slog.Logger
	metrics  *prometheus.Registry
	store    *store.Store
	cache    *cache.Cache // nil without a document cache
	server   *server.Server
	draining atomic.Bool
}

var errDraining = errors.New("draining")

func (p *program) ready() error {
	if p.draining.Load() {
		return errDraining
	}
	return p.store.Ready()
}

// serve serves on the listeners until ctx ends or one of them fails, and then drains.
func (p *program) serve(ctx context.Context, public []net.Listener, private net.Listener) error {
	broken := make(chan error, len(public)+1)
	for _, listener := range public {
		p.logger.Info("serving the API", "address", address(listener))
		go func() {
			if err := p.server.Serve(listener); err != nil {
				broken <- fmt.Errorf("serve %s: %w", address(listener), err)
			}
		}()
	}
	p.logger.Info("serving the admin port", "address", address(private))
	page := dashboard.New(dashboard.Options{
		Store:   p.store,
		Metrics: p.metrics,
		Peers:   p.flags.Peer,
		Gateway: p.flags.Gateway,
		Cache:   p.cache,
		Logger:  p.logger,
	})
	go page.Watch(ctx)
	administration := admin.New(admin.Options{
		Ready:    p.ready,
		Snapshot: p.store.Snapshot,
		Cache:    p.cache,
		Holds:    p.store.Holds,
		Metrics:  p.metrics,
		Page:     page,
		Names:    append(p.flags.AdminHost, p.flags.Admin),
		Logger:   p.logger,
	})
	go func() {
		if err := administration.Serve(private); !errors.Is(err, http.ErrServerClosed) {
			broken <- fmt.Errorf("serve %s: %w", address(private), err)
		}
	}()

	var cause error
	select {
	case <-ctx.Done():
	case cause = <-broken:
	}
	return errors.Join(cause, p.drain(public), administration.Close())
}

// drain shuts down in an order that loses no request. The admin port is served until the end.
func (p *program) drain(public []net.Listener) error {
	return errors.Join(
		p.phase("drain connections", func() error {
			p.draining.Store(true)
			p.server.Drain()
			time.Sleep(p.flags.DrainPause)
			return nil
		}),
		p.phase("close listeners and finish requests", func() error {
			retire(public)
			ctx, cancel := context.WithTimeout(context.Background(), p.flags.DrainLimit)
			defer cancel()
			return p.server.Shutdown(ctx)
		}),
		p.phase("close the store", func() error {
			ctx, cancel := context.WithTimeout(context.Background(), p.flags.DrainLimit)
			defer cancel()
			return p.store.Close(ctx)
		}),
		p.closeCache(),
	)
}

// openCache opens the document cache, or returns nil if there is none.
func openCache(f flags, logger *slog.Logger, metrics prometheus.Registerer) (*cache.Cache, error) {
	if f.Documents == "" {
		return nil, nil
	}
	opened, err := cache.Open(cache.Options{URL: f.Documents, Timeout: f.CacheWait, TTL: f.CacheTTL, Logger: logger, Registerer: metrics})
	if err != nil {
		return nil, fmt.Errorf("--document-cache (CACHE_URL): %w", err)
	}
	return opened, nil
}

// closeCache closes the document cache after the store, which uses it.
func (p *program) closeCache() error {
	if p.cache == nil {
		return nil
	}
	return p.phase("close the document cache", func() error {
		p.cache.Close()
		return nil
	})
}

// phase runs a step of the shutdown and logs its duration.
func (p *program) phase(name string, step func() error) error {
	start := time.Now()
	err := step()
	if err != nil {
		err = fmt.Errorf("%s: %w", name, err)
		p.logger.Error("shutdown: "+name, "took", time.Since(start).Round(time.Millisecond), "error", err)
		return err
	}
	p.logger.Info("shutdown: "+name, "took", time.Since(start).Round(time.Millisecond))
	return nil
}
