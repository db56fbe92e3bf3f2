package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"systemscale/scripts/ladder/report"
	"systemscale/scripts/ladder/rung"
)

// serve returns a subject whose server answers with bodies by path, and whose published documents are known.
func serve(t *testing.T, known map[rung.Request]answer, bodies map[string]string) *subject {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, found := bodies[r.URL.RequestURI()]
		if !found {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		_, _ = w.Write([]byte(body))
	}))
	t.Cleanup(server.Close)
	return &subject{
		Rung: rung.Rung{Name: "fake"}, address: strings.TrimPrefix(server.URL, "http://"), reference: &reference{known: known},
	}
}

var (
	styles1  = rung.Request{Endpoint: rung.Styles, ID: 1}
	product1 = rung.Request{Endpoint: rung.Product, ID: 1}
	missing  = rung.Request{Endpoint: rung.Product, ID: 9}
	page1    = rung.Request{Endpoint: rung.List, Page: 1, Count: 5}
	known    = map[rung.Request]answer{
		styles1: {[]byte(`{"results": [{"id": 1}]}`), true}, product1: {[]byte(`{"id": 1}`), true}, missing: {}, page1: {[]byte(`[{"id": 1}]`), true},
	}
	right = map[string]string{
		"/products/1/styles": `{"results":[{"id":1}]}`, "/products/1": `{"id":1}`, "/products?page=1&count=5": `[{"id":1}]`,
	}
)

// with returns the right bodies with another one for a path.
func with(path, body string) map[string]string {
	bodies := map[string]string{path: body}
	for at, one := range right {
		if at != path {
			bodies[at] = one
		}
	}
	return bodies
}

func TestAWrongAnswerEndsTheVerification(t *testing.T) {
	requests := []rung.Request{styles1, product1, missing, page1}
	if err := serve(t, known, right).verifyAll(t.Context(), requests); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ path, body, want string }{
		{"/products/1/styles", `{"results":[{"id":2}]}`, "rung fake, /products/1/styles: the answer differs from the published document: $.results[0].id is 2, want 1"},
		{"/products/1", `<html>`, "rung fake, /products/1: the answer differs from the published document: the answer is not JSON"},
		{"/products/9", `{"id":9}`, "/products/9 returns 200 OK, want 404"},
		{"/products?page=1&count=5", `[]`, "$ has 0 elements, want 1"},
	} {
		err := serve(t, known, with(test.path, test.body)).verifyAll(t.Context(), requests)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s for %s: %v, want %q", test.body, test.path, err, test.want)
		}
	}
	s := serve(t, known, map[string]string{"/other/1": `{"data":{"id":1}}`})
	s.Path = func(rung.Request) string { return "/other/1" }
	s.Body = func(body []byte) ([]byte, error) {
		return []byte(strings.TrimSuffix(strings.TrimPrefix(string(body), `{"data":`), "}")), nil
	}
	if err := s.verify(t.Context(), product1); err != nil {
		t.Errorf("a rung with other addresses and bodies: %v", err)
	}
}

func TestConstantRate(t *testing.T) {
	requests := []rung.Request{styles1, product1, page1}
	c := constant{rate: 1000, duration: 200 * time.Millisecond, requests: requests}
	s := serve(t, known, right)
	got, err := c.run(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	all := got.sample(report.All, c.duration)
	if got.offered != 200 || all.Requests < 3 || all.Requests > 201 || all.Errors != 0 || all.P99 < all.P50 || all.P50 <= 0 {
		t.Errorf("offered %d, %+v", got.offered, all)
	}
	if one := got.sample("styles", c.duration); one.Requests < all.Requests/4 || one.Requests > all.Requests/2 {
		t.Errorf("%d of %d requests were for styles, want a third", one.Requests, all.Requests)
	}
	if checked, err := got.compare(t.Context(), s); err != nil || checked < 1 {
		t.Errorf("%d bodies were compared, %v", checked, err)
	}

	s = serve(t, known, with("/products/1/styles", `{}`))
	if got, err = c.run(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	got.bodies = append(got.bodies, sampledBody{styles1, []byte(`{}`)})
	if _, err := got.compare(t.Context(), s); err == nil || !strings.Contains(err.Error(), "$.results is missing") {
		t.Errorf("a wrong body is no error: %v", err)
	}

	s = serve(t, known, map[string]string{"/products/1": right["/products/1"]})
	if got, err = c.run(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	if all := got.sample(report.All, c.duration); all.Errors < 0.5 || all.Errors > 0.8 || !strings.Contains(got.reason, "404") {
		t.Errorf("two thirds of the requests fail, and the sample has %+v, because %s", all, got.reason)
	}

	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.run(canceled, s); err == nil {
		t.Error("a canceled run returns no error")
	}
}

func TestLatencyIsFromWhenARequestWasDue(t *testing.T) {
	const stalled = 300 * time.Millisecond
	release := make(chan struct{})
	stall := sync.OnceFunc(func() { time.AfterFunc(stalled, func() { close(release) }) })
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		stall()
		<-release
		_, _ = w.Write([]byte(right["/products/1"]))
	}))
	defer server.Close()
	s := &subject{Rung: rung.Rung{Name: "slow"}, address: strings.TrimPrefix(server.URL, "http://"), reference: &reference{known: known}}
	got, err := constant{rate: 1000, duration: 100 * time.Millisecond, requests: []rung.Request{product1}}.run(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	// Every request waits until the server goes on, 300 ms after the first one. The last one is due after 100 ms.
	all := got.sample(report.All, 100*time.Millisecond)
	if all.P50 < 199 || got.done != 0 {
		t.Errorf("while the server does not answer, %d requests are done in time, and the sample is %+v", got.done, all)
	}
}

func TestAWrongAnswerWhileWrkRunsEndsTheMeasurement(t *testing.T) {
	if _, err := exec.LookPath("wrk"); err != nil {
		if os.Getenv("REQUIRE_DB") == "1" {
			t.Fatal("wrk is not installed, but REQUIRE_DB=1 requires it: run ./scripts/task test, or install wrk")
		}
		t.Skip("wrk is not installed: ./scripts/task ladder installs it")
	}
	requests := newTraffic(5, 5)
	everything := map[rung.Request]answer{}
	bodies := map[string]string{}
	for _, request := range requests.allHot() {
		everything[request] = answer{[]byte(`{"path":1}`), true}
		bodies[request.Path()] = `{"path":1}`
	}
	measure := func(s *subject) error {
		one := &trial{
			subject: s, plan: plan{Plan: report.Plan{PeakSeconds: 1, Connections: 2}}, round: 1, traffic: requests, directory: t.TempDir(),
		}
		return one.peak(t.Context(), report.Hot, report.All)
	}
	if err := measure(serve(t, everything, bodies)); err != nil {
		t.Fatal(err)
	}
	wrong := map[string]string{} // the server above may still be reading the other map
	for path := range bodies {
		wrong[path] = `{"path":2}`
	}
	if err := measure(serve(t, everything, wrong)); err == nil || !strings.Contains(err.Error(), "$.path is 2, want 1") {
		t.Errorf("wrong answers: %v", err)
	}
	if err := measure(serve(t, everything, nil)); err != nil {
		t.Errorf("refused requests are an error: %v", err)
	}
}
