// Package nginx runs the gateway: NGINX in front of API instances, from nginx.conf.template, in its own directory.
package nginx

import (
	"cmp"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"

	"systemscale/infra/process"
	"systemscale/infra/program"
)

// Template is the text of nginx.conf.template.
//
//go:embed nginx.conf.template
var Template string

// Gateway is the configuration of one NGINX. All paths are absolute.
type Gateway struct {
	NGINX      program.NGINX
	Template   string   // text of another nginx.conf.template; "": Template
	Prefix     string   // directory of this process for the configuration; NGINX writes into Work below it
	Listen     string   // address and port for clients
	TLS        TLS      // the zero value: none
	HSTS       string   // Strict-Transport-Security of answers over TLS, such as max-age=31536000; "": none
	Refresh    string   // address and port of the refresh endpoint
	Refreshers []string // addresses and networks that may use the refresh endpoint
	Unlimited  []string // addresses and networks whose requests and connections are not limited
	Upstreams  []string // addresses of the API instances, host:port or unix:/path
	Aliases    []Alias  // addresses of older clients
	RoundRobin bool     // instead of the instance with the fewest requests under way
	Sockets    string   // directory for NGINX's own sockets and nothing else, made by Configure for Account alone

	Cache     string // directory of the cache, made by Configure in a directory of this process; "": cache under Work
	CacheSize Size   // without the space to keep free beside it
	Temp      string // directory for responses not yet in the cache, made by Configure; "": temp/proxy under Work

	RateLimit       int // requests a second for each client address, of which it may save up one second's; 0: no limit
	ConnectionLimit int // requests under way for each client address; 0: no limit

	retry time.Duration // after which an instance that failed is tried again, in whole seconds; 0: as in production
	share int           // requests that one instance may hold; 0: as in production

	AccessLog string // file, in a directory of Account's, such as Work, so that it can be rotated; "": none
	Log       string
	Account   *process.Account // nil: the account of this process
	Tied      bool             // see process.Daemon
}

// TLS configures TLS and HTTP/2. Account must be able to read the files.
type TLS struct {
	Listen      string // address and port
	Certificate string // PEM, with the chain
	Key         string // PEM
}

// Accounts are the users that NGINX may run as when this process is root, best first.
var Accounts = []string{"www-data", "nginx", "nobody"}

// Configure writes the configuration and reports whether it changed. NGINX tests it first: a configuration that it refuses is an error, and
// never reaches a running NGINX.
func (g Gateway) Configure(ctx context.Context) (changed bool, err error) {
	text, err := Expand(cmp.Or(g.Template, Template), g.values())
	if err != nil {
		return false, fmt.Errorf("nginx.conf.template: %w", err)
	}
	if err := g.makeDirectories(ctx); err != nil {
		return false, fmt.Errorf("create the directories of NGINX: %w", err)
	}
	path := g.configuration()
	if present, err := process.ReadFile(path); err == nil && string(present) == text {
		return false, nil
	}
	draft := path + ".draft"
	var self *process.Account
	if err := self.WriteFile(draft, []byte(text), 0o644); err != nil {
		return false, fmt.Errorf("configure NGINX: %w", err)
	}
	// The test also opens the sockets, which beside a running NGINX works for its own addresses only. So only
	// syntax errors count.
	command := exec.CommandContext(ctx, g.NGINX.Path, append(g.arguments(draft), "-t", "-q")...)
	command.Dir = g.Prefix
	command.Env = g.Account.Environment()
	command.SysProcAttr = g.Account.Attributes()
	if out, err := command.CombinedOutput(); err != nil {
		return false, fmt.Errorf("NGINX refuses its configuration: %w\n%s", err, out)
	}
	if err := os.Rename(draft, path); err != nil {
		return false, fmt.Errorf("configure NGINX: %w", err)
	}
	return true, nil
}

// Work returns the directory of the pid, cache, logs and scratch files of the NGINX with a prefix. It belongs to NGINX's account.
func Work(prefix string) string { return filepath.Join(prefix, "work") }

// makeDirectories creates the directories that the configuration names. The account creates those in its own directory.
func (g Gateway) makeDirectories(ctx context.Context) error {
	var self *process.Account
	work := Work(g.Prefix)
	if err := errors.Join(self.MakeDirectory(g.Prefix, 0o755), g.Account.MakeDirectory(work, 0o755),
		g.Account.MakeDirectory(g.Sockets, 0o700)); err != nil {
		return err
	}
	private := []string{"-m", "700", "-p", filepath.Join(work, "temp")}
	for _, directory := range []string{g.cache(), g.temp()} {
		if relative, err := filepath.Rel(work, directory); err == nil && filepath.IsLocal(relative) {
			private = append(private, directory)
		} else if err := g.Account.MakeDirectory(directory, 0o700); err != nil {
			return err
		}
	}
	return g.Account.Run(ctx, "mkdir", private...)
}

