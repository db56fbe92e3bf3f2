package kubernetes_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	core "k8s.io/api/core/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// TestPodsAreRestricted checks what the strictest Pod Security Standard requires, and a read-only root file system.
func TestPodsAreRestricted(t *testing.T) {
	each(t, func(t *testing.T, found *objects) {
		if len(found.workloads) < 4 {
			t.Fatalf("%d workloads", len(found.workloads))
		}
		for _, w := range found.workloads {
			pod, context := w.pod.Spec, w.pod.Spec.SecurityContext
			if context == nil || context.RunAsNonRoot == nil || !*context.RunAsNonRoot || context.RunAsUser == nil || *context.RunAsUser == 0 ||
				context.SeccompProfile == nil || context.SeccompProfile.Type != core.SeccompProfileTypeRuntimeDefault {
				t.Errorf("%s: the pod may run as root or without seccomp", w.name)
			}
			if pod.AutomountServiceAccountToken == nil || *pod.AutomountServiceAccountToken || pod.HostNetwork || pod.HostPID || pod.HostIPC {
				t.Errorf("%s: the pod gets the token of an account, or a namespace of the node", w.name)
			}
			for _, container := range slices.Concat(pod.InitContainers, pod.Containers) {
				own := container.SecurityContext
				if own == nil || own.ReadOnlyRootFilesystem == nil || !*own.ReadOnlyRootFilesystem || own.AllowPrivilegeEscalation == nil ||
					*own.AllowPrivilegeEscalation || own.Capabilities == nil || !slices.Equal(own.Capabilities.Drop, []core.Capability{"ALL"}) ||
					len(own.Capabilities.Add) > 0 {
					t.Errorf("%s: container %s has more rights than it needs", w.name, container.Name)
				}
				resources := container.Resources
				if resources.Requests.Cpu().IsZero() || resources.Requests.Memory().IsZero() || resources.Limits.Memory().IsZero() ||
					resources.Limits.Memory().Cmp(*resources.Requests.Memory()) < 0 {
					t.Errorf("%s: container %s: requests %v, limits %v", w.name, container.Name, resources.Requests, resources.Limits)
				}
			}
			for _, volume := range pod.Volumes {
				if volume.HostPath != nil {
					t.Errorf("%s: volume %s is a directory of the node", w.name, volume.Name)
				}
			}
		}
	})
}

// pinned is the name of an image with a registry and a version.
var pinned = regexp.MustCompile(`^[a-z0-9.-]+\.[a-z]+(?::\d+)?/[a-z0-9./_-]+:v?\d+\.\d+\.\d+$`)

func TestImagesArePinned(t *testing.T) {
	each(t, func(t *testing.T, found *objects) {
		versions := map[string]bool{}
		for _, w := range found.workloads {
			image := w.container(t).Image
			if !pinned.MatchString(image) {
				t.Errorf("%s: image %q has no registry or no version", w.name, image)
			}
			if strings.Contains(image, "systemscale") {
				versions[image[strings.LastIndex(image, ":"):]] = true
			}
		}
		if len(versions) != 1 {
			t.Errorf("our programs have the versions %v, want one", versions)
		}
	})
}

