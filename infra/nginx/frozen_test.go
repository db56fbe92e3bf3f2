package nginx

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// upstreamSocket in the environment makes the test binary an upstream, which can be stopped like an API instance.
const upstreamSocket = "GATEWAY_TEST_UPSTREAM"

func TestMain(m *testing.M) {
	socket := os.Getenv(upstreamSocket)
	if socket == "" {
		m.Run()
		return
	}
	listener, err := net.Listen("unix", socket)
	if err == nil {
		err = os.Chmod(socket, 0o666) // NGINX may run as another user
	}
	if err == nil {
		err = http.Serve(listener, new(recorder))
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// requestsPath is where such an upstream returns the addresses that were requested since the last call, one a line.
const requestsPath = "/-/requests"

// recorder answers with documents that are old after a second, and never to be served stale while the API answers.
type recorder struct {
	mutex    sync.Mutex
	requests []string
}

func (r *recorder) ServeHTTP(response http.ResponseWriter, request *http.Request) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if request.URL.Path == requestsPath {
		_, _ = io.WriteString(response, strings.Join(r.requests, "\n"))
		r.requests = nil
		return
	}
	r.requests = append(r.requests, request.RequestURI)
	answerWith("public, s-maxage=1", response, request)
}

// separate is an upstream in a separate process.
type separate struct {
	t       *testing.T
	process *os.Process
	socket  string
}

// requests returns the addresses requested since the last call. Requests that arrived while the process was stopped are counted when it
// continues.
func (s separate) requests() []string {
	s.t.Helper()
	transport := &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", s.socket)
	}}
	got, err := read((&http.Client{Transport: transport, Timeout: patience}).Get("http://upstream" + requestsPath))
	if err != nil || got.status != http.StatusOK {
		s.t.Fatalf("the requests of an upstream: %d, %v", got.status, err)
	}
	return strings.Fields(got.body)
}

// reached returns the number of requests for the paths since the last call. It waits for at least that many, and then until no more arrive
// for a while.
func reached(t *testing.T, upstreams []separate, paths []string, least int) (count int) {
	t.Helper()
	for deadline, before := time.Now().Add(patience), -1; count < least || count > before; time.Sleep(300 * time.Millisecond) {
		before = count
		for _, upstream := range upstreams {
			for _, path := range upstream.requests() {
				if slices.Contains(paths, path) {
					count++
				}
			}
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d requests were sent to the instances, want at least %d", count, least)
		}
	}
	return count
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
			return separate{t, command.Process, socket}
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

// startWithSeparate starts NGINX in front of upstreams in separate processes. An upstream that fails is avoided for the time retry.
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
func (r *rig) cachedPaths(count int) []string {
	r.t.Helper()
	var paths []string
	for i := range count {
		paths = append(paths, fmt.Sprintf("/products/%d", i))
		if i%2 == 1 {
			paths[i] = fmt.Sprintf("/products?count=%d", i)
		}
		for _, encoding := range []string{"identity", "gzip"} {
			r.fill(paths[i], "Accept-Encoding", encoding)
		}
	}
	time.Sleep(2100 * time.Millisecond) // the age is counted in whole seconds
	return paths
}

// requestCopies requests copies one after the other, over new connections and a kept one, for a while and until there are enough responses.
// Each must be the document.
func (r *rig) requestCopies(paths []string, within time.Duration, enough int) (answers int, took time.Duration) {
	r.t.Helper()
	kept := &http.Client{Transport: &http.Transport{DisableCompression: true}, Timeout: 30 * time.Second}
	defer kept.CloseIdleConnections()
	once := &http.Client{Transport: &http.Transport{DisableCompression: true, DisableKeepAlives: true}, Timeout: 30 * time.Second}
	for began := time.Now(); took < within || answers < enough; answers++ {
		path := paths[answers/2%len(paths)]
		request, err := http.NewRequest(http.MethodGet, r.url+path, nil)
		if err != nil {
			r.t.Fatal(err)
		}
		encoding := []string{"identity", "gzip"}[answers%2]
		request.Header.Set("Accept-Encoding", encoding)
		client := kept
		if answers/4%2 == 0 {
			client = once
		}
		got, err := read(client.Do(request))
		if err == nil && encoding == "gzip" {
			got.body = decompress(r.t, got.body)
		}
		if err != nil || got.status != http.StatusOK || got.body != body(path) {
			r.t.Fatalf("%s, %s: %v, %d %.60q, want the copy", path, encoding, err, got.status, got.body)
		}
		if took = time.Since(began); took > patience && answers < enough {
			r.t.Fatalf("%d answers within %s, want %d: each waits for an instance", answers, took, enough)
		}
	}
	return answers, took
}

func TestCopiesAreServedWhileInstancesHang(t *testing.T) {
	// If each answer waits a second for an instance, 200 take longer than patience.
	const retry, within, enough = 2 * time.Second, 5 * time.Second, 200
	for name, test := range map[string]struct{ instances, frozen int }{"both": {2, 2}, "one of two": {2, 1}, "the only one": {1, 1}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			frozen := test.frozen
			rig, upstreams := startWithSeparate(t, test.instances, retry, 0)
			paths := rig.cachedPaths(5)
			reached(t, upstreams, nil, 0)
			for _, upstream := range upstreams[:frozen] {
				upstream.signal(syscall.SIGSTOP)
			}
			answers, took := rig.requestCopies(paths, within, enough)
			var asking sync.WaitGroup
			for _, encoding := range []string{"identity", "gzip"} {
				asking.Go(func() {
					got := rig.get("/products/new", "Accept-Encoding", encoding)
					switch {
					case frozen < test.instances && got.status != http.StatusOK:
						t.Errorf("uncached document: %d, want the other instance's response", got.status)
					case frozen == test.instances:
						wantProblem(t, got, http.StatusServiceUnavailable)
						if got.header.Get("Retry-After") != "1" {
							t.Errorf("uncached document: Retry-After %q", got.header.Get("Retry-After"))
						}
					}
				})
			}
			asking.Wait()
			for _, upstream := range upstreams[:frozen] {
				upstream.signal(syscall.SIGCONT)
			}
			// One request for each instance and interval; one more interval may have begun.
			waited, most := reached(t, upstreams[:frozen], paths, 1), frozen*(int(took/retry)+2)
			if waited > most {
				t.Errorf("%d of %d requests were sent to an instance that hangs, want at most %d", waited, answers, most)
			}
			t.Logf("%d of %d requests were sent to an instance that hangs", waited, answers)
			for _, encoding := range []string{"identity", "gzip"} {
				// An uncached document is answered at once, and a copy is refreshed within an interval.
				if got := rig.get("/products/again", "Accept-Encoding", encoding); got.status != http.StatusOK {
					t.Errorf("the first request after it all: %d", got.status)
				}
				rig.await("REVALIDATED", paths[0], func(got answer) bool { return got.cache() == "REVALIDATED" }, "Accept-Encoding", encoding)
			}
		})
	}
}