// Start starts NGINX and waits until it listens.
func (g Gateway) Start(ctx context.Context) (*process.Running, error) {
	if err := g.prepare(ctx); err != nil {
		return nil, err
	}
	running, err := process.Daemon{
		Name: "NGINX", Path: g.NGINX.Path, Args: g.foreground(),
		Dir: g.Prefix, Log: g.Log, Account: g.Account, Tied: g.Tied,
	}.Start()
	if err != nil {
		return nil, err
	}
	if err := running.Await(ctx, 15*time.Second, g.Ready); err != nil {
		return nil, errors.Join(err, Stop(context.WithoutCancel(ctx), running.Identity))
	}
	return running, nil
}

// checkSockets returns an error unless Account alone may enter the directory of the sockets. NGINX gives every socket the mode 0666, and
// connections to them bypass the limits and allowed methods of the public address.
func (g Gateway) checkSockets() error {
	info, err := os.Lstat(g.Sockets)
	if err != nil {
		return fmt.Errorf("examine the directory of NGINX's sockets: %w", err)
	}
	owner := os.Geteuid()
	if g.Account != nil {
		owner = int(g.Account.UID)
	}
	status, known := info.Sys().(*syscall.Stat_t)
	if !info.IsDir() || info.Mode().Perm()&0o077 != 0 || known && int(status.Uid) != owner {
		return fmt.Errorf("other accounts may enter %s, the directory of NGINX's sockets: it must have the mode 0700 and belong to the user "+
			"with the id %d", g.Sockets, owner)
	}
	return nil
}

// Ready returns nil when the gateway and an upstream answer. It connects to the gateway's own socket first: another program could listen
// on the address, such as the workers of an NGINX that was killed.
func (g Gateway) Ready(ctx context.Context) error {
	var dialer net.Dialer
	for _, transport := range []*http.Transport{
		{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, "unix", filepath.Join(g.Sockets, compressorSocket))
		}},
		{DisableKeepAlives: true},
	} {
		if err := g.probe(ctx, transport); err != nil {
			return err
		}
	}
	return nil
}

func (g Gateway) probe(ctx context.Context, transport *http.Transport) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+g.Listen+"/", nil)
	if err != nil {
		return err
	}
	response, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		return err
	}
	_ = response.Body.Close()
	if response.StatusCode >= http.StatusInternalServerError {
		return fmt.Errorf("the gateway returns %s", response.Status)
	}
	return nil
}

// AwaitReady waits until a started gateway is ready.
func (g Gateway) AwaitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		err := g.Ready(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-tick.C:
		}
	}
}

// Reload makes a running NGINX take its new configuration without losing a request.
func Reload(identity process.Identity) error {
	if !identity.Alive() {
		return errors.New("reload NGINX: it is not running")
	}
	if err := syscall.Kill(identity.PID, syscall.SIGHUP); err != nil {
		return fmt.Errorf("reload NGINX: %w", err)
	}
	return nil
}

// Stop stops NGINX: requests under way are finished first, for some seconds. If it was killed, its
// remaining processes are stopped.
func Stop(ctx context.Context, identity process.Identity) error {
	if !identity.Alive() {
		return process.StopRemnants(ctx, identity)
	}
	err := process.Stop(ctx, identity, syscall.SIGQUIT, 8*time.Second)
	if errors.Is(err, process.ErrStillRunning) {
		err = process.Stop(ctx, identity, syscall.SIGTERM, 8*time.Second)
	}
	if err != nil {
		return fmt.Errorf("stop NGINX: %w", err)
	}
	return nil
}

// Forget empties the cache. It may be called while NGINX runs: an entry whose file is gone is a miss, within two seconds, and after
// Reload at once.
func (g Gateway) Forget(ctx context.Context) error {
	// As the account, which may replace any directory of the cache by a link. NGINX does not expect its directories to vanish.
	if err := g.Account.Run(ctx, "find", g.cache(), "-type", "f", "-delete"); err != nil {
		return fmt.Errorf("empty the cache: %w", err)
	}
	return nil
}

func (g Gateway) configuration() string {
	return filepath.Join(g.Prefix, "nginx.conf")
}

func (g Gateway) cache() string {
	return cmp.Or(g.Cache, filepath.Join(Work(g.Prefix), "cache"))
}

// compressorSocket is the socket of the template's compressor, in Gateway.Sockets.
const compressorSocket = "compressor.sock"

// arguments are the first arguments of every call of NGINX.
func (g Gateway) arguments(configuration string) []string {
	arguments := []string{"-p", Work(g.Prefix), "-c", configuration}
	if g.NGINX.Version.AtLeast(program.Version{Major: 1, Minor: 19, Patch: 5}) {
		// Before it has read the configuration, NGINX logs to a system path. Older versions print
		// an error if they cannot, and continue.
		arguments = append(arguments, "-e", "stderr")
	}
	return arguments
}

