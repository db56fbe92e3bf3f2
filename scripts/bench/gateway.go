package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"systemscale/infra/nginx"
	"systemscale/infra/process"
	"systemscale/infra/program"
)

// cacheSize is the size in the local stack.
const cacheSize nginx.Size = 2 << 30

// gateways starts and stops the NGINX processes that are measured. Their files, including the cache, are in a file system in memory if the
// system has one.
type gateways struct {
	directory string
	logs      string
	nginx     program.NGINX
	account   *process.Account
	upstreams []string

	cached   *gateway // as in production
	uncached *gateway // as in production, without the cache
	static   *gateway // serves files
}

// gateway is an NGINX process.
type gateway struct {
	*process.Running
	address string // host:port
}

func newGateways(logs string) (*gateways, error) {
	g := &gateways{logs: logs}
	var err error
	if g.nginx, err = program.FindNGINX(); err != nil {
		return nil, err
	}
	if g.account, err = process.Unprivileged(nginx.Accounts...); err != nil {
		return nil, err
	}
	parent := "/dev/shm"
	if _, err := os.Stat(parent); err != nil {
		parent = os.TempDir()
	}
	if g.directory, err = os.MkdirTemp(parent, "systemscale-bench-"); err != nil {
		return nil, err
	}
	return g, os.Chmod(g.directory, 0o755)
}

// close stops every NGINX and removes the directory.
func (g *gateways) close() error {
	var errs []error
	for _, server := range []*gateway{g.cached, g.uncached, g.static} {
		errs = append(errs, server.stop())
	}
	return errors.Join(append(errs, os.RemoveAll(g.directory))...)
}

func (g *gateway) stop() error {
	if g == nil || g.Running == nil {
		return nil
	}
	return nginx.Stop(context.Background(), g.Identity)
}

// pids returns the pids of the NGINX masters.
func (g *gateways) pids() []int {
	var pids []int
	for _, server := range []*gateway{g.cached, g.uncached, g.static} {
		if server != nil && server.Running != nil {
			pids = append(pids, server.PID)
		}
	}
	return pids
}

// socket returns the path of an API instance's socket.
func (g *gateways) socket(name string) string { return filepath.Join(g.directory, name+".sock") }

// startCached starts the gateway as in production, with an empty cache. It replaces a running one.
func (g *gateways) startCached(ctx context.Context) error {
	if err := g.cached.stop(); err != nil {
		return err
	}
	started, err := g.startGateway(ctx, "cached", nginx.Template)
	if err == nil {
		g.cached = started
	}
	return err
}

// startUncached starts the gateway as in production, but without the cache.
func (g *gateways) startUncached(ctx context.Context) error {
	template, err := withoutCache(nginx.Template)
	if err != nil {
		return err
	}
	g.uncached, err = g.startGateway(ctx, "uncached", template)
	return err
}

var cacheDirective = regexp.MustCompile(`(?m)^(\s*)proxy_cache\s+\$cache\s*;`)

// withoutCache returns the template of a gateway that neither reads nor fills its cache.
func withoutCache(template string) (string, error) {
	if !cacheDirective.MatchString(template) {
		return "", errors.New(`nginx.conf.template has no line "proxy_cache $cache;" to replace for the measurement without the cache`)
	}
	return cacheDirective.ReplaceAllString(template, "${1}proxy_cache off;"), nil
}

func (g *gateways) startGateway(ctx context.Context, name, template string) (*gateway, error) {
	addresses, err := freeAddresses(2)
	if err != nil {
		return nil, err
	}
	prefix := filepath.Join(g.directory, name)
	if err := os.RemoveAll(prefix); err != nil {
		return nil, err
	}
	configuration := nginx.Gateway{
		NGINX: g.nginx, Template: template, Prefix: prefix, Listen: addresses[0], Upstreams: g.upstreams,
		Sockets: filepath.Join(prefix, "run"), Refresh: addresses[1], Refreshers: []string{"127.0.0.1"}, Unlimited: []string{"127.0.0.1"},
		CacheSize: cacheSize, Log: filepath.Join(g.logs, "nginx-"+name+".log"), Account: g.account,
	}
	if _, err := configuration.Configure(ctx); err != nil {
		return nil, err
	}
	running, err := configuration.Start(ctx)
	if err != nil {
		return nil, err
	}
	return &gateway{running, addresses[0]}, nil
}

//go:embed static.conf.template
var staticTemplate string

// startStatic writes the documents to files and starts an NGINX that serves them with the headers.
func (g *gateways) startStatic(ctx context.Context, documents []document, headers http.Header) error {
	addresses, err := freeAddresses(1)
	if err != nil {
		return err
	}
	prefix := filepath.Join(g.directory, "static")
	if err := g.account.MakeDirectory(nginx.Work(prefix), 0o755); err != nil {
		return err
	}
	root := filepath.Join(prefix, "files")
	for _, d := range documents {
		path := filepath.Join(root, filepath.FromSlash(d.path))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, d.body, 0o644); err != nil {
			return err
		}
	}
	text, err := nginx.Expand(staticTemplate, map[string]string{"LISTEN": addresses[0], "ROOT": root, "HEADERS": addHeaders(headers)})
	if err != nil {
		return fmt.Errorf("static.conf.template: %w", err)
	}
	configuration := filepath.Join(prefix, "nginx.conf")
	if err := os.WriteFile(configuration, []byte(text), 0o644); err != nil {
		return err
	}
	g.static = &gateway{address: addresses[0]}
	if g.static.Running, err = (process.Daemon{
		Name: "static NGINX", Path: g.nginx.Path, Args: []string{"-p", nginx.Work(prefix), "-c", configuration, "-g", "daemon off;"},
		Dir: prefix, Log: filepath.Join(g.logs, "nginx-static.log"), Account: g.account,
	}).Start(); err != nil {
		return err
	}
	return g.static.Await(ctx, 15*time.Second, func(ctx context.Context) error {
		_, _, err := get(ctx, g.static.address, documents[0].path, "", http.StatusOK)
		return err
	})
}

// addHeaders returns the directives that make the responses of NGINX for files as long as those with the headers.
func addHeaders(headers http.Header) string {
	var lines []string
	for _, name := range slices.Sorted(maps.Keys(headers)) {
		switch name {
		case "Server", "Date", "Connection", "Content-Type", "Content-Length", "Etag", "Last-Modified", "Accept-Ranges":
			continue // NGINX adds it to files too
		}
		for _, value := range headers[name] {
			if !strings.ContainsAny(value, `"\$`) {
				lines = append(lines, fmt.Sprintf(`add_header %s "%s";`, name, value))
			}
		}
	}
	return strings.Join(lines, "\n        ")
}
