// Package cacherefresh refreshes the cached copies of changed documents in a gateway, which is an NGINX in front of the API.
//
// A gateway has a refresh endpoint for this, for trusted clients only:
//
//	HEAD /status         200: this is a refresh endpoint
//	HEAD /cached/PATH    the copy of PATH for the request's Accept-Encoding, fresh or not; 404 without a version if it is absent
//	HEAD /refresh/PATH   fetches PATH from the API, replaces the copy, and responds as the API did
//	HEAD /lists          all earlier copies of lists, change feeds and pages become invalid
//
// For every path that changed, both encodings are looked up, and only the copies that exist and are of an earlier run are refreshed: a
// cache keeps what its clients request, and a path without a copy is not fetched. The X-Data-Version of a response is the run that the
// copy is of. Lists have too many addresses to look up, so the gateway invalidates all of them at once. Only the status and the version of
// a response are read: no redirect is followed, no body is read, and nothing of a response becomes part of a later request.
//
// Refreshing is idempotent; an interrupted refresh restarts from the beginning.
package cacherefresh

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"

	"github.com/dustin/go-humanize/english"
	"golang.org/x/sync/errgroup"
)

// connections is the number of concurrent requests to one gateway. Measured with 60,000 lookups at a server in the same process on two
// cores: 8 take 1.5 s, 16 and 32 the same; over a network, fewer would be slower.
const connections = 16

// timing has the time limits of a refresh.
type timing struct {
	answer   time.Duration // for one response
	follow   time.Duration // within which every running API instance follows a publish
	patience time.Duration // from the first lookup of each copy until the API serves the new version
	pause    time.Duration // before a copy is looked up again; it doubles
	all      time.Duration // for everything
}

// standard is for instances that read the version each second, and copies that expire after about ten seconds: after a minute no old copy
// is left.
var standard = timing{
	answer: 5 * time.Second, follow: 1200 * time.Millisecond, patience: 5 * time.Second, pause: 50 * time.Millisecond, all: time.Minute,
}

// CopiesOfPath is how many copies of a path a gateway can have, one for each encoding.
const CopiesOfPath = 2

// Counts counts copies, each a path in an encoding, by outcome.
type Counts struct {
	Absent    int64 // were not in the cache
	Fresh     int64 // were of the run, or a later one, before the refresh
	Refreshed int64 // were replaced
	Behind    int64 // could not be replaced by a copy of the run
}

// Paths calls yield with each path, such as /products/1, percent-encoded, and ends with its first error.
type Paths func(ctx context.Context, yield func(path string) error) error

// Refresh refreshes the copies of an earlier run than run in a gateway: of each path, and of all lists. looked is called after the first
// lookup of each copy, concurrently. If paths is nil, only the lists are refreshed.
//
// The lists come last, when every running API instance serves the run: until then an instance could still serve an earlier page. For the
// same reason, copies that are looked up before that time are looked up twice.
//
// The error is that the gateway does not respond, or not as a refresh endpoint does, or that some copies could not be replaced. The counts
// are then those so far.
func Refresh(ctx context.Context, gateway Gateway, run int64, paths Paths, looked func()) (Counts, error) {
	return refresh(ctx, standard, gateway, run, paths, looked)
}

// errTooSlow is the cause of a timeout of the whole refresh.
var errTooSlow = errors.New("it takes too long")

