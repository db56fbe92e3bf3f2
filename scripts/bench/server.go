package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"systemscale/infra/port"
)

// claims are of the ports of everything that is measured. They end with the process.
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

// server is a program that serves while it or others are measured.
type server struct {
	address string // host:port
	admin   string // the same for its metrics; "" if it has none
	command *exec.Cmd
	peak    func() int64
	memory  int64
}

// start starts a program and waits until it answers for product 1. env is added to the environment.
func start(ctx context.Context, logPath, address string, env []string, name string, args ...string) (*server, error) {
	log, err := os.Create(logPath)
	if err != nil {
		return nil, err
	}
	defer func() { _ = log.Close() }()
	command := exec.Command(name, args...)
	command.Env = append(os.Environ(), env...)
	hideURLs(command)
	command.Stdout, command.Stderr = log, log
	if err := command.Start(); err != nil {
		return nil, err
	}
	s := &server{address: address, command: command, peak: watchMemory(command.Process.Pid)}
	if err := await(ctx, address, "/products/1/styles"); err != nil {
		s.stop()
		return nil, fmt.Errorf("%s does not respond; its log is %s: %w", filepath.Base(name), logPath, err)
	}
	return s, nil
}

// await waits until a path is answered with 200.
func await(ctx context.Context, address, path string) error {
	deadline := time.Now().Add(20 * time.Second)
	for {
		_, _, err := get(ctx, address, path, "", http.StatusOK)
		if err == nil {
			return nil
		}
		if time.Now().After(deadline) || ctx.Err() != nil {
			return errors.Join(err, ctx.Err())
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// plainClient adds no header of its own and decompresses nothing.
var plainClient = http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 4}}

// get asks a server, with one header ("Name: value") or none, and is an error unless the answer has the status.
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

// stop ends the server and returns the memory it had at most, in bytes.
func (s *server) stop() int64 {
	if s.command.ProcessState == nil {
		s.memory = s.peak()
		_ = s.command.Process.Signal(syscall.SIGTERM)
		_ = s.command.Wait() // whatever its exit code, it is gone
	}
	return s.memory
}

// allocations returns how many objects and bytes the server has allocated since it started. found is false where it has no such metrics.
func (s *server) allocations(ctx context.Context) (objects, bytes float64, found bool) {
	_, text, err := get(ctx, s.admin, "/metrics", "", http.StatusOK)
	if err != nil {
		return 0, 0, false
	}
	objects, someObjects := metric(string(text), "go_memstats_mallocs_total")
	bytes, someBytes := metric(string(text), "go_memstats_alloc_bytes_total")
	return objects, bytes, someObjects && someBytes
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
