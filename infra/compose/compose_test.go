// Package compose_test checks the Compose file, and runs it.
package compose_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
)

// load reads compose.yaml as Docker Compose does, with all profiles.
func load(t *testing.T, environment ...string) *types.Project {
	t.Helper()
	options, err := cli.NewProjectOptions([]string{"compose.yaml"}, cli.WithProfiles([]string{"*"}), cli.WithEnv(environment))
	if err != nil {
		t.Fatal(err)
	}
	project, err := options.LoadProject(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return project
}

func TestFile(t *testing.T) {
	project := load(t)
	if project.Name != "systemscale" {
		t.Errorf("the project is %s: scripts and documentation use systemscale", project.Name)
	}
	var names, public, published []string
	pinned := regexp.MustCompile(`^(?:docker\.io|quay\.io)/.+:v?\d+\.\d+(?:\.\d+)?(?:-[a-z]+)?$`)
	for name, service := range project.Services {
		names = append(names, name)
		if _, found := service.Networks["public"]; found {
			public = append(public, name)
		}
		if len(service.Ports) > 0 {
			published = append(published, name)
		}
		for _, port := range service.Ports {
			if port.HostIP != "127.0.0.1" {
				t.Errorf("%s: port %s is open on %q by default", name, port.Published, port.HostIP)
			}
		}
		if !pinned.MatchString(service.Image) && !strings.HasPrefix(service.Image, "localhost/systemscale/") {
			t.Errorf("%s: the image %s is not pinned", name, service.Image)
		}
		limits := service.Deploy
		if limits == nil || limits.Resources.Limits == nil || limits.Resources.Limits.NanoCPUs == 0 || limits.Resources.Limits.MemoryBytes == 0 {
			t.Errorf("%s has no limits of memory and processors", name)
		}
		if !service.ReadOnly || service.Restart == "" || !slices.Equal(service.CapDrop, []string{"ALL"}) ||
			!slices.Contains(service.SecurityOpt, "no-new-privileges") {
			t.Errorf("%s: root file system read-only %v, restart %q, capabilities without %v, security %v", name, service.ReadOnly, service.Restart,
				service.CapDrop, service.SecurityOpt)
		}
		for variable, value := range service.Environment {
			if value != nil && regexp.MustCompile(`(?i)password|:[^/@]+@`).MatchString(variable+*value) && !strings.HasSuffix(variable, "FILE") {
				t.Errorf("%s: %s contains a password", name, variable)
			}
		}
		for _, volume := range service.Volumes {
			if volume.Type != types.VolumeTypeBind {
				continue
			}
			if _, err := os.Stat(volume.Source); err != nil || !volume.ReadOnly {
				t.Errorf("%s mounts %s: %v, read-only: %v", name, volume.Source, err, volume.ReadOnly)
			}
		}
	}
	slices.Sort(public)
	slices.Sort(published)
	if want := []string{"gateway-1", "gateway-2", "grafana"}; !slices.Equal(public, want) || !slices.Equal(published, want) {
		t.Errorf("on the public network are %v, with ports %v: want %v", public, published, want)
	}
	if !project.Networks["private"].Internal {
		t.Error("the private network leads out of the machine")
	}
	for name, want := range map[string]string{"etl": "nightly", "prometheus": "monitoring", "grafana": "monitoring", "node-exporter": "monitoring"} {
		if got := project.Services[name].Profiles; !slices.Equal(got, []string{want}) {
			t.Errorf("%s has the profiles %v, want %s", name, got, want)
		}
	}
	slices.Sort(names)
	for _, name := range []string{"postgres", "migrate", "api-1", "api-2", "gateway-1", "gateway-2"} {
		if service, found := project.Services[name]; !found || len(service.Profiles) > 0 {
			t.Errorf("%s is missing, or only in a profile, among %v", name, names)
		}
	}
}

func TestOrder(t *testing.T) {
	project := load(t)
	for service, want := range map[string]map[string]string{
		"migrate": {"postgres": types.ServiceConditionHealthy},
		"etl":     {"migrate": types.ServiceConditionCompletedSuccessfully},
		"api-1":   {"postgres": types.ServiceConditionHealthy, "migrate": types.ServiceConditionCompletedSuccessfully},
		"api-2":   {"postgres": types.ServiceConditionHealthy, "migrate": types.ServiceConditionCompletedSuccessfully},
	} {
		for dependency, condition := range want {
			if got := project.Services[service].DependsOn[dependency].Condition; got != condition {
				t.Errorf("%s waits for %s: %q, want %q", service, dependency, got, condition)
			}
		}
	}
	if restart := project.Services["etl"].Restart; restart != types.RestartPolicyNo {
		t.Errorf("the ETL is restarted: %s", restart)
	}
}

func TestVariables(t *testing.T) {
	dump := t.TempDir()
	project := load(t, "TAG=1.4.0", "IMAGES=registry.example.org/s", "DUMP="+dump, "SECRETS=/etc/s", "ADDRESS=10.0.0.5", "GATEWAY_2_PORT=99")
	if got := project.Services["api-2"].Image; got != "registry.example.org/s/api:1.4.0" {
		t.Errorf("the image is %s", got)
	}
	if port := project.Services["gateway-2"].Ports[0]; port.Published != "99" || port.HostIP != "10.0.0.5" {
		t.Errorf("the port is %+v", port)
	}
	if got := project.Secrets["api_pgpass"].File; got != "/etc/s/api_pgpass" {
		t.Errorf("the secret is %s", got)
	}
	if got := project.Services["etl"].Volumes[0].Source; got != dump {
		t.Errorf("the dump is %s", got)
	}
}

// The rules and the dashboard select series by these names.
func TestScrapes(t *testing.T) {
	read := func(path string) string {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	job := regexp.MustCompile(`job_name: \S+`)
	present := job.FindAllString(read("prometheus.yml"), -1)
	want := job.FindAllString(read(filepath.Join("..", "monitoring", "prometheus", "prometheus.yml")), -1)
	if !slices.Equal(present, want) {
		t.Errorf("the jobs are %v, want %v", present, want)
	}
}
