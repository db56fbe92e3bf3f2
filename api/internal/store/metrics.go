package store

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics is what the store counts as it goes. Everything in it is safe for concurrent use.
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

// outcomes are the values of the label outcome. The first three are of no error, or of one that is not listed.
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
			Name: "systemscale_lookups_total", Help: "Answers of the store to lookups, by outcome.",
		}, []string{"outcome"}),
		joined: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "systemscale_lookups_joined_total", Help: "Lookups that shared the answer of another one for the same document.",
		}),
		relieved: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "systemscale_lookups_relieved_total", Help: "Lookups that were given to another host of the database because theirs did not answer.",
		}),
		batchSize: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "systemscale_lookup_batch_size", Help: "Lookups in one round trip to the database.",
			Buckets: prometheus.ExponentialBuckets(1, 2, 9),
		}),
		queueWait: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "systemscale_lookup_queue_seconds", Help: "Time a lookup waits for a connection.",
			Buckets: prometheus.ExponentialBuckets(50e-6, 4, 9),
		}),
		connects: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "systemscale_database_connects_total", Help: "Connections made to the database for lookups: the first ones and those that replaced a broken one.",
		}),
	}
	m.sent = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "systemscale_database_lookups_total", Help: "Lookups that were sent to a host of the database, by host.",
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

// Descriptions of what is read off the store when somebody asks.
var (
	inFlight    = prometheus.NewDesc("systemscale_lookups_in_flight", "Lookups whose callers wait.", nil, nil)
	connections = prometheus.NewDesc("systemscale_database_connections", "Connections to the database that carry lookups of documents.", nil, nil)
	dataVersion = prometheus.NewDesc("systemscale_data_version", "The run whose documents are served.", []string{"collection"}, nil)
	hostVersion = prometheus.NewDesc("systemscale_database_host_version", "The run that a host of the database has; absent where the host cannot be read.", []string{"host", "collection"}, nil)
	publishedAt = prometheus.NewDesc("systemscale_data_published_timestamp_seconds", "When the documents that are served were published, in Unix time.", []string{"collection"}, nil)
)

// Describe implements prometheus.Collector.
func (s *Store) Describe(descriptions chan<- *prometheus.Desc) {
	for _, description := range []*prometheus.Desc{inFlight, connections, dataVersion, hostVersion, publishedAt} {
		descriptions <- description
	}
}

// Collect implements prometheus.Collector.
func (s *Store) Collect(metrics chan<- prometheus.Metric) {
	_, alive := s.queue.state()
	metrics <- prometheus.MustNewConstMetric(inFlight, prometheus.GaugeValue, float64(s.pending()))
	metrics <- prometheus.MustNewConstMetric(connections, prometheus.GaugeValue, float64(alive))
	for host, view := range s.follower.views() {
		for _, collection := range view.Collections() {
			metrics <- prometheus.MustNewConstMetric(hostVersion, prometheus.GaugeValue, float64(collection.Run), host, collection.Collection)
		}
	}
	for _, collection := range s.Snapshot().Collections() {
		at := float64(collection.PublishedAt.UnixMicro()) / 1e6
		metrics <- prometheus.MustNewConstMetric(dataVersion, prometheus.GaugeValue, float64(collection.Run), collection.Collection)
		metrics <- prometheus.MustNewConstMetric(publishedAt, prometheus.GaugeValue, at, collection.Collection)
	}
}

// register registers the store's metrics.
func (s *Store) register(registerer prometheus.Registerer) error {
	m := s.metrics
	for _, collector := range []prometheus.Collector{s, m.lookups, m.joined, m.relieved, m.batchSize, m.queueWait, m.connects, m.sent} {
		if err := registerer.Register(collector); err != nil {
			return err
		}
	}
	return nil
}
