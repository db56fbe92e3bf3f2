package systemtest

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// TestFaults breaks parts of a stack under load, and publishes in another stack in parallel.
func TestFaults(t *testing.T) {
	// Both start first: the second could otherwise take the port of a killed instance of the first.
	failing, c := publishedStack(t, 6000)
	publishing, d := publishedStack(t, publishedProducts)
	t.Run("publishing under load", func(t *testing.T) {
		t.Parallel()
		testPublishing(t, publishing, d)
	})
	t.Run("failing parts", func(t *testing.T) {
		t.Parallel()
		i := failing.takeInstances(t)
		t.Run("both instances replaced several times", func(t *testing.T) { testRolling(t, i, c) })
		t.Run("instances killed and restarted", func(t *testing.T) { testKilledInstance(t, i, c) })
		t.Run("requests over the limits", func(t *testing.T) { testOversized(t, failing) })
		t.Run("clients that disconnect", func(t *testing.T) { testGoneClients(t, failing, c) })
		t.Run("slow clients", func(t *testing.T) { testSlowClients(t, failing, c) })
		t.Run("hostile requests", func(t *testing.T) { testHostile(t, i, c) })
		t.Run("concurrent misses of one document", func(t *testing.T) { testMissStorm(t, failing, c) })
		p := &postgresServer{stack: failing, t: t}
		t.Run("Postgres killed and restarted", func(t *testing.T) { testPostgres(t, p, c, syscall.SIGKILL, 0) })
		t.Run("Postgres stopped for some seconds", func(t *testing.T) { testPostgres(t, p, c, syscall.SIGINT, 4*time.Second) })
		t.Run("frozen processes", func(t *testing.T) { testFrozen(t, i, p, c) })
	})
}

// publishedStack returns a running stack and its catalog.
func publishedStack(t *testing.T, products int) (*stack, *catalog) {
	t.Helper()
	first := t.TempDir()
	writeEdition(t, first, 0, products)
	s, _ := start(t, first)
	c := &catalog{products: products}
	run, err := strconv.ParseInt(liveVersion(t, s), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	c.begin(run, s.newEdition(t, 0, products))
	c.end(run)
	return s, c
}

// gateway returns the address of NGINX.
func (s *stack) gateway(t *testing.T) string { return host(t, s.env["GATEWAY_URL"]) }

// instanceURLs returns the addresses of the instances.
func (s *stack) instanceURLs(t *testing.T) (addresses []string) {
	for _, address := range strings.Split(s.env["API_URLS"], ",") {
		addresses = append(addresses, host(t, address))
	}
	return addresses
}

func host(t *testing.T, address string) string {
	t.Helper()
	parsed, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return parsed.Host
}

// catalog is the catalog of a stack under test.
type catalog struct {
	history
	products int
	cold     atomic.Int64 // paths that nextCold has returned
}

// hotPaths are in NGINX's cache.
func hotPaths() []string { return paths(1, 3*hotProducts) }

// nextCold returns a path and a header of which NGINX has had no request.
func (c *catalog) nextCold() (path string, header []string) {
	const documents = 3
	n := int(c.cold.Add(1))
	id := 3*hotProducts + 1 + n/documents/len(encodings)
	if id > c.products { // for a missing document, the API makes a lookup as well
		return fmt.Sprintf("/products/%d", 1_000_000+n), nil
	}
	return paths(id, id)[n%documents], encodings[n/documents%len(encodings)]
}

// check requests a path and returns an error unless the response is correct.
func (h *history) check(w *wire, path string, header ...string) error {
	got, err := w.get(path, header...)
	if err != nil {
		return fmt.Errorf("GET %s: %w", path, err)
	}
	_, err = h.explain(path, got)
	return err
}

// mixed requests cached documents from NGINX at full speed, and uncached ones.
func (s *stack) mixed(t *testing.T, c *catalog) *load {
	l, hot := newLoad(t), hotPaths()
	for client := range 4 {
		l.client(s.gateway(t), 0, func(w *wire, n int) error { return c.check(w, hot[n%len(hot)], encodings[client%2]...) })
		l.client(s.gateway(t), 4*time.Millisecond, func(w *wire, _ int) error {
			path, header := c.nextCold()
			return c.check(w, path, header...)
		})
	}
	return l
}

// testRolling restarts the instances in turn under load. No request may fail, and each instance must end with exit code 0.
func testRolling(t *testing.T, s *instances, c *catalog) {
	l := s.mixed(t, c)
	const rounds = 3
	for range rounds {
		for i := range s.running {
			l.more(500)
			s.running[i].signal(syscall.SIGTERM)
			if err := s.running[i].await(); err != nil {
				t.Errorf("instance %d ends with %v", i+1, err)
			}
			s.start(i)
		}
	}
	l.stop()
	t.Logf("%d requests", l.requests.Load())
}

// testKilledInstance kills and restarts the instances in turn under load. No request may fail.
func testKilledInstance(t *testing.T, s *instances, c *catalog) {
	l := s.mixed(t, c)
	const rounds = 4
	for range rounds {
		for i := range s.running {
			l.more(500)
			s.running[i].signal(syscall.SIGKILL)
			_ = s.running[i].await()
			l.more(500)
			s.start(i)
		}
	}
	l.stop()
	t.Logf("%d requests", l.requests.Load())
}

// refusals are the 503 responses of one server.
type refusals struct {
	mutex sync.Mutex
	took  []time.Duration
	late  int // those after a lookup that timed out
	last  time.Time
}

// admit returns nil for a correct response and for a correct 503, which it counts.
func (r *refusals) admit(c *catalog, path string, took time.Duration, got answer) error {
	if got.status != http.StatusServiceUnavailable {
		_, err := c.explain(path, got)
		return err
	}
	if !isProblem(got, http.StatusServiceUnavailable) || got.header.Get("Retry-After") == "" {
		return fmt.Errorf("GET %s: not as a refusal should be: %d %v %.150q", path, got.status, got.header, got.body)
	}
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.took, r.last = append(r.took, took), time.Now()
	if strings.Contains(got.body, "The answer took too long.") {
		r.late++
	}
	return nil
}

const (
	// recoveryLimit is the maximum time from the moment when Postgres accepts connections to the last 503, on an idle machine. A lasting
	// fault exceeds the multiple that the tests allow.
	recoveryLimit = 2 * time.Second
	slowMachine   = 5
)

// so returns the number of 503 responses so far, and the time of the last one.
func (r *refusals) so() (count int, last time.Time) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	return len(r.took), r.last
}

