package store

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are the store's counters. They are safe for concurrent use.
type metrics struct {
	lookups   *prometheus.CounterVec
	outcomes  [len(outcomes)]prometheus.Counter
	joined    prometheus.Counter
	relieved  prometheus.Counter
	batchSize prometheus.Histogram
	queueWait prometheus.Histogram
	connects  prometheus.Counter
	sent      *prometheus.CounterVec
}

// outcomes are the values of the label outcome. The first three are for no error and for an error that is not listed.
var outcomes = [...]struct {
	label string
	err   error
}{
	{"found", nil},
	{"not_modified", nil},
	{"failed", nil},
	{"not_found", ErrNotFound},
	{"history_too_short", ErrHistoryTooShort},
	{"timeout", ErrTimeout},
	{"overloaded", ErrOverloaded},
	{"unavailable", ErrUnavailable},
}

func newMetrics() *metrics {
	m := &metrics{
		lookups: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "systemscale_lookups_total", Help: "Lookups, by outcome.",
		}, []string{"outcome"}),
		joined: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "systemscale_lookups_joined_total", Help: "Lookups that shared the result of a concurrent lookup for the same document.",
		}),
		relieved: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "systemscale_lookups_relieved_total", Help: "Lookups that moved to another database host because theirs did not respond.",
		}),
		batchSize: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "systemscale_lookup_batch_size", Help: "Lookups per round trip to the database.",
			Buckets: prometheus.ExponentialBuckets(1, 2, 9),
		}),
		queueWait: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "systemscale_lookup_queue_seconds", Help: "Time a lookup waits for a connection.",
			Buckets: prometheus.ExponentialBuckets(50e-6, 4, 9),
		}),
		connects: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "systemscale_database_connects_total",
			Help: "Connections opened to the database for lookups, first ones and replacements.",
		}),
	}
	m.sent = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "systemscale_database_lookups_total", Help: "Lookups sent to the database, by host.",
	}, []string{"host"})
	for i, outcome := range outcomes {
		m.outcomes[i] = m.lookups.WithLabelValues(outcome.label)
	}
	return m
}

// count counts the answer to a lookup.
func (m *metrics) count(notModified bool, err error) {
	const found, held, failed = 0, 1, 2
	outcome := failed
	switch {
	case err == nil && notModified:
		outcome = held
	case err == nil:
		outcome = found
	default:
		for i := failed + 1; i < len(outcomes); i++ {
			if errors.Is(err, outcomes[i].err) {
				outcome = i
			}
		}
	}
	m.outcomes[outcome].Inc()
}

// Descriptions of the metrics that are read on each scrape.
var (
	inFlight    = prometheus.NewDesc("systemscale_lookups_in_flight", "Lookups in progress.", nil, nil)
	connections = prometheus.NewDesc("systemscale_database_connections", "Open database connections for lookups of documents.", nil, nil)
	dataVersion = prometheus.NewDesc("systemscale_data_version", "The run that is served.", []string{"collection"}, nil)
	hostVersion = prometheus.NewDesc("systemscale_database_host_version",
		"The run that a database host has; absent if the host cannot be read.", []string{"host", "collection"}, nil)
	hostUp      = prometheus.NewDesc("systemscale_database_host_up", "1 if a database host can be read, 0 if not.", []string{"host"}, nil)
	hostStandby = prometheus.NewDesc("systemscale_database_host_standby",
		"1 if a database host is a standby, 0 if it is a primary; absent if it cannot be read, or if it is the only host.", []string{"host"}, nil)
	hostLag = prometheus.NewDesc("systemscale_database_host_lag_bytes",
		"Write-ahead log that a database host has not replayed yet, of what any host has; absent if it cannot be read, or if it is the only host.",
		[]string{"host"}, nil)
	publishedAt = prometheus.NewDesc("systemscale_data_published_timestamp_seconds", "When the served version was published, in Unix time.",
		[]string{"collection"}, nil)
)

// collect sends the metrics of a host.
func (h Host) collect(metrics chan<- prometheus.Metric) {
	gauge := func(description *prometheus.Desc, value float64, labels ...string) {
		metrics <- prometheus.MustNewConstMetric(description, prometheus.GaugeValue, value, append([]string{h.Name}, labels...)...)
	}
	number := map[bool]float64{true: 1}
	gauge(hostUp, number[h.Up])
	for _, collection := range h.Versions {
		gauge(hostVersion, float64(collection.Run), collection.Collection)
	}
	if h.Several {
		gauge(hostStandby, number[h.Standby])
	}
	if h.Several && h.Lag >= 0 {
		gauge(hostLag, float64(h.Lag))
	}
}
