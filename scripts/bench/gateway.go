package main

import (
	"context"
	_ "embed"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"systemscale/infra/nginx"
	"systemscale/scripts/measure/load"
	"systemscale/scripts/measure/server"
)

// gateways contains the NGINX processes that are measured.
type gateways struct {
	*server.Gateways
	cached   *server.Gateway // as in production
	uncached *server.Gateway // as in production, without the cache
	static   *server.Gateway // serves files
	proxy    *server.Gateway // passes requests on, and nothing else
}

func newGateways(logs string) (*gateways, error) {
	started, err := server.NewGateways(logs)
	return &gateways{Gateways: started}, err
}

// pids returns the pids of the NGINX masters.
func (g *gateways) pids() []int {
	var pids []int
	for _, one := range []*server.Gateway{g.cached, g.uncached, g.static, g.proxy} {
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

//go:embed proxy.conf.template
var proxyTemplate string

// startProxy starts an NGINX that passes requests on to the instances. path is that of a document.
func (g *gateways) startProxy(ctx context.Context, path string) error {
	var servers []string
	for _, upstream := range g.Upstreams {
		servers = append(servers, "server "+upstream+";")
	}
	started, err := g.StartOther(ctx, "proxy", proxyTemplate, map[string]string{"SERVERS": strings.Join(servers, "\n        ")}, path)
	if err == nil {
		g.proxy = started
	}
	return err
}

//go:embed static.conf.template
var staticTemplate string

// startStatic writes the documents to files and starts an NGINX that serves them with the headers.
func (g *gateways) startStatic(ctx context.Context, documents []load.Document, headers http.Header) error {
	root := filepath.Join(g.Directory, "files")
	for _, d := range documents {
		path := filepath.Join(root, filepath.FromSlash(d.Path))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, d.Body, 0o644); err != nil {
			return err
		}
	}
	started, err := g.StartOther(ctx, "static", staticTemplate, map[string]string{"ROOT": root, "HEADERS": addHeaders(headers)}, documents[0].Path)
	if err == nil {
		g.static = started
	}
	return err
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
