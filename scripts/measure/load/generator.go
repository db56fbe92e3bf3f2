package load

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/valyala/fasthttp"
)

// Generator is a load generator for measurements that wrk cannot do: it sends requests at a rate that does not depend on the responses,
// and checks each response at low cost. (vegeta counts a latency from when a worker is free, and net/http under it needs as much
// processor time as NGINX.) It uses the same processors as the servers; the report contains its share.
type Generator struct {
	Address     string
	Dial        func(address string) (net.Conn, error) // nil: TCP
	Connections int
	Duration    time.Duration // 0: until the traffic ends
	Rate        float64       // requests per second, also if responses are slow; 0: each connection sends as soon as it has a response
	Status      int           // of every response; any other is an error
}

// Traffic generates the requests of one connection, and nil at the end.
type Traffic interface{ Next() []byte }

const (
	// timeout is the time limit of a request.
	timeout = 5 * time.Second
	// maxErrors is the number of errors after which a connection stops.
	maxErrors = 20
)

// Run sends the traffic that source returns for each connection. At a rate, requests are due at equal intervals, in turn on each
// connection. A latency is measured from when the request was due, so that it includes the time that the request waited for the
// response before it on the same connection.
func (g Generator) Run(ctx context.Context, source func(connection int) Traffic) (Load, error) {
	clients := make([]*client, g.Connections)
	var wait sync.WaitGroup
	began := time.Now()
	for i := range clients {
		clients[i] = &client{Generator: g, traffic: source(i), began: began, number: i, cache: map[string]int64{}}
		wait.Go(func() { clients[i].run(ctx) })
	}
	wait.Wait()
	got := Load{Microseconds: max(g.Duration, time.Since(began)).Microseconds(), Cache: map[string]int64{}}
	var latencies []time.Duration
	var errs []error
	for _, c := range clients {
		latencies = append(latencies, c.latencies...)
		got.Errors += c.errors
		got.Bytes += c.bytes
		for state, count := range c.cache {
			got.Cache[state] += count
		}
		if c.err != nil && len(errs) < 3 {
			errs = append(errs, c.err)
		}
	}
	slices.Sort(latencies)
	got.Requests = int64(len(latencies))
	got.P50 = Percentile(latencies, 500).Microseconds()
	got.P99 = Percentile(latencies, 990).Microseconds()
	got.P999 = Percentile(latencies, 999).Microseconds()
	return got, errors.Join(append(errs, got.Valid(), ctx.Err())...)
}

// Percentile returns the smallest of the sorted values that at least perMille in a thousand values do not exceed.
func Percentile(sorted []time.Duration, perMille int) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[max(0, (len(sorted)*perMille+999)/1000-1)]
}

// client sends the requests of one connection of a generator.
type client struct {
	Generator
	traffic Traffic
	began   time.Time
	number  int

	connection net.Conn
	reader     *bufio.Reader
	response   fasthttp.Response

	latencies []time.Duration
	cache     map[string]int64
	bytes     int64
	errors    int64
	err       error // the last one
}

func (c *client) run(ctx context.Context) {
	defer c.close()
	for turn := 0; ctx.Err() == nil && c.errors < maxErrors; turn++ {
		due, more := c.await(turn)
		if !more {
			return
		}
		request := c.traffic.Next()
		if request == nil {
			return
		}
		if err := c.exchange(request); err != nil {
			c.errors++
			c.err = err
			c.close()
			continue
		}
		c.latencies = append(c.latencies, time.Since(due))
	}
}

// await waits until the next request is due and returns that time. more is false if that is after the end.
func (c *client) await(turn int) (due time.Time, more bool) {
	if c.Rate > 0 {
		due = c.began.Add(time.Duration(float64(turn*c.Connections+c.number) / c.Rate * float64(time.Second)))
	} else {
		due = time.Now()
	}
	if c.Duration > 0 && due.Sub(c.began) >= c.Duration {
		return due, false
	}
	time.Sleep(time.Until(due))
	return due, true
}

func (c *client) exchange(request []byte) error {
	if c.connection == nil {
		dial := c.Dial
		if dial == nil {
			dial = dialTCP
		}
		connection, err := dial(c.Address)
		if err != nil {
			return err
		}
		c.connection, c.reader = connection, bufio.NewReaderSize(c, 32<<10)
	}
	if err := c.connection.SetDeadline(time.Now().Add(timeout)); err != nil {
		return err
	}
	if _, err := c.connection.Write(request); err != nil {
		return err
	}
	if err := c.response.Read(c.reader); err != nil {
		return err
	}
	if c.response.StatusCode() != c.Status {
		return fmt.Errorf("%d for %q", c.response.StatusCode(), request)
	}
	if state := c.response.Header.Peek("X-Cache"); len(state) > 0 {
		c.cache[string(state)]++
	}
	if c.response.ConnectionClose() {
		c.close()
	}
	return nil
}

func dialTCP(address string) (net.Conn, error) { return net.DialTimeout("tcp", address, timeout) }

// Read reads from the connection and counts the bytes.
func (c *client) Read(into []byte) (int, error) {
	count, err := c.connection.Read(into)
	c.bytes += int64(count)
	return count, err
}

func (c *client) close() {
	if c.connection != nil {
		_ = c.connection.Close() // all responses that count have been read
		c.connection = nil
	}
}
