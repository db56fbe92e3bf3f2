package server

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/valyala/fasthttp"

	"systemscale/api/internal/publishtest"
	"systemscale/api/internal/store"
	"systemscale/sql/testdb"
)

// load requests random documents from several clients until stop is closed, and passes each response to check.
func load(s *site, clients int, ids int64, stop chan struct{}, check func(document string, id int64, r response)) (wait func()) {
	var running sync.WaitGroup
	for client := range clients {
		running.Go(func() {
			random := rand.New(rand.NewPCG(5, uint64(client)))
			for {
				select {
				case <-stop:
					return
				default:
				}
				document, path := "item", ""
				if random.IntN(2) == 0 {
					document, path = "detail", "/detail"
				}
				id := 1 + random.Int64N(ids)
				check(document, id, s.send("GET", fmt.Sprintf("/things/%d%s", id, path)))
			}
		})
	}
	return running.Wait
}

func TestConcurrentResponsesAreNotMixed(t *testing.T) {
	const ids, clients, enough = 200, 32, 3000
	s, _ := realSite(t, store.Options{Batch: 16})
	s.publish("things", things(1, ids)...)
	var answers atomic.Int64
	stop := make(chan struct{})
	wait := load(s, clients, ids, stop, func(document string, id int64, r response) {
		checkDocument(t, document, id, r)
		answers.Add(1)
	})
	publishtest.Eventually(t, "there are enough responses", func() bool { return answers.Load() > enough || t.Failed() })
	close(stop)
	wait()
}

func TestPublishUnderLoad(t *testing.T) {
	const ids, clients, editions = 50, 16, 12
	s, database := realSite(t, store.Options{})
	dropper := publishtest.NewPublisher(t, database)
	previous := s.publish("things", things(1, ids)...)
	stop := make(chan struct{})
	wait := load(s, clients, ids, stop, func(document string, id int64, r response) { checkDocument(t, document, id, r) })
	for edition := 2; edition <= editions; edition++ {
		run := s.publish("things", things(edition, ids)...)
		dropper.Drop("things", previous, "item", "detail", "page")
		previous = run
	}
	close(stop)
	wait()
	if r := s.send("GET", "/things/1"); r.header.Get("X-Data-Version") != fmt.Sprint(previous) {
		t.Errorf("version %s is served, want %d", r.header.Get("X-Data-Version"), previous)
	}
}

func TestKilledConnectionsUnderLoad(t *testing.T) {
	const ids, clients, kills = 50, 16, 5
	s, database := realSite(t, store.Options{})
	s.publish("things", things(1, ids)...)
	admin := testdb.Connect(t, database.AdminURL)
	var answers, refusals atomic.Int64
	stop := make(chan struct{})
	wait := load(s, clients, ids, stop, func(document string, id int64, r response) {
		if r.status == http.StatusServiceUnavailable {
			checkProblem(t, r, http.StatusServiceUnavailable)
			refusals.Add(1)
			return
		}
		checkDocument(t, document, id, r)
		answers.Add(1)
	})
	for range kills {
		seen := answers.Load()
		publishtest.Eventually(t, "responses arrive", func() bool { return answers.Load() > seen+200 })
		if publishtest.TerminateServers(t, admin) == 0 {
			t.Error("no connection was killed")
		}
	}
	seen := answers.Load()
	publishtest.Eventually(t, "responses arrive again", func() bool { return answers.Load() > seen+200 })
	close(stop)
	wait()
	t.Logf("%d responses, %d refusals", answers.Load(), refusals.Load())
}

// repeat returns a function that passes one request through the whole handler, with reused buffers as in a connection.
func (s *site) repeat(target string, status, size int, pairs ...string) func() {
	handler := s.app.Server().Handler
	ctx := new(fasthttp.RequestCtx)
	ctx.Init2(nil, nil, false)
	ctx.Request.Header.SetMethod(http.MethodGet)
	ctx.Request.SetRequestURI(target)
	ctx.Request.Header.SetHost("h")
	for i := 0; i < len(pairs); i += 2 {
		ctx.Request.Header.Set(pairs[i], pairs[i+1])
	}
	return func() {
		ctx.Response.Reset()
		ctx.ResetUserValues()
		handler(ctx)
		if ctx.Response.StatusCode() != status || len(ctx.Response.Body()) != size {
			s.t.Fatalf("%s: %d with %d bytes, want %d with %d", target, ctx.Response.StatusCode(), len(ctx.Response.Body()), status, size)
		}
	}
}

