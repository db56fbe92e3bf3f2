package systemtest

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// publishingTime is the duration of testPublishing. SYSTEMTEST_PUBLISHING replaces it, such as 10s.
const publishingTime = time.Minute

const publishedProducts = 200

// testPublishing publishes repeatedly, in every mode, while clients send requests to NGINX and each instance.
func testPublishing(t *testing.T, s *stack, c *catalog) {
	duration := publishingTime
	if text := os.Getenv("SYSTEMTEST_PUBLISHING"); text != "" {
		var err error
		if duration, err = time.ParseDuration(text); err != nil {
			t.Fatal(err)
		}
	}
	p := &publisher{stack: s, t: t, history: &c.history, published: []*edition{c.editions[c.newest]}}
	for number := 1; number <= 6; number++ {
		p.editions = append(p.editions, s.newEdition(t, number, c.products))
	}
	t.Run("a changed price is visible at once", func(t *testing.T) { testFreshness(t, p) })
	l := newLoad(t)
	targets := append(paths(1, c.products), "/products?page=1&count=5", "/products?page=2&count=50", "/products?page=3&count=100")
	for client := range 2 {
		for _, address := range s.instanceURLs(t) {
			o := newOrder(&c.history)
			l.client(address, 2*time.Millisecond, func(w *wire, n int) error {
				// The version of an instance never decreases, over all paths.
				_, err := o.check(w, "", targets[(n*31+client*307)%len(targets)])
				return err
			})
		}
		for i, encoding := range encodings {
			through := newOrder(&c.history)
			l.client(s.gateway(t), 2*time.Millisecond, func(w *wire, n int) error {
				// Mostly the first paths. Each copy in the cache has its own version.
				path := targets[(n*17+(client+2*i)*151)%(len(targets)>>(n%4))]
				_, err := through.check(w, path, path, encoding...)
				return err
			})
		}
	}
	for began := time.Now(); time.Since(began) < duration && !t.Failed(); {
		p.next()
		time.Sleep(time.Second) // a run takes about as long
	}
	l.stop()
	t.Logf("%d requests while %d versions were published", l.requests.Load(), len(p.published)-1)
}

// visibleLimit is the maximum time from the publication of a document to its first response from NGINX: two seconds, and more on a busy
// machine. Copies that are not refreshed are served for a minute.
const visibleLimit = slowMachine * 2 * time.Second

// testFreshness publishes a delta and refreshes NGINX. Although copies expire after a minute, changed documents must be visible at once
// in both encodings, and NGINX must serve the others from its cache.
func testFreshness(t *testing.T, p *publisher) {
	p.takeInstances(p.t, "--cache-age", "1m")
	e := p.editions[p.turn]
	p.turn++
	before := p.published[len(p.published)-1]
	var changed, steadies []string
	for _, path := range paths(1, 6*hotProducts) {
		switch old, current := before.documents[path], e.documents[path]; {
		case old.etag == "" || current.etag == "":
		case old != current:
			changed = append(changed, path)
		default:
			steadies = append(steadies, path)
		}
	}
	if len(changed) < hotProducts || len(steadies) < hotProducts {
		t.Fatalf("%d documents are changed and %d are not: too few for a test", len(changed), len(steadies))
	}
	w := &wire{address: p.gateway(t)}
	defer w.close()
	for _, path := range slices.Concat(changed, steadies) {
		for _, encoding := range encodings {
			var got answer
			var err error
			for range 3 { // NGINX caches a document on its second request
				got, err = w.get(path, encoding...)
			}
			if err != nil || got.header.Get("X-Cache") != "HIT" {
				t.Fatalf("GET %s: %v, %v: it is not cached after three requests", path, err, got.header)
			}
		}
	}

	l := newLoad(t)
	var mutex sync.Mutex
	seen := map[string]time.Time{} // by path and encoding: time of the first response with the new document
	for i, encoding := range encodings {
		o, unchanged := newOrder(p.history), newOrder(p.history)
		l.client(p.gateway(t), time.Millisecond, func(w *wire, n int) error {
			path := changed[n%len(changed)]
			got, err := o.check(w, path, path, encoding...)
			mutex.Lock()
			defer mutex.Unlock()
			if key := path + fmt.Sprint(i); err == nil && got.body == e.documents[path].body && seen[key].IsZero() {
				seen[key] = time.Now()
			}
			return err
		})
		l.client(p.gateway(t), time.Millisecond, func(w *wire, n int) error {
			path := steadies[n%len(steadies)]
			got, err := unchanged.check(w, path, path, encoding...)
			if err == nil && got.header.Get("X-Cache") != "HIT" {
				err = fmt.Errorf("GET %s: it has not changed, and X-Cache is %s", path, got.header.Get("X-Cache"))
			}
			return err
		})
	}
	l.more(int64(4 * len(changed)))
	flipped, newest := make(chan time.Time, 1), p.history.newest
	go func() { flipped <- p.flip(t, newest) }()
	p.publish(e, "run", "--csv", e.csv, "--accept", "changed", "--accept", "removed", "--accept", "fewer-rows", "--mode", "delta", "--gateway", p.env["GATEWAYS"])
	live := <-flipped
	eventually(t, "all changed documents are visible", func() bool {
		mutex.Lock()
		defer mutex.Unlock()
		return len(seen) == len(changed)*len(encodings)
	})
	l.more(int64(4 * len(changed))) // and stays
	l.stop()
	var longest time.Duration
	for _, at := range seen {
		longest = max(longest, at.Sub(live))
	}
	t.Logf("%d documents in %d encodings visible within %s; %d others were hits; %d requests",
		len(changed), len(encodings), longest, len(steadies), l.requests.Load())
	if longest > visibleLimit {
		t.Errorf("a changed document was visible after %s, want %s", longest, visibleLimit)
	}
}

