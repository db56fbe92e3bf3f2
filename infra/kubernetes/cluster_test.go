package kubernetes_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-json"
	core "k8s.io/api/core/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"systemscale/infra/container"
	"systemscale/infra/container/containertest"
	"systemscale/infra/images"
)

// network is the network of the containers. Names on it stand for Services.
const network = "cluster"

// A cluster plays pods of the small overlay with podman, which has no Services, Jobs and network policies: an alias on the network is in
// place of a Service, and a pod in place of a Job.
type cluster struct {
	*objects
	t      *testing.T
	podman *container.Podman
}

func newCluster(t *testing.T) *cluster {
	t.Helper()
	c := &cluster{objects: render(t, "small"), t: t, podman: containertest.Open(t)}
	containertest.ImportServers(t, c.podman)
	// The names in the overlay, as an operator would have pushed them.
	prefix, tag, _ := strings.Cut(c.workload(t, "api").container(t).Image, "/api:")
	build := images.Build{
		Root: "../..", Engine: images.Engine{Name: "podman", Command: c.podman.Program}, Prefix: prefix, Tag: tag,
		Base: containertest.Servers, Out: t.Output(),
	}
	if err := build.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.run("network", "create", network)
	return c
}

// run runs podman.
func (c *cluster) run(arguments ...string) string {
	c.t.Helper()
	return containertest.Run(c.t, c.podman, arguments...)
}

// startDatabase starts PostgreSQL outside of the "cluster", with the roles, and makes the Secrets.
func (c *cluster) startDatabase() {
	c.t.Helper()
	c.run("run", "--detach", "--name", "database", "--network", network, "--user", "postgres", containertest.Servers, "sh", "-c",
		`bin=$(echo /usr/lib/postgresql/*/bin); "$bin/initdb" --auth trust -D /tmp/data >/dev/null && echo "host all all all trust" >>/tmp/data/pg_hba.conf &&
			exec "$bin/postgres" -D /tmp/data -k /tmp -c listen_addresses='*' -c fsync=off -c jit=off`)
	c.await("the database", func() error {
		_, err := c.podman.Output(c.t.Context(), "exec", "database", "psql", "-h", "127.0.0.1", "-qtc", "select 1")
		return err
	})
	for _, statement := range []string{
		"create database systemscale", read(c.t, "../../sql/bootstrap.sql"), "alter database systemscale owner to systemscale_etl",
	} {
		c.run("exec", "database", "psql", "-h", "127.0.0.1", "-qv", "ON_ERROR_STOP=1", "-c", statement)
	}
	for name, key := range secrets {
		role := "systemscale_" + strings.TrimPrefix(name, "database-")
		// Not a Secret in YAML: this version of podman stores those in a form that it cannot read as a variable.
		data, err := json.Marshal(map[string][]byte{key: []byte("postgres://" + role + "@database:5432/systemscale")})
		if err != nil {
			c.t.Fatal(err)
		}
		path := filepath.Join(c.t.TempDir(), name)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			c.t.Fatal(err)
		}
		c.run("secret", "create", name, path)
	}
}

// play plays an object. Its pods have the names on the network.
func (c *cluster) play(file string, object any, names ...string) {
	c.t.Helper()
	text, err := yaml.Marshal(object)
	if err != nil {
		c.t.Fatal(err)
	}
	path := filepath.Join(c.t.TempDir(), file+".yaml")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		c.t.Fatal(err)
	}
	options := network
	if len(names) > 0 {
		options += ":alias=" + strings.Join(names, ",alias=")
	}
	c.run("kube", "play", "--build=false", "--network", options, path)
}

// pod plays a pod of a workload under a name, and returns the name of its container.
func (c *cluster) pod(workloadName, name string, services ...string) string {
	c.t.Helper()
	w := c.workload(c.t, workloadName)
	pod := core.Pod{
		TypeMeta: meta.TypeMeta{APIVersion: "v1", Kind: "Pod"}, ObjectMeta: meta.ObjectMeta{Name: name, Labels: w.pod.Labels}, Spec: w.pod.Spec,
	}
	withoutPorts(&pod.Spec)
	c.play(name, &pod, services...)
	return name + "-" + w.container(c.t).Name
}

// deployment plays a Deployment, and returns the names of its pods.
func (c *cluster) deployment(name string, services ...string) (pods []string) {
	c.t.Helper()
	deployment := c.deployments[name].DeepCopy()
	withoutPorts(&deployment.Spec.Template.Spec)
	c.play(name, deployment, services...)
	for i := range *deployment.Spec.Replicas {
		pods = append(pods, fmt.Sprintf("%s-pod-%d", name, i))
	}
	return pods
}

// withoutPorts removes the ports: this version of podman publishes each at the same port of the machine.
func withoutPorts(spec *core.PodSpec) {
	spec.Containers = slices.Clone(spec.Containers)
	for i := range spec.Containers {
		spec.Containers[i].Ports = nil
	}
}

// job plays a pod that ends, waits for its end, removes it, and returns its exit code and output.
func (c *cluster) job(workloadName, name string) (code, output string) {
	c.t.Helper()
	ended := c.pod(workloadName, name)
	code = c.run("wait", ended)
	// Reports are written to both outputs.
	command := c.podman.Command(c.t.Context(), "logs", ended)
	text, err := command.CombinedOutput()
	if err != nil {
		c.t.Fatal(err)
	}
	c.run("pod", "rm", "--force", name)
	return code, string(text)
}

// address returns the address of a pod.
func (c *cluster) address(pod string) string {
	c.t.Helper()
	infra := c.run("pod", "inspect", "--format", "{{.InfraContainerID}}", pod)
	return c.run("inspect", "--format", fmt.Sprintf("{{(index .NetworkSettings.Networks %q).IPAddress}}", network), infra)
}

// await calls ready until it returns nil.
func (c *cluster) await(what string, ready func() error) {
	c.t.Helper()
	deadline := time.Now().Add(2 * time.Minute)
	for {
		err := ready()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			c.t.Fatalf("%s: %v", what, err)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// get returns the body of a response with the status 200.
func get(ctx context.Context, url string, header http.Header) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	request.Header = header
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", err
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s\n%s", url, response.Status, body)
	}
	return string(body), err
}

// probe waits until the readiness probe of an API pod succeeds, as a node calls it.
func (c *cluster) probe(pod string) {
	c.t.Helper()
	one := c.workload(c.t, "api").container(c.t)
	url := fmt.Sprintf("http://%s:%d%s", c.address(pod), portOf(one, one.ReadinessProbe.HTTPGet.Port), one.ReadinessProbe.HTTPGet.Path)
	c.await(pod+" is not ready", func() error {
		_, err := get(c.t.Context(), url, nil)
		return err
	})
}