// TestPodsEndInTime compares the time that a pod has to end with the sum of its steps.
func TestPodsEndInTime(t *testing.T) {
	each(t, func(t *testing.T, found *objects) {
		pause := func(name string) time.Duration {
			handler := found.workload(t, name).container(t).Lifecycle
			if handler == nil || handler.PreStop == nil || handler.PreStop.Sleep == nil || handler.PreStop.Sleep.Seconds <= 0 {
				t.Fatalf("%s: no pause before SIGTERM", name)
			}
			return time.Duration(handler.PreStop.Sleep.Seconds) * time.Second
		}
		limit := func(name string) time.Duration {
			return time.Duration(*found.workload(t, name).pod.Spec.TerminationGracePeriodSeconds) * time.Second
		}
		args := found.workload(t, "api").container(t).Args
		if steps := pause("api") + durationOf(t, args, "--drain-pause") + 2*durationOf(t, args, "--drain-limit"); limit("api") <= steps {
			t.Errorf("api: the steps may take %v, and the pod is killed after %v", steps, limit("api"))
		}
		finish, err := time.ParseDuration(variable(t, found.workload(t, "gateway").container(t), "GATEWAY_DRAIN_LIMIT"))
		if err != nil {
			t.Fatal(err)
		}
		// After that, NGINX gets two more signals, with two seconds each.
		if steps := pause("gateway") + finish + 4*time.Second; limit("gateway") <= steps {
			t.Errorf("gateway: the steps may take %v, and the pod is killed after %v", steps, limit("gateway"))
		}
		for _, name := range []string{"api", "gateway"} {
			deployment := found.deployments[name].Spec
			rolling := deployment.Strategy.RollingUpdate
			if rolling == nil || rolling.MaxUnavailable.IntValue() != 0 || rolling.MaxSurge.IntValue() < 1 {
				t.Errorf("%s: an update ends a pod before there is another one", name)
			}
			// A new pod must be known before an old one ends: names are cached for five seconds, or thirty if the cluster says so itself.
			if deployment.MinReadySeconds < 10 {
				t.Errorf("%s: an update ends the next pod after %d seconds", name, deployment.MinReadySeconds)
			}
		}
	})
}

func durationOf(t *testing.T, args []string, flag string) time.Duration {
	t.Helper()
	for _, arg := range args {
		if value, ok := strings.CutPrefix(arg, flag+"="); ok {
			duration, err := time.ParseDuration(value)
			if err != nil {
				t.Fatal(err)
			}
			return duration
		}
	}
	t.Fatalf("no %s in %v", flag, args)
	return 0
}

// TestScaling checks that one of the overlay and the HorizontalPodAutoscaler sets the number of pods, and that a node can be drained.
func TestScaling(t *testing.T) {
	each(t, func(t *testing.T, found *objects) {
		for name, deployment := range found.deployments {
			scaled := slices.Contains(sortedTargets(found), name)
			if scaled == (deployment.Spec.Replicas != nil) {
				t.Errorf("%s: replicas is %v, and a HorizontalPodAutoscaler sets it too: %v", name, deployment.Spec.Replicas, scaled)
			}
		}
		for name, scaler := range found.scalers {
			target := scaler.Spec.ScaleTargetRef
			if target.APIVersion != "apps/v1" || target.Kind != "Deployment" || found.deployments[target.Name] == nil {
				t.Errorf("the scaler %s has no target: %v", name, target)
			}
			if *scaler.Spec.MinReplicas < 2 || scaler.Spec.MaxReplicas <= *scaler.Spec.MinReplicas {
				t.Errorf("the scaler %s has the limits %d and %d", name, *scaler.Spec.MinReplicas, scaler.Spec.MaxReplicas)
			}
		}
		for name, budget := range found.budgets {
			deployment := found.deployments[name]
			if deployment == nil || !selects(t, budget.Spec.Selector, deployment.Spec.Template.Labels) || budget.Spec.MaxUnavailable.IntValue() < 1 {
				t.Errorf("the budget %s is for no Deployment, or lets no node be drained", name)
			}
		}
		for name, deployment := range found.deployments {
			if !selects(t, deployment.Spec.Selector, deployment.Spec.Template.Labels) {
				t.Errorf("the Deployment %s does not select its pods", name)
			}
			for _, spread := range deployment.Spec.Template.Spec.TopologySpreadConstraints {
				if !selects(t, spread.LabelSelector, deployment.Spec.Template.Labels) {
					t.Errorf("%s is not spread over %s", name, spread.TopologyKey)
				}
			}
		}
	})
	spread := render(t, "production").workload(t, "api").pod.Spec.TopologySpreadConstraints
	if len(spread) != 2 || spread[1].TopologyKey != core.LabelTopologyZone {
		t.Errorf("production spreads the API over %v", spread)
	}
}

func sortedTargets(found *objects) (names []string) {
	for _, scaler := range found.scalers {
		names = append(names, scaler.Spec.ScaleTargetRef.Name)
	}
	return names
}

func selects(t *testing.T, selector *meta.LabelSelector, set map[string]string) bool {
	t.Helper()
	parsed, err := meta.LabelSelectorAsSelector(selector)
	if err != nil {
		t.Fatal(err)
	}
	return !parsed.Empty() && parsed.Matches(labels.Set(set))
}
