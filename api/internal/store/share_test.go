package store

import (
	"errors"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"systemscale/api/internal/publishtest"
	"systemscale/sql"
)

// gathered returns the sum of a metric over its labels; of a histogram, the sum of the observations.
func gathered(t testing.TB, registry *prometheus.Registry, name string) (sum float64) {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() != name {
			continue
		}
		for _, metric := range family.Metric {
			switch family.GetType() {
			case dto.MetricType_COUNTER:
				sum += metric.Counter.GetValue()
			case dto.MetricType_GAUGE:
				sum += metric.Gauge.GetValue()
			case dto.MetricType_HISTOGRAM:
				sum += metric.Histogram.GetSampleSum()
			}
		}
		return sum
	}
	t.Fatalf("there is no metric %s", name)
	return 0
}

func TestConcurrentCallersShareLookup(t *testing.T) {
	const callers = 200
	registry := prometheus.NewRegistry()
	f := newFixture(t, 2, Options{Timeout: publishtest.Patience, Registerer: registry})
	unlock := f.lock(f.document(""))
	var wait sync.WaitGroup
	for i := range callers {
		wait.Go(func() {
			result, err := f.Get(f.document(""), sql.IntID(2), Match{}, make([]byte, 0, i))
			if err != nil {
				t.Errorf("a caller gets %v", err)
				return
			}
			checkBody(t, "item", 2, result)
		})
	}
	publishtest.Eventually(t, "all callers wait", func() bool { return gathered(t, registry, "systemscale_lookups_in_flight") == callers })
	unlock()
	wait.Wait()
	if sent := gathered(t, registry, "systemscale_lookup_batch_size"); sent != 1 {
		t.Errorf("%v lookups were sent for one document, want 1", sent)
	}
	if joined := gathered(t, registry, "systemscale_lookups_joined_total"); joined != callers-1 {
		t.Errorf("%v joined, want %d", joined, callers-1)
	}
	if answers := gathered(t, registry, "systemscale_lookups_total"); answers != callers {
		t.Errorf("%v answers were counted, want %d", answers, callers)
	}
	if left := gathered(t, registry, "systemscale_lookups_in_flight"); left != 0 || len(f.queue.inFlight) != 0 {
		t.Errorf("%v lookups are in flight, and %d keys", left, len(f.queue.inFlight))
	}
}

// newSharedQueue returns a queue with a waiting lookup and one that joined it.
func newSharedQueue(t *testing.T) (q *queue, first, second *lookup, another func() *lookup) {
	q = newQueue(8, time.Minute, slog.New(slog.DiscardHandler), newMetrics())
	q.connected(new(slot))
	endpoint := &Endpoint{Name: "item"}
	another = func() *lookup {
		l := newLookup()
		l.endpoint, l.id, l.key = endpoint, 7, lookupKey{endpoint, 7}
		l.begin([]byte("kept "))
		if err := q.push(l); err != nil {
			t.Fatal(err)
		}
		return l
	}
	first, second = another(), another()
	if len(q.waiting) != 1 || len(first.joined) != 1 {
		t.Fatalf("%d wait and %d joined, want one and one", len(q.waiting), len(first.joined))
	}
	return q, first, second, another
}

func answer(t *testing.T, q *queue, text string) {
	t.Helper()
	lookups, _ := q.fetch(new(slot), nil, 8)
	for _, l := range lookups {
		l.result.Body = append(l.result.Body, text...)
		l.result.ETag = 5
	}
	q.finish(lookups)
}

func TestFirstOfJoinedLookupsTimesOut(t *testing.T) {
	q, first, second, another := newSharedQueue(t)
	q.expire(first.pushed.Add(q.timeout)) // second came later, if by a moment
	if !first.abandoned || len(first.done) != 1 || second.abandoned {
		t.Fatal("not exactly the first is abandoned")
	}
	third := another() // does not join the first, which may be stuck
	if len(q.waiting) != 2 {
		t.Errorf("%d wait, want the first and the third", len(q.waiting))
	}
	answer(t, q, "text")
	for _, l := range []*lookup{second, third} {
		if len(l.done) != 1 || l.abandoned || string(l.result.Body) != "kept text" || l.result.ETag != 5 {
			t.Errorf("another caller gets %q with etag %d", l.result.Body, l.result.ETag)
		}
	}
	if len(first.done) != 1 {
		t.Error("the first is finished twice")
	}
}

func TestJoinedLookupTimesOut(t *testing.T) {
	q, first, second, _ := newSharedQueue(t)
	first.pushed = first.pushed.Add(time.Hour)
	q.delist(first)
	q.newest.younger, first.older, q.newest = first, q.newest, first // as if it had come later
	q.pending++
	q.expire(second.pushed.Add(q.timeout))
	if first.abandoned || !second.abandoned {
		t.Fatal("not exactly the second is abandoned")
	}
	answer(t, q, "text")
	if len(first.done) != 1 || string(first.result.Body) != "kept text" {
		t.Errorf("the first gets %q", first.result.Body)
	}
	if len(second.done) != 1 || string(second.result.Body) != "kept " || q.pending != 0 {
		t.Errorf("the abandoned one has the body %q; %d pending", second.result.Body, q.pending)
	}
}

func TestAbandonedLookupsAreNotSent(t *testing.T) {
	q, first, second, _ := newSharedQueue(t)
	q.expire(second.pushed.Add(q.timeout))
	if !first.abandoned || !second.abandoned {
		t.Fatal("not both lookups are abandoned")
	}
	first.joined = nil
	q.close()
	if lookups, open := q.fetch(new(slot), nil, 8); open || len(lookups) != 0 {
		t.Errorf("%d abandoned lookups are sent", len(lookups))
	}
}

