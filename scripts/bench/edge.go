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

// cacheSize is as in the local stack.
const cacheSize nginx.Size = 2 << 30

// edge is the NGINX instances that are measured. Their files, and with them the cache, are in memory where the system has a file system for
// that, in a directory of their own.
type edge struct {
	directory string
	logs      string
	nginx     program.NGINX
	account   *process.Account
	upstreams []string

	cached   *front // the gateway as it is
	uncached *front // the same without its cache
	static   *front // files
}

// front is one NGINX.
type front struct {
	address string
	gateway nginx.Gateway
	process *process.Running
}

func newEdge(logs string) (*edge, error) {
	e := &edge{logs: logs}
	var err error
	if e.nginx, err = program.FindNGINX(); err != nil {
		return nil, err
	}
	if e.account, err = process.Unprivileged(nginx.Accounts...); err != nil {
		return nil, err
	}
	parent := "/dev/shm"
	if _, err := os.Stat(parent); err != nil {
		parent = os.TempDir()
	}
	if e.directory, err = os.MkdirTemp(parent, "systemscale-bench-"); err != nil {
		return nil, err
	}
	return e, os.Chmod(e.directory, 0o755)
}

// close stops every NGINX and removes the directory.
func (e *edge) close() error {
	var errs []error
	for _, f := range []*front{e.cached, e.uncached, e.static} {
		errs = append(errs, f.stop())
	}
	return errors.Join(append(errs, os.RemoveAll(e.directory))...)
}

func (f *front) stop() error {
	if f == nil || f.process == nil {
		return nil
	}
	return nginx.Stop(context.Background(), f.process.Identity)
}

// pids returns the NGINX masters that run.
func (e *edge) pids() []int {
	var pids []int
	for _, f := range []*front{e.cached, e.uncached, e.static} {
		if f != nil && f.process != nil {
			pids = append(pids, f.process.PID)
		}
	}
	return pids
}

// socket returns a path for an API instance's socket.
func (e *edge) socket(name string) string { return filepath.Join(e.directory, name+".sock") }

// startCached starts the gateway as production has it, with an empty cache. One that runs is replaced.
func (e *edge) startCached(ctx context.Context) error {
	if err := e.cached.stop(); err != nil {
		return err
	}
	started, err := e.startGateway(ctx, "cached", nginx.Template)
	if err == nil {
		e.cached = started
	}
	return err
}

// startUncached starts the gateway with everything that production has but the cache.
func (e *edge) startUncached(ctx context.Context) error {
	template, err := withoutCache(nginx.Template)
	if err != nil {
		return err
	}
	e.uncached, err = e.startGateway(ctx, "uncached", template)
	return err
}

var useOfCache = regexp.MustCompile(`(?m)^(\s*)proxy_cache\s+\$cache\s*;`)

// withoutCache returns the template of a gateway that neither looks into its cache nor stores anything.
func withoutCache(template string) (string, error) {
	if !useOfCache.MatchString(template) {
		return "", errors.New(`nginx.conf.template has no line "proxy_cache $cache;" that could be replaced to measure without the cache`)
	}
	return useOfCache.ReplaceAllString(template, "${1}proxy_cache off;"), nil
}

func (e *edge) startGateway(ctx context.Context, name, template string) (*front, error) {
	addresses, err := freeAddresses(2)
	if err != nil {
		return nil, err
	}
	prefix := filepath.Join(e.directory, name)
	if err := os.RemoveAll(prefix); err != nil {
		return nil, err
	}
	sockets := filepath.Join(prefix, "run")
	f := &front{address: addresses[0], gateway: nginx.Gateway{
		NGINX: e.nginx, Template: template, Prefix: prefix, Listen: addresses[0], Upstreams: e.upstreams, Sockets: sockets,
		Refresh: addresses[1], Refreshers: []string{"127.0.0.1"}, Unlimited: []string{"127.0.0.1"}, CacheSize: cacheSize, Log: filepath.Join(e.logs, "nginx-"+name+".log"), Account: e.account,
	}}
	if _, err := f.gateway.Configure(ctx); err != nil {
		return nil, err
	}
	f.process, err = f.gateway.Start(ctx)
	return f, err
}

//go:embed static.conf.template
var staticTemplate string

// startStatic writes the documents to files and starts an NGINX that serves them, with the headers given.
func (e *edge) startStatic(ctx context.Context, documents []document, headers http.Header) error {
	addresses, err := freeAddresses(1)
	if err != nil {
		return err
	}
	prefix := filepath.Join(e.directory, "static")
	if err := e.account.MakeDirectory(nginx.Work(prefix), 0o755); err != nil {
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
	e.static = &front{address: addresses[0]}
	if e.static.process, err = (process.Daemon{
		Name: "static NGINX", Path: e.nginx.Path, Args: []string{"-p", nginx.Work(prefix), "-c", configuration, "-g", "daemon off;"},
		Dir: prefix, Log: filepath.Join(e.logs, "nginx-static.log"), Account: e.account,
	}).Start(); err != nil {
		return err
	}
	return e.static.process.Await(ctx, 15*time.Second, func(ctx context.Context) error {
		_, _, err := get(ctx, e.static.address, documents[0].path, "", http.StatusOK)
		return err
	})
}

// addHeaders returns the directives that make a static answer as long as one with these headers.
func addHeaders(headers http.Header) string {
	var lines []string
	for _, name := range slices.Sorted(maps.Keys(headers)) {
		switch name {
		case "Server", "Date", "Connection", "Content-Type", "Content-Length", "Etag", "Last-Modified", "Accept-Ranges":
			continue // of a file as well
		}
		for _, value := range headers[name] {
			if !strings.ContainsAny(value, `"\$`) {
				lines = append(lines, fmt.Sprintf(`add_header %s "%s";`, name, value))
			}
		}
	}
	return strings.Join(lines, "\n        ")
}
