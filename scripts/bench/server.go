package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"time"

	"systemscale/infra/port"
	"systemscale/infra/process"
)

// claims are the claims of all ports that bench uses, until its process ends.
var claims port.Claims

// freeAddresses returns loopback addresses that no other program of this project chooses.
func freeAddresses(count int) ([]string, error) {
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

// server is an HTTP server that is a process of its own.
type server struct {
	*process.Running
	address string // host:port
	admin   string // host:port of its metrics; "" if it has none
}

// start starts a server and waits until it returns the styles of product 1.
func start(ctx context.Context, daemon process.Daemon, address string) (*server, error) {
	running, err := daemon.Start()
	if err != nil {
		return nil, err
	}
	s := &server{Running: running, address: address}
	return s, running.Await(ctx, 20*time.Second, func(ctx context.Context) error {
		_, _, err := get(ctx, address, "/products/1/styles", "", http.StatusOK)
		return err
	})
}

// stop stops the server. It does nothing if s is nil or the server has ended.
func (s *server) stop() error {
	if s == nil {
		return nil
	}
	return process.Stop(context.Background(), s.Identity, syscall.SIGTERM, time.Minute)
}

// plainClient adds no header and decompresses nothing.
var plainClient = http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 4}}

// get sends a request with one header, "Name: value", or none if it is "". It returns an error unless the response has the status.
func get(ctx context.Context, address, path, header string, status int) (http.Header, []byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+path, nil)
	if err != nil {
		return nil, nil, err
	}
	if name, value, found := strings.Cut(header, ": "); found {
		request.Header.Set(name, value)
	}
	response, err := plainClient.Do(request)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != status {
		err = fmt.Errorf("http://%s%s returns %s, want %d", address, path, response.Status, status)
	}
	return response.Header, body, err
}

// allocations returns the number of objects and bytes that the server has allocated since it started. found is false if it has no such
// metrics.
func (s *server) allocations(ctx context.Context) (objects, bytes float64, found bool) {
	_, text, err := get(ctx, s.admin, "/metrics", "", http.StatusOK)
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
