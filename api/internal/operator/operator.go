// Package operator makes a page for whoever runs the system: what is served and how old it is, what the last runs did, and how
// the last minutes went. Plain HTML and SVG, made on the server; nothing on it can be changed.
package operator

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

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/singleflight"

	"systemscale/api/internal/store"
)

const (
	sampleEvery = 5 * time.Second
	keepSamples = 180 // a quarter of an hour
	showRuns    = 30
	patience    = 2 * time.Second // for the database, and for each instance that is asked
	keepPage    = time.Second     // for which one page is shown to all who ask
)

// Store is what the page asks. See store.Store for the contract of each method.
type Store interface {
	Snapshot() *store.Snapshot
	Ready() error
	Runs(ctx context.Context, collection string, limit int) ([]store.Run, error)
}

// Options says what the page is made from.
type Options struct {
	Store   Store
	Metrics prometheus.Gatherer
	Peers   []string // admin addresses of the other instances, whose requests are counted in
	Gateway string   // URL of NGINX's stub_status; without it the page knows no hit ratio
	Logger  *slog.Logger
}

// Page is the page. Its methods are safe for concurrent use.
//
// It is made once a second at most, by one goroutine, whatever the number of requests: they share the page, and an error in
// making it as well. So the page has one query at a time, and does not burden a database that is down.
type Page struct {
	store   Store
	sources sources
	logger  *slog.Logger
	now     func() time.Time // time.Now, but for tests

	making singleflight.Group // of one call at a time
	drawn  drawn              // touched by that call only

	mutex   sync.Mutex
	samples []counters
	problem error // of the last reading
}

// drawn is the page as it was made at one moment.
type drawn struct {
	at    time.Time
	still []byte
	live  []byte // the same, but it reloads itself
	err   error
}

// New returns a page that knows nothing of the past; Watch fills it.
func New(options Options) *Page {
	return &Page{
		store: options.Store,
		sources: sources{
			own: options.Metrics, peers: options.Peers, gateway: options.Gateway, client: &http.Client{Timeout: patience},
		},
		logger: options.Logger,
		now:    time.Now,
	}
}

// Watch reads the counters every few seconds until ctx ends.
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
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	next, err := p.sources.read(ctx)
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.problem = err
	if err != nil {
		return // half a sum would look like a fall
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
	"count": count, "size": size, "ago": ago, "seconds": seconds,
}).Parse(pageText))

// view is what the template shows.
type view struct {
	Now         time.Time
	Ready       error
	Collections []collectionView
	Charts      []chart
	Problem     error // why live numbers are missing
	Every       int   // seconds
	Live        bool  // drawn anew by itself: only where that is asked for, as it takes the page from under whoever reads it
}

type collectionView struct {
	*store.Collection
	Live    *store.Run // nil where the history does not reach back to it
	Runs    []store.Run
	Plot    template.HTML
	Rejects []reject // of the newest run that read files
	Of      int64    // that run
	Error   error
}

// reject is how many rows of one file were rejected for one reason.
type reject struct {
	File, Reason string
	Rows         int64
}

// ServeHTTP answers with the page.
func (p *Page) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var result drawn
	select {
	case <-r.Context().Done():
		return // the client has gone; others may wait for the same page
	case made := <-p.making.DoChan("", p.current):
		result = made.Val.(drawn)
	}
	if result.err != nil {
		http.Error(w, "the page cannot be made; see the log", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
	text := result.still
	if r.URL.Query().Has("live") {
		text = result.live
	}
	_, _ = w.Write(text) // the client has gone: nothing to be done
}

// current returns the page, and makes it first if the last one is too old. Its error is part of what it returns. One
// goroutine at a time.
func (p *Page) current() (any, error) {
	if age := p.now().Sub(p.drawn.at); age < 0 || age >= keepPage {
		still, live, err := p.draw()
		// The time counts from the end: a slow database is not to be queried all the time.
		p.drawn = drawn{at: p.now(), still: still, live: live, err: err}
	}
	return p.drawn, nil
}

// draw makes the page. It ends by itself: a client that goes away must not spoil it for the others.
func (p *Page) draw() (still, live []byte, err error) {
	// This goroutine is not the HTTP server's, which would survive a panic.
	defer func() {
		if reason := recover(); reason != nil {
			p.logger.Error("the operator's page cannot be made", "panic", reason, "stack", string(debug.Stack()))
			err = errPanic
		}
	}()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	v := view{Now: p.now(), Ready: p.store.Ready(), Every: int(sampleEvery.Seconds())}
	for _, collection := range p.store.Snapshot().Collections() {
		runs, err := p.store.Runs(ctx, collection.Collection, showRuns)
		if err != nil {
			p.logger.Warn("the operator's page lacks the history", "collection", collection.Collection, "error", err)
		}
		v.Collections = append(v.Collections, newCollectionView(collection, runs, err))
	}
	intervals, problem := p.intervals()
	v.Charts, v.Problem = charts(intervals, p.sources.gateway != ""), problem
	var texts [2]bytes.Buffer
	for i := range texts {
		v.Live = i == 1
		if err := page.Execute(&texts[i], v); err != nil {
			p.logger.Error("the operator's page cannot be made", "error", err)
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

// count writes a number with spaces between thousands.
func count(n int64) string {
	text := fmt.Sprint(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "\u202f" + text[i:]
	}
	return text
}

func size(bytes int64) string {
	switch {
	case bytes >= 1e9:
		return fmt.Sprintf("%.2f GB", float64(bytes)/1e9)
	case bytes >= 1e6:
		return fmt.Sprintf("%.1f MB", float64(bytes)/1e6)
	}
	return fmt.Sprintf("%.1f kB", float64(bytes)/1e3)
}

func ago(now, then time.Time) string {
	switch d := now.Sub(then); {
	case d < 2*time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < 2*time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", int(d.Hours()))
	default:
		return fmt.Sprintf("%d days", int(d.Hours()/24))
	}
}

func seconds(r store.Run) string {
	if r.FinishedAt == nil {
		return "running"
	}
	return fmt.Sprintf("%.1f s", r.FinishedAt.Sub(r.StartedAt).Seconds())
}
