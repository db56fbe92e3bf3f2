package compose_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"systemscale/infra/container"
	"systemscale/infra/container/containertest"
	"systemscale/infra/images"
	"systemscale/infra/port/porttest"
)

// services are the containers that serve, in an order in which each can be lost: the gateways lose their copies.
var services = []string{"postgres", "api-1", "api-2", "gateway-1", "gateway-2"}

// stack is the running Compose file.
type stack struct {
	t           *testing.T
	podman      *container.Podman
	environment []string
	dump        string
}

// TestRun starts the Compose file from nothing, publishes, kills each container once, and replaces API and gateways, under load through the
// gateways.
func TestRun(t *testing.T) {
	podman := containertest.Open(t)
	containertest.ImportServers(t, podman)
	buildImages(t, podman)
	s := &stack{t: t, podman: podman, dump: copyDump(t)}
	ports := []string{strconv.Itoa(porttest.Number(t)), strconv.Itoa(porttest.Number(t))}
	s.environment = []string{
		"COMPOSE=podman-compose", "POSTGRES_IMAGE=localhost/postgres:test", "SECRETS=" + filepath.Join(t.TempDir(), "secrets"), "DUMP=" + s.dump,
		"GATEWAY_1_PORT=" + ports[0], "GATEWAY_2_PORT=" + ports[1],
	}
	t.Cleanup(s.showLogs)
	report := s.script("./up.sh")
	if !strings.Contains(s.logs("etl"), "published") {
		t.Fatalf("up.sh published nothing:\n%s\n%s", report, s.logs("etl"))
	}

	e := newEdge(t, "http://127.0.0.1:"+ports[0], "http://127.0.0.1:"+ports[1])
	for id := 1; id <= 20; id++ {
		e.paths = append(e.paths, fmt.Sprintf("/products/%d", id), fmt.Sprintf("/products/%d/styles", id))
	}
	e.paths = append(e.paths, "/products?page=1&count=5")
	eventually(t, "the first document", func() bool { status, _, err := e.ask(e.gateways[0], "/products/1"); return err == nil && status == 200 })
	s.healthy("api-1", "api-2", "gateway-1", "gateway-2")
	e.warm()
	stop := e.load(4)
	defer func() { stop() }()
	e.progress(200)

	s.publish("Camo Onesie", "Camo Twosie")
	for _, gateway := range e.gateways {
		eventually(t, "the new document in each gateway", func() bool {
			_, body, err := e.ask(gateway, "/products/1")
			return err == nil && strings.Contains(body, "Camo Twosie")
		})
	}
	e.progress(200)
	e.check("publish")

	for _, service := range services {
		// Without PostgreSQL, what is not cached is 503.
		e.uncached.Store(service != "postgres")
		s.kill(service)
		e.progress(200)
		e.check("kill " + service)
		e.warm()
	}

	s.environment = append(s.environment, "TAG=next")
	for _, service := range services[1:] {
		before := s.inspect(service, "{{.Id}}")
		s.script("./roll.sh", service)
		if s.inspect(service, "{{.Id}}") == before || !strings.HasSuffix(s.inspect(service, "{{.ImageName}}"), ":next") {
			t.Errorf("%s was not replaced", service)
		}
		e.progress(200)
		e.check("roll " + service)
	}
	stop()
	stop = func() {}
	for path, bodies := range e.bodies {
		want := 1
		if path == "/products/1" || strings.Contains(path, "?") {
			want = 2 // before and after the publish
		}
		if len(bodies) != want {
			t.Errorf("GET %s returned %d different bodies, want %d", path, len(bodies), want)
		}
	}
}

// buildImages builds all images, twice: both times the bytes are the same.
func buildImages(t *testing.T, podman *container.Podman) {
	t.Helper()
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	build := images.Build{
		Root: root, Engine: images.Engine{Name: "podman", Command: podman.Program}, Prefix: "localhost/systemscale", Tag: "dev",
		Base: containertest.Servers, Out: &out,
	}
	again := build
	again.Tag = "next"
	for _, build := range []images.Build{build, again} {
		if err := build.Run(t.Context()); err != nil {
			t.Fatalf("%v\n%s", err, out.String())
		}
	}
	containertest.Run(t, podman, "build", "--layers=false", "--tag", "localhost/postgres:test", "--build-arg", "BASE="+containertest.Servers,
		"--file", "testdata/postgres.Containerfile", "testdata")
	for _, image := range images.Names {
		const content = "{{.RootFS.Layers}} {{json .Config}} {{.Created}}"
		first := containertest.Run(t, podman, "image", "inspect", "--format", content, build.Name(image))
		if second := containertest.Run(t, podman, "image", "inspect", "--format", content, again.Name(image)); second != first {
			t.Errorf("two builds of %s differ:\n%s\n%s", image, first, second)
		}
		const labels = `{{.User}} {{index .Labels "org.opencontainers.image.revision"}} {{index .Labels "org.opencontainers.image.version"}}`
		fields := strings.Fields(containertest.Run(t, podman, "image", "inspect", "--format", labels, build.Name(image)))
		if len(fields) != 3 || fields[0] != "65532:65532" {
			t.Errorf("the image %s has user, revision and version %q", image, fields)
		}
		if check := containertest.Run(t, podman, "image", "inspect", "--format", "{{.HealthCheck}}", build.Name(image)); image != "etl" &&
			!strings.Contains(check, "--healthcheck") {
			t.Errorf("the health check of %s is %s", image, check)
		}
		if image == "gateway" {
			continue // as large as its base
		}
		size := transferred(t, podman, build.Name(image))
		t.Logf("%s: %.1f MB to transfer", image, float64(size)/1e6)
		if size > 25e6 {
			t.Errorf("the image %s has %d bytes", image, size)
		}
		if out := containertest.Run(t, podman, "run", "--rm", "--read-only", "--network", "none", build.Name(image), "--version"); out == "" {
			t.Errorf("%s --version prints nothing", image)
		}
	}
}

