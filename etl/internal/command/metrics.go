package command

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"systemscale/etl/internal/edge"
	"systemscale/etl/internal/publish"
	"systemscale/etl/internal/source"
)

// measuring is the flag of whatever publishes.
type measuring struct {
	Metrics string `type:"path" placeholder:"FILE" help:"File to replace at the end, however the run ends, by its metrics in Prometheus' text format, for the textfile collector of node_exporter. One for each collection."`
}

// metrics is what a file of metrics says of a run. It is nil when none is wanted, and all its methods then do nothing.
type metrics struct {
	file       string
	began      time.Time
	collection string
	registry   *prometheus.Registry
	documents  *prometheus.GaugeVec
	rows       *prometheus.GaugeVec
	told       *prometheus.GaugeVec
	urls       *prometheus.GaugeVec
}

// measure begins the metrics of a run. collection may be empty, when the shape file cannot even be read.
func (o *output) measure(flag measuring, collection string) {
	if flag.Metrics == "" {
		return
	}
	m := &metrics{file: flag.Metrics, began: time.Now(), collection: collection, registry: prometheus.NewRegistry()}
	m.documents = m.gauge("documents_changed", "Documents that the last run found changed, by kind: added, changed or removed.", "document", "kind")
	m.rows = m.gauge("rows", "Rows that the last run read, by fate: used, filtered or rejected.", "file", "fate")
	m.told = m.gauge("cache_told", "1 if a cache was told all that changed, or left to find out by itself; 0 if it could not be told.", "node")
	m.urls = m.gauge("cache_urls", "Copies of changed documents that the last run looked for in a cache, by outcome: refreshed, fresh, absent or behind.", "node", "outcome")
	o.metrics = m
}

// gauge registers a metric of the collection.
func (m *metrics) gauge(name, help string, labels ...string) *prometheus.GaugeVec {
	gauge := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "systemscale_etl_" + name, Help: help, ConstLabels: prometheus.Labels{"collection": m.collection},
	}, labels)
	m.registry.MustRegister(gauge)
	return gauge
}

// sources takes the fate of every row.
func (m *metrics) sources(counts []source.Counts) {
	if m == nil {
		return
	}
	for _, c := range counts {
		m.rows.WithLabelValues(c.File, "used").Set(float64(c.Used))
		m.rows.WithLabelValues(c.File, "filtered").Set(float64(source.Sum(c.Filtered)))
		m.rows.WithLabelValues(c.File, "rejected").Set(float64(source.Sum(c.Rejected)))
	}
}

// changes takes what was found changed.
func (m *metrics) changes(changes publish.Changes) {
	if m == nil {
		return
	}
	for _, d := range changes.Documents {
		m.documents.WithLabelValues(d.Name, "added").Set(float64(d.Added))
		m.documents.WithLabelValues(d.Name, "changed").Set(float64(d.Changed))
		m.documents.WithLabelValues(d.Name, "removed").Set(float64(d.Removed))
	}
}

// cache takes what a node was told, and whether that was everything.
func (m *metrics) cache(node edge.Node, told bool, counts edge.Counts) {
	if m == nil {
		return
	}
	m.told.WithLabelValues(node.String()).Set(number(told))
	for outcome, n := range map[string]int64{"refreshed": counts.Refreshed, "fresh": counts.Fresh, "absent": counts.Absent, "behind": counts.Behind} {
		m.urls.WithLabelValues(node.String(), outcome).Set(float64(n))
	}
}

// write replaces the file, now that the exit code is known.
func (m *metrics) write(code int) error {
	if m == nil {
		return nil
	}
	for _, g := range []struct {
		name, help string
		value      float64
	}{
		{"timestamp_seconds", "When the last run ended, in seconds since 1970.", float64(time.Now().UnixMilli()) / 1e3},
		{"duration_seconds", "How long the last run took.", time.Since(m.began).Seconds()},
		{"success", "1 if the last run published, or found nothing to publish; 0 otherwise.", number(code == exitOK)},
		{"exit_code", "Exit code of the last run.", float64(code)},
	} {
		m.gauge("last_run_"+g.name, g.help).WithLabelValues().Set(g.value)
	}
	return prometheus.WriteToTextfile(m.file, m.registry)
}

func number(is bool) float64 {
	if is {
		return 1
	}
	return 0
}
