// Package edge tells NGINX cache nodes which addresses changed.
//
// A node has a door of its own for this, the refresh door, which answers trusted clients only:
//
//	HEAD /status         200: this is a refresh door
//	HEAD /cached/PATH    the copy of PATH for the request's Accept-Encoding, fresh or not; 404 without a version if the cache holds none
//	HEAD /refresh/PATH   fetches PATH from the API, puts it in the place of the copy, and answers as the API did
//	HEAD /lists          no copy of a list, a change feed or a page that was made before is used again
//
// For every path that changed, both encodings are looked for, and only the copies that are there and are of an earlier run are
// refreshed: a cache keeps what its clients ask for, and nothing is fetched for nobody. The X-Data-Version of an answer says of which run a
// copy is. Lists have more addresses than can be looked for, so a node gives up the copies of all of them at once. Nothing else in an
// answer is read but the status: no redirect is followed, no body is taken, and nothing that a node says becomes part of a later request.
//
// What is refreshed twice is refreshed all the same, so whoever is cut off begins anew.
package edge

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

// connections is how many requests are under way to one node. Measured with 60,000 probes of a server in the same process on two cores:
// 8 take 1.5 s, 16 and 32 the same; with fewer, a node that is a network away would be waited for.
const connections = 16

// timing is how long a node is waited for.
type timing struct {
	answer   time.Duration // for one answer
	follow   time.Duration // within which every API instance that is alive follows a publish
	patience time.Duration // from the first look at each copy, for the API to answer with what was published
	pause    time.Duration // before a copy is looked at again; it doubles
	all      time.Duration // for everything
}

// standard: an instance asks for the version each second; clients and caches are allowed copies of some ten seconds, so that after a
// minute there is nothing left to be told about.
var standard = timing{answer: 5 * time.Second, follow: 1200 * time.Millisecond, patience: 5 * time.Second, pause: 50 * time.Millisecond, all: time.Minute}

// CopiesOfPath is how many copies of a path a node may hold, one for each encoding.
const CopiesOfPath = 2

// Counts is how many copies, which are a path in an encoding, ended in which way.
type Counts struct {
	Absent    int64 // were not in the cache
	Fresh     int64 // were of the run, or a later one, without having been refreshed here
	Refreshed int64 // were replaced
	Behind    int64 // could not be replaced by a copy of the run
}

// Paths calls yield with each path, such as /products/1, and ends with its first error.
type Paths func(ctx context.Context, yield func(path string) error) error

// Refresh sees to it that a node holds no copy of an earlier run of any path, and uses no earlier copy of a list. looked is called after the first
// look at each copy, from several goroutines at once. paths may be nil: then only the lists are refreshed.
//
// The lists come last, once every API instance that is alive has followed: until then an instance could still answer with an earlier page.
//
// Copies looked at within the first moments, while an API instance may still answer with what was before, are looked at twice. The error says
// that the node does not answer, or not as a refresh door does, or that some copies stay Behind; the counts are then those so far.
func Refresh(ctx context.Context, node Node, run int64, paths Paths, looked func()) (Counts, error) {
	return refresh(ctx, standard, node, run, paths, looked)
}

// errTooSlow is the cause when the node has used up its time.
var errTooSlow = errors.New("it takes too long")

func refresh(ctx context.Context, timing timing, node Node, run int64, paths Paths, looked func()) (Counts, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, timing.all, errTooSlow)
	defer cancel()
	transport := &http.Transport{
		// No proxy of the environment: a door is asked, and nobody else.
		DialContext:            (&net.Dialer{Timeout: timing.answer}).DialContext,
		TLSHandshakeTimeout:    timing.answer,
		ResponseHeaderTimeout:  timing.answer,
		MaxResponseHeaderBytes: 64 << 10,
		MaxIdleConnsPerHost:    connections,
		DisableCompression:     true, // the encoding is chosen here
	}
	defer transport.CloseIdleConnections()
	r := &refresher{node: node, run: run, timing: timing, transport: transport, settled: time.Now().Add(timing.follow)}
	err := r.everything(ctx, paths, looked)
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
		return r.counts, fmt.Errorf("%s not of run %d yet, for one %s: %w", english.Plural(int(r.counts.Behind), "copy is", "copies are"), run, r.behind[0].path, r.behind[0].why)
	}
	return r.counts, nil
}

