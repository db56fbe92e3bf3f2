package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"slices"
	"syscall"
	"time"

	"systemscale/infra/nginx"
)

// A supervisor runs one NGINX and keeps its configuration up to date.
type supervisor struct {
	gateway nginx.Gateway
	names   []string // of the API instances, host:port or unix:/path
	lookup  func(ctx context.Context, host string) ([]string, error)
	every   time.Duration // between looks at names and certificates
	pause   time.Duration // see settings.DrainPause
	limit   time.Duration // see settings.DrainLimit
	logger  *slog.Logger
	stdout  io.Writer // for the access log
	stderr  io.Writer // for NGINX's messages

	addresses map[string][]string // of each name, as last resolved
	tls       [sha256.Size]byte   // hash of certificate and key
}

// run runs NGINX until ctx ends, and then lets it finish its requests. An error means that NGINX cannot start, or has ended by itself.
func (s *supervisor) run(ctx context.Context, hangUps <-chan os.Signal) error {
	if err := s.awaitUpstreams(ctx); err != nil {
		return err
	}
	if s.gateway.AccessLog == standardOutput {
		path, finish, err := openAccessLog(s.gateway, s.stdout)
		if err != nil {
			return err
		}
		defer finish()
		s.gateway.AccessLog = path
	}
	s.tls = s.fingerprint()
	if _, err := s.gateway.Configure(ctx); err != nil {
		return err
	}
	command, err := s.gateway.Command(ctx)
	if err != nil {
		return err
	}
	command.Stdout, command.Stderr = s.stderr, s.stderr
	if err := command.Start(); err != nil {
		return fmt.Errorf("start NGINX: %w", err)
	}
	s.logger.Info("NGINX serves", "address", s.gateway.Listen, "upstreams", s.gateway.Upstreams)
	ended := make(chan error, 1)
	go func() { ended <- command.Wait() }()
	tick := time.NewTicker(s.every)
	defer tick.Stop()
	for {
		select {
		case err := <-ended:
			if err == nil {
				err = errors.New("exit status 0")
			}
			return fmt.Errorf("NGINX has ended: %w", err)
		case <-hangUps:
			s.logger.Info("reloading NGINX", "cause", "SIGHUP")
			s.update(ctx, command, true)
		case <-tick.C:
			s.update(ctx, command, false)
		case <-ctx.Done():
			return s.stop(command, ended)
		}
	}
}

// update reloads NGINX if the addresses or the certificate have changed, or if forced. A failure leaves NGINX as it is.
func (s *supervisor) update(ctx context.Context, command *exec.Cmd, force bool) {
	s.resolve(ctx)
	changed, err := s.gateway.Configure(ctx)
	if ctx.Err() != nil {
		return // the gateway is being stopped
	}
	if err != nil {
		s.logger.Error("keeping the present configuration", "error", err)
		return
	}
	if changed {
		s.logger.Info("reloading NGINX", "cause", "addresses", "upstreams", s.gateway.Upstreams)
	}
	if tls := s.fingerprint(); tls != s.tls {
		s.logger.Info("reloading NGINX", "cause", "certificate")
		s.tls, changed = tls, true
	}
	if !changed && !force {
		return
	}
	if err := command.Process.Signal(syscall.SIGHUP); err != nil {
		s.logger.Error("reload NGINX", "error", err)
	}
}

// awaitUpstreams waits until at least one name can be resolved: NGINX does not start without a server.
func (s *supervisor) awaitUpstreams(ctx context.Context) error {
	for waited := 0; ; waited++ {
		s.resolve(ctx)
		if len(s.gateway.Upstreams) > 0 {
			return nil
		}
		if waited%10 == 0 {
			s.logger.Warn("no API instance has an address yet", "names", s.names)
		}
		select {
		case <-ctx.Done():
			return errors.New("interrupted before any API instance had an address")
		case <-time.After(s.every):
		}
	}
}

// stop lets NGINX finish its requests, within the limit.
func (s *supervisor) stop(command *exec.Cmd, ended <-chan error) error {
	s.logger.Info("stopping NGINX", "pause", s.pause, "limit", s.limit)
	select {
	case <-ended:
		return nil
	case <-time.After(s.pause):
	}
	for _, step := range []struct {
		signal syscall.Signal
		limit  time.Duration
	}{{syscall.SIGQUIT, s.limit}, {syscall.SIGTERM, 2 * time.Second}, {syscall.SIGKILL, 2 * time.Second}} {
		if err := command.Process.Signal(step.signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
			return fmt.Errorf("stop NGINX: %w", err)
		}
		select {
		case <-ended:
			return nil
		case <-time.After(step.limit):
			s.logger.Warn("NGINX still runs", "signal", step.signal)
		}
	}
	return errors.New("NGINX does not end")
}

// fingerprint returns a hash of the certificate and its key. Files that cannot be read count as empty: NGINX reports them.
func (s *supervisor) fingerprint() [sha256.Size]byte {
	var text []byte
	for _, path := range []string{s.gateway.TLS.Certificate, s.gateway.TLS.Key} {
		if path != "" {
			content, _ := os.ReadFile(path)
			text = append(append(text, content...), 0)
		}
	}
	return sha256.Sum256(text)
}

// resolve sets the upstreams to the present addresses of the names. A name that cannot be resolved keeps its last addresses: the instance
// may only be restarting, and NGINX notices by itself that it does not respond.
func (s *supervisor) resolve(ctx context.Context) {
	if s.addresses == nil {
		s.addresses = map[string][]string{}
	}
	var upstreams []string
	for _, name := range s.names {
		if found := s.addressesOf(ctx, name); len(found) > 0 {
			s.addresses[name] = found
		}
		upstreams = append(upstreams, s.addresses[name]...)
	}
	slices.Sort(upstreams)
	s.gateway.Upstreams = slices.Compact(upstreams)
}
