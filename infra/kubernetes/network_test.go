package kubernetes_test

import (
	"slices"
	"strconv"
	"testing"

	networking "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// peer is an end of a connection: pods of this namespace, or something else.
type peer struct {
	name      string
	labels    map[string]string // of the pod
	namespace map[string]string // labels of the namespace; nil: this one
	outside   bool              // no pod of the cluster
}

// matches reports whether one of the peers of a rule is this one. A rule without peers is for all.
func (p peer) matches(t *testing.T, peers []networking.NetworkPolicyPeer) bool {
	t.Helper()
	return len(peers) == 0 || slices.ContainsFunc(peers, func(one networking.NetworkPolicyPeer) bool {
		if one.IPBlock != nil || p.outside {
			return false // no address of the test is in a block
		}
		if one.NamespaceSelector == nil {
			return p.namespace == nil && selects(t, one.PodSelector, p.labels)
		}
		return selects(t, one.NamespaceSelector, p.namespace) && (one.PodSelector == nil || selects(t, one.PodSelector, p.labels))
	})
}

func permitsPort(ports []networking.NetworkPolicyPort, port int32) bool {
	return len(ports) == 0 || slices.ContainsFunc(ports, func(one networking.NetworkPolicyPort) bool {
		return one.Port == nil || one.Port.IntVal == port
	})
}

// connects evaluates the policies as a network plugin does: an end in this namespace needs a rule that permits the connection.
func (o *objects) connects(t *testing.T, from, to peer, port int32) bool {
	t.Helper()
	sends, receives := from.outside || from.namespace != nil, to.outside || to.namespace != nil
	for _, policy := range o.policies {
		own := func(end peer) bool {
			selector := policy.Spec.PodSelector
			everyPod := len(selector.MatchLabels)+len(selector.MatchExpressions) == 0
			return !end.outside && end.namespace == nil && (everyPod || selects(t, &selector, end.labels))
		}
		for _, rule := range policy.Spec.Egress {
			sends = sends || own(from) && permitsPort(rule.Ports, port) && to.matches(t, rule.To)
		}
		for _, rule := range policy.Spec.Ingress {
			receives = receives || own(to) && permitsPort(rule.Ports, port) && from.matches(t, rule.From)
		}
	}
	return sends && receives
}

// TestNetworkPolicies lists every connection that is permitted, among the ports of all pods and of what is outside.
func TestNetworkPolicies(t *testing.T) {
	each(t, func(t *testing.T, found *objects) {
		everything := slices.ContainsFunc(found.policies, func(policy *networking.NetworkPolicy) bool {
			selector := policy.Spec.PodSelector
			return len(selector.MatchLabels)+len(selector.MatchExpressions) == 0 && len(policy.Spec.PolicyTypes) == 2 &&
				len(policy.Spec.Ingress)+len(policy.Spec.Egress) == 0
		})
		if !everything {
			t.Fatal("no policy refuses what the others do not permit")
		}
		outside := peer{name: "outside", outside: true}
		prometheus := peer{name: "prometheus", namespace: map[string]string{"kubernetes.io/metadata.name": "monitoring"}}
		resolver := peer{
			name: "resolver", namespace: map[string]string{"kubernetes.io/metadata.name": "kube-system"}, labels: map[string]string{"k8s-app": "kube-dns"},
		}
		peers := []peer{outside, prometheus, resolver}
		for _, w := range found.workloads {
			peers = append(peers, peer{name: w.name, labels: w.pod.Labels})
		}
		want := map[string]bool{
			"outside>gateway:8080": true, "prometheus>gateway:8080": true, "resolver>gateway:8080": true, // clients
			"gateway>api:8081": true, "etl>gateway:8281": true,
			"api>outside:5432": true, "etl>outside:5432": true, "migrate>outside:5432": true,
			"api>prometheus:5432": true, "etl>prometheus:5432": true, "migrate>prometheus:5432": true, // the database may be in any namespace
			"api>resolver:5432": true, "etl>resolver:5432": true, "migrate>resolver:5432": true,
		}
		if found.deployments["etl-metrics"] != nil {
			want["prometheus>api:8181"], want["prometheus>etl-metrics:9100"] = true, true
		}
		if portOf(found.workload(t, "gateway").container(t), intstr.FromString("https")) == 8443 {
			want["outside>gateway:8443"], want["prometheus>gateway:8443"], want["resolver>gateway:8443"] = true, true, true
		}
		for _, w := range found.workloads {
			want[w.name+">resolver:53"] = true
		}
		for _, from := range peers {
			for _, to := range peers {
				if from.name == to.name || (from.outside || from.namespace != nil) && (to.outside || to.namespace != nil) {
					continue
				}
				for _, port := range []int32{53, 443, 5432, 8080, 8081, 8181, 8281, 8443, 9100} {
					name := from.name + ">" + to.name + ":" + strconv.Itoa(int(port))
					if got := found.connects(t, from, to, port); got != want[name] {
						t.Errorf("%s is permitted: %v, want %v", name, got, want[name])
					}
				}
			}
		}
		for name := range want {
			if !slices.ContainsFunc(peers, func(one peer) bool { return len(name) > len(one.name) && name[:len(one.name)+1] == one.name+">" }) {
				t.Errorf("%s is about no peer", name)
			}
		}
		for _, policy := range found.policies {
			if selector := policy.Spec.PodSelector; len(selector.MatchLabels)+len(selector.MatchExpressions) > 0 &&
				!slices.ContainsFunc(found.workloads, func(w workload) bool { return selects(t, &selector, labels.Set(w.pod.Labels)) }) {
				t.Errorf("the policy %s is for no pod", policy.Name)
			}
		}
	})
}
