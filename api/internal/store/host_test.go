package store

import (
	"github.com/prometheus/client_golang/prometheus"

	"systemscale/api/internal/publishtest"
)

// inState waits until the hosts have a state, and compares the metrics with it.
func (p *pair) inState(what string, ok func(primary, replica Host) bool) {
	p.t.Helper()
	publishtest.Eventually(p.t, what, func() bool {
		hosts := p.Hosts()
		return ok(hosts[0], hosts[1])
	})
	registry := prometheus.NewRegistry()
	if err := registry.Register(p.Store); err != nil {
		p.t.Fatal(err)
	}
	families, err := registry.Gather()
	if err != nil {
		p.t.Fatal(err)
	}
	hosts := p.Hosts()
	series := map[string]int{}
	for _, family := range families {
		series[family.GetName()] = len(family.Metric)
	}
	up := 0
	for _, host := range hosts {
		if host.Up {
			up++
		}
	}
	for name, want := range map[string]int{
		"systemscale_database_host_up": len(hosts), "systemscale_database_host_standby": up, "systemscale_database_host_lag_bytes": up,
	} {
		if series[name] != want {
			p.t.Errorf("%s: %d series of %s, want %d", what, series[name], name, want)
		}
	}
}
