package gateway

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// upstreamSocket in the environment makes this program an upstream of its own, which can be stopped as an API instance can.
const upstreamSocket = "GATEWAY_TEST_UPSTREAM"

func TestMain(m *testing.M) {
	socket := os.Getenv(upstreamSocket)
	if socket == "" {
		os.Exit(m.Run())
	}
	listener, err := net.Listen("unix", socket)
	if err == nil {
		err = os.Chmod(socket, 0o666) // NGINX may run as somebody else
	}
	if err == nil {
		// Old after a second, and never to be served stale while the API answers.
		err = http.Serve(listener, http.HandlerFunc(func(response http.ResponseWriter, request *http.Request) {
			answerWith("public, s-maxage=1", response, request)
		}))
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// separate is an upstream that is a process of its own.
type separate struct {
	t       *testing.T
	process *os.Process
}

func startSeparate(t *testing.T, socket string) separate {
	t.Helper()
	command := exec.Command(os.Args[0])
	command.Env = append(os.Environ(), upstreamSocket+"="+socket)
	command.Stderr = os.Stderr
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = command.Process.Kill()
		_ = command.Wait()
	})
	for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		connection, err := net.Dial("unix", socket)
		if err == nil {
			_ = connection.Close()
			return separate{t, command.Process}
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}

func (s separate) signal(signal syscall.Signal) {
	s.t.Helper()
	if err := s.process.Signal(signal); err != nil {
		s.t.Fatal(err)
	}
}

// startWithSeparate starts NGINX in front of so many upstreams that are processes, each left alone for retry once it has failed.
func startWithSeparate(t *testing.T, count int, retry time.Duration, share int) (*rig, []separate) {
	t.Helper()
	var upstreams []separate
	rig := start(t, func(gateway *Gateway) {
		gateway.Upstreams, gateway.retry, gateway.share = nil, retry, share
		for i := range count {
			socket := filepath.Join(gateway.Prefix, fmt.Sprintf("separate-%d.sock", i))
			upstreams = append(upstreams, startSeparate(t, socket))
			gateway.Upstreams = append(gateway.Upstreams, "unix:"+socket)
		}
	})
	return rig, upstreams
}

// cachedPaths caches documents in both encodings, and returns when every copy is old.
func (rig *rig) cachedPaths(count int) []string {
	rig.t.Helper()
	var paths []string
	for i := range count {
		paths = append(paths, fmt.Sprintf("/products/%d", i))
		if i%2 == 1 {
			paths[i] = fmt.Sprintf("/products?count=%d", i)
		}
		for _, encoding := range []string{"identity", "gzip"} {
			rig.warm(paths[i], "Accept-Encoding", encoding)
		}
	}
	time.Sleep(2100 * time.Millisecond) // the age is counted in whole seconds
	return paths
}

// waits is how long an answer may take of which nobody would think that it waited for an instance. It takes some 2 ms, and one that waited a second.
const waits = 800 * time.Millisecond

// askCopies asks for copies one after the other, over new connections and one that stays, and returns how many answers there were within the
// time, and how many of them had waited for an instance. Each must be the document.
func (rig *rig) askCopies(paths []string, within time.Duration) (answers, waited int) {
	rig.t.Helper()
	kept := &http.Client{Transport: &http.Transport{DisableCompression: true}, Timeout: 30 * time.Second}
	defer kept.CloseIdleConnections()
	once := &http.Client{Transport: &http.Transport{DisableCompression: true, DisableKeepAlives: true}, Timeout: 30 * time.Second}
	for end := time.Now().Add(within); time.Now().Before(end); answers++ {
		path := paths[answers/2%len(paths)]
		request, err := http.NewRequest(http.MethodGet, rig.url+path, nil)
		if err != nil {
			rig.t.Fatal(err)
		}
		encoding := []string{"identity", "gzip"}[answers%2]
		request.Header.Set("Accept-Encoding", encoding)
		client := kept
		if answers/4%2 == 0 {
			client = once
		}
		began := time.Now()
		got, err := read(client.Do(request))
		if time.Since(began) > waits {
			waited++
		}
		if err == nil && encoding == "gzip" {
			got.body = decompress(rig.t, got.body)
		}
		if err != nil || got.status != http.StatusOK || got.body != body(path) {
			rig.t.Fatalf("%s, %s: %v, %d %.60q, want the copy", path, encoding, err, got.status, got.body)
		}
	}
	return answers, waited
}

func TestCopiesAreServedWhileInstancesHang(t *testing.T) {
	const retry, within = 2 * time.Second, 5 * time.Second
	for name, test := range map[string]struct{ instances, frozen int }{"both": {2, 2}, "one of two": {2, 1}, "the only one": {1, 1}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			frozen := test.frozen
			rig, upstreams := startWithSeparate(t, test.instances, retry, 0)
			paths := rig.cachedPaths(5)
			for _, upstream := range upstreams[:frozen] {
				upstream.signal(syscall.SIGSTOP)
			}
			answers, waited := rig.askCopies(paths, within)
			// One request for each instance and interval, of which one more may have begun.
			if most := frozen * (int(within/retry) + 2); answers < 200 || waited > most {
				t.Errorf("%d of %d answers had waited, want at most %d of at least 200", waited, answers, most)
			}
			t.Logf("%d of %d answers had waited", waited, answers)
			var asking sync.WaitGroup
			for _, encoding := range []string{"identity", "gzip"} {
				asking.Go(func() {
					got := rig.get("/products/new", "Accept-Encoding", encoding)
					switch {
					case frozen < test.instances && got.status != http.StatusOK:
						t.Errorf("what is not cached: %d, want the other instance's answer", got.status)
					case frozen == test.instances:
						wantProblem(t, got, http.StatusServiceUnavailable)
						if got.header.Get("Retry-After") != "1" {
							t.Errorf("what is not cached: Retry-After %q", got.header.Get("Retry-After"))
						}
					}
				})
			}
			asking.Wait()
			for _, upstream := range upstreams[:frozen] {
				upstream.signal(syscall.SIGCONT)
			}
			for _, encoding := range []string{"identity", "gzip"} {
				// What is not cached is answered at once, and a copy is brought up to date within an interval.
				if got := rig.get("/products/again", "Accept-Encoding", encoding); got.status != http.StatusOK {
					t.Errorf("the first request after it all: %d", got.status)
				}
				rig.await("REVALIDATED", paths[0], func(got answer) bool { return got.cache() == "REVALIDATED" }, "Accept-Encoding", encoding)
			}
		})
	}
}