// values returns the values of the template's variables.
func (g Gateway) values() map[string]string {
	// The template explains why it needs two lists.
	var servers, patient, limitZones, limits []string
	for _, address := range g.Upstreams {
		servers = append(servers, fmt.Sprintf("server %s max_fails=1 fail_timeout=%ds max_conns=%d;", address, cmp.Or(g.retry, 10*time.Second)/time.Second,
			cmp.Or(g.share, 512)))
		patient = append(patient, fmt.Sprintf("server %s max_fails=0 max_conns=%d;", address, cmp.Or(g.share, 512)/2))
	}
	if g.RateLimit > 0 {
		limitZones = append(limitZones, fmt.Sprintf("limit_req_zone $limited zone=requests:10m rate=%dr/s;", g.RateLimit))
		limits = append(limits, fmt.Sprintf("limit_req zone=requests burst=%d nodelay;", g.RateLimit))
	}
	if g.ConnectionLimit > 0 {
		limitZones = append(limitZones, "limit_conn_zone $limited zone=connections:10m;")
		limits = append(limits, fmt.Sprintf("limit_conn connections %d;", g.ConnectionLimit))
	}
	balance := "least_conn;"
	if g.RoundRobin {
		balance = ""
	}
	accessLog := "off"
	if g.AccessLog != "" {
		accessLog = quote(g.AccessLog, Work(g.Prefix)) + " access buffer=256k flush=1s if=$logged"
	}
	const separator = "\n        "
	return map[string]string{
		"LISTEN":          g.Listen,
		"TLS":             g.tls(),
		"HSTS":            g.HSTS,
		"REFRESH":         g.Refresh,
		"REFRESHERS":      geo(g.Refreshers, separator),
		"UNLIMITED":       geo(g.Unlimited, separator),
		"BALANCE":         balance,
		"API_SERVERS":     strings.Join(servers, separator),
		"PATIENT_SERVERS": strings.Join(patient, separator),
		"SOCKETS":         g.Sockets,
		"CACHE":           quote(g.cache(), Work(g.Prefix)),
		"CACHE_SIZE":      g.CacheSize.String(),
		"MIN_FREE":        g.minFree(),
		"TEMP":            quote(g.temp(), Work(g.Prefix)),
		"LIMIT_ZONES":     strings.Join(limitZones, separator),
		"LIMITS":          strings.Join(limits, separator),
		"ACCESS_LOG":      accessLog,
		"ALIASES":         aliasMaps(g.Aliases),
		"ALIAS":           aliasRewrite(g.Aliases),
	}
}

// geo returns entries for a geo block that give each address or network the value 1.
func geo(networks []string, separator string) string {
	var entries []string
	for _, network := range networks {
		entries = append(entries, network+" 1;")
	}
	return strings.Join(entries, separator)
}

func (g Gateway) tls() string {
	if g.TLS == (TLS{}) {
		return ""
	}
	listen := "listen " + g.TLS.Listen + " ssl http2;"
	if g.NGINX.Version.AtLeast(program.Version{Major: 1, Minor: 25, Patch: 1}) {
		listen = "listen " + g.TLS.Listen + " ssl; http2 on;"
	}
	// Relative to the configuration, not to NGINX's prefix.
	return listen + " ssl_certificate " + quote(g.TLS.Certificate, g.Prefix) + "; ssl_certificate_key " + quote(g.TLS.Key, g.Prefix) + ";"
}

// quote quotes a path with any characters for NGINX. A path below the base directory becomes relative: the base may contain a $, for which
// NGINX's grammar has no escape.
func quote(path, directory string) string {
	if relative, err := filepath.Rel(directory, path); err == nil && filepath.IsLocal(relative) {
		path = relative
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(path) + `"`
}

var placeholder = regexp.MustCompile(`\$\{([A-Z][A-Z0-9_]*)\}`)

// Expand replaces each ${NAME} in upper case by its value. A name without a value and a value without a name are
// errors: both mean that template and caller differ.
func Expand(template string, values map[string]string) (string, error) {
	unused := maps.Clone(values)
	var unknown []string
	text := placeholder.ReplaceAllStringFunc(template, func(match string) string {
		name := match[2 : len(match)-1]
		value, found := values[name]
		if !found {
			unknown = append(unknown, name)
		}
		delete(unused, name)
		return value
	})
	switch {
	case len(unknown) > 0:
		return "", fmt.Errorf("no value for ${%s}", strings.Join(unknown, "}, ${"))
	case len(unused) > 0:
		return "", fmt.Errorf("the template does not use ${%s}", strings.Join(slices.Sorted(maps.Keys(unused)), "}, ${"))
	}
	return text, nil
}
