// Package kubernetes_test renders the overlays, decodes every object strictly into its type, and checks what an API server does not: that
// names, ports, labels, flags and exit codes agree with each other and with the programs.
package kubernetes_test

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	apps "k8s.io/api/apps/v1"
	autoscaling "k8s.io/api/autoscaling/v2"
	batch "k8s.io/api/batch/v1"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	policy "k8s.io/api/policy/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

// The overlays.
var overlays = []string{"small", "production"}

// namespace is where the overlays put everything.
const namespace = "systemscale"

// objects are the objects of an overlay by kind.
type objects struct {
	all         []meta.Object
	workloads   []workload
	deployments map[string]*apps.Deployment
	jobs        map[string]*batch.Job
	cronJobs    map[string]*batch.CronJob
	services    map[string]*core.Service
	claims      map[string]*core.PersistentVolumeClaim
	configMaps  map[string]*core.ConfigMap
	policies    []*networking.NetworkPolicy
	budgets     map[string]*policy.PodDisruptionBudget
	scalers     map[string]*autoscaling.HorizontalPodAutoscaler
	monitors    map[string]*monitoring.ServiceMonitor
	rules       map[string]*monitoring.PrometheusRule
}

// workload is what pods are made of.
type workload struct {
	name string // that of the Deployment, Job or CronJob
	pod  core.PodTemplateSpec
}

// container returns the only container.
func (w workload) container(t *testing.T) core.Container {
	t.Helper()
	if len(w.pod.Spec.Containers) != 1 {
		t.Fatalf("%s: %d containers, want one", w.name, len(w.pod.Spec.Containers))
	}
	return w.pod.Spec.Containers[0]
}

func newScheme(t *testing.T) *runtime.Scheme {
	t.Helper()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		apps.AddToScheme, autoscaling.AddToScheme, batch.AddToScheme, core.AddToScheme, networking.AddToScheme, policy.AddToScheme,
		monitoring.AddToScheme,
	} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	return scheme
}

// rendered returns the YAML documents of an overlay, as kubectl would send them.
func rendered(t *testing.T, overlay string) [][]byte {
	t.Helper()
	kustomizer := krusty.MakeKustomizer(krusty.MakeDefaultOptions())
	resources, err := kustomizer.Run(filesys.MakeFsOnDisk(), filepath.Join("overlays", overlay))
	if err != nil {
		t.Fatal(err)
	}
	var documents [][]byte
	for _, resource := range resources.Resources() {
		text, err := resource.AsYAML()
		if err != nil {
			t.Fatal(err)
		}
		documents = append(documents, text)
	}
	return documents
}

// render returns the objects of an overlay. A field that is unknown or given twice is an error.
func render(t *testing.T, overlay string) *objects {
	t.Helper()
	decoder := serializer.NewCodecFactory(newScheme(t), serializer.EnableStrict).UniversalDeserializer()
	found := &objects{
		deployments: map[string]*apps.Deployment{}, jobs: map[string]*batch.Job{}, cronJobs: map[string]*batch.CronJob{},
		services: map[string]*core.Service{}, claims: map[string]*core.PersistentVolumeClaim{}, configMaps: map[string]*core.ConfigMap{},
		budgets: map[string]*policy.PodDisruptionBudget{}, scalers: map[string]*autoscaling.HorizontalPodAutoscaler{},
		monitors: map[string]*monitoring.ServiceMonitor{}, rules: map[string]*monitoring.PrometheusRule{},
	}
	for _, text := range rendered(t, overlay) {
		object, _, err := decoder.Decode(text, nil, nil)
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		found.add(t, object)
	}
	return found
}

