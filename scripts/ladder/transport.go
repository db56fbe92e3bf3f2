package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/valyala/fasthttp"
)

const (
	// timeout is the time limit of a request. It is above the latency at which a rung has fallen over.
	timeout = 3 * time.Second
	// mostWorkers is the maximum number of requests at a time. If all wait, later requests are sent late, and their latencies include that.
	mostWorkers = 4000
)

// transport sends vegeta's requests with fasthttp. With net/http the load generator would need more processor time than most rungs, and
// all would fall over at the rate at which it does.
type transport struct{ client fasthttp.HostClient }

// newTransport returns a transport to a server, with one connection for each request that waits.
func newTransport(address string) *transport {
	return &transport{fasthttp.HostClient{
		Addr: address, MaxConns: mostWorkers, NoDefaultUserAgentHeader: true,
		ReadTimeout: timeout, WriteTimeout: timeout, MaxIdleConnDuration: time.Minute, ReadBufferSize: 16 << 10,
	}}
}

// RoundTrip sends a GET request without headers of its own, and reads the whole body.
func (t *transport) RoundTrip(request *http.Request) (*http.Response, error) {
	out, in := fasthttp.AcquireRequest(), fasthttp.AcquireResponse()
	defer fasthttp.ReleaseRequest(out)
	defer fasthttp.ReleaseResponse(in)
	out.SetRequestURI(request.URL.RequestURI())
	out.SetHost(request.URL.Host)
	if err := t.client.Do(out, in); err != nil {
		return nil, err
	}
	body := bytes.Clone(in.Body())
	status := in.StatusCode()
	return &http.Response{
		StatusCode: status, Status: fmt.Sprint(status, " ", http.StatusText(status)), Request: request,
		ContentLength: int64(len(body)), Body: io.NopCloser(bytes.NewReader(body)),
	}, nil
}

// close closes the idle connections.
func (t *transport) close() { t.client.CloseIdleConnections() }
