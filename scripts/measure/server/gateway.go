package server

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"time"

	"systemscale/infra/nginx"
	"systemscale/infra/process"
	"systemscale/infra/program"
	"systemscale/scripts/measure/load"
)

// cacheSize is the size in the local stack.
const cacheSize nginx.Size = 2 << 30

// Gateways starts and stops NGINX processes. Their files, including the cache, are in a file system in memory if the system has one.
type Gateways struct {
	Directory string // of all files; it is removed by Close
	Logs      string // directory of the logs
	NGINX     program.NGINX
	Account   *process.Account // of NGINX; nil: that of this process
	Upstreams []string         // of gateways that are started from now on, such as unix:/path

	started []*Gateway
}

// Gateway is an NGINX process.
type Gateway struct {
	*process.Running
	Address string // host:port
}

// NewGateways creates the directory. logs is that of the logs.
func NewGateways(logs string) (*Gateways, error) {
	g := &Gateways{Logs: logs}
	var err error
	if g.NGINX, err = program.FindNGINX(); err != nil {
		return nil, err
	}
	if g.Account, err = process.Unprivileged(nginx.Accounts...); err != nil {
		return nil, err
	}
	parent := "/dev/shm"
	if _, err := os.Stat(parent); err != nil {
		parent = os.TempDir()
	}
	if g.Directory, err = os.MkdirTemp(parent, "systemscale-bench-"); err != nil {
		return nil, err
	}
	return g, os.Chmod(g.Directory, 0o755)
}

// Close stops every gateway that was started and removes the directory.
func (g *Gateways) Close() error {
	var errs []error
	for _, one := range g.started {
		errs = append(errs, one.Stop())
	}
	return errors.Join(append(errs, os.RemoveAll(g.Directory))...)
}

// Stop stops the gateway. It does nothing if g is nil or the gateway has ended.
func (g *Gateway) Stop() error {
	if g == nil || g.Running == nil {
		return nil
	}
	return nginx.Stop(context.Background(), g.Identity)
}

// Socket returns the path of an API instance's socket.
func (g *Gateways) Socket(name string) string { return filepath.Join(g.Directory, name+".sock") }

var cacheDirective = regexp.MustCompile(`(?m)^(\s*)proxy_cache\s+\$cache\s*;`)

// WithoutCache returns the template of a gateway that neither reads nor fills its cache.
func WithoutCache(template string) (string, error) {
	if !cacheDirective.MatchString(template) {
		return "", errors.New(`nginx.conf.template has no line "proxy_cache $cache;" to replace for the measurement without the cache`)
	}
	return cacheDirective.ReplaceAllString(template, "${1}proxy_cache off;"), nil
}

// Start starts a gateway as in production, except that loopback addresses have no limit. It has the upstreams. template is that of its
// configuration, such as nginx.Template. The name is that of its directory, which is emptied, and of its log.
func (g *Gateways) Start(ctx context.Context, name, template string) (*Gateway, error) {
	addresses, err := FreeAddresses(2)
	if err != nil {
		return nil, err
	}
	prefix := filepath.Join(g.Directory, name)
	if err := os.RemoveAll(prefix); err != nil {
		return nil, err
	}
	configuration := nginx.Gateway{
		NGINX: g.NGINX, Template: template, Prefix: prefix, Listen: addresses[0], Upstreams: g.Upstreams,
		Sockets: filepath.Join(prefix, "run"), Refresh: addresses[1], Refreshers: []string{"127.0.0.1"}, Unlimited: []string{"127.0.0.1"},
		CacheSize: cacheSize, Log: g.log(name), Account: g.Account, Tied: true,
	}
	if _, err := configuration.Configure(ctx); err != nil {
		return nil, err
	}
	running, err := configuration.Start(ctx)
	if err != nil {
		return nil, err
	}
	return g.add(running, addresses[0]), nil
}

// StartOther starts an NGINX with a configuration of its own: the template, with ${LISTEN} replaced by its address, and the other
// placeholders by the values. It runs with a prefix that it may write to, and waits until a request for the path returns 200.
func (g *Gateways) StartOther(ctx context.Context, name, template string, values map[string]string, path string) (*Gateway, error) {
	addresses, err := FreeAddresses(1)
	if err != nil {
		return nil, err
	}
	values = maps.Clone(values)
	values["LISTEN"] = addresses[0]
	text, err := nginx.Expand(template, values)
	if err != nil {
		return nil, fmt.Errorf("the configuration of NGINX %s: %w", name, err)
	}
	prefix := filepath.Join(g.Directory, name)
	if err := os.RemoveAll(prefix); err != nil {
		return nil, err
	}
	if err := g.Account.MakeDirectory(nginx.Work(prefix), 0o755); err != nil {
		return nil, err
	}
	configuration := filepath.Join(prefix, "nginx.conf")
	if err := os.WriteFile(configuration, []byte(text), 0o644); err != nil {
		return nil, err
	}
	running, err := process.Daemon{
		Name: "NGINX " + name, Path: g.NGINX.Path, Args: []string{"-p", nginx.Work(prefix), "-c", configuration, "-g", "daemon off;"},
		Dir: prefix, Log: g.log(name), Account: g.Account, Tied: true,
	}.Start()
	if err != nil {
		return nil, err
	}
	started := g.add(running, addresses[0])
	return started, running.Await(ctx, 15*time.Second, func(ctx context.Context) error {
		_, _, err := load.Get(ctx, started.Address, path, "", http.StatusOK)
		return err
	})
}

func (g *Gateways) log(name string) string { return filepath.Join(g.Logs, "nginx-"+name+".log") }

func (g *Gateways) add(running *process.Running, address string) *Gateway {
	started := &Gateway{running, address}
	g.started = append(g.started, started)
	return started
}
