// Package dashboard renders the page of the admin port: the live version, the last runs, and the traffic of the last minutes. It is plain
// HTML and SVG, rendered on the server, and read-only.
package dashboard

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"html/template"
	"log/slog"
	"maps"
	"net/http"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/singleflight"

	"systemscale/api/internal/cache"
	"systemscale/api/internal/store"
)

const (
	sampleEvery = 5 * time.Second
	keepSamples = 180 // 15 minutes
	showRuns    = 30
	timeout     = 2 * time.Second // of the database and of each instance
	keepPage    = time.Second     // how long a rendered page is reused
)

// Store is the data source. See store.Store for the contract of each method.
type Store interface {
	Snapshot() *store.Snapshot
	Ready() error
	Hosts() []store.Host
	Runs(ctx context.Context, collection string, limit int) ([]store.Run, error)
	Holds(ctx context.Context) ([]store.Hold, error)
}

// Options configure a page.
type Options struct {
	Store   Store
	Metrics prometheus.Gatherer
	Peers   []string     // admin addresses of other instances, whose requests are included
	Gateway string       // URL of the gateway's stub_status, for the hit ratio; may be empty
	Cache   *cache.Cache // of documents; nil if there is none
	Logger  *slog.Logger
}

// Page is the dashboard. Its methods are safe for concurrent use.
//
// The page is rendered at most once a second, by one goroutine. All requests share it, and its error. So the page has one query at a time,
// and adds no load to a database that is down.
type Page struct {
	store   Store
	sources sources
	logger  *slog.Logger
	cache   *cache.Cache
	now     func() time.Time // time.Now, except in tests

	making singleflight.Group // one call at a time
	drawn  drawn              // used by that call only

	mutex   sync.Mutex
	samples []counters
	problem error // error of the last sample
}

// drawn is the page rendered at one moment.
type drawn struct {
	at    time.Time
	still []byte
	live  []byte // the same, with automatic reload
	err   error
}

// New returns a page without samples. Watch collects them.
func New(options Options) *Page {
	return &Page{
		store: options.Store,
		sources: sources{
			own: options.Metrics, peers: options.Peers, gateway: options.Gateway, client: &http.Client{Timeout: timeout},
		},
		logger: options.Logger,
		cache:  options.Cache,
		now:    time.Now,
	}
}

