package store

import "github.com/jackc/pgx/v5/pgconn"

// host is one of the servers that a URL names.
type host struct {
	name string
	port uint16
}

// hostsOf returns the different servers of config in its order. There is one entry in config for each way of connecting to a server,
// with TLS or without.
func hostsOf(config *pgconn.Config) []host {
	hosts := []host{{config.Host, config.Port}}
	for _, fallback := range config.Fallbacks {
		if next := (host{fallback.Host, fallback.Port}); next != hosts[len(hosts)-1] {
			hosts = append(hosts, next)
		}
	}
	return hosts
}

// startingWith returns config with first as the server that is tried first, and after it the others in their order.
func startingWith(config *pgconn.Config, first host) *pgconn.Config {
	ways := append([]*pgconn.FallbackConfig{{Host: config.Host, Port: config.Port, TLSConfig: config.TLSConfig}}, config.Fallbacks...)
	start := 0
	for start < len(ways)-1 && (host{ways[start].Host, ways[start].Port}) != first {
		start++
	}
	ways = append(ways[start:len(ways):len(ways)], ways[:start]...)
	rotated := config.Copy()
	rotated.Host, rotated.Port, rotated.TLSConfig = ways[0].Host, ways[0].Port, ways[0].TLSConfig
	rotated.Fallbacks = ways[1:]
	return rotated
}
