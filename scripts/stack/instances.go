package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"systemscale/infra/process"
)

const (
	instanceCount       = 2
	firstInstancePort   = 8081
	firstAdminPort      = 8181
	stopInstanceLimit   = 15 * time.Second // the pause and the drain take 11
	readyInstanceLimit  = 30 * time.Second
	healthInstanceLimit = 10 * time.Second // for a running instance to reconnect to a restarted Postgres
)

// startInstances starts the API instances, and replaces those that run another binary or with other settings, one at a time, so that the
// others serve requests meanwhile. refresh is the port of the refresh endpoint, which has the gateway's request counts.
func (s *stack) startInstances(ctx context.Context, account *process.Account, databaseURL, cacheURL string, refresh int) error {
	environment := []string{"DATABASE_URL=" + databaseURL, "CACHE_URL=" + cacheURL, "API_GATEWAY_STATUS=http://" + address(refresh) + "/status"}
	run := instanceRun{account: account, environment: environment}
	var err error
	if run.binary, err = s.placeBinary(account); err != nil {
		return err
	}
	if run.build, err = fingerprintFile(run.binary, append(slices.Clone(environment), run.binary, accountName(account))...); err != nil {
		return fmt.Errorf("examine the API's binary: %w", err)
	}
	for i := range instanceCount {
		if i == len(s.Instances) {
			s.Instances = append(s.Instances, instance{})
		}
		// Before any starts: each gets the addresses of the others.
		if present := &s.Instances[i]; !present.Process.Alive() {
			if err := s.claimInstancePorts(i, present.Port, present.Admin); err != nil {
				return err
			}
		}
	}
	for i := range s.Instances {
		present := &s.Instances[i]
		alive := present.Process.Alive()
		if alive && present.Build == run.build && s.awaitReady(ctx, *present, healthInstanceLimit) == nil {
			continue
		}
		if alive {
			s.progressf("replacing API instance %d", i+1)
			if err := stopInstance(ctx, *present); err != nil {
				return err
			}
		}
		if err := s.startInstance(ctx, i, run, !alive); err != nil {
			return err
		}
	}
	return nil
}

func (s *stack) instanceLog(i int) string {
	return filepath.Join(s.logs(), fmt.Sprintf("api-%d.log", i+1))
}

// instanceRun holds the settings that all instances share.
type instanceRun struct {
	account     *process.Account
	binary      string
	build       string   // fingerprint of the binary and the other settings
	environment []string // only the account and root can read it
}

func accountName(account *process.Account) string {
	if account == nil {
		return ""
	}
	return account.Name
}

// placeBinary returns the path of the API's binary. It copies the binary if the account has no access to the clone.
func (s *stack) placeBinary(account *process.Account) (string, error) {
	path := s.binary("api")
	if account.Blocked(path) == "" {
		return path, nil
	}
	program, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("install the API's binary: %w", err)
	}
	var self *process.Account
	placed := filepath.Join(s.Servers, "bin", "api")
	if err := self.MakeDirectory(filepath.Dir(placed), 0o755); err != nil {
		return "", fmt.Errorf("install the API's binary: %w", err)
	}
	return placed, self.WriteFile(placed, program, 0o755)
}

// claimInstancePorts claims the ports of an instance: the former ones, unless they are 0 or taken.
func (s *stack) claimInstancePorts(i, former, formerAdmin int) (err error) {
	present := &s.Instances[i]
	if present.Port, err = s.claimPort(former, firstInstancePort+i); err != nil {
		return err
	}
	present.Admin, err = s.claimPort(formerAdmin, firstAdminPort+i)
	return err
}

func (s *stack) startInstance(ctx context.Context, i int, run instanceRun, fresh bool) error {
	attempts := 0
	return s.onFreePorts(func() ([]int, error) {
		if attempts++; attempts > 1 {
			if err := s.claimInstancePorts(i, 0, 0); err != nil {
				return nil, err
			}
		}
		err := s.startInstanceAt(ctx, i, run, fresh)
		at := s.Instances[i]
		if at.Process.Alive() { // it listens on the ports itself
			return nil, err
		}
		return []int{at.Port, at.Admin}, err
	})
}

