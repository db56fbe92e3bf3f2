package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"systemscale/infra/port/porttest"
	"systemscale/infra/process"
)

// buffer is a bytes.Buffer for several goroutines.
type buffer struct {
	mutex sync.Mutex
	bytes bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	return b.bytes.Write(p)
}

func (b *buffer) String() string {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	return b.bytes.String()
}

// instance serves its name at an address, like an API whose documents are never kept.
func instance(t *testing.T, address, name string) *http.Server {
	t.Helper()
	listener, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		_, _ = io.WriteString(w, name)
	})}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
	return server
}

// running is a gateway under test.
type running struct {
	t        *testing.T
	settings settings
	client   *http.Client
	stop     context.CancelFunc
	hangUps  chan os.Signal
	ended    chan error
	out, log *buffer

	mutex    sync.Mutex
	resolved []string // of every name; none: an error
}

func (r *running) resolve(addresses ...string) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.resolved = addresses
}

func (r *running) lookup(context.Context, string) ([]string, error) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if len(r.resolved) == 0 {
		return nil, errors.New("no such host")
	}
	return r.resolved, nil
}

// start starts a gateway for the instances at a port of the addresses that are resolved.
func start(t *testing.T, port int, settings settings) *running {
	t.Helper()
	// Not t.TempDir: NGINX runs as another user, and paths of sockets must be short.
	directory, err := os.MkdirTemp("", "gateway-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(directory) })
	if err := os.Chmod(directory, 0o755); err != nil {
		t.Fatal(err)
	}
	settings.Upstream, settings.Directory = []string{"api.test:" + strconv.Itoa(port)}, filepath.Join(directory, "nginx")
	settings.Listen, settings.Refresh, settings.CacheSize, settings.AccessLog = porttest.Address(t), porttest.Address(t), "64MiB", "-"
	r := &running{t: t, settings: settings, hangUps: make(chan os.Signal, 1), ended: make(chan error, 1), out: new(buffer), log: new(buffer)}
	r.client = &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 8}}
	logger := slog.New(slog.NewTextHandler(r.log, nil))
	gateway, err := settings.gateway(logger)
	if err != nil {
		if os.Getenv("REQUIRE_DB") == "1" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	var ctx context.Context
	ctx, r.stop = context.WithCancel(context.Background())
	s := &supervisor{
		gateway: gateway, names: settings.Upstream, lookup: r.lookup, every: 20 * time.Millisecond, limit: settings.DrainLimit,
		logger: logger, stdout: r.out, stderr: r.log,
	}
	go func() { r.ended <- s.run(ctx, r.hangUps) }()
	t.Cleanup(func() {
		r.stop()
		if t.Failed() {
			t.Logf("log of the gateway:\n%s", r.log)
		}
	})
	return r
}

var requests atomic.Int64

// get requests an address that was never requested before.
func (r *running) get() (string, error) {
	response, err := r.client.Get(fmt.Sprintf("http://%s/things/%d", r.settings.Listen, requests.Add(1)))
	if err != nil {
		return "", err
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = errors.New(response.Status)
	}
	return string(body), err
}

func (r *running) eventually(what string, ok func() bool) {
	r.t.Helper()
	for deadline := time.Now().Add(time.Minute); !ok(); time.Sleep(20 * time.Millisecond) {
		select {
		case err := <-r.ended:
			r.t.Fatalf("the gateway has ended: %v", err)
		default:
		}
		if time.Now().After(deadline) {
			r.t.Fatalf("not within a minute: %s", what)
		}
	}
}

func (r *running) answers(name string) {
	r.t.Helper()
	r.eventually("the response of "+name, func() bool { body, err := r.get(); return err == nil && body == name })
}

func TestAddressesChangeUnderLoad(t *testing.T) {
	port := porttest.Number(t)
	first := instance(t, "127.0.0.1:"+strconv.Itoa(port), "first")
	r := start(t, port, settings{DrainLimit: 10 * time.Second})
	r.eventually("it reports that no name has an address", func() bool { return strings.Contains(r.log.String(), "no API instance has an address yet") })
	r.resolve("127.0.0.1")
	r.answers("first")
	if err := check(t.Context(), r.settings.Refresh); err != nil {
		t.Errorf("--healthcheck: %v", err)
	}

	done := make(chan struct{})
	var clients sync.WaitGroup
	finish := sync.OnceFunc(func() { close(done); clients.Wait() })
	defer finish()
	var served atomic.Int64
	var stopping atomic.Bool // then NGINX closes connections, also those that it has not accepted yet
	for range 4 {
		clients.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				if _, err := r.get(); err != nil {
					if !stopping.Load() {
						t.Errorf("a request failed: %v", err)
					}
					return // after stop, a client would go to another gateway
				}
				served.Add(1)
			}
		})
	}
	instance(t, "127.0.0.2:"+strconv.Itoa(port), "second")
	r.resolve("127.0.0.1", "127.0.0.2")
	r.answers("second")
	r.resolve("127.0.0.2")
	r.eventually("only the second is used", func() bool {
		text, err := os.ReadFile(filepath.Join(r.settings.Directory, "nginx.conf"))
		return err == nil && !strings.Contains(string(text), "server 127.0.0.1:"+strconv.Itoa(port))
	})
	r.answers("second")
	r.resolve() // the name service fails
	r.hangUps <- syscall.SIGHUP
	r.eventually("it reloads on SIGHUP", func() bool { return strings.Contains(r.log.String(), "cause=SIGHUP") })
	r.answers("second")
	before := served.Load()
	r.eventually("more requests", func() bool { return served.Load() > before+100 })
	stopping.Store(true)
	r.stop()
	if err := <-r.ended; err != nil {
		t.Errorf("run: %v", err)
	}
	finish()
	_ = first.Close()
	if err := check(t.Context(), r.settings.Refresh); err == nil {
		t.Error("--healthcheck succeeds without a gateway")
	}
	if log := r.out.String(); !strings.Contains(log, `"uri":"/things/`) {
		t.Errorf("the standard output has no access log: %.300q", log)
	}
	t.Logf("%d requests", served.Load())
}

