// Package runbook executes the procedures of infra/docs/runbook.md under load, with real programs: PostgreSQL servers, api, etl and NGINX.
package runbook

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"systemscale/infra/nginx"
	"systemscale/infra/port/porttest"
	"systemscale/infra/process"
	"systemscale/infra/program"
)

// patience is how long a test waits for an event that must happen. It is no limit on its duration.
const patience = 2 * time.Minute

// binaries is the directory of the programs, which the first test builds.
var binaries = sync.OnceValues(func() (string, error) {
	directory, err := os.MkdirTemp("", "systemscale-runbook-")
	if err != nil {
		return "", err
	}
	out, err := exec.Command("go", "build", "-o", directory+"/", "systemscale/api", "systemscale/etl").CombinedOutput()
	if err != nil {
		return directory, fmt.Errorf("build the programs: %w\n%s", err, out)
	}
	return directory, nil
})

func TestMain(m *testing.M) {
	m.Run()
	if directory, _ := binaries(); directory != "" {
		_ = os.RemoveAll(directory)
	}
}

// site is an installation: instances of the API and gateways. The database servers are the test's.
type site struct {
	t         *testing.T
	directory string // any account may enter it
	csv       string
	shape     string
	programs  string // directory of api and etl
	cacheAge  string // how long gateways use a document without revalidation
	instances []*instance
}

// things is the number of documents that a site publishes.
const things = 2000