func TestJoinedLookupsShareErrors(t *testing.T) {
	q, first, second, _ := newSharedQueue(t)
	q.disconnect(q.slots[0], errors.New("cut"))
	for _, l := range []*lookup{first, second} {
		if len(l.done) != 1 || !errors.Is(l.err, ErrUnavailable) {
			t.Errorf("got %v, want %v", l.err, ErrUnavailable)
		}
	}
}

// TestWakeThreshold uses a busy worker and one that rests until the number of waiting lookups reaches wakeThreshold.
func TestWakeThreshold(t *testing.T) {
	q := newQueue(2*wakeThreshold, time.Minute, slog.New(slog.DiscardHandler), newMetrics())
	endpoint := &Endpoint{Name: "item"}
	push := func(count int) {
		for range count {
			l := newLookup()
			l.endpoint = endpoint
			if err := q.push(l); err != nil {
				t.Fatal(err)
			}
		}
	}
	q.connected(new(slot))
	q.connected(new(slot))
	fetched := make(chan int)
	for range 2 {
		go func() {
			for {
				lookups, open := q.fetch(new(slot), nil, 2*wakeThreshold)
				if !open {
					return
				}
				fetched <- len(lookups) // busy until the test receives it
			}
		}()
	}
	resting := func() int {
		q.mutex.Lock()
		defer q.mutex.Unlock()
		return q.resting - q.woken
	}
	publishtest.Eventually(t, "both rest", func() bool { return resting() == 2 })
	push(1)
	publishtest.Eventually(t, "one is busy", func() bool { return resting() == 1 && len(q.fetchable()) == 0 })
	push(wakeThreshold - 1)
	if resting() != 1 || len(q.fetchable()) != wakeThreshold-1 {
		t.Errorf("%d rest and %d lookups wait, want 1 and %d", resting(), len(q.fetchable()), wakeThreshold-1)
	}
	push(1)
	publishtest.Eventually(t, "both are busy", func() bool { return resting() == 0 && len(q.fetchable()) == 0 })
	push(1)
	if first, second := <-fetched, <-fetched; first+second != 1+wakeThreshold {
		t.Errorf("%d and %d lookups were fetched, want 1 and %d", first, second, wakeThreshold)
	}
	if third := <-fetched; third != 1 {
		t.Errorf("%d lookups were fetched after that, want 1", third)
	}

	// The busy worker may be stuck, so a lookup that waits long wakes the other one.
	publishtest.Eventually(t, "both rest", func() bool { return resting() == 2 })
	push(1)
	publishtest.Eventually(t, "one is busy", func() bool { return resting() == 1 && len(q.fetchable()) == 0 })
	push(1)
	q.expire(time.Now())
	publishtest.Eventually(t, "the other fetches", func() bool { return len(q.fetchable()) == 0 })
	if first, second := <-fetched, <-fetched; first != 1 || second != 1 {
		t.Errorf("%d and %d lookups were fetched, want 1 and 1", first, second)
	}
	q.close()
}

// TestStalledWorkerIsRelieved uses a worker that does not finish two lookups, one of which was joined.
func TestStalledWorkerIsRelieved(t *testing.T) {
	q := newQueue(8, time.Minute, slog.New(slog.DiscardHandler), newMetrics())
	s := &Store{queue: q, metrics: q.metrics}
	s.lookups.New = func() any { return newLookup() }
	slow, quick := &slot{host: "slow"}, &slot{host: "quick"}
	endpoint := &Endpoint{Name: "item"}
	answers := make(chan Result)
	send := func(id int64) {
		l := newLookup()
		l.endpoint, l.id, l.key = endpoint, id, lookupKey{endpoint, id}
		go func() {
			result, err := s.lookUp(l, []byte("kept "))
			if err != nil {
				t.Errorf("lookup %d: %v", id, err)
			}
			answers <- result
		}()
	}
	pending := func(want int) {
		t.Helper()
		publishtest.Eventually(t, "the lookups are pending", func() bool { got, _ := q.state(); return got == want })
	}
	q.connected(slow)
	send(1)
	pending(1)
	send(1)
	send(2)
	pending(3)
	stuck, _ := q.fetch(slow, nil, 8)
	late := time.Now().Add(stallTimeout)
	q.expire(late)
	if pending, _ := q.state(); pending != 3 || slow.stalled {
		t.Errorf("%d are pending, want all 3: there is no other worker", pending)
	}
	q.connected(&slot{host: "slow"})
	q.connected(&slot{host: "other", behind: true})
	q.expire(late)
	if slow.stalled {
		t.Error("lookups are relieved although no other worker is available")
	}
	q.connected(quick)
	q.expire(time.Now())
	if slow.stalled {
		t.Error("lookups are relieved too early")
	}
	alive := q.alive
	q.expire(late)
	if !slow.stalled || q.alive != alive-1 {
		t.Errorf("%d workers are available, want %d", q.alive, alive-1)
	}
	publishtest.Eventually(t, "the callers repeat their lookups", func() bool { return len(q.fetchable()) == 2 })
	pending(3)
	lookups, _ := q.fetch(quick, nil, 8)
	for _, l := range lookups {
		l.result.Body = append(l.result.Body, "quick"...)
	}
	// The slow one writes to its lookups at the same time.
	for _, l := range stuck {
		l.result.Body = append(l.result.Body, "slow"...)
	}
	q.finish(lookups)
	q.finish(stuck)
	for range 3 {
		if result := <-answers; string(result.Body) != "kept quick" {
			t.Errorf("the body is %q", result.Body)
		}
	}
	q.close()
	if _, open := q.fetch(slow, nil, 8); open || slow.stalled || q.alive != alive {
		t.Errorf("the recovered worker is not available: %d, want %d", q.alive, alive)
	}
}