// testPostgres ends Postgres with a signal and starts it again after a while. Cached documents must still be served. Requests for others
// must get a 503 quickly, and the document as soon as Postgres is back.
func testPostgres(t *testing.T, p *postgresServer, c *catalog, signal syscall.Signal, away time.Duration) {
	warm := &wire{address: p.gateway(t)}
	defer warm.close()
	hot := hotPaths()
	for range 3 { // NGINX may want to be asked more than once before it keeps something
		for _, path := range hot {
			for _, encoding := range encodings {
				if err := c.check(warm, path, encoding...); err != nil {
					t.Fatal(err)
				}
			}
		}
	}

	l := newLoad(t)
	for client := range 4 {
		l.client(p.gateway(t), time.Millisecond, func(w *wire, n int) error {
			return c.check(w, hot[(n+client)%len(hot)], encodings[n/len(hot)%2]...)
		})
	}
	servers := map[string]*refusals{}
	for _, address := range append(p.instanceURLs(t), p.gateway(t)) {
		server := &refusals{}
		servers[address] = server
		for range 2 {
			l.client(address, 4*time.Millisecond, func(w *wire, _ int) error {
				path, header := c.nextCold()
				began := time.Now()
				got, err := w.get(path, header...)
				if err != nil {
					return fmt.Errorf("GET %s: %w", path, err)
				}
				return server.admit(c, path, time.Since(began), got)
			})
		}
	}
	l.more(1000)
	p.end(signal)
	time.Sleep(away)
	eventually(t, "requests are refused while Postgres is away", func() bool {
		for _, server := range servers {
			if count, _ := server.so(); away > 0 && count < 50 {
				return false
			}
		}
		return true
	})
	accepts := p.start()
	eventually(t, "nothing has been refused for a while", func() bool {
		for _, server := range servers {
			if _, last := server.so(); time.Since(last) < recoveryLimit {
				return false
			}
		}
		return time.Since(accepts) > recoveryLimit
	})
	l.stop()
	for address, server := range servers {
		slices.Sort(server.took)
		count := len(server.took)
		if count == 0 {
			continue
		}
		recovery := server.last.Sub(accepts)
		t.Logf("%s: %d refused, half of them within %s, all within %s; the last %s after Postgres accepted connections",
			address, count, server.took[count/2], server.took[count-1], recovery)
		if server.late > count/2 {
			t.Errorf("%s: %d of %d were refused after a lookup timed out, want most at once", address, server.late, count)
		}
		if recovery > slowMachine*recoveryLimit {
			t.Errorf("%s: refused %s after Postgres accepted connections, want %s", address, recovery, recoveryLimit)
		}
	}
	t.Logf("%d requests", l.requests.Load())
}