func refresh(ctx context.Context, timing timing, gateway Gateway, run int64, paths Paths, looked func()) (Counts, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, timing.all, errTooSlow)
	defer cancel()
	transport := &http.Transport{
		// No proxy of the environment: requests go to the gateway only.
		DialContext:            (&net.Dialer{Timeout: timing.answer}).DialContext,
		TLSHandshakeTimeout:    timing.answer,
		ResponseHeaderTimeout:  timing.answer,
		MaxResponseHeaderBytes: 64 << 10,
		MaxIdleConnsPerHost:    connections,
		DisableCompression:     true, // the encoding is chosen here
	}
	defer transport.CloseIdleConnections()
	r := &refresher{gateway: gateway, run: run, timing: timing, transport: transport, settled: time.Now().Add(timing.follow)}
	err := r.copies(ctx, paths, looked)
	if err == nil && len(r.behind) == 0 {
		err = r.lists(ctx)
	}
	r.counts.Behind = int64(len(r.behind))
	for _, c := range r.early {
		r.count(c)
	}
	switch {
	case err != nil && context.Cause(ctx) != nil:
		return r.counts, context.Cause(ctx)
	case err != nil:
		return r.counts, err
	case r.counts.Behind > 0:
		return r.counts, fmt.Errorf("%s not of run %d yet, for one %s: %w",
			english.Plural(int(r.counts.Behind), "copy is", "copies are"), run, r.behind[0].path, r.behind[0].why)
	}
	return r.counts, nil
}

// refresher executes one Refresh.
type refresher struct {
	gateway   Gateway
	run       int64
	timing    timing
	transport http.RoundTripper
	settled   time.Time // the time when every API instance has followed

	mu     sync.Mutex
	counts Counts
	behind []entry // to be looked up again
	early  []entry // were looked up before it was settled
}

// entry is the cache entry of a path in an encoding, which may be absent.
type entry struct {
	path     string
	encoding string
	outcome  outcome
	why      error // reason of the outcome behind
}

type outcome uint8

const (
	unknown outcome = iota
	absent
	fresh
	refreshed
	behind
)

// encodings are the encodings of which a gateway keeps separate copies.
var encodings = [CopiesOfPath]string{"identity", "gzip"}

