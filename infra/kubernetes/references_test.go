package kubernetes_test

import (
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/dustin/go-humanize"
	core "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// secrets are the Secrets that an operator makes before the first apply, with their key.
var secrets = map[string]string{"database-api": "url", "database-etl": "url"}

// certificate is the Secret of the gateway with TLS.
const certificate = "gateway-tls"

// TestServices checks that each Service selects one workload and that its ports exist there.
func TestServices(t *testing.T) {
	each(t, func(t *testing.T, found *objects) {
		for name, service := range found.services {
			var selected []workload
			for _, w := range found.workloads {
				if labels.SelectorFromSet(service.Spec.Selector).Matches(labels.Set(w.pod.Labels)) {
					selected = append(selected, w)
				}
			}
			if len(service.Spec.Selector) == 0 || len(selected) != 1 {
				t.Errorf("the Service %s selects %d workloads, want one", name, len(selected))
				continue
			}
			for _, port := range service.Spec.Ports {
				if target := portOf(selected[0].container(t), port.TargetPort); target == 0 {
					t.Errorf("the Service %s: %s has no port %s", name, selected[0].name, port.TargetPort.String())
				} else if service.Spec.ClusterIP == core.ClusterIPNone && target != port.Port {
					t.Errorf("the Service %s: port %d is %d of the pods, but it has no address that could translate", name, port.Port, target)
				}
			}
		}
		for name, monitor := range found.monitors {
			service := found.services[name]
			if service == nil || !selects(t, &monitor.Spec.Selector, service.Labels) {
				t.Errorf("the ServiceMonitor %s selects no Service of its name", name)
				continue
			}
			for _, endpoint := range monitor.Spec.Endpoints {
				if !slices.ContainsFunc(service.Spec.Ports, func(port core.ServicePort) bool { return port.Name == endpoint.Port }) {
					t.Errorf("the ServiceMonitor %s: its Service has no port %s", name, endpoint.Port)
				}
			}
			// Another Service with these labels would be scraped as well.
			for other, service := range found.services {
				if other != name && selects(t, &monitor.Spec.Selector, service.Labels) {
					t.Errorf("the ServiceMonitor %s selects the Service %s too", name, other)
				}
			}
		}
	})
}

// portOf returns the number of a container's port, or 0.
func portOf(container core.Container, wanted intstr.IntOrString) int32 {
	for _, port := range container.Ports {
		if wanted.Type == intstr.String && port.Name == wanted.StrVal || wanted.Type == intstr.Int && port.ContainerPort == wanted.IntVal {
			return port.ContainerPort
		}
	}
	return 0
}

// TestPodsReferToWhatExists checks volumes, claims, Secrets, ConfigMaps and the ports of probes.
func TestPodsReferToWhatExists(t *testing.T) {
	page := read(t, "../docs/operations.md")
	if !strings.Contains(page, "create secret tls "+certificate+" ") {
		t.Errorf("operations.md does not show how to create the Secret %s", certificate)
	}
	for name, key := range secrets {
		if !strings.Contains(page, "create secret generic "+name+" --from-file="+key+"=") {
			t.Errorf("operations.md does not show how to create the Secret %s", name)
		}
	}
	each(t, func(t *testing.T, found *objects) {
		used := map[string]bool{}
		for _, w := range found.workloads {
			container := w.container(t)
			volumes := map[string]core.Volume{}
			for _, volume := range w.pod.Spec.Volumes {
				volumes[volume.Name] = volume
				if claim := volume.PersistentVolumeClaim; claim != nil && found.claims[claim.ClaimName] == nil {
					t.Errorf("%s: no claim %s", w.name, claim.ClaimName)
				}
				if volume.Secret != nil && volume.Secret.SecretName != certificate {
					t.Errorf("%s: no Secret %s", w.name, volume.Secret.SecretName)
				}
				if volume.ConfigMap != nil && found.configMaps[volume.ConfigMap.Name] == nil {
					t.Errorf("%s: no ConfigMap %s", w.name, volume.ConfigMap.Name)
				}
			}
			for _, mount := range container.VolumeMounts {
				if _, ok := volumes[mount.Name]; !ok {
					t.Errorf("%s: no volume %s", w.name, mount.Name)
				}
				delete(volumes, mount.Name)
			}
			if len(volumes) > 0 {
				t.Errorf("%s: volumes that are not mounted: %v", w.name, volumes)
			}
			for _, variable := range container.Env {
				if variable.ValueFrom == nil {
					continue
				}
				reference := variable.ValueFrom.SecretKeyRef
				if reference == nil || secrets[reference.Name] != reference.Key {
					t.Errorf("%s: the variable %s refers to %v", w.name, variable.Name, variable.ValueFrom)
					continue
				}
				used[reference.Name] = true
				if reference.Name == "database-etl" && w.name == "api" {
					t.Error("the API has the rights of the ETL")
				}
			}
			for _, probe := range []*core.Probe{container.StartupProbe, container.ReadinessProbe, container.LivenessProbe} {
				if probe == nil {
					continue
				}
				if probe.HTTPGet != nil && portOf(container, probe.HTTPGet.Port) == 0 || probe.TCPSocket != nil && portOf(container, probe.TCPSocket.Port) == 0 {
					t.Errorf("%s: a probe uses a port that is not declared", w.name)
				}
			}
		}
		if len(used) != len(secrets) {
			t.Errorf("used are the Secrets %v", used)
		}
		for _, name := range []string{"api", "gateway"} {
			container := found.workload(t, name).container(t)
			if container.ReadinessProbe == nil || container.LivenessProbe == nil {
				t.Errorf("%s has no probes", name)
			}
		}
	})
}

// TestCacheFits compares the size of the gateway's cache, which is in memory, with the volume and with the limit of the container, which
// includes the volume.
func TestCacheFits(t *testing.T) {
	each(t, func(t *testing.T, found *objects) {
		gateway := found.workload(t, "gateway")
		container := gateway.container(t)
		parsed, err := humanize.ParseBytes(variable(t, container, "GATEWAY_CACHE_SIZE"))
		if err != nil {
			t.Fatal(err)
		}
		size := int64(parsed)
		directory := variable(t, container, "GATEWAY_DIRECTORY")
		mounted := slices.IndexFunc(container.VolumeMounts, func(mount core.VolumeMount) bool { return mount.MountPath == path.Dir(directory) })
		if mounted < 0 {
			t.Fatalf("no volume is mounted at %s", directory)
		}
		for _, volume := range gateway.pod.Spec.Volumes {
			if volume.Name != container.VolumeMounts[mounted].Name {
				continue
			}
			if volume.EmptyDir == nil || volume.EmptyDir.Medium != core.StorageMediumMemory || volume.EmptyDir.SizeLimit == nil {
				t.Fatal("the cache is not in memory, or has no limit")
			}
			// See nginx.FitCache: a fifth of the cache stays free beside it.
			if room := volume.EmptyDir.SizeLimit.Value(); room < size*6/5 {
				t.Errorf("the volume has %d bytes, and the cache of %d bytes needs a fifth more", room, size)
			}
			// The keys take 128 MB of shared memory, and each worker some megabytes.
			if limit := container.Resources.Limits.Memory().Value(); limit < volume.EmptyDir.SizeLimit.Value()+256<<20 {
				t.Errorf("the container is limited to %d bytes, of which the cache alone may take %d", limit, volume.EmptyDir.SizeLimit.Value())
			}
		}
	})
}

func variable(t *testing.T, container core.Container, name string) string {
	t.Helper()
	for _, variable := range container.Env {
		if variable.Name == name {
			return variable.Value
		}
	}
	t.Fatalf("the variable %s is not set", name)
	return ""
}
