package main

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/alecthomas/kong"
	"github.com/dustin/go-humanize"

	"systemscale/infra/nginx"
	"systemscale/infra/process"
	"systemscale/infra/program"
)

const (
	loopback       = "127.0.0.1"
	standardOutput = "-" // as a file
)

// settings are the command-line flags.
type settings struct {
	Version     kong.VersionFlag `help:"Show the version and exit."`
	Healthcheck bool             `help:"Ask the running gateway in this container or on this machine whether it serves, and exit: 0 if it does."`

	Upstream  []string `env:"GATEWAY_UPSTREAMS" placeholder:"ADDR" help:"API instance, host:port or unix:/path. A name may have several addresses, and is resolved again every second. May be repeated or separated by commas."`
	Listen    string   `env:"GATEWAY_LISTEN" default:"127.0.0.1:8080" placeholder:"ADDR" help:"Address for clients. Default: ${default}."`
	Refresh   string   `env:"GATEWAY_REFRESH" default:"127.0.0.1:8281" placeholder:"ADDR" help:"Address of the refresh endpoint, for the ETL. Never a public address. Default: ${default}."`
	Refresher []string `env:"GATEWAY_REFRESHERS" placeholder:"NET" help:"Address or network that may use the refresh endpoint, beside this machine. May be repeated."`
	Unlimited []string `env:"GATEWAY_UNLIMITED" placeholder:"NET" help:"Address or network without limits. May be repeated."`
	Directory string   `env:"GATEWAY_DIRECTORY" default:"/run/systemscale-gateway/nginx" placeholder:"DIR" help:"Directory for the configuration, the sockets and the cache. It is created in a directory that exists. In memory, it is fastest. Default: ${default}."`
	CacheSize string   `env:"GATEWAY_CACHE_SIZE" default:"256MiB" placeholder:"SIZE" help:"Maximum size of the cache. With less room in the directory, the cache is smaller. Default: ${default}."`

	TLSListen      string `name:"tls-listen" env:"GATEWAY_TLS_LISTEN" placeholder:"ADDR" help:"Address for clients with TLS. Default: none."`
	TLSCertificate string `name:"tls-certificate" env:"GATEWAY_TLS_CERTIFICATE" placeholder:"FILE" help:"Certificate with its chain, in PEM. A new one is used within a second or two."`
	TLSKey         string `name:"tls-key" env:"GATEWAY_TLS_KEY" placeholder:"FILE" help:"Key of the certificate, in PEM."`
	HSTS           string `name:"hsts" env:"GATEWAY_HSTS" placeholder:"VALUE" help:"Strict-Transport-Security of responses over TLS, such as max-age=31536000. Default: none."`

	RateLimit       int    `env:"GATEWAY_RATE_LIMIT" default:"0" placeholder:"N" help:"Requests a second for each client address. 0: no limit."`
	ConnectionLimit int    `env:"GATEWAY_CONNECTION_LIMIT" default:"0" placeholder:"N" help:"Requests under way for each client address. 0: no limit."`
	Aliases         string `env:"GATEWAY_ALIASES" placeholder:"FILE" help:"File of addresses of older clients. Default: none."`
	AccessLog       string `env:"GATEWAY_ACCESS_LOG" default:"-" placeholder:"FILE" help:"File of the access log, in a directory of NGINX's user. -: the standard output. off: none. Default: ${default}."`

	DrainPause time.Duration `env:"GATEWAY_DRAIN_PAUSE" default:"0s" help:"How long to keep serving after a signal."`
	DrainLimit time.Duration `env:"GATEWAY_DRAIN_LIMIT" default:"10s" help:"How long requests in progress may take to finish after that."`
}