// TestHangingInstancesHoldFewRequests: instances hold no more of NGINX's connections than their share, before and after they are found
// to hang.
func TestHangingInstancesHoldFewRequests(t *testing.T) {
	t.Parallel()
	const share, storm = 6, 40
	rig, upstreams := startWithSeparate(t, 2, time.Minute, share)
	paths := rig.cachedPaths(storm)
	var missing []string
	for i := range storm / 2 {
		missing = append(missing, fmt.Sprintf("/products/new/%d", i))
	}
	for _, test := range []struct {
		name   string
		paths  []string
		status int
		least  int
		most   int
	}{
		// Each request may be tried at the other instance too, and more get through as shares become free: how many depends on the
		// machine. Without max_conns every request is sent at least once.
		{"copies", paths[:storm/2], http.StatusOK, 1, storm - 1},
		{"uncached", missing, http.StatusServiceUnavailable, 1, storm - 1},
		{"copies, when the instances are known to hang", paths[storm/2:], http.StatusOK, 0, 0},
	} {
		reached(t, upstreams, nil, 0)
		for _, upstream := range upstreams {
			upstream.signal(syscall.SIGSTOP)
		}
		var asking sync.WaitGroup
		for i := range storm {
			asking.Go(func() {
				path := test.paths[i/2]
				if got := rig.get(path, "Accept-Encoding", []string{"identity", "gzip"}[i%2]); got.status != test.status {
					t.Errorf("%s: %d, want %d", path, got.status, test.status)
				}
			})
		}
		asking.Wait()
		for _, upstream := range upstreams {
			upstream.signal(syscall.SIGCONT)
		}
		count := reached(t, upstreams, test.paths, test.least)
		if count > test.most {
			t.Errorf("%s: %d of %d requests were sent to an instance that hangs, want at most %d", test.name, count, storm, test.most)
		}
		t.Logf("%s: %d of %d requests were sent to an instance that hangs", test.name, count, storm)
	}
}
