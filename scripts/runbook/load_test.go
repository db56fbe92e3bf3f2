package runbook

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/goccy/go-json"

	"systemscale/sql/testdb"
)

// answer is a response with its whole body.
type answer struct {
	status int
	header http.Header
	body   string
}

func fetch(ctx context.Context, client *http.Client, address string) (answer, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return answer{}, err
	}
	response, err := client.Do(request)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	return answer{response.StatusCode, response.Header, string(body)}, err
}

// load is a group of clients that request documents from a gateway until stop is called. Every response must be the document of an edition
// that may be served. Like browsers, the clients keep connections and repeat a request if the server closes an idle one.
type load struct {
	t        *testing.T
	cancel   context.CancelFunc
	wait     sync.WaitGroup
	address  atomic.Pointer[string] // of the gateway
	requests atomic.Int64
	failed   atomic.Int64
	slowest  atomic.Int64
	refuse   atomic.Bool // documents that the gateway does not keep may get 503
	refused  atomic.Int64

	mutex   sync.Mutex
	allowed map[int]bool // editions
}

// mostErrors is the maximum number of reported errors.
const mostErrors = 5

// clients is the number of clients of a load. Half of them request few documents, which the gateway keeps.
const clients = 6

// kept is the number of these documents, which have the first ids.
const kept = 20

// warm requests the documents that a gateway keeps until it has them.
func warm(t *testing.T, g *gateway) {
	t.Helper()
	for range 3 { // NGINX keeps a document on its second request
		for id := 1; id <= kept; id++ {
			got, err := fetch(t.Context(), http.DefaultClient, fmt.Sprintf("http://%s/things/%d", g.Listen, id))
			if err != nil || got.status != http.StatusOK {
				t.Fatalf("document %d: %d, %v", id, got.status, err)
			}
		}
	}
}

func newLoad(t *testing.T, g *gateway, editions ...int) *load {
	ctx, cancel := context.WithCancel(t.Context())
	l := &load{t: t, cancel: cancel, allowed: map[int]bool{}}
	l.allow(editions...)
	l.use(g)
	for client := range clients {
		l.wait.Go(func() {
			own := &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{}}
			defer own.CloseIdleConnections()
			random := rand.New(rand.NewPCG(7, uint64(client)))
			for ctx.Err() == nil {
				id := 1 + random.IntN(kept)
				if client%2 == 0 {
					id = 1 + kept + random.IntN(things-kept)
				}
				l.request(ctx, own, id)
				time.Sleep(3 * time.Millisecond) // other tests need the processors too
			}
		})
	}
	t.Cleanup(l.stop)
	return l
}

// serve publishes the first edition, starts two instances and a gateway with copies, and requests documents through it.
func (s *site) serve(database testdb.Database) *load {
	s.t.Helper()
	s.publish(database.ETL, 1)
	s.instance(database.API)
	s.instance(database.API)
	g := s.gateway(s.instances...)
	warm(s.t, g)
	l := newLoad(s.t, g, 1)
	l.more(200)
	return l
}

func (l *load) request(ctx context.Context, client *http.Client, id int) {
	address := fmt.Sprintf("http://%s/things/%d", *l.address.Load(), id)
	began := time.Now()
	got, err := fetch(ctx, client, address)
	if ctx.Err() != nil {
		return
	}
	took := time.Since(began)
	l.requests.Add(1)
	for slowest := l.slowest.Load(); int64(took) > slowest && !l.slowest.CompareAndSwap(slowest, int64(took)); {
		slowest = l.slowest.Load()
	}
	if err == nil && got.status == http.StatusServiceUnavailable && id > kept && l.refuse.Load() {
		l.refused.Add(1)
		return
	}
	if err == nil {
		err = l.check(id, got)
	}
	if err != nil && l.failed.Add(1) <= mostErrors {
		l.t.Errorf("GET %s after %s: %v", address, took.Round(time.Millisecond), err)
	}
}

func (l *load) check(id int, got answer) error {
	var document struct {
		ID, Edition int
		Words       string
	}
	if err := json.Unmarshal([]byte(got.body), &document); err != nil || got.status != http.StatusOK {
		return fmt.Errorf("%d %v %.200s", got.status, got.header, got.body)
	}
	l.mutex.Lock()
	defer l.mutex.Unlock()
	if document.ID != id || document.Words != strings.Repeat("word ", id%60) || !l.allowed[document.Edition] {
		return fmt.Errorf("another document, or one of an edition that should not be served: %.200s", got.body)
	}
	return nil
}

// allow permits further editions in responses.
func (l *load) allow(editions ...int) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	for _, edition := range editions {
		l.allowed[edition] = true
	}
}

// use makes the clients use a gateway, as a change of an address in the DNS does.
func (l *load) use(g *gateway) { l.address.Store(&g.Listen) }

// more waits until the clients have received that many more responses.
func (l *load) more(count int64) {
	l.t.Helper()
	enough := l.requests.Load() + count
	eventually(l.t, fmt.Sprintf("%d more requests", count), func() bool { return l.requests.Load() >= enough || l.failed.Load() > mostErrors })
}

// stop stops the clients and logs a summary.
func (l *load) stop() {
	l.cancel()
	l.wait.Wait()
	requests := l.requests.Swap(0)
	if requests == 0 {
		return // stopped before
	}
	l.t.Logf("%d requests, %d refused as expected, %d failed, the slowest took %s", requests, l.refused.Load(), l.failed.Load(), time.Duration(l.slowest.Load()).Round(time.Millisecond))
	if failed := l.failed.Load(); failed > mostErrors {
		l.t.Errorf("and %d more errors", failed-mostErrors)
	}
}

// step logs the duration of a part of a procedure.
func step(t *testing.T, what string, do func()) {
	t.Helper()
	began := time.Now()
	do()
	t.Logf("%s: %s", what, time.Since(began).Round(time.Millisecond))
}