// TestInstancesThatHangHoldFewRequests: until it is known that they hang, and afterwards, they hold no more of NGINX's connections than they may.
func TestInstancesThatHangHoldFewRequests(t *testing.T) {
	t.Parallel()
	const share, storm = 6, 40
	rig, upstreams := startWithSeparate(t, 2, time.Minute, share)
	paths := rig.cachedPaths(storm / 2)
	for _, upstream := range upstreams {
		upstream.signal(syscall.SIGSTOP)
	}
	ask := func(path func(i int) string, status int) (waited int64) {
		var asking sync.WaitGroup
		var counted atomic.Int64
		for i := range storm {
			asking.Go(func() {
				began := time.Now()
				if got := rig.get(path(i), "Accept-Encoding", []string{"identity", "gzip"}[i%2]); got.status != status {
					t.Errorf("%s: %d, want %d", path(i), got.status, status)
				}
				if time.Since(began) > waits {
					counted.Add(1)
				}
			})
		}
		asking.Wait()
		return counted.Load()
	}
	if waited := ask(func(i int) string { return paths[i/2] }, http.StatusOK); waited > 2*share {
		t.Errorf("%d of %d requests for copies waited for an instance, want at most %d", waited, storm, 2*share)
	}
	if waited := ask(func(i int) string { return fmt.Sprintf("/products/new/%d", i) }, http.StatusServiceUnavailable); waited > share {
		t.Errorf("%d of %d requests for what is not cached waited for an instance, want at most %d", waited, storm, share)
	}
	// They are left alone by now.
	if waited := ask(func(i int) string { return paths[i/2] }, http.StatusOK); waited > 0 {
		t.Errorf("%d of %d requests for copies waited for an instance that is known to hang", waited, storm)
	}
}
