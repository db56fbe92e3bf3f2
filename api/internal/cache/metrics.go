package cache

import (
	"github.com/prometheus/client_golang/prometheus"
)

// Outcome is what became of a read.
type Outcome int

// Outcomes. The cache counts the reads that find no document, and its caller counts what it does with those that find one.
const (
	Hit     Outcome = iota // the document was the response
	Stale                  // it was of another version, and has changed since
	Skipped                // the cache was not asked, because it could not be decided which version is current
	Down                   // the cache was not asked, because it does not respond
	miss
	corrupt // not a document, or not of this key
	timeout
	failed
)

var outcomes = [...]string{
	Hit: "hit", Stale: "stale", Skipped: "skipped", Down: "down", miss: "miss", corrupt: "corrupt", timeout: "timeout", failed: "failed",
}

// ending is what became of a document to store.
type ending int

const (
	done ending = iota
	refused
	dropped
	tooLarge
)

var endings = [...]string{done: "stored", refused: "failed", dropped: "dropped", tooLarge: "too_large"}

type metrics struct {
	reads    *prometheus.CounterVec
	outcomes [len(outcomes)]prometheus.Counter
	fills    *prometheus.CounterVec
	endings  [len(endings)]prometheus.Counter
	seconds  prometheus.Histogram
}

func newMetrics() *metrics {
	m := &metrics{
		reads: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "systemscale_document_cache_reads_total", Help: "Reads of the document cache, by outcome.",
		}, []string{"outcome"}),
		fills: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "systemscale_document_cache_fills_total", Help: "Documents to store in the document cache, by outcome.",
		}, []string{"outcome"}),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "systemscale_document_cache_seconds", Help: "Duration of a read of the document cache.",
			Buckets: prometheus.ExponentialBuckets(10e-6, 4, 8),
		}),
	}
	for i, label := range outcomes {
		m.outcomes[i] = m.reads.WithLabelValues(label)
	}
	for i, label := range endings {
		m.endings[i] = m.fills.WithLabelValues(label)
	}
	return m
}

// Count counts a read.
func (c *Cache) Count(outcome Outcome) { c.metrics.outcomes[outcome].Inc() }

func (m *metrics) fill(ending ending, count int) { m.endings[ending].Add(float64(count)) }

// register registers the cache's metrics.
func (c *Cache) register(registerer prometheus.Registerer) error {
	up := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "systemscale_document_cache_up", Help: "1 if the document cache is used, 0 if it is left out because it does not respond.",
	}, func() float64 {
		if c.backend.up() {
			return 1
		}
		return 0
	})
	collectors := []prometheus.Collector{c.metrics.reads, c.metrics.fills, c.metrics.seconds, up}
	if c.backend.bytes() >= 0 {
		collectors = append(collectors, prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "systemscale_document_cache_bytes", Help: "Memory of this process that the document cache takes, in bytes.",
		}, func() float64 { return float64(c.backend.bytes()) }))
	}
	for _, collector := range collectors {
		if err := registerer.Register(collector); err != nil {
			return err
		}
	}
	return nil
}