func (o *objects) add(t *testing.T, object runtime.Object) {
	t.Helper()
	named, ok := object.(meta.Object)
	if !ok {
		t.Fatalf("%T has no name", object)
	}
	name := named.GetName()
	o.all = append(o.all, named)
	switch typed := object.(type) {
	case *core.Namespace:
		if name != namespace {
			t.Errorf("namespace %q, want %q", name, namespace)
		}
		return
	case *apps.Deployment:
		o.deployments[name] = typed
		o.workloads = append(o.workloads, workload{name, typed.Spec.Template})
	case *batch.Job:
		o.jobs[name] = typed
		o.workloads = append(o.workloads, workload{name, typed.Spec.Template})
	case *batch.CronJob:
		o.cronJobs[name] = typed
		o.workloads = append(o.workloads, workload{name, typed.Spec.JobTemplate.Spec.Template})
	case *core.Service:
		o.services[name] = typed
	case *core.PersistentVolumeClaim:
		o.claims[name] = typed
	case *core.ConfigMap:
		o.configMaps[name] = typed
	case *networking.NetworkPolicy:
		o.policies = append(o.policies, typed)
	case *policy.PodDisruptionBudget:
		o.budgets[name] = typed
	case *autoscaling.HorizontalPodAutoscaler:
		o.scalers[name] = typed
	case *monitoring.ServiceMonitor:
		o.monitors[name] = typed
	case *monitoring.PrometheusRule:
		o.rules[name] = typed
	default:
		t.Errorf("no check for a %T", object)
	}
	if named.GetNamespace() != namespace {
		t.Errorf("%T %s is in the namespace %q", object, name, named.GetNamespace())
	}
}

// workload returns the workload of this name.
func (o *objects) workload(t *testing.T, name string) workload {
	t.Helper()
	for _, w := range o.workloads {
		if w.name == name {
			return w
		}
	}
	t.Fatalf("no workload %s", name)
	return workload{}
}

// each runs a test for each overlay.
func each(t *testing.T, test func(t *testing.T, found *objects)) {
	t.Helper()
	for _, overlay := range overlays {
		t.Run(overlay, func(t *testing.T) { test(t, render(t, overlay)) })
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestDecodingIsStrict proves that render would find a misspelled field.
func TestDecodingIsStrict(t *testing.T) {
	decoder := serializer.NewCodecFactory(newScheme(t), serializer.EnableStrict).UniversalDeserializer()
	for _, text := range rendered(t, "small") {
		if !bytes.Contains(text, []byte("\nkind: Deployment\n")) {
			continue
		}
		wrong := strings.Replace(string(text), "minReadySeconds:", "minReadySecond:", 1)
		if _, _, err := decoder.Decode([]byte(wrong), nil, nil); err == nil || !strings.Contains(err.Error(), "minReadySecond") {
			t.Errorf("a misspelled field is accepted: %v", err)
		}
		return
	}
	t.Error("no Deployment")
}

// TestOverlays lists what each overlay has. Both have the base; production adds the rest.
func TestOverlays(t *testing.T) {
	base := "CronJob/etl Deployment/api Deployment/gateway Job/migrate PodDisruptionBudget/api PodDisruptionBudget/gateway"
	for overlay, want := range map[string]string{
		"small": base,
		"production": "CronJob/etl Deployment/api Deployment/etl-metrics Deployment/gateway HorizontalPodAutoscaler/api Job/migrate " +
			"PodDisruptionBudget/api PodDisruptionBudget/gateway PrometheusRule/systemscale ServiceMonitor/api ServiceMonitor/etl-metrics",
	} {
		found := render(t, overlay)
		var names []string
		names = appendNames(names, "CronJob", found.cronJobs)
		names = appendNames(names, "Deployment", found.deployments)
		names = appendNames(names, "HorizontalPodAutoscaler", found.scalers)
		names = appendNames(names, "Job", found.jobs)
		names = appendNames(names, "PodDisruptionBudget", found.budgets)
		names = appendNames(names, "PrometheusRule", found.rules)
		names = appendNames(names, "ServiceMonitor", found.monitors)
		if got := strings.Join(names, " "); got != want {
			t.Errorf("%s: %s\nwant %s", overlay, got, want)
		}
	}
}

func appendNames[T any](names []string, kind string, present map[string]T) []string {
	for _, name := range slices.Sorted(maps.Keys(present)) {
		names = append(names, fmt.Sprintf("%s/%s", kind, name))
	}
	return names
}