// refresher is one Refresh.
type refresher struct {
	node      Node
	run       int64
	timing    timing
	transport http.RoundTripper
	settled   time.Time // when every API instance has followed

	mu     sync.Mutex
	counts Counts
	behind []entry // are to be looked at again
	early  []entry // were looked at before it was settled
}

// entry is the place in the cache of one copy, whether there is one or not.
type entry struct {
	path     string
	encoding string
	outcome  outcome
	why      error // why it is behind
}

type outcome uint8

const (
	unknown outcome = iota
	absent
	fresh
	refreshed
	behind
)

// encodings are those that a node keeps apart.
var encodings = [CopiesOfPath]string{"identity", "gzip"}

func (r *refresher) everything(ctx context.Context, paths Paths, looked func()) error {
	if status, _, err := r.ask(ctx, "/status", ""); err != nil {
		return err
	} else if status != http.StatusOK {
		return &answerError{"/status", status}
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

// lists makes the node give up its copies of lists.
func (r *refresher) lists(ctx context.Context) error {
	if err := wait(ctx, time.Until(r.settled)); err != nil {
		return err
	}
	status, _, err := r.ask(ctx, "/lists", "")
	if err == nil && status != http.StatusOK {
		err = &answerError{"/lists", status}
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

// each looks at the entries that entries hands to its argument, many at a time. The first error ends it.
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

// look looks at one copy, refreshes it if it is there, and files it where it then belongs.
func (r *refresher) look(ctx context.Context, c entry) error {
	early := time.Now().Before(r.settled)
	found, why, err := r.replace(ctx, c)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if c.outcome != refreshed || found == behind { // refreshed once, it is fresh by now
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

// replace refreshes a copy unless it is absent or fresh. why is only said of one that is behind.
func (r *refresher) replace(ctx context.Context, c entry) (found outcome, why, err error) {
	status, version, err := r.ask(ctx, "/cached"+c.path, c.encoding)
	switch {
	case err != nil:
		return unknown, nil, err
	case status == http.StatusNotFound && version == 0: // with a version, it is a copy of the API's 404
		return absent, nil, nil
	case busy(status):
		return behind, &answerError{"/cached" + c.path, status}, nil
	case status != http.StatusOK && status != http.StatusNotFound:
		return unknown, nil, &answerError{"/cached" + c.path, status}
	case version >= r.run:
		return fresh, nil, nil
	}
	status, version, err = r.ask(ctx, "/refresh"+c.path, c.encoding)
	switch {
	case err != nil:
		return unknown, nil, err
	case busy(status):
		return behind, &answerError{"/refresh" + c.path, status}, nil
	case status != http.StatusOK && status != http.StatusNotFound: // of a document that was removed
		return unknown, nil, &answerError{"/refresh" + c.path, status}
	case version < r.run:
		return behind, fmt.Errorf("the API answered with version %d", version), nil
	}
	return refreshed, nil, nil
}

// busy reports that the same question may find another answer in a moment.
func busy(status int) bool { return status == http.StatusTooManyRequests || status >= 500 }

// ask sends one request, and returns the status of the answer and its data version, 0 if it says none.
func (r *refresher) ask(ctx context.Context, path, encoding string) (status int, version int64, err error) {
	request := (&http.Request{
		Method: http.MethodHead,
		URL:    &url.URL{Scheme: r.node.scheme, Host: r.node.host, Path: path},
		Header: http.Header{"Accept-Encoding": {encoding}, "User-Agent": {"systemscale-etl"}},
	}).WithContext(ctx)
	response, err := r.transport.RoundTrip(request)
	if err != nil {
		return 0, 0, fmt.Errorf("ask for %s: %w", path, err)
	}
	_ = response.Body.Close() // of an answer to HEAD there is none
	version, err = strconv.ParseInt(response.Header.Get("X-Data-Version"), 10, 64)
	if err != nil {
		version = 0
	}
	return response.StatusCode, version, nil
}

// answerError is an answer that a refresh door does not give, or not when all is well.
type answerError struct {
	path   string
	status int
}

func (e *answerError) Error() string {
	message := fmt.Sprintf("the answer to HEAD %s is %d", e.path, e.status)
	switch {
	case e.status == http.StatusForbidden:
		return message + ": the node does not trust this machine"
	case busy(e.status):
		return message
	case e.path == "/lists" && e.status == http.StatusNotFound:
		return message + ": the configuration of the node's NGINX is older than this program, and cannot refresh lists"
	}
	return message + ": is this the node's refresh door?"
}