// transferred returns the size of an image as a registry stores it.
func transferred(t *testing.T, podman *container.Podman, image string) int64 {
	t.Helper()
	var size counter
	compressor := gzip.NewWriter(&size)
	save := podman.Command(t.Context(), "save", image)
	save.Stdout = compressor
	if err := save.Run(); err != nil {
		t.Fatalf("podman save: %v", err)
	}
	if err := compressor.Close(); err != nil {
		t.Fatal(err)
	}
	return int64(size)
}

type counter int64

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}

var _ io.Writer = new(counter)

// copyDump copies the sample catalog, which the test changes.
func copyDump(t *testing.T) string {
	t.Helper()
	dump := filepath.Join(t.TempDir(), "dump")
	if err := os.CopyFS(dump, os.DirFS(filepath.Join("..", "..", "etl", "testdata", "v1"))); err != nil {
		t.Fatal(err)
	}
	return dump
}

// script runs one of the scripts of this directory, as a user does, and returns its output.
func (s *stack) script(name string, arguments ...string) string {
	s.t.Helper()
	command := s.podman.Program(s.t.Context(), name, arguments...)
	command.Env = append(command.Env, s.environment...)
	out, err := command.CombinedOutput()
	if err != nil {
		s.t.Fatalf("%s %v: %v\n%s", name, arguments, err, out)
	}
	return string(out)
}

func name(service string) string { return "systemscale_" + service + "_1" }

func (s *stack) inspect(service, format string) string {
	s.t.Helper()
	return containertest.Run(s.t, s.podman, "inspect", "--format", format, name(service))
}

func (s *stack) logs(service string) string {
	out, err := s.podman.Command(s.t.Context(), "logs", name(service)).CombinedOutput()
	return fmt.Sprintf("%s%v", out, err)
}

// showLogs logs the end of each container's log if the test has failed.
func (s *stack) showLogs() {
	if !s.t.Failed() {
		return
	}
	for _, service := range append([]string{"migrate", "etl"}, services...) {
		out, _ := s.podman.Command(context.Background(), "logs", name(service)).CombinedOutput()
		lines := slices.DeleteFunc(strings.Split(string(out), "\n"), func(line string) bool { return strings.Contains(line, `"status":200`) })
		s.t.Logf("%s:\n%s", service, strings.Join(lines[max(0, len(lines)-40):], "\n"))
	}
}

// healthy waits until the containers are.
func (s *stack) healthy(services ...string) {
	s.t.Helper()
	for _, service := range services {
		eventually(s.t, service+" is healthy", func() bool {
			_, err := s.podman.Output(s.t.Context(), "healthcheck", "run", name(service))
			return err == nil
		})
	}
}

// publish changes a text in the dump, and runs the nightly job.
func (s *stack) publish(before, after string) {
	s.t.Helper()
	path := filepath.Join(s.dump, "product.csv")
	text, err := os.ReadFile(path)
	if err != nil {
		s.t.Fatal(err)
	}
	changed := strings.Replace(string(text), before, after, 1)
	if changed == string(text) {
		s.t.Fatalf("the dump does not contain %s", before)
	}
	if err := os.WriteFile(path, []byte(changed), 0o644); err != nil {
		s.t.Fatal(err)
	}
	if _, err := s.podman.Output(s.t.Context(), "start", "--attach", name("etl")); err != nil {
		s.t.Fatalf("the nightly job: %v", err)
	}
}

// kill ends the main process of a container like a crash, and waits until podman has started it again.
func (s *stack) kill(service string) {
	s.t.Helper()
	before := s.inspect(service, "{{.State.Pid}}")
	pid, err := strconv.Atoi(before)
	if err != nil || pid <= 1 {
		s.t.Fatalf("the main process of %s is %q", service, before)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		s.t.Fatal(err)
	}
	eventually(s.t, service+" is started again", func() bool {
		now, err := s.podman.Output(s.t.Context(), "inspect", "--format", "{{.State.Pid}}", name(service))
		return err == nil && now != before && now != "0"
	})
	s.healthy(service)
}