// certify writes a new certificate, which NGINX may read, and returns its serial number.
func certify(t *testing.T, directory string) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	serial := big.NewInt(time.Now().UnixNano())
	template := &x509.Certificate{SerialNumber: serial, NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"localhost"}}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	account, err := process.Unprivileged("www-data", "nginx", "nobody")
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{
		"tls.crt": {Type: "CERTIFICATE", Bytes: certificate}, "tls.key": {Type: "PRIVATE KEY", Bytes: encoded},
	} {
		if err := account.WriteFile(filepath.Join(directory, name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return serial.String()
}

func TestCertificateIsReplaced(t *testing.T) {
	directory, err := os.MkdirTemp("", "certificate-")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(directory) }()
	if err := os.Chmod(directory, 0o755); err != nil {
		t.Fatal(err)
	}
	serial := certify(t, directory)
	port := porttest.Number(t)
	instance(t, "127.0.0.1:"+strconv.Itoa(port), "first")
	r := start(t, port, settings{
		TLSListen: porttest.Address(t), TLSCertificate: filepath.Join(directory, "tls.crt"), TLSKey: filepath.Join(directory, "tls.key"),
	})
	r.resolve("127.0.0.1")
	presented := func() string {
		connection, err := tls.Dial("tcp", r.settings.TLSListen, &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			return err.Error()
		}
		defer func() { _ = connection.Close() }()
		return connection.ConnectionState().PeerCertificates[0].SerialNumber.String()
	}
	r.eventually("the certificate", func() bool { return presented() == serial })
	serial = certify(t, directory)
	r.eventually("the new certificate", func() bool { return presented() == serial })
	// A broken one leaves the last.
	if err := os.WriteFile(filepath.Join(directory, "tls.crt"), []byte("no certificate"), 0o644); err != nil {
		t.Fatal(err)
	}
	r.eventually("NGINX refuses the broken one", func() bool { return strings.Contains(r.log.String(), "[emerg]") })
	if got := presented(); got != serial {
		t.Errorf("with a broken file the certificate is %s, want %s", got, serial)
	}
}

func TestNGINXEnds(t *testing.T) {
	port := porttest.Number(t)
	instance(t, "127.0.0.1:"+strconv.Itoa(port), "first")
	r := start(t, port, settings{})
	r.resolve("127.0.0.1")
	r.answers("first")
	text, err := os.ReadFile(filepath.Join(r.settings.Directory, "work", "nginx.pid"))
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := <-r.ended; err == nil || !strings.Contains(err.Error(), "NGINX has ended") {
		t.Errorf("run: %v", err)
	}
}

func TestCommandLine(t *testing.T) {
	for _, c := range []struct{ name, arguments, out, err string }{
		{"help", "--help", "Example:", ""},
		{"version", "--version", "devel", ""},
		{"no upstream", "", "", "GATEWAY_UPSTREAMS"},
		{"a URL", "--upstream http://api:8081", "", "not an address"},
		{"configuration in an address", "--upstream api:8081;evil", "", "not an address"},
		{"configuration in a socket", "--upstream unix:/a;evil", "", "not an address"},
		{"listen without host", "--upstream a:1 --listen :8080", "", "--listen"},
		{"a name as a network", "--upstream a:1 --refresher etl", "", "neither an address nor a network"},
		{"half of TLS", "--upstream a:1 --tls-listen 0.0.0.0:8443", "", "belong together"},
		{"configuration in HSTS", "--upstream a:1 --hsts max-age=1$x", "", "--hsts"},
		{"HSTS", "--upstream a:1 --hsts yes", "", "--hsts"},
		{"negative limit", "--upstream a:1 --rate-limit=-1", "", "negative"},
		{"a bad size", "--upstream a:1 --cache-size much", "", "not a size"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var out, log bytes.Buffer
			err := execute(t.Context(), strings.Fields(c.arguments), &out, &log)
			if (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
				t.Errorf("fails with %v, want %q", err, c.err)
			}
			if !strings.Contains(out.String(), c.out) {
				t.Errorf("prints %q, want %q", out.String(), c.out)
			}
		})
	}
}
