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

func (m *metrics) fill(ending ending, count int) { m.endings[ending].Add(float64(count)) }
