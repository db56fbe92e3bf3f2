package systemtest

import (
	"net/http"
	"os"
	"strconv"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"systemscale/infra/process"
)

// children returns a process and its children.
func children(t *testing.T, parent int) []int {
	t.Helper()
	found := []int{parent}
	entries, err := os.ReadDir("/proc")
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if pid, err := strconv.Atoi(entry.Name()); err == nil && process.Parent(pid) == parent {
			found = append(found, pid)
		}
	}
	return found
}

// freeze suspends processes until release is called. Their connections stay open, but they do not respond.
func freeze(t *testing.T, pids []int) (release func()) {
	t.Helper()
	signal := func(signal syscall.Signal) {
		for _, pid := range pids {
			_ = syscall.Kill(pid, signal) // a backend may have ended
		}
	}
	signal(syscall.SIGSTOP)
	t.Cleanup(func() { signal(syscall.SIGCONT) })
	return func() { signal(syscall.SIGCONT) }
}

// testFrozen suspends both instances, and then all processes of Postgres, while clients request copies that have expired. Few requests may
// wait, and none may fail.
func testFrozen(t *testing.T, s *instances, p *postgresServer, c *catalog) {
	const (
		clients = 4
		within  = 6 * time.Second
		enough  = 200         // responses; if each waited for an instance, the test would time out before
		waits   = time.Second // NGINX's timeout for an instance
		old     = 4100 * time.Millisecond
	)
	s.args = []string{"--cache-age", "1s"} // and three seconds of stale-while-revalidate
	for i := range s.running {
		s.running[i].signal(syscall.SIGTERM)
		_ = s.running[i].await()
		s.start(i)
	}
	postmaster := pids(t, s.stack).Postgres.Process.PID
	if p.running != nil {
		postmaster = p.running.Process.Pid
	}
	hot := hotPaths()
	for name, frozen := range map[string]func() []int{
		"instances": func() []int { return []int{s.running[0].Process.Pid, s.running[1].Process.Pid} },
		"Postgres":  func() []int { return children(t, postmaster) },
	} {
		t.Run(name, func(t *testing.T) {
			warm := &wire{address: s.gateway(t)}
			defer warm.close()
			for n := range 3 * len(hot) * len(encodings) {
				if err := c.check(warm, hot[n/len(encodings)%len(hot)], encodings[n%len(encodings)]...); err != nil {
					t.Fatal(err)
				}
			}
			time.Sleep(old)
			release := freeze(t, frozen())
			l := newLoad(t)
			var waited atomic.Int64
			for client := range clients {
				l.client(s.gateway(t), time.Millisecond, func(w *wire, n int) error {
					began := time.Now()
					err := c.check(w, hot[(n+client)%len(hot)], encodings[n/len(hot)%2]...)
					if time.Since(began) > waits {
						waited.Add(1)
					}
					return err
				})
			}
			began := time.Now()
			time.Sleep(within)
			l.more(enough)
			l.stop()
			// Each client may wait once, until NGINX considers the instances unavailable; then one request waits per instance and ten
			// seconds. On a slow machine other responses may take as long, but not one in twenty.
			most := max(clients+2*(2+int64(time.Since(began)/(10*time.Second))), l.requests.Load()/20)
			if waited.Load() > most {
				t.Errorf("%d of %d responses waited, want at most %d", waited.Load(), l.requests.Load(), most)
			}
			t.Logf("%d of %d responses waited", waited.Load(), l.requests.Load())
			for range 2 * len(encodings) {
				path, header := c.nextCold()
				got, err := warm.get(path, header...)
				if err != nil || !isProblem(got, http.StatusServiceUnavailable) || got.header.Get("Retry-After") == "" {
					t.Errorf("GET %s, which is not cached: %v, %d %v %.100q, want 503", path, err, got.status, got.header, got.body)
				}
			}
			release()
			eventually(t, "uncached documents are served again", func() bool {
				path, header := c.nextCold()
				got, err := warm.get(path, header...)
				return err == nil && got.status != http.StatusServiceUnavailable
			})
			eventually(t, "a copy is revalidated", func() bool {
				got, err := warm.get(hot[0])
				return err == nil && got.status == http.StatusOK && got.header.Get("X-Cache") == "HIT"
			})
		})
	}
}
