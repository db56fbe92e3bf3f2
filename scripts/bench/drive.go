package main

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

// drive is a load generator for what wrk cannot do: requests at times that do not depend on the answers, and looking into every answer
// without becoming slow. (vegeta counts a request's latency from when a worker got round to it, and net/http under it costs as much as
// NGINX.) It shares the processors with what it measures; what it takes is reported.
type drive struct {
	address     string
	dial        func(address string) (net.Conn, error) // nil: TCP
	connections int
	duration    time.Duration // 0: until the traffic ends
	rate        float64       // requests a second, whatever becomes of them; 0: each connection asks again when it has its answer
	status      int           // what every answer has to have
}

// traffic yields the requests of one connection, and nil when there are no more.
type traffic interface{ next() []byte }

const (
	// patience is how long an answer is waited for.
	patience = 5 * time.Second
	// maxErrors is how many errors a connection has before it gives up.
	maxErrors = 20
)

// run sends the traffic that of returns for each connection. At a rate, requests are due at equal distances, the connections take turns,
// and a latency counts from when its request was due: one that had to wait for a slow answer before it on the same connection has
// waited too.
func (d drive) run(ctx context.Context, of func(connection int) traffic) (load, error) {
	drivers := make([]*driver, d.connections)
	var wait sync.WaitGroup
	began := time.Now()
	for i := range drivers {
		drivers[i] = &driver{drive: d, traffic: of(i), began: began, number: i, cache: map[string]int64{}}
		wait.Go(func() { drivers[i].run(ctx) })
	}
	wait.Wait()
	got := load{Microseconds: max(d.duration, time.Since(began)).Microseconds(), Cache: map[string]int64{}}
	var latencies []time.Duration
	var errs []error
	for _, driver := range drivers {
		latencies = append(latencies, driver.latencies...)
		got.Errors += driver.errors
		got.Bytes += driver.bytes
		for state, count := range driver.cache {
			got.Cache[state] += count
		}
		if driver.err != nil && len(errs) < 3 {
			errs = append(errs, driver.err)
		}
	}
	slices.Sort(latencies)
	got.Requests = int64(len(latencies))
	got.P50, got.P99, got.P999 = percentile(latencies, 500).Microseconds(), percentile(latencies, 990).Microseconds(), percentile(latencies, 999).Microseconds()
	return got, errors.Join(append(errs, got.valid(), ctx.Err())...)
}

// percentile returns the smallest of the sorted values that so many in a thousand do not exceed.
func percentile(sorted []time.Duration, perMille int) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[max(0, (len(sorted)*perMille+999)/1000-1)]
}

// driver is one connection of a drive.
type driver struct {
	drive
	traffic traffic
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

func (d *driver) run(ctx context.Context) {
	defer d.hangUp()
	for turn := 0; ctx.Err() == nil && d.errors < maxErrors; turn++ {
		at, more := d.await(turn)
		if !more {
			return
		}
		request := d.traffic.next()
		if request == nil {
			return
		}
		if err := d.exchange(request); err != nil {
			d.errors++
			d.err = err
			d.hangUp()
			continue
		}
		d.latencies = append(d.latencies, time.Since(at))
	}
}

// due returns when a connection's request is to be sent.
func (d drive) due(began time.Time, number, turn int) time.Time {
	return began.Add(time.Duration(float64(turn*d.connections+number) / d.rate * float64(time.Second)))
}

// await returns the time from which the next request's latency counts, not before that time, unless time is up.
func (d *driver) await(turn int) (at time.Time, more bool) {
	if d.rate > 0 {
		at = d.due(d.began, d.number, turn)
	} else {
		at = time.Now()
	}
	if d.duration > 0 && at.Sub(d.began) >= d.duration {
		return at, false
	}
	time.Sleep(time.Until(at))
	return at, true
}

func (d *driver) exchange(request []byte) error {
	if d.connection == nil {
		dial := d.dial
		if dial == nil {
			dial = dialTCP
		}
		connection, err := dial(d.address)
		if err != nil {
			return err
		}
		d.connection, d.reader = connection, bufio.NewReaderSize(d, 32<<10)
	}
	if err := d.connection.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	if _, err := d.connection.Write(request); err != nil {
		return err
	}
	if err := d.response.Read(d.reader); err != nil {
		return err
	}
	if d.response.StatusCode() != d.status {
		return fmt.Errorf("%d for %q", d.response.StatusCode(), request)
	}
	if state := d.response.Header.Peek("X-Cache"); len(state) > 0 {
		d.cache[string(state)]++
	}
	if d.response.ConnectionClose() {
		d.hangUp()
	}
	return nil
}

func dialTCP(address string) (net.Conn, error) { return net.DialTimeout("tcp", address, patience) }

// Read reads from the connection and counts.
func (d *driver) Read(into []byte) (int, error) {
	count, err := d.connection.Read(into)
	d.bytes += int64(count)
	return count, err
}

func (d *driver) hangUp() {
	if d.connection != nil {
		_ = d.connection.Close() // everything that counts has been read
		d.connection = nil
	}
}
