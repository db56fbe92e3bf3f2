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

// buckets are the bounds of the latency histogram in seconds. Most responses take 0.2 to 5 ms, where the steps distinguish a p99 of 3 ms
// from one of 5 ms.
var buckets = []float64{
	.0001, .0002, .0005, .001, .002, .003, .005, .0075, .01, .02, .05, .1, .2, .5, 1, 2, 5,
}

// counted are the statuses whose histograms a route caches.
var counted = [...]int{
	fasthttp.StatusOK, fasthttp.StatusNotModified, fasthttp.StatusNotFound, fasthttp.StatusBadRequest, fasthttp.StatusGone,
	fasthttp.StatusServiceUnavailable, fasthttp.StatusInternalServerError, fasthttp.StatusMethodNotAllowed, fasthttp.StatusNoContent,
}

// other is the route of requests for addresses that are not published.
const other = "other"

// pageRoute is the route of the storefront, the documentation and their files.
const pageRoute = "pages"

// metrics are the server's counters. Counting does not allocate, except for the first response of a route with a status.
type metrics struct {
	duration  *prometheus.HistogramVec
	malformed prometheus.Counter
	refused   prometheus.Counter

	other  *route
	pages  *route
	mutex  sync.Mutex                        // held while routes is replaced
	routes atomic.Pointer[map[string]*route] // by template; replaced, never changed
}

// route is an address template, such as /products/{id}/styles.
type route struct {
	template  string
	durations [len(counted)]atomic.Pointer[prometheus.Observer]
}

// newMetrics registers the metrics with registerer, unless it is nil.
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

// route returns the route of a template, which must contain only published names. It does not retain template.
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

// histogram returns the series of a route and a status. It is created by the first response, so unused series take no space.
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

// routeKey is the user value that holds a request's route until it is counted.
type routeKey struct{}

// setRoute records the route of a request.
func setRoute(ctx *fasthttp.RequestCtx, r *route) { ctx.SetUserValue(routeKey{}, r) }

// routeOf returns the route of a request that has been answered.
func (m *metrics) routeOf(ctx *fasthttp.RequestCtx) *route {
	if marked, ok := ctx.UserValue(routeKey{}).(*route); ok {
		return marked
	}
	return m.other
}
