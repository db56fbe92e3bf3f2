package nginx

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// replace changes the template, in which old must be.
func replace(t *testing.T, old, replacement string) func(*Gateway) {
	t.Helper()
	return func(gateway *Gateway) {
		if !strings.Contains(gateway.Template, old) {
			t.Fatalf("the template does not say %q", old)
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

func TestAHangingInstanceIsLeftAlone(t *testing.T) {
	for _, encoding := range []string{"", "gzip"} {
		rig := start(t)
		rig.upstreams[0].hold(t)
		ask := func(product int) {
			if got := rig.get(fmt.Sprintf("/products/%d", product), "Accept-Encoding", encoding); got.status != http.StatusOK {
				t.Errorf("product %d, encoding %q: %d %q", product, encoding, got.status, got.body)
			}
		}
		var asking sync.WaitGroup
		for i := range 12 {
			asking.Go(func() { ask(i) })
		}
		asking.Wait()
		if seen := len(rig.upstreams[0].seen()); seen < 1 {
			t.Fatalf("%d requests hung: nothing was proven", seen)
		}
		for i := range 100 {
			ask(100 + i)
		}
		if seen := len(rig.upstreams[0].seen()); seen > 1 {
			t.Errorf("%d of 100 later requests hung as well, want at most the one that looks whether it is back", seen)
		}
	}
}

// TestAnInstanceThatCameBackIsThereWhenTheOtherEnds covers instances that are replaced one after the other: NGINX still leaves
// the first alone when the second ends.
func TestAnInstanceThatCameBackIsThereWhenTheOtherEnds(t *testing.T) {
	rig := start(t)
	ask := func(from int) {
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
			ask(1000*round + 100*i)
			rig.upstreams[i] = startUpstream(t, ending.socket)
		}
	}
}

func TestBalance(t *testing.T) {
	t.Run("the one with the fewest requests", func(t *testing.T) {
		rig := start(t)
		release := rig.upstreams[0].hold(t)
		var held sync.WaitGroup
		// Both get some at first. NGINX counts a request for a moment longer than its client does, so one alone would prove little.
		for i := range 8 {
			held.Go(func() { rig.get(fmt.Sprintf("/products/%d", i)) })
		}
		// All of them: one on its way would be counted with those that follow.
		slow, deadline := 0, time.Now().Add(20*time.Second)
		for seen := 0; seen < 8; time.Sleep(time.Millisecond) {
			more := len(rig.upstreams[0].seen())
			slow += more
			seen += more + len(rig.upstreams[1].seen())
			if time.Now().After(deadline) {
				t.Fatalf("%d of 8 requests have arrived", seen)
			}
		}
		if slow < 3 {
			t.Fatalf("%d requests are held: nothing would be proven", slow)
		}
		for i := range 10 {
			rig.get(fmt.Sprintf("/products/%d", 10+i))
		}
		if seen := rig.upstreams[0].seen(); len(seen) > 0 {
			t.Errorf("the slow instance was asked %d times more", len(seen))
		}
		release()
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

// TestNobodyWaitsForAnothersMiss: a storm on one key reaches the API at once, which makes one lookup of it. No request is answered
// before all have arrived; if NGINX held any back, they would never all be there.
func TestNobodyWaitsForAnothersMiss(t *testing.T) {
	const storm = 20
	rig := start(t)
	var arrived sync.WaitGroup
	arrived.Add(storm)
	rig.setAnswer(func(response http.ResponseWriter, request *http.Request) {
		arrived.Done()
		arrived.Wait()
		answerDocument(response, request)
	})
	var asking sync.WaitGroup
	for range storm {
		asking.Go(func() {
			if got := rig.get("/products/1"); got.status != http.StatusOK {
				t.Errorf("%d %q", got.status, got.body)
			}
		})
	}
	asking.Wait()
}