const largeSize = 64 << 10

// measurable returns documents, one of them large.
func measurable() []publishtest.Table {
	tables := things(1, 3)
	tables[0].Rows[0].Body = `{"pad": "` + strings.Repeat("x", largeSize) + `"}`
	return tables
}

// checkAllocations fails t if a response allocates more often than expected, or as much as a body. Under the race detector it only
// checks the responses.
func (s *site) checkAllocations(t *testing.T, run int64, most map[string]float64) {
	tables := measurable()
	size := len(tables[0].Rows[0].Body)
	page := len("[" + tables[2].Rows[0].Body + "," + tables[2].Rows[1].Body + "]")
	id := []string{"X-Request-ID", "5f2c9a51-0abc"}
	for _, c := range []struct {
		name, target string
		status, size int
		pairs        []string
	}{
		{"document", "/things/1", 200, size, id},
		{"another's document", "/things/2/detail", 200, len(tables[1].Rows[1].Body), id},
		{"held document", "/things/1", 304, 0, append(id, "If-None-Match", quoted(tables[0].Rows[0]))},
		{"absent document", "/things/9", 404, len(problemOf(store.ErrNotFound).body), id},
		{"page", "/things?count=2", 200, page, id},
		{"held page", "/things", 304, 0, append(id, "If-None-Match", pageTag(t, s, run))},
	} {
		t.Run(c.name, func(t *testing.T) {
			serve := s.repeat(c.target, c.status, c.size, c.pairs...)
			// The first responses fill caches and pools.
			for range 10 {
				serve()
			}
			allocations := testing.AllocsPerRun(200, serve)
			t.Logf("%.0f allocations", allocations)
			if raced {
				return
			}
			if allocations > most[c.name] {
				t.Errorf("%.0f allocations, want at most %.0f", allocations, most[c.name])
			}
			const runs = 200
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			for range runs {
				serve()
			}
			runtime.ReadMemStats(&after)
			if bytes := (after.TotalAlloc - before.TotalAlloc) / runs; bytes > largeSize/8 {
				t.Errorf("%d bytes are allocated for a response of %d", bytes, c.size)
			}
		})
	}
}

// TestAllocations measures the server alone, including request id, timing and metrics.
func TestAllocations(t *testing.T) {
	f := newFake(t)
	s := listen(t, f, Options{Logger: quiet(), Registerer: prometheus.NewRegistry()})
	run := f.publish("things", measurable()...)
	s.checkAllocations(t, run, map[string]float64{
		// For the list of held etags, and for the pages that the fake store assembles.
		"held document": 1, "page": 2,
	})
}

// TestAllocationsWithTheStore measures a whole lookup, including the round trip to Postgres.
func TestAllocationsWithTheStore(t *testing.T) {
	s, _ := realSite(t, store.Options{Poll: time.Second})
	run := s.publish("things", measurable()...)
	s.checkAllocations(t, run, map[string]float64{
		"document": 10, "another's document": 10, "held document": 10, "absent document": 10, "page": 10, "held page": 0,
	})
}

// BenchmarkDocument measures the server's own share of a request: routing, headers, timing, metrics.
func BenchmarkDocument(b *testing.B) {
	f := newFake(b)
	s := newSite(b, f, Options{Logger: quiet(), Registerer: prometheus.NewRegistry()})
	tables := things(1, 3)
	f.publish("things", tables...)
	serve := s.repeat("/things/2/detail", http.StatusOK, len(tables[1].Rows[1].Body), "X-Request-ID", "5f2c9a51-0abc")
	b.ReportAllocs()
	for b.Loop() {
		serve()
	}
}