// flip waits until a run after the given one is live and returns the time.
func (s *stack) flip(t *testing.T, after int64) time.Time {
	conn, err := pgx.Connect(t.Context(), s.env["API_DATABASE_URL"])
	if err != nil {
		t.Error(err)
		return time.Time{}
	}
	defer func() { _ = conn.Close(context.Background()) }()
	for deadline := time.Now().Add(40 * time.Second); time.Now().Before(deadline); time.Sleep(2 * time.Millisecond) {
		var run int64
		if err := conn.QueryRow(t.Context(), "select run_id from catalog.version where collection = 'products'").Scan(&run); err != nil {
			t.Error(err)
			return time.Time{}
		}
		if run > after {
			return time.Now()
		}
	}
	t.Error("no later run is live")
	return time.Time{}
}

// publisher runs the ETL in each mode in turn.
type publisher struct {
	*stack
	t         *testing.T
	history   *history
	editions  []*edition // published in turn
	published []*edition // in order
	turn      int
}

// next publishes the next edition as a delta or as a generation, or rolls back.
func (p *publisher) next() {
	p.t.Helper()
	turn := p.turn
	p.turn++
	e := p.editions[turn%len(p.editions)]
	switch mode := []string{"delta", "generation", "rollback", "delta", "generation", "generation", "rollback"}[turn%7]; mode {
	case "rollback":
		p.publish(p.published[len(p.published)-2], "rollback", "--no-hold", "--gateway", p.env["GATEWAYS"])
	default:
		p.publish(e, "run", "--csv", e.csv, "--accept", "removed", "--accept", "changed", "--accept", "fewer-rows", "--mode", mode, "--gateway", p.env["GATEWAYS"])
	}
}

// publish runs the ETL, which must publish an edition.
func (p *publisher) publish(e *edition, args ...string) {
	p.t.Helper()
	run := p.history.newest + 1
	p.history.begin(run, e)
	p.etl(args...)
	if live := liveVersion(p.t, p.stack); live != strconv.FormatInt(run, 10) {
		p.t.Fatalf("etl %v published version %s, want %d", args, live, run)
	}
	p.history.end(run)
	p.published = append(p.published, e)
}

// order checks that the versions of a client's responses do not decrease.
type order struct {
	history *history
	latest  map[string]int64
}

func newOrder(h *history) *order { return &order{h, map[string]int64{}} }

// check requests a path. The response must be correct, and its version must not be lower than that of the last one with the same key.
func (o *order) check(w *wire, key, path string, header ...string) (got answer, err error) {
	began := time.Now()
	got, err = w.get(path, header...)
	if err != nil {
		return got, fmt.Errorf("GET %s: %w", path, err)
	}
	version, err := o.history.explain(path, got)
	if err != nil {
		return got, err
	}
	if latest := o.latest[key]; version < latest {
		return got, fmt.Errorf("%s: GET %s: version %d after version %d, which was published %s before: %v", w.address, path, version,
			latest, began.Sub(o.history.publishedAt(latest)), got.header)
	}
	o.latest[key] = version
	return got, nil
}
