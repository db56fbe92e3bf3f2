package command

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"systemscale/etl/internal/cacherefresh"
	"systemscale/etl/internal/publish"
	"systemscale/etl/internal/source"
)

// metricsFlags are for commands that publish.
type metricsFlags struct {
	Metrics string `type:"path" placeholder:"FILE" help:"File to write the metrics of the run to, however it ends, in Prometheus' text format, for the textfile collector of node_exporter. One file for each collection."`
}

// metrics are the metrics of a run. Methods of a nil *metrics do nothing.
type metrics struct {
	file       string
	began      time.Time
	collection string
	registry   *prometheus.Registry
	documents  *prometheus.GaugeVec
	rows       *prometheus.GaugeVec
	refreshed  *prometheus.GaugeVec
	copies     *prometheus.GaugeVec
	held       *prometheus.GaugeVec
}

// newMetrics starts the metrics of a run. It returns nil without --metrics. collection is empty if the shape file cannot be read.
func newMetrics(flags metricsFlags, collection string) *metrics {
	if flags.Metrics == "" {
		return nil
	}
	m := &metrics{file: flags.Metrics, began: time.Now(), collection: collection, registry: prometheus.NewRegistry()}
	m.documents = m.gauge("documents_changed", "Documents that the last run found changed, by kind: added, changed or removed.",
		"document", "kind")
	m.rows = m.gauge("rows", "Rows that the last run read, by fate: used, filtered or rejected.", "file", "fate")
	m.refreshed = m.gauge("cache_told", "1 if the cache of a gateway was refreshed or left to expire; 0 if the refresh failed.", "node")
	m.copies = m.gauge("cache_urls",
		"Copies of changed documents that the last run looked up in the cache of a gateway, by outcome: refreshed, fresh, absent or behind.",
		"node", "outcome")
	m.held = m.gauge("on_hold", "1 if the runs of the collection are on hold: none publishes before etl release.")
	return m
}

// gauge registers a metric of the collection.
func (m *metrics) gauge(name, help string, labels ...string) *prometheus.GaugeVec {
	gauge := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "systemscale_etl_" + name, Help: help, ConstLabels: prometheus.Labels{"collection": m.collection},
	}, labels)
	m.registry.MustRegister(gauge)
	return gauge
}

// sources sets the fates of the rows.
func (m *metrics) sources(counts []source.Counts) {
	if m == nil {
		return
	}
	labels := source.Labels(counts)
	for i, c := range counts {
		m.rows.WithLabelValues(labels[i], "used").Set(float64(c.Used))
		m.rows.WithLabelValues(labels[i], "filtered").Set(float64(source.Sum(c.Filtered)))
		m.rows.WithLabelValues(labels[i], "rejected").Set(float64(source.Sum(c.Rejected)))
		if c.WithoutParent > 0 {
			m.rows.WithLabelValues(labels[i], "without a parent").Set(float64(c.WithoutParent))
		}
	}
}

// changes sets the numbers of changed documents.
func (m *metrics) changes(changes publish.Changes) {
	if m == nil {
		return
	}
	for _, d := range changes.Endpoints {
		m.documents.WithLabelValues(d.Name, "added").Set(float64(d.Added))
		m.documents.WithLabelValues(d.Name, "changed").Set(float64(d.Changed))
		m.documents.WithLabelValues(d.Name, "removed").Set(float64(d.Removed))
	}
}

// refresh sets the result of the refresh of a gateway.
func (m *metrics) refresh(gateway cacherefresh.Gateway, succeeded bool, counts cacherefresh.Counts) {
	if m == nil {
		return
	}
	m.refreshed.WithLabelValues(gateway.String()).Set(number(succeeded))
	for outcome, n := range map[string]int64{
		"refreshed": counts.Refreshed, "fresh": counts.Fresh, "absent": counts.Absent, "behind": counts.Behind,
	} {
		m.copies.WithLabelValues(gateway.String(), outcome).Set(float64(n))
	}
}

// onHold sets whether the runs of the collection are on hold.
func (m *metrics) onHold(is bool) {
	if m == nil {
		return
	}
	m.held.WithLabelValues().Set(number(is))
}

// write replaces the file.
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