// Watch samples the counters every sampleEvery until ctx ends.
func (p *Page) Watch(ctx context.Context) {
	ticker := time.NewTicker(sampleEvery)
	defer ticker.Stop()
	for {
		p.sample(ctx)
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

func (p *Page) sample(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	next, err := p.sources.read(ctx)
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.problem = err
	if err != nil {
		return // a partial sum would look like a drop
	}
	p.samples = append(p.samples, next)
	if surplus := len(p.samples) - keepSamples; surplus > 0 {
		p.samples = slices.Delete(p.samples, 0, surplus)
	}
}

func (p *Page) intervals() ([]interval, error) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	var all []interval
	for i := 1; i < len(p.samples); i++ {
		all = append(all, between(p.samples[i-1], p.samples[i]))
	}
	return all, p.problem
}

//go:embed page.html
var pageText string

var page = template.Must(template.New("page").Funcs(template.FuncMap{
	"count": humanize.Comma, "size": size, "ago": ago, "seconds": seconds,
}).Parse(pageText))

// view is the input of the template.
type view struct {
	Now         time.Time
	Ready       error
	Cache       *cache.Status // nil without a document cache
	Hosts       []store.Host  // of the database, if there are several
	Collections []collectionView
	Charts      []chart
	Problem     error // why the last sample is missing
	Every       int   // seconds
	Live        bool  // reloads automatically, which is opt-in because it interrupts reading
}

type collectionView struct {
	*store.Collection
	Live    *store.Run  // nil if it is not among Runs
	Hold    *store.Hold // nil if its runs are not on hold, or if this is not known
	Runs    []store.Run
	Plot    template.HTML
	Rejects []reject // of the newest run that has read files
	Of      int64    // that run
	Error   error
}

// reject is the number of rows of a file that were rejected for one reason.
type reject struct {
	File, Reason string
	Rows         int64
}

// ServeHTTP serves the page.
func (p *Page) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var result drawn
	select {
	case <-r.Context().Done():
		return // the client is gone; others may wait for the same page
	case made := <-p.making.DoChan("", p.current):
		result = made.Val.(drawn)
	}
	if result.err != nil {
		http.Error(w, "the page cannot be rendered; see the log", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
	text := result.still
	if r.URL.Query().Has("live") {
		text = result.live
	}
	_, _ = w.Write(text) // an error means that the client is gone
}

// current returns the page, and renders it first if the last one is too old. The result includes the error. One goroutine at a time.
func (p *Page) current() (any, error) {
	if age := p.now().Sub(p.drawn.at); age < 0 || age >= keepPage {
		still, live, err := p.draw()
		// The age counts from the end of rendering, so a slow database is not queried all the time.
		p.drawn = drawn{at: p.now(), still: still, live: live, err: err}
	}
	return p.drawn, nil
}

// draw renders the page. It does not depend on a request's context, because all requests share the page.
func (p *Page) draw() (still, live []byte, err error) {
	// This goroutine is not the HTTP server's, which would recover.
	defer func() {
		if reason := recover(); reason != nil {
			p.logger.Error("cannot render the dashboard", "panic", reason, "stack", string(debug.Stack()))
			err = errPanic
		}
	}()
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	v := view{Now: p.now(), Ready: p.store.Ready(), Cache: p.cache.Status(), Every: int(sampleEvery.Seconds())}
	holds, err := p.store.Holds(ctx)
	if err != nil {
		p.logger.Warn("cannot read the holds for the dashboard", "error", err)
	}
	for _, collection := range p.store.Snapshot().Collections() {
		runs, err := p.store.Runs(ctx, collection.Collection, showRuns)
		if err != nil {
			p.logger.Warn("cannot read the history for the dashboard", "collection", collection.Collection, "error", err)
		}
		one := newCollectionView(collection, runs, err)
		for i := range holds {
			if holds[i].Collection == collection.Collection {
				one.Hold = &holds[i]
			}
		}
		v.Collections = append(v.Collections, one)
	}
	if hosts := p.store.Hosts(); len(hosts) > 1 {
		v.Hosts = hosts
	}
	intervals, problem := p.intervals()
	v.Charts, v.Problem = charts(intervals, p.sources.gateway != ""), problem
	var texts [2]bytes.Buffer
	for i := range texts {
		v.Live = i == 1
		if err := page.Execute(&texts[i], v); err != nil {
			p.logger.Error("cannot render the dashboard", "error", err)
			return nil, nil, err
		}
	}
	return texts[0].Bytes(), texts[1].Bytes(), nil
}

var errPanic = errors.New("panic")

func newCollectionView(collection *store.Collection, runs []store.Run, err error) collectionView {
	v := collectionView{Collection: collection, Runs: runs, Plot: plotRuns(runs), Error: err}
	for i := range runs {
		if runs[i].Live {
			v.Live = &runs[i]
		}
	}
	for _, run := range runs {
		if len(run.Sources) == 0 {
			continue
		}
		v.Of = run.ID
		for _, source := range run.Sources {
			for _, reason := range slices.Sorted(maps.Keys(source.Rejected)) {
				v.Rejects = append(v.Rejects, reject{source.File, reason, source.Rejected[reason]})
			}
		}
		break
	}
	return v
}

func size(bytes int64) string { return humanize.Bytes(uint64(bytes)) }

func ago(now, then time.Time) string { return humanize.RelTime(then, now, "ago", "from now") }

func seconds(r store.Run) string {
	if r.FinishedAt == nil {
		return "running"
	}
	return fmt.Sprintf("%.1f s", r.FinishedAt.Sub(r.StartedAt).Seconds())
}