func (r *refresher) copies(ctx context.Context, paths Paths, looked func()) error {
	if status, _, err := r.head(ctx, "/status", ""); err != nil {
		return err
	} else if status != http.StatusOK {
		return &statusError{"/status", status}
	}
	if paths == nil {
		return nil
	}
	err := r.each(ctx, looked, func(ctx context.Context, look func(entry) error) error {
		return paths(ctx, func(path string) error {
			for _, encoding := range encodings {
				if err := look(entry{path: path, encoding: encoding}); err != nil {
					return err
				}
			}
			return nil
		})
	})
	if err != nil {
		return err
	}
	impatient := time.Now().Add(max(r.timing.patience, time.Until(r.settled)))
	for pause := r.timing.pause; len(r.behind)+len(r.early) > 0; pause *= 2 {
		if len(r.behind) == 0 {
			pause = time.Until(r.settled)
		}
		if len(r.early) == 0 && time.Now().Add(pause).After(impatient) {
			return nil
		}
		if err := wait(ctx, pause); err != nil {
			return err
		}
		again := r.behind
		r.behind = nil
		if !time.Now().Before(r.settled) {
			again, r.early = append(again, r.early...), nil
		}
		err := r.each(ctx, func() {}, func(_ context.Context, look func(entry) error) error {
			for _, c := range again {
				if err := look(c); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// lists invalidates the copies of lists.
func (r *refresher) lists(ctx context.Context) error {
	if err := wait(ctx, time.Until(r.settled)); err != nil {
		return err
	}
	status, _, err := r.head(ctx, "/lists", "")
	if err == nil && status != http.StatusOK {
		err = &statusError{"/lists", status}
	}
	return err
}

func wait(ctx context.Context, pause time.Duration) error {
	select {
	case <-time.After(pause):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// each looks up the entries that entries passes to its argument, concurrently. The first error ends it.
func (r *refresher) each(ctx context.Context, looked func(), entries func(ctx context.Context, look func(entry) error) error) error {
	group, ctx := errgroup.WithContext(ctx)
	queue := make(chan entry, connections)
	group.Go(func() error {
		defer close(queue)
		return entries(ctx, func(c entry) error {
			select {
			case queue <- c:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
	})
	for range connections {
		group.Go(func() error {
			for c := range queue {
				if err := r.look(ctx, c); err != nil {
					return err
				}
				looked()
			}
			return nil
		})
	}
	return group.Wait()
}

// look looks up one copy, refreshes it if it exists, and files it by its outcome.
func (r *refresher) look(ctx context.Context, c entry) error {
	early := time.Now().Before(r.settled)
	found, why, err := r.replace(ctx, c)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if c.outcome != refreshed || found == behind { // a copy that was refreshed is fresh now
		c.outcome = found
	}
	switch c.why = why; {
	case found == behind:
		r.behind = append(r.behind, c)
	case early:
		r.early = append(r.early, c)
	default:
		r.count(c)
	}
	return nil
}

func (r *refresher) count(c entry) {
	switch c.outcome {
	case absent:
		r.counts.Absent++
	case fresh:
		r.counts.Fresh++
	case refreshed:
		r.counts.Refreshed++
	}
}

// replace refreshes a copy unless it is absent or fresh. why is the reason of an outcome behind.
func (r *refresher) replace(ctx context.Context, c entry) (found outcome, why, err error) {
	status, version, err := r.head(ctx, "/cached"+c.path, c.encoding)
	switch {
	case err != nil:
		return unknown, nil, err
	case status == http.StatusNotFound && version == 0: // with a version, it is a copy of the API's 404
		return absent, nil, nil
	case busy(status):
		return behind, &statusError{"/cached" + c.path, status}, nil
	case status != http.StatusOK && status != http.StatusNotFound:
		return unknown, nil, &statusError{"/cached" + c.path, status}
	case version >= r.run:
		return fresh, nil, nil
	}
	status, version, err = r.head(ctx, "/refresh"+c.path, c.encoding)
	switch {
	case err != nil:
		return unknown, nil, err
	case busy(status):
		return behind, &statusError{"/refresh" + c.path, status}, nil
	case status != http.StatusOK && status != http.StatusNotFound: // of a document that was removed
		return unknown, nil, &statusError{"/refresh" + c.path, status}
	case version < r.run:
		return behind, fmt.Errorf("the API served version %d", version), nil
	}
	return refreshed, nil, nil
}

// busy reports whether the same request may succeed later.
func busy(status int) bool { return status == http.StatusTooManyRequests || status >= 500 }

// head sends one request, and returns the status of the response and its data version, 0 if it has none.
func (r *refresher) head(ctx context.Context, path, encoding string) (status int, version int64, err error) {
	decoded, err := url.PathUnescape(path)
	if err != nil {
		return 0, 0, fmt.Errorf("request %s: %w", path, err)
	}
	request := (&http.Request{
		Method: http.MethodHead,
		URL:    &url.URL{Scheme: r.gateway.scheme, Host: r.gateway.host, Path: decoded, RawPath: path},
		Header: http.Header{"Accept-Encoding": {encoding}, "User-Agent": {"systemscale-etl"}},
	}).WithContext(ctx)
	response, err := r.transport.RoundTrip(request)
	if err != nil {
		return 0, 0, fmt.Errorf("request %s: %w", path, err)
	}
	_ = response.Body.Close() // a response to HEAD has none
	version, err = strconv.ParseInt(response.Header.Get("X-Data-Version"), 10, 64)
	if err != nil {
		version = 0
	}
	return response.StatusCode, version, nil
}

// statusError is an unexpected status of a response.
type statusError struct {
	path   string
	status int
}

func (e *statusError) Error() string {
	message := fmt.Sprintf("the response to HEAD %s has status %d", e.path, e.status)
	switch {
	case e.status == http.StatusForbidden:
		return message + ": the gateway does not trust this machine"
	case busy(e.status):
		return message
	case e.path == "/lists" && e.status == http.StatusNotFound:
		return message + ": the configuration of this NGINX is older than etl, and cannot refresh lists"
	}
	return message + ": is this a refresh endpoint?"
}
