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
	"slices"
	"strings"
	"time"

	"systemscale/infra/nginx"
	"systemscale/infra/process"
	"systemscale/scripts/measure/load"
	"systemscale/scripts/measure/server"
)

// gateways contains the NGINX processes that are measured.
type gateways struct {
	*server.Gateways
	cached   *server.Gateway // as in production
	uncached *server.Gateway // as in production, without the cache
	static   *server.Gateway // serves files
}

func newGateways(logs string) (*gateways, error) {
	started, err := server.NewGateways(logs)
	return &gateways{Gateways: started}, err
}

// close stops every NGINX and removes the directory.
func (g *gateways) close() error { return errors.Join(g.static.Stop(), g.Close()) }

// pids returns the pids of the NGINX masters.
func (g *gateways) pids() []int {
	var pids []int
	for _, one := range []*server.Gateway{g.cached, g.uncached, g.static} {
		if one != nil && one.Running != nil {
			pids = append(pids, one.PID)
		}
	}
	return pids
}

// startCached starts the gateway as in production, with an empty cache. It replaces a running one.
func (g *gateways) startCached(ctx context.Context) error {
	if err := g.cached.Stop(); err != nil {
		return err
	}
	started, err := g.Start(ctx, "cached", nginx.Template)
	if err == nil {
		g.cached = started
	}
	return err
}

// startUncached starts the gateway as in production, but without the cache.
func (g *gateways) startUncached(ctx context.Context) error {
	template, err := server.WithoutCache(nginx.Template)
	if err != nil {
		return err
	}
	g.uncached, err = g.Start(ctx, "uncached", template)
	return err
}

//go:embed static.conf.template
var staticTemplate string

// startStatic writes the documents to files and starts an NGINX that serves them with the headers.
func (g *gateways) startStatic(ctx context.Context, documents []load.Document, headers http.Header) error {
	addresses, err := server.FreeAddresses(1)
	if err != nil {
		return err
	}
	prefix := filepath.Join(g.Directory, "static")
	if err := g.Account.MakeDirectory(nginx.Work(prefix), 0o755); err != nil {
		return err
	}
	root := filepath.Join(prefix, "files")
	for _, d := range documents {
		path := filepath.Join(root, filepath.FromSlash(d.Path))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, d.Body, 0o644); err != nil {
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
	g.static = &server.Gateway{Address: addresses[0]}
	if g.static.Running, err = (process.Daemon{
		Name: "static NGINX", Path: g.NGINX.Path, Args: []string{"-p", nginx.Work(prefix), "-c", configuration, "-g", "daemon off;"},
		Dir: prefix, Log: filepath.Join(g.Logs, "nginx-static.log"), Account: g.Account,
	}).Start(); err != nil {
		return err
	}
	return g.static.Await(ctx, 15*time.Second, func(ctx context.Context) error {
		_, _, err := load.Get(ctx, g.static.Address, documents[0].Path, "", http.StatusOK)
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
