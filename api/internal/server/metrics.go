package server

import (
	"maps"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/valyala/fasthttp"
)

// buckets are the bounds of the latency histogram in seconds. Most answers take 0.2 to 5 ms, and there the steps are small
// enough to tell a p99 of 3 ms from one of 5.
var buckets = []float64{
	.0001, .0002, .0005, .001, .002, .003, .005, .0075, .01, .02, .05, .1, .2, .5, 1, 2, 5,
}

// counted are the statuses of which a route keeps the histogram at hand. Others are looked up.
var counted = [...]int{
	fasthttp.StatusOK, fasthttp.StatusNotModified, fasthttp.StatusNotFound, fasthttp.StatusBadRequest, fasthttp.StatusGone,
	fasthttp.StatusServiceUnavailable, fasthttp.StatusInternalServerError, fasthttp.StatusMethodNotAllowed, fasthttp.StatusNoContent,
}

// other is the route of whatever asks for nothing that is published.
const other = "other"

// pageRoute is the route of the pages that people see, and of what they consist of.
const pageRoute = "pages"

// metrics counts what the server does. Once a route and a status have been seen, counting another of the kind allocates nothing.
type metrics struct {
	duration  *prometheus.HistogramVec
	malformed prometheus.Counter
	refused   prometheus.Counter

	other  *route
	pages  *route
	mutex  sync.Mutex                        // of changing routes
	routes atomic.Pointer[map[string]*route] // by template; replaced, never changed
}

// route is one address template, such as /products/{id}/styles. There are as many as there are published names.
type route struct {
	template  string
	durations [len(counted)]atomic.Pointer[prometheus.Observer]
}

// newMetrics registers with registerer, unless that is nil.
func newMetrics(registerer prometheus.Registerer, connections func() float64) *metrics {
	m := &metrics{
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "systemscale_http_request_duration_seconds",
			Help:    "Time from reading a request to having a response ready to write, by address template and status.",
			Buckets: buckets,
		}, []string{"route", "status"}),
		malformed: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "systemscale_http_malformed_requests_total",
			Help: "Requests that could not be read: not HTTP, too large, too slow, or incomplete.",
		}),
		refused: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "systemscale_http_refused_connections_total",
			Help: "Connections refused because too many were open.",
		}),
		other: &route{template: other},
		pages: &route{template: pageRoute},
	}
	m.routes.Store(&map[string]*route{})
	if registerer != nil {
		registerer.MustRegister(m.duration, m.malformed, m.refused, prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "systemscale_http_connections",
			Help: "Open client connections.",
		}, connections))
	}
	return m
}

// route returns the route with a template, which must be made of published names only. It does not keep template.
func (m *metrics) route(template []byte) *route {
	if known := (*m.routes.Load())[string(template)]; known != nil {
		return known
	}
	m.mutex.Lock()
	defer m.mutex.Unlock()
	routes := maps.Clone(*m.routes.Load())
	known := routes[string(template)]
	if known == nil {
		known = &route{template: string(template)}
		routes[known.template] = known
		m.routes.Store(&routes)
	}
	return known
}

func (m *metrics) observe(r *route, status int, took time.Duration) {
	m.histogram(r, status).Observe(took.Seconds())
}

// histogram finds the series for a route and a status. It comes into being with the first answer, so that those that never
// happen cost no space in what is scraped.
func (m *metrics) histogram(r *route, status int) prometheus.Observer {
	for i, known := range counted {
		if known != status {
			continue
		}
		if observer := r.durations[i].Load(); observer != nil {
			return *observer
		}
		observer := m.duration.WithLabelValues(r.template, strconv.Itoa(status))
		r.durations[i].Store(&observer)
		return observer
	}
	return m.duration.WithLabelValues(r.template, strconv.Itoa(status))
}

// routeKey is the user value under which a request's route waits to be counted.
type routeKey struct{}

// mark says which route a request belongs to.
func setRoute(ctx *fasthttp.RequestCtx, r *route) { ctx.SetUserValue(routeKey{}, r) }

// routeOf returns the route of a request that has been answered.
func (m *metrics) routeOf(ctx *fasthttp.RequestCtx) *route {
	if marked, ok := ctx.UserValue(routeKey{}).(*route); ok {
		return marked
	}
	return m.other
}
