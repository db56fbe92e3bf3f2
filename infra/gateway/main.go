// Command gateway runs NGINX in front of API instances, as the main process of a container or unit.
//
// It renders the configuration from flags or variables, and NGINX reloads it, without losing a request, when the addresses behind the
// instances' names change, when a certificate is replaced, and on SIGHUP. On SIGTERM or SIGINT NGINX finishes its requests and ends. If
// NGINX ends by itself, the program ends with exit code 1.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/alecthomas/kong"

	"systemscale/sql/printable"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run executes the program and returns the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	if err := execute(ctx, args, stdout, stderr); err != nil {
		fmt.Fprintln(printable.NewWriter(stderr), "gateway:", err)
		return 1
	}
	return 0
}

const description = `Run NGINX in front of API instances: cache, balance, compress, limit, TLS.

Example:

  gateway --upstream api-1:8081 --upstream api-2:8081 --listen 0.0.0.0:8080`

// execute reads the flags and runs NGINX until ctx ends.
func execute(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	var settings settings
	exited := false
	parser, err := kong.New(&settings, kong.Name("gateway"), kong.Description(description), kong.Vars{"version": printable.Version()},
		kong.Writers(stdout, stderr), kong.Exit(func(int) { exited = true }))
	if err != nil {
		return err
	}
	_, err = parser.Parse(args)
	if exited { // after --help or --version
		return nil
	}
	if err != nil {
		return fmt.Errorf("%s (see gateway --help)", printable.CommandLine(err, args))
	}
	if settings.Healthcheck {
		return check(ctx, settings.Refresh)
	}
	gateway, err := settings.gateway(slog.New(slog.NewTextHandler(stderr, nil)))
	if err != nil {
		return err
	}
	hangUps := make(chan os.Signal, 1)
	signal.Notify(hangUps, syscall.SIGHUP)
	defer signal.Stop(hangUps)
	return (&supervisor{
		gateway: gateway, names: settings.Upstream, lookup: net.DefaultResolver.LookupHost, every: time.Second,
		pause: settings.DrainPause, limit: settings.DrainLimit, logger: slog.New(slog.NewTextHandler(stderr, nil)),
		stdout: stdout, stderr: stderr,
	}).run(ctx, hangUps)
}

// check returns nil if the NGINX of another process of this program, in the same container, responds.
func check(ctx context.Context, refresh string) error {
	_, port, err := net.SplitHostPort(refresh)
	if err != nil {
		return fmt.Errorf("--refresh (GATEWAY_REFRESH): %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+net.JoinHostPort(loopback, port)+"/status", nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("NGINX does not respond: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return errors.New("NGINX responds with " + response.Status)
	}
	return nil
}
