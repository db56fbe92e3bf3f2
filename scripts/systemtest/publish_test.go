package systemtest

import (
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"
)

const (
	// publishingTime is how long the ETL publishes under load. SYSTEMTEST_PUBLISHING makes it shorter, for who waits.
	publishingTime = time.Minute
	// followLimit is how far apart two instances may be in seeing what is published: the poll, and what a busy machine adds.
	followLimit = 2 * time.Second
)

// TestPublishing publishes again and again, in every way that there is, while clients ask NGINX and each instance.
func TestPublishing(t *testing.T) {
	t.Parallel()
	duration := publishingTime
	if text := os.Getenv("SYSTEMTEST_PUBLISHING"); text != "" {
		var err error
		if duration, err = time.ParseDuration(text); err != nil {
			t.Fatal(err)
		}
	}
	const products = 200
	s, c := publishedStack(t, products)
	p := &publisher{stack: s, t: t, history: &c.history, published: []*edition{c.editions[c.newest]}}
	for number := 1; number <= 6; number++ {
		p.editions = append(p.editions, s.newEdition(t, number, products))
	}
	l := newLoad(t)
	asked := append(paths(1, products), "/products?page=1&count=5", "/products?page=2&count=50", "/products?page=3&count=100")
	for client := range 2 {
		for _, door := range s.doors(t) {
			o := newOrder(&c.history)
			l.client(door, 2*time.Millisecond, func(w *wire, n int) error {
				// Whatever is asked: an instance never goes back.
				return o.ask(w, "", asked[(n*31+client*307)%len(asked)])
			})
		}
		for i, encoding := range encodings {
			through := newOrder(&c.history)
			l.client(s.gateway(t), 2*time.Millisecond, func(w *wire, n int) error {
				// Hot ones most of the time. Each has its own copy in the cache, from its own moment.
				path := asked[(n*17+(client+2*i)*151)%(len(asked)>>(n%4))]
				return through.ask(w, path, path, encoding...)
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
	run := p.history.newest + 1
	turn := p.turn
	p.turn++
	e := p.editions[turn%len(p.editions)]
	args := []string{"run", "--csv", e.csv, "--accept", "removed", "--accept", "changed", "--mode", []string{"delta", "generation", "", "delta", "generation", "generation", ""}[turn%7]}
	if args[len(args)-1] == "" {
		e = p.published[len(p.published)-2]
		args = []string{"rollback"}
	}
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
func (o *order) ask(w *wire, key, path string, header ...string) error {
	began := time.Now()
	got, err := w.get(path, header...)
	if err != nil {
		return fmt.Errorf("GET %s: %w", path, err)
	}
	version, err := o.history.explain(path, got)
	if err != nil {
		return err
	}
	if latest := o.latest[key]; version < latest {
		return fmt.Errorf("%s: GET %s: version %d after version %d, which was published %s before: %v", w.address, path, version, latest,
			began.Sub(o.history.publishedAt(latest)), got.header)
	}
	o.latest[key] = version
	return nil
}