func newSite(t *testing.T) *site {
	t.Helper()
	programs, err := binaries()
	if err != nil {
		t.Fatal(err)
	}
	directory, err := os.MkdirTemp("", "runbook-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(directory) })
	s := &site{t: t, directory: directory, csv: filepath.Join(directory, "csv"), shape: filepath.Join(directory, "shape.yaml"), programs: programs, cacheAge: "1s"}
	const shape = `collection: things
sources:
  thing: {file: thing.csv, key: id, columns: {id: int, edition: int, text: text}}
documents:
  summary: {list: true, body: {id: id, edition: edition}}
  thing: {path: "", body: {id: id, edition: edition, words: text}}
`
	if err := errors.Join(os.Chmod(directory, 0o755), os.Mkdir(s.csv, 0o755), os.WriteFile(s.shape, []byte(shape), 0o600)); err != nil {
		t.Fatal(err)
	}
	return s
}

// edition writes the CSV file of an edition.
func (s *site) edition(number int) {
	s.t.Helper()
	var text bytes.Buffer
	text.WriteString("id,edition,text\n")
	for id := 1; id <= things; id++ {
		fmt.Fprintf(&text, "%d,%d,%s\n", id, number, strings.Repeat("word ", id%60))
	}
	if err := os.WriteFile(filepath.Join(s.csv, "thing.csv"), text.Bytes(), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// etl runs etl, which must end with the exit code, and returns its output.
func (s *site) etl(code int, databaseURL string, arguments ...string) string {
	s.t.Helper()
	command := s.etlCommand(databaseURL, arguments...)
	out, err := command.CombinedOutput()
	if command.ProcessState == nil || command.ProcessState.ExitCode() != code {
		s.t.Fatalf("etl %v: %v, want exit code %d\n%s", arguments, err, code, out)
	}
	return string(out)
}

func (s *site) etlCommand(databaseURL string, arguments ...string) *exec.Cmd {
	command := exec.CommandContext(s.t.Context(), filepath.Join(s.programs, "etl"), arguments...)
	command.Dir = s.directory
	command.Env = append(os.Environ(), "DATABASE_URL="+databaseURL)
	return command
}

// publish runs etl with the CSV file of an edition.
func (s *site) publish(databaseURL string, edition int, arguments ...string) string {
	s.t.Helper()
	s.edition(edition)
	return s.etl(0, databaseURL, append([]string{
		"run", "--csv", s.csv, "--shape", s.shape, "--rejects", filepath.Join(s.directory, "rejects"), "--accept", "changed",
	}, arguments...)...)
}

// instance is a process of the API.
type instance struct {
	site    *site
	t       *testing.T
	address string
	admin   string
	log     string
	command *exec.Cmd
	ended   chan struct{}
	err     error // of Wait, once ended is closed
}

// instance starts another instance of the API and waits until it is ready.
func (s *site) instance(databaseURL string) *instance {
	s.t.Helper()
	i := &instance{site: s, t: s.t, address: porttest.Address(s.t), admin: porttest.Address(s.t)}
	i.log = filepath.Join(s.directory, "api-"+i.address+".log")
	s.instances = append(s.instances, i)
	i.start(databaseURL)
	s.t.Cleanup(func() {
		_ = i.command.Process.Kill()
		<-i.ended
		if text, err := os.ReadFile(i.log); err == nil && s.t.Failed() {
			s.t.Logf("log of %s:\n%s", i.address, text)
		}
	})
	return i
}

func (i *instance) start(databaseURL string) {
	i.t.Helper()
	command := exec.Command(filepath.Join(i.site.programs, "api"), "--listen", i.address, "--admin", i.admin, "--cache-age", i.site.cacheAge)
	command.Env = append(os.Environ(), "DATABASE_URL="+databaseURL, "GOMAXPROCS=1")
	log, err := os.OpenFile(i.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		i.t.Fatal(err)
	}
	defer func() { _ = log.Close() }()
	command.Stdout, command.Stderr = log, log
	if err := command.Start(); err != nil {
		i.t.Fatal(err)
	}
	ended := make(chan struct{})
	i.command, i.ended = command, ended
	go func() {
		i.err = command.Wait()
		close(ended)
	}()
	eventually(i.t, "the instance "+i.address+" is ready", i.ready)
}

func (i *instance) ready() bool {
	got, err := fetch(i.t.Context(), http.DefaultClient, "http://"+i.admin+"/ready")
	return err == nil && got.status == http.StatusOK
}

// stop stops the instance as systemctl stop does. It must end with exit code 0.
func (i *instance) stop() {
	i.t.Helper()
	if err := i.command.Process.Signal(syscall.SIGTERM); err != nil {
		i.t.Fatal(err)
	}
	select {
	case <-i.ended:
	case <-time.After(patience):
		i.t.Fatalf("the instance %s does not end", i.address)
	}
	if i.err != nil {
		i.t.Errorf("the instance %s ends with %v", i.address, i.err)
	}
}

// roll restarts the instances in turn with another URL.
func (s *site) roll(databaseURL string) {
	s.t.Helper()
	for _, i := range s.instances {
		i.stop()
		i.start(databaseURL)
	}
}

// serves waits until every instance serves an edition.
func (s *site) serves(edition int) {
	s.t.Helper()
	for _, i := range s.instances {
		eventually(s.t, fmt.Sprintf("%s serves edition %d", i.address, edition), func() bool {
			got, err := fetch(s.t.Context(), http.DefaultClient, "http://"+i.address+"/things/7")
			return err == nil && got.status == http.StatusOK && strings.Contains(got.body, fmt.Sprintf(`"edition": %d`, edition))
		})
	}
}

// addresses returns the addresses of instances.
func addresses(instances []*instance) (all []string) {
	for _, i := range instances {
		all = append(all, i.address)
	}
	return all
}

// gateway is an NGINX.
type gateway struct {
	nginx.Gateway
	t       *testing.T
	running *process.Running
}

// gateway starts an NGINX in front of the instances.
func (s *site) gateway(instances ...*instance) *gateway {
	s.t.Helper()
	installation, err := program.FindNGINX()
	if err != nil {
		s.t.Fatalf("%v: ./scripts/task test installs it", err)
	}
	account, err := process.Unprivileged(nginx.Accounts...)
	if err != nil {
		s.t.Fatal(err)
	}
	prefix, err := os.MkdirTemp(s.directory, "gateway-")
	if err != nil {
		s.t.Fatal(err)
	}
	if err := os.Chmod(prefix, 0o755); err != nil {
		s.t.Fatal(err)
	}
	g := &gateway{t: s.t, Gateway: nginx.Gateway{
		NGINX: installation, Prefix: prefix, Listen: porttest.Address(s.t), Upstreams: addresses(instances),
		Refresh: porttest.Address(s.t), Refreshers: []string{"127.0.0.1"}, Unlimited: []string{"127.0.0.1"},
		Sockets: filepath.Join(prefix, "run"), CacheSize: 10 << 20, Log: filepath.Join(prefix, "log"), Account: account,
	}}
	if _, err := g.Configure(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
	if g.running, err = g.Start(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		if err := nginx.Stop(context.Background(), g.running.Identity); err != nil {
			s.t.Error(err)
		}
	})
	return g
}

// reload makes NGINX use the instances, without a restart.
func (g *gateway) reload(instances ...*instance) {
	g.t.Helper()
	g.Upstreams = addresses(instances)
	changed, err := g.Configure(g.t.Context())
	if err != nil || !changed {
		g.t.Fatalf("configure the gateway: changed %t, %v", changed, err)
	}
	if err := nginx.Reload(g.running.Identity); err != nil {
		g.t.Fatal(err)
	}
}

// eventually polls until ok returns true.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not after %s: %s", patience, what)
		}
	}
}