// Validate is called by kong.
func (s *settings) Validate() error {
	if s.Healthcheck {
		return nil
	}
	if len(s.Upstream) == 0 {
		return errors.New("no API instance: set GATEWAY_UPSTREAMS or --upstream to addresses such as api-1:8081,api-2:8081")
	}
	for _, address := range s.Upstream {
		if path, isSocket := strings.CutPrefix(address, "unix:"); isSocket && filepath.IsAbs(path) && !strings.ContainsAny(path, " ;{}$\"'\\") {
			continue
		}
		if err := checkAddress(address); err != nil {
			return fmt.Errorf("--upstream (GATEWAY_UPSTREAMS): %w", err)
		}
	}
	for name, address := range map[string]string{"--listen": s.Listen, "--refresh": s.Refresh, "--tls-listen": s.TLSListen} {
		if name == "--tls-listen" && address == "" {
			continue
		}
		if err := checkAddress(address); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	for _, network := range slices.Concat(s.Refresher, s.Unlimited) {
		_, addressErr := netip.ParseAddr(network)
		if _, err := netip.ParsePrefix(network); err != nil && addressErr != nil {
			return fmt.Errorf("%q is neither an address nor a network such as 10.0.0.0/8", network)
		}
	}
	if (s.TLSListen == "") != (s.TLSCertificate == "") || (s.TLSListen == "") != (s.TLSKey == "") {
		return errors.New("--tls-listen, --tls-certificate and --tls-key belong together")
	}
	if s.HSTS != "" && !strings.HasPrefix(s.HSTS, "max-age=") || strings.ContainsAny(s.HSTS, "\"'$\\\n{}") {
		return errors.New("--hsts must be a value such as max-age=31536000")
	}
	if s.RateLimit < 0 || s.ConnectionLimit < 0 || s.DrainPause < 0 || s.DrainLimit < 0 {
		return errors.New("limits and durations must not be negative")
	}
	return nil
}

func checkAddress(address string) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil || host == "" || strings.ContainsAny(address, "/ ;{}$\"'\\") {
		return fmt.Errorf("%q is not an address such as 127.0.0.1:8080", address)
	}
	return nil
}

// gateway returns the NGINX of the settings, without upstreams.
func (s *settings) gateway(logger *slog.Logger) (nginx.Gateway, error) {
	installation, err := program.FindNGINX()
	if err != nil {
		return nginx.Gateway{}, err
	}
	account, err := process.Unprivileged(nginx.Accounts...)
	if err != nil {
		return nginx.Gateway{}, err
	}
	directory, err := filepath.Abs(s.Directory)
	if err != nil {
		return nginx.Gateway{}, err
	}
	wanted, err := humanize.ParseBytes(s.CacheSize)
	if err != nil || wanted > 1<<50 {
		return nginx.Gateway{}, fmt.Errorf("--cache-size (GATEWAY_CACHE_SIZE): %q is not a size such as 256MiB", s.CacheSize)
	}
	size, err := nginx.FitCache(filepath.Join(nginx.Work(directory), "cache"), nginx.Size(wanted))
	if err != nil {
		return nginx.Gateway{}, err
	}
	if size < nginx.Size(wanted) {
		logger.Warn("the file system has no room for the cache: it gets less", "wanted", nginx.Size(wanted), "size", size, "directory", directory)
	}
	var aliases []nginx.Alias
	if s.Aliases != "" {
		text, err := os.ReadFile(s.Aliases)
		if err != nil {
			return nginx.Gateway{}, fmt.Errorf("--aliases (GATEWAY_ALIASES): %w", err)
		}
		if aliases, err = nginx.ParseAliases(s.Aliases, string(text)); err != nil {
			return nginx.Gateway{}, err
		}
	}
	gateway := nginx.Gateway{
		NGINX: installation, Prefix: directory, Account: account,
		Listen: s.Listen, HSTS: s.HSTS, Refresh: s.Refresh,
		Refreshers: append(slices.DeleteFunc(slices.Clone(s.Refresher), isLoopback), loopback), // check needs it
		Unlimited:  s.Unlimited,
		Sockets:    filepath.Join(directory, "sockets"), CacheSize: size,
		RateLimit: s.RateLimit, ConnectionLimit: s.ConnectionLimit, Aliases: aliases,
	}
	if s.TLSListen != "" {
		gateway.TLS = nginx.TLS{Listen: s.TLSListen, Certificate: s.TLSCertificate, Key: s.TLSKey}
	}
	if s.AccessLog != "off" {
		gateway.AccessLog = s.AccessLog
	}
	return gateway, nil
}

func isLoopback(network string) bool { return network == loopback }