func (s *stack) startInstanceAt(ctx context.Context, i int, run instanceRun, fresh bool) error {
	var peers []string
	for j, other := range s.Instances {
		if j != i {
			peers = append(peers, address(other.Admin))
		}
	}
	next := s.Instances[i]
	next.Socket, next.Build = filepath.Join(s.Sockets, "api", fmt.Sprintf("api-%d.sock", i+1)), run.build
	// A killed instance does not remove its socket.
	if err := os.Remove(next.Socket); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove the socket of an instance that was killed: %w", err)
	}
	running, err := process.Daemon{
		Name: fmt.Sprintf("API instance %d", i+1), Path: run.binary,
		Args: []string{"--listen", "unix:" + next.Socket, "--listen", address(next.Port), "--admin", address(next.Admin)},
		// The instances share the cores with NGINX and Postgres. Throughput was highest with one thread each.
		Env: append(slices.Clone(run.environment), "API_PEERS="+strings.Join(peers, ","), "GOMAXPROCS=1"),
		Dir: filepath.Dir(next.Socket), Log: s.instanceLog(i), Account: run.account,
	}.Start()
	if err != nil {
		return err
	}
	next.Process = running.Identity
	s.Instances[i] = next
	if fresh {
		s.onUndo(func(ctx context.Context) error { return stopInstance(ctx, next) })
	}
	if err := s.save(); err != nil {
		return err
	}
	if err := running.Await(ctx, readyInstanceLimit, next.ready); err != nil {
		return err
	}
	s.progressf("API instance %d runs on port %d", i+1, next.Port)
	return nil
}

// awaitVersions waits until every instance serves the live versions. Instances poll for them once a second.
func (s *stack) awaitVersions(ctx context.Context, databaseURL string) error {
	ctx, cancel := context.WithTimeout(ctx, healthInstanceLimit)
	defer cancel()
	published, err := publishedVersions(ctx, databaseURL)
	if err != nil {
		return err
	}
	for i, instance := range s.Instances {
		for _, version := range published {
			for {
				// A collection without a list has no version header; then there is no version to wait for.
				served, err := instance.version(ctx, version.Collection)
				if err == nil && (served == "" || served == strconv.FormatInt(version.RunID, 10)) {
					break
				}
				select {
				case <-ctx.Done():
					return fmt.Errorf("API instance %d does not serve version %d of %s: %w%s", i+1, version.RunID, version.Collection,
						ctx.Err(), process.LogTail(s.instanceLog(i)))
				case <-time.After(50 * time.Millisecond):
				}
			}
		}
	}
	return nil
}

// version returns the X-Data-Version header of the collection's list.
func (i instance) version(ctx context.Context, collection string) (string, error) {
	response, err := get(ctx, address(i.Port), "/"+collection+"?page=1&count=1")
	if err != nil {
		return "", err
	}
	return response.Header.Get("X-Data-Version"), nil
}

// get sends a request to a loopback server and closes the connection. It does not read the body.
func get(ctx context.Context, address, path string) (*http.Response, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+path, nil)
	if err != nil {
		return nil, err
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	return response, response.Body.Close()
}

// ready returns nil if the instance reports that it is ready.
func (i instance) ready(ctx context.Context) error {
	response, err := get(ctx, address(i.Admin), "/ready")
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("/ready returns %s", response.Status)
	}
	return nil
}

// awaitReady waits until a running instance is ready, for example because it has reconnected to the database.
func (s *stack) awaitReady(ctx context.Context, instance instance, limit time.Duration) error {
	deadline := time.Now().Add(limit)
	for {
		err := instance.ready(ctx)
		if err == nil || !instance.Process.Alive() || time.Now().After(deadline) {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// stopInstance stops an instance, which drains first. If it does not end in time, it is killed: it has no data to lose.
func stopInstance(ctx context.Context, instance instance) error {
	err := process.Stop(ctx, instance.Process, syscall.SIGTERM, stopInstanceLimit)
	if errors.Is(err, process.ErrStillRunning) {
		err = process.Stop(ctx, instance.Process, syscall.SIGKILL, 5*time.Second)
	}
	if err != nil {
		return fmt.Errorf("stop the API instance on port %d: %w", instance.Port, err)
	}
	if err := os.Remove(instance.Socket); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove an instance's socket: %w", err)
	}
	return nil
}

// fingerprintFile returns a SHA-256 of a file and of further settings.
func fingerprintFile(path string, rest ...string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer func() { _ = file.Close() }()
	sum := sha256.New()
	if _, err := io.Copy(sum, file); err != nil {
		return "", fmt.Errorf("read %s: %w", path, err)
	}
	fmt.Fprintf(sum, "%q", rest)
	return hex.EncodeToString(sum.Sum(nil)), nil
}
