// Package server starts the servers that are measured: API instances, and NGINX as the gateway.
package server

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"time"

	"systemscale/infra/port"
	"systemscale/infra/process"
	"systemscale/scripts/measure/load"
)

// claims are the claims of all ports that are used, until its process ends.
var claims port.Claims

// FreeAddresses returns loopback addresses that no other program of this project chooses.
func FreeAddresses(count int) ([]string, error) {
	var addresses []string
	for range count {
		number, err := claims.Next(port.First, "")
		if err != nil {
			return nil, err
		}
		addresses = append(addresses, port.Address(number))
	}
	return addresses, nil
}

// Server is an HTTP server that is a process of its own.
type Server struct {
	*process.Running
	Address string // host:port
	Admin   string // host:port of its metrics; "" if it has none
}

// Start starts a server, tied to this process, and waits until it returns the styles of product 1. It returns the server also with an
// error, unless it could not be started.
func Start(ctx context.Context, daemon process.Daemon, address string) (*Server, error) {
	daemon.Tied = true
	running, err := daemon.Start()
	if err != nil {
		return nil, err
	}
	s := &Server{Running: running, Address: address}
	return s, running.Await(ctx, 20*time.Second, func(ctx context.Context) error {
		_, _, err := load.Get(ctx, address, "/products/1/styles", "", http.StatusOK)
		return err
	})
}

// Stop stops the server. It does nothing if s is nil or the server has ended.
func (s *Server) Stop() error {
	if s == nil {
		return nil
	}
	return process.Stop(context.Background(), s.Identity, syscall.SIGTERM, time.Minute)
}

// Allocations returns the number of objects and bytes that the server has allocated since it started. found is false if it has no such
// metrics.
func (s *Server) Allocations(ctx context.Context) (objects, bytes float64, found bool) {
	_, text, err := load.Get(ctx, s.Admin, "/metrics", "", http.StatusOK)
	if err != nil {
		return 0, 0, false
	}
	objects, hasObjects := metric(string(text), "go_memstats_mallocs_total")
	bytes, hasBytes := metric(string(text), "go_memstats_alloc_bytes_total")
	return objects, bytes, hasObjects && hasBytes
}

// metric returns the value of a metric without labels in Prometheus's text format.
func metric(text, name string) (value float64, found bool) {
	for line := range strings.Lines(text) {
		if rest, ok := strings.CutPrefix(line, name+" "); ok {
			value, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
			return value, err == nil
		}
	}
	return 0, false
}
