package main

import (
	"context"
	"net/http"
	"slices"
	"sync/atomic"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"

	"systemscale/scripts/ladder/report"
	"systemscale/scripts/ladder/rung"
	"systemscale/scripts/measure/load"
)

// sampled is the number of requests of which one body is compared with the published document.
const sampled = 97

// constant sends requests at a constant rate that does not depend on the responses.
type constant struct {
	rate     float64 // requests per second
	duration time.Duration
	requests []rung.Request // in their order, and again from the first
}

// outcome is the responses to the requests of a constant.
type outcome struct {
	offered   int // requests that were due
	latencies map[rung.Endpoint][]time.Duration
	errors    map[rung.Endpoint]int
	done      int    // good responses until the last request was due
	reason    string // of the first error
	bodies    []sampledBody
}

// sampledBody is a response whose body is compared later.
type sampledBody struct {
	request rung.Request
	body    []byte
}

// run sends the requests to the subject. A latency is measured from when the request was due. A failed request is not an error.
func (c constant) run(ctx context.Context, s *subject) (outcome, error) {
	transport := newTransport(s.address)
	defer transport.close()
	attacker := vegeta.NewAttacker(vegeta.Client(&http.Client{Transport: transport}), vegeta.MaxWorkers(mostWorkers))
	defer context.AfterFunc(ctx, func() { attacker.Stop() })()

	// vegeta's workers take the requests in no certain order, so a result is known by its URL.
	urls, requests := make([]string, len(c.requests)), make(map[string]rung.Request, len(c.requests))
	for i, request := range c.requests {
		urls[i] = "http://" + s.address + s.path(request)
		requests[urls[i]] = request
	}
	var sent atomic.Uint64
	target := func(target *vegeta.Target) error {
		target.Method, target.URL = http.MethodGet, urls[(sent.Add(1)-1)%uint64(len(urls))]
		return nil
	}
	got := outcome{
		offered: int(c.rate * c.duration.Seconds()), latencies: map[rung.Endpoint][]time.Duration{}, errors: map[rung.Endpoint]int{},
	}
	began := time.Now()
	for result := range attacker.Attack(target, vegeta.Rate{Freq: int(c.rate), Per: time.Second}, c.duration, "") {
		got.add(result, requests[result.URL], began.Add(c.duration), began.Add(time.Duration(float64(result.Seq+1)/c.rate*float64(time.Second))))
	}
	return got, ctx.Err()
}

// add adds a response, or its failure, to a request that was due at a time. end is when the last request was due.
func (o *outcome) add(result *vegeta.Result, request rung.Request, end, due time.Time) {
	if result.Code != http.StatusOK || result.Error != "" {
		o.errors[request.Endpoint]++
		if o.reason == "" {
			o.reason = result.URL + ": " + result.Error
		}
		return
	}
	finished := result.End()
	o.latencies[request.Endpoint] = append(o.latencies[request.Endpoint], finished.Sub(due))
	if !finished.After(end) {
		o.done++
	}
	if result.Seq%sampled == 0 {
		o.bodies = append(o.bodies, sampledBody{request, result.Body})
	}
}

// compare compares the sampled bodies with the published documents and returns their number.
func (o *outcome) compare(ctx context.Context, s *subject) (int, error) {
	for _, one := range o.bodies {
		want, err := s.reference.answer(ctx, one.request)
		if err != nil {
			return 0, err
		}
		if err := s.compare(one.request, want, one.body); err != nil {
			return 0, err
		}
	}
	return len(o.bodies), nil
}

// sample returns the numbers of an endpoint, or of all.
func (o *outcome) sample(endpoint string, duration time.Duration) report.Sample {
	var latencies []time.Duration
	failed := 0
	for _, one := range rung.Endpoints() {
		if endpoint == report.All || endpoint == string(one) {
			latencies = append(latencies, o.latencies[one]...)
			failed += o.errors[one]
		}
	}
	slices.Sort(latencies)
	got := report.Sample{
		Endpoint: endpoint, Requests: int64(len(latencies) + failed), Rate: float64(len(latencies)) / duration.Seconds(),
		P50: milliseconds(load.Percentile(latencies, 500)), P99: milliseconds(load.Percentile(latencies, 990)),
	}
	if got.Requests > 0 {
		got.Errors = float64(failed) / float64(got.Requests)
	}
	return got
}

func milliseconds(duration time.Duration) float64 { return float64(duration.Microseconds()) / 1000 }
