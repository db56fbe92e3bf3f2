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

	"github.com/valyala/fasthttp"

	"systemscale/api/internal/catalogtest"
	"systemscale/api/internal/store"
	"systemscale/sql"
	"systemscale/sql/testdb"
)

// load asks for random documents from several clients until stop is closed, and gives each answer to check.
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
				check(document, id, s.ask("GET", fmt.Sprintf("/things/%d%s", id, path)))
			}
		})
	}
	return running.Wait
}

func TestAnswersNeverMix(t *testing.T) {
	const ids, clients, enough = 200, 32, 5000
	s, _ := realSite(t, store.Options{Batch: 16})
	s.publish("things", things(1, ids)...)
	var answers atomic.Int64
	stop := make(chan struct{})
	wait := load(s, clients, ids, stop, func(document string, id int64, r response) {
		checkDocument(t, document, id, r)
		answers.Add(1)
	})
	catalogtest.Eventually(t, "enough was asked", func() bool { return answers.Load() > enough || t.Failed() })
	close(stop)
	wait()
}

func TestPublishingUnderLoadIsNoError(t *testing.T) {
	const ids, clients, editions = 50, 16, 12
	s, database := realSite(t, store.Options{})
	dropper := catalogtest.NewPublisher(t, database)
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
	if r := s.ask("GET", "/things/1"); r.header.Get("X-Data-Version") != fmt.Sprint(previous) {
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
		catalogtest.Eventually(t, "answers come", func() bool { return answers.Load() > seen+200 })
		if catalogtest.TerminateServers(t, admin) == 0 {
			t.Error("there was no connection to kill")
		}
	}
	seen := answers.Load()
	catalogtest.Eventually(t, "answers come again", func() bool { return answers.Load() > seen+200 })
	close(stop)
	wait()
	t.Logf("%d answers, %d refusals", answers.Load(), refusals.Load())
}

func TestAllocations(t *testing.T) {
	const size = 64 << 10
	f := newFake(t)
	body := `{"pad": "` + strings.Repeat("x", size) + `"}`
	f.publish("things",
		catalogtest.Table{Document: sql.Document{Name: "item"}, Rows: []catalogtest.Row{{ID: 1, ETag: 7, Body: body}}})
	handler := New(f, Options{Logger: quiet()}).app.Server().Handler

	var ctx fasthttp.RequestCtx
	ctx.Init2(nil, nil, false) // keeps the response's buffer from one request to the next, as a connection does
	ctx.Request.Header.SetMethod(http.MethodGet)
	ctx.Request.SetRequestURI("/things/1")
	ctx.Request.Header.SetHost("h")
	serve := func() {
		ctx.Response.Reset()
		handler(&ctx)
		if ctx.Response.StatusCode() != http.StatusOK || len(ctx.Response.Body()) != len(body) {
			t.Fatalf("got %d with %d bytes", ctx.Response.StatusCode(), len(ctx.Response.Body()))
		}
	}
	serve()
	const most = 2
	allocations := testing.AllocsPerRun(200, serve)
	t.Logf("%.0f allocations", allocations)
	if allocations > most {
		t.Errorf("%.0f allocations for a document, want at most %d", allocations, most)
	}
	const runs = 200
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range runs {
		serve()
	}
	runtime.ReadMemStats(&after)
	if bytes := (after.TotalAlloc - before.TotalAlloc) / runs; bytes > size/8 {
		t.Errorf("%d bytes are allocated for a document of %d", bytes, size)
	}
}
