package store

import "slices"

// Host is the state of a database host, as last read.
type Host struct {
	Name     string // host:port
	Up       bool   // it could be read; if not, the other fields are zero
	Versions []*Collection
	Several  bool // there are other hosts; if not, the fields below are zero
	Standby  bool
	// Lag is how much of the write-ahead log the host has not replayed, in bytes, of what any host has; without a primary, of what the lost
	// one had when it was last read. The hosts are read at different times, so while much is written, a host that keeps up lags by the
	// amount of up to a second. It is -1 if unknown.
	Lag int64
}

// hostsIn returns the state of each host. The follower's mutex is held.
func hostsIn(watchers []*watcher) []Host {
	primary := slices.ContainsFunc(watchers, func(h *watcher) bool { return h.view != nil && !h.standby })
	var newest int64
	for _, h := range watchers {
		if h.view != nil || !primary {
			newest = max(newest, h.position)
		}
	}
	hosts := make([]Host, len(watchers))
	for i, h := range watchers {
		hosts[i] = Host{Name: h.host.String(), Up: h.view != nil}
		if h.view == nil {
			continue
		}
		hosts[i].Versions = h.view.Collections()
		if !h.several {
			continue
		}
		hosts[i].Several, hosts[i].Standby, hosts[i].Lag = true, h.standby, -1
		if h.position > 0 {
			hosts[i].Lag = newest - h.position
		}
	}
	return hosts
}
