package nginx

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// replace replaces old in the template, which must contain it.
func replace(t *testing.T, old, replacement string) func(*Gateway) {
	t.Helper()
	return func(gateway *Gateway) {
		if !strings.Contains(gateway.Template, old) {
			t.Fatalf("the template does not contain %q", old)
		}
		gateway.Template = strings.ReplaceAll(gateway.Template, old, replacement)
	}
}

// hold makes the upstream keep its requests until the test ends or release is called.
func (u *upstream) hold(t *testing.T) (release func()) {
	t.Helper()
	held := make(chan struct{})
	release = sync.OnceFunc(func() { close(held) })
	t.Cleanup(release)
	u.setAnswer(func(response http.ResponseWriter, request *http.Request) {
		<-held
		answerDocument(response, request)
	})
	return release
}

// awaitSeen waits until the upstream has seen as many requests, and forgets them.
func (u *upstream) awaitSeen(t *testing.T, count int) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for seen := 0; seen < count; seen += len(u.seen()) {
		if time.Now().After(deadline) {
			t.Fatalf("upstream saw %d requests, want %d", seen, count)
		}
		time.Sleep(time.Millisecond)
	}
}

func TestHangingInstanceIsAvoided(t *testing.T) {
	for _, encoding := range []string{"", "gzip"} {
		rig := start(t)
		rig.upstreams[0].hold(t)
		get := func(product int) {
			if got := rig.get(fmt.Sprintf("/products/%d", product), "Accept-Encoding", encoding); got.status != http.StatusOK {
				t.Errorf("product %d, encoding %q: %d %q", product, encoding, got.status, got.body)
			}
		}
		var requests sync.WaitGroup
		for i := range 12 {
			requests.Go(func() { get(i) })
		}
		requests.Wait()
		if seen := len(rig.upstreams[0].seen()); seen < 1 {
			t.Fatalf("%d requests hung: nothing was proven", seen)
		}
		for i := range 100 {
			get(100 + i)
		}
		if seen := len(rig.upstreams[0].seen()); seen > 1 {
			t.Errorf("%d of 100 later requests hung as well, want at most one probe", seen)
		}
	}
}

// TestRollingRestart replaces the instances one after the other: when the second ends, NGINX still avoids the first.
func TestRollingRestart(t *testing.T) {
	rig := start(t)
	get := func(from int) {
		t.Helper()
		for i := range 20 {
			for _, encoding := range []string{"", "gzip"} {
				if got := rig.get(fmt.Sprintf("/products/%d", from+i), "Accept-Encoding", encoding); got.status != http.StatusOK {
					t.Errorf("product %d, encoding %q: %d %q", from+i, encoding, got.status, got.body)
				}
			}
		}
	}
	for round := range 3 {
		for i, ending := range rig.upstreams {
			ending.stop()
			get(1000*round + 100*i)
			rig.upstreams[i] = startUpstream(t, ending.socket)
		}
	}
}

func TestBalance(t *testing.T) {
	t.Run("the one with the fewest requests", func(t *testing.T) {
		rig := start(t)
		releases := []func(){rig.upstreams[0].hold(t), rig.upstreams[1].hold(t)}
		var held sync.WaitGroup
		var ended atomic.Int32
		// Several each: NGINX counts a request for a moment longer than its client does, so one alone would prove little.
		for i := range 8 {
			held.Go(func() {
				rig.get(fmt.Sprintf("/products/%d", i))
				ended.Add(1)
			})
		}
		rig.upstreams[0].awaitSeen(t, 4)
		rig.upstreams[1].awaitSeen(t, 4)
		releases[1]()
		for deadline := time.Now().Add(20 * time.Second); ended.Load() < 4; time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("%d of 4 requests have ended", ended.Load())
			}
		}
		for i := range 10 {
			rig.get(fmt.Sprintf("/products/%d", 10+i))
		}
		if seen := rig.upstreams[0].seen(); len(seen) > 0 {
			t.Errorf("the slow instance got %d more requests", len(seen))
		}
		releases[0]()
		held.Wait()
	})
	t.Run("round robin", func(t *testing.T) {
		rig := start(t, func(gateway *Gateway) { gateway.RoundRobin = true })
		release := rig.upstreams[0].hold(t)
		var held sync.WaitGroup
		for i := range 10 {
			held.Go(func() { rig.get(fmt.Sprintf("/products/%d", i)) })
		}
		rig.upstreams[0].awaitSeen(t, 5)
		rig.upstreams[1].awaitSeen(t, 5)
		release()
		held.Wait()
	})
}

// TestConcurrentMissesAreNotQueued sends many requests for one uncached document. The upstream answers none before all have arrived, so the
// test fails if NGINX delays any of them. The API merges them into one lookup.
func TestConcurrentMissesAreNotQueued(t *testing.T) {
	const storm = 20
	rig := start(t)
	var arrived sync.WaitGroup
	arrived.Add(storm)
	rig.setAnswer(func(response http.ResponseWriter, request *http.Request) {
		arrived.Done()
		arrived.Wait()
		answerDocument(response, request)
	})
	var requests sync.WaitGroup
	for range storm {
		requests.Go(func() {
			if got := rig.get("/products/1"); got.status != http.StatusOK {
				t.Errorf("%d %q", got.status, got.body)
			}
		})
	}
	requests.Wait()
}
