package server

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"systemscale/api/internal/publishtest"
)

// measured returns a fake site, with a limit on its connections unless that is 0, and a function that reads its metrics: responses by
// "route status", and others by name.
func measured(t *testing.T, limit int64) (*site, func() map[string]float64) {
	f := newFake(t)
	registry := prometheus.NewRegistry()
	s := newSite(t, f, Options{Logger: quiet(), Registerer: registry})
	if limit > 0 {
		s.connectionLimit = limit
	}
	s.start(tcp(t))
	s.publish = f.publish
	return s, func() map[string]float64 {
		families, err := registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		values := map[string]float64{}
		for _, family := range families {
			for _, metric := range family.GetMetric() {
				var labels []string
				for _, label := range metric.GetLabel() {
					labels = append(labels, label.GetValue())
				}
				switch {
				case metric.GetHistogram() != nil:
					values[strings.Join(labels, " ")] = float64(metric.GetHistogram().GetSampleCount())
				case metric.GetCounter() != nil:
					values[family.GetName()] = metric.GetCounter().GetValue()
				default:
					values[family.GetName()] = metric.GetGauge().GetValue()
				}
			}
		}
		return values
	}
}

func TestRequestsAreCountedByRouteAndStatus(t *testing.T) {
	s, read := measured(t, 0)
	s.send("GET", "/things/1")
	s.publish("things", things(1, 3)...)
	s.publish("museums", onlyItems(1, 3))
	for _, r := range [][]string{
		{"GET", "/things/1"},
		{"GET", "/things/2"},
		{"HEAD", "/things/3?gclid=y"},
		{"GET", "/things/4"},
		{"GET", "/things/x"},
		{"GET", "/things/1", "If-None-Match", "*"},
		{"GET", "/things/1/detail"},
		{"GET", "/museums/1"},
		{"GET", "/things"},
		{"GET", "/things?page=2&count=2"},
		{"GET", "/things?page=x"},
		{"GET", "/things/changes?since=1"},
		{"GET", "/things/changes"},
		{"GET", "/things/1/nothing"},
		{"GET", "/nothing"},
		{"GET", "/nothing/1/detail"},
		{"GET", "/museums"},
		{"POST", "/things/1"},
		{"OPTIONS", "/things/1"},
	} {
		s.send(r[0], r[1], r[2:]...)
	}
	// Another version has other endpoints of the same names.
	s.publish("things", things(2, 3)...)
	s.send("GET", "/things/1")
	s.sendRaw("hello\r\n\r\n")

	got := read()
	for key, want := range map[string]float64{
		"/things/{id} 200": 4, "/things/{id} 304": 1, "/things/{id} 404": 1, "/things/{id} 400": 1,
		"/things/{id}/detail 200": 1, "/museums/{id} 200": 1, "/things 200": 2, "/things 400": 1,
		"/things/changes 200": 1, "/things/changes 400": 1,
		"other 503": 1, "other 404": 4, "other 405": 1, "other 204": 1,
		"systemscale_http_malformed_requests_total": 1, "systemscale_http_refused_connections_total": 0,
	} {
		if got[key] != want {
			t.Errorf("%s: %v, want %v", key, got[key], want)
		}
		delete(got, key)
	}
	delete(got, "systemscale_http_connections")
	if len(got) > 0 {
		t.Errorf("unexpected metrics: %v", got)
	}
}

func TestUnknownAddressesAddNoSeries(t *testing.T) {
	s, read := measured(t, 0)
	s.publish("things", things(1, 3)...)
	s.send("GET", "/things/1")
	s.send("GET", "/things/x")
	s.send("GET", "/things/9")
	s.send("GET", "/things/1/no")
	s.send("BREW", "/things")
	before := len(read())
	for i := range 50 {
		for _, target := range []string{
			"/things/%d", "/things%d/1", "/things/1/detail%d", "/things/x%d", "/%d/changes?since=%[1]d", "/things/1?x=%d",
		} {
			s.send("GET", fmt.Sprintf(target, i))
			s.send(fmt.Sprintf("M%d", i), "/things")
		}
	}
	if after := read(); len(after) != before {
		t.Errorf("%d series, want %d: %v", len(after), before, after)
	}
}

func TestConnectionsAreCounted(t *testing.T) {
	s, read := measured(t, 2)
	s.publish("things", things(1, 1)...)
	first, second := s.dial(), s.dial()
	count := func(want float64) {
		t.Helper()
		publishtest.Eventually(t, fmt.Sprintf("%v connections", want),
			func() bool { return read()["systemscale_http_connections"] == want })
	}
	count(2)
	checkProblem(t, receive(t, s.dial()), 503)
	if refused := read()["systemscale_http_refused_connections_total"]; refused != 1 {
		t.Errorf("%v refused, want 1", refused)
	}
	_ = first.Close()
	count(1)
	_ = second.Close()
	count(0)
}

func TestBuckets(t *testing.T) {
	if buckets[0] != 100e-6 || buckets[len(buckets)-1] != 5 || !slices.IsSorted(buckets) {
		t.Errorf("the buckets are not from 100 µs to 5 s: %v", buckets)
	}
}
