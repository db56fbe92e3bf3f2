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

// publishingTime is how long the ETL publishes under load. SYSTEMTEST_PUBLISHING makes it shorter, for who waits.
const publishingTime = time.Minute

const publishedProducts = 200

// testPublishing publishes again and again, in every way that there is, while clients ask NGINX and each instance.
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
	asked := append(paths(1, c.products), "/products?page=1&count=5", "/products?page=2&count=50", "/products?page=3&count=100")
	for client := range 2 {
		for _, address := range s.instanceURLs(t) {
			o := newOrder(&c.history)
			l.client(address, 2*time.Millisecond, func(w *wire, n int) error {
				// Whatever is asked: an instance never goes back.
				_, err := o.ask(w, "", asked[(n*31+client*307)%len(asked)])
				return err
			})
		}
		for i, encoding := range encodings {
			through := newOrder(&c.history)
			l.client(s.gateway(t), 2*time.Millisecond, func(w *wire, n int) error {
				// Hot ones most of the time. Each has its own copy in the cache, from its own moment.
				path := asked[(n*17+(client+2*i)*151)%(len(asked)>>(n%4))]
				_, err := through.ask(w, path, path, encoding...)
				return err
			})
		}
	}
	for began := time.Now(); time.Since(began) < duration && !t.Failed(); {
		p.next()
		time.Sleep(time.Second) // a run takes about as long; more often than every few seconds nobody publishes
	}
	l.stop()
	t.Logf("%d requests while %d versions were published", l.asked.Load(), len(p.published)-1)
}

// visibleLimit is within which a changed price must be visible through NGINX once the ETL has published it: two seconds, and more on a
// machine that is busy. Copies that were not refreshed would be served for a minute.
const visibleLimit = slowMachine * 2 * time.Second

// testFreshness publishes a delta and tells NGINX. All that was changed must be visible at once in both encodings, though NGINX may keep
// it for a minute, and what was not changed must be answered from the cache as before.
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
		t.Fatalf("%d documents are changed and %d are not: too few to tell anything", len(changed), len(steadies))
	}
	w := &wire{address: p.gateway(t)}
	defer w.close()
	for _, path := range slices.Concat(changed, steadies) {
		for _, encoding := range encodings {
			var got answer
			var err error
			for range 3 { // NGINX keeps what it is asked for twice
				got, err = w.get(path, encoding...)
			}
			if err != nil || got.header.Get("X-Cache") != "HIT" {
				t.Fatalf("GET %s: %v, %v: asked for three times it is not in the cache", path, err, got.header)
			}
		}
	}

	l := newLoad(t)
	var mutex sync.Mutex
	seen := map[string]time.Time{} // by path and encoding: when the new document was answered for the first time
	for i, encoding := range encodings {
		o, unchanged := newOrder(p.history), newOrder(p.history)
		l.client(p.gateway(t), time.Millisecond, func(w *wire, n int) error {
			path := changed[n%len(changed)]
			got, err := o.ask(w, path, path, encoding...)
			mutex.Lock()
			defer mutex.Unlock()
			if key := path + fmt.Sprint(i); err == nil && got.body == e.documents[path].body && seen[key].IsZero() {
				seen[key] = time.Now()
			}
			return err
		})
		l.client(p.gateway(t), time.Millisecond, func(w *wire, n int) error {
			path := steadies[n%len(steadies)]
			got, err := unchanged.ask(w, path, path, encoding...)
			if err == nil && got.header.Get("X-Cache") != "HIT" {
				err = fmt.Errorf("GET %s: it has not changed and is answered with %s", path, got.header.Get("X-Cache"))
			}
			return err
		})
	}
	l.more(int64(4 * len(changed)))
	flipped, newest := make(chan time.Time, 1), p.history.newest
	go func() { flipped <- p.flip(t, newest) }()
	p.publish(e, "run", "--csv", e.csv, "--accept", "changed", "--accept", "removed", "--mode", "delta", "--gateway", p.env["GATEWAYS"])
	live := <-flipped
	eventually(t, "all that was changed is visible", func() bool {
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
	t.Logf("%d documents in %d encodings visible within %s; %d others were hits; %d requests", len(changed), len(encodings), longest, len(steadies), l.asked.Load())
	if longest > visibleLimit {
		t.Errorf("a changed document was visible after %s, want %s", longest, visibleLimit)
	}
}

// flip returns the moment in which a later run than the one given is live.
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
	t.Error("nothing is published")
	return time.Time{}
}

// publisher runs the ETL in a different way each time.
type publisher struct {
	*stack
	t         *testing.T
	history   *history
	editions  []*edition // still to come, in turn
	published []*edition // in order
	turn      int
}

// next publishes the next edition as a delta or as a generation, or returns to the edition before.
func (p *publisher) next() {
	p.t.Helper()
	turn := p.turn
	p.turn++
	e := p.editions[turn%len(p.editions)]
	switch mode := []string{"delta", "generation", "rollback", "delta", "generation", "generation", "rollback"}[turn%7]; mode {
	case "rollback":
		p.publish(p.published[len(p.published)-2], "rollback", "--gateway", p.env["GATEWAYS"])
	default:
		p.publish(e, "run", "--csv", e.csv, "--accept", "removed", "--accept", "changed", "--mode", mode, "--gateway", p.env["GATEWAYS"])
	}
}

// publish runs the ETL, which is to publish an edition.
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

// order holds a client's answers to the order of the versions.
type order struct {
	history *history
	latest  map[string]int64
}

func newOrder(h *history) *order { return &order{h, map[string]int64{}} }

// ask asks for a path. The answer must be right and of no earlier version than the last one with the same key.
func (o *order) ask(w *wire, key, path string, header ...string) (got answer, err error) {
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
		return got, fmt.Errorf("%s: GET %s: version %d after version %d, which was published %s before: %v", w.address, path, version, latest,
			began.Sub(o.history.publishedAt(latest)), got.header)
	}
	o.latest[key] = version
	return got, nil
}
