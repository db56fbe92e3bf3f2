package store

import (
	"context"
	"errors"
	"net"
	"reflect"
	"strconv"

	"github.com/jackc/pgx/v5/pgconn"
)

// host is one of the servers in a URL.
type host struct {
	name string
	port uint16
}

// String returns the host's name in messages and metrics.
func (h host) String() string { return net.JoinHostPort(h.name, strconv.Itoa(int(h.port))) }

// hostsOf returns the distinct servers of config, in order. config has an entry for each way of connecting to a server, with TLS or
// without.
func hostsOf(config *pgconn.Config) []host {
	hosts := []host{{config.Host, config.Port}}
	known := map[host]bool{hosts[0]: true}
	for _, fallback := range config.Fallbacks {
		next := host{fallback.Host, fallback.Port}
		if !known[next] {
			known[next] = true
			hosts = append(hosts, next)
		}
	}
	return hosts
}

// only returns config with h as the only server, with all ways of connecting to it.
func only(config *pgconn.Config, h host) *pgconn.Config {
	var ways []*pgconn.FallbackConfig
	first := &pgconn.FallbackConfig{Host: config.Host, Port: config.Port, TLSConfig: config.TLSConfig}
	for _, way := range append([]*pgconn.FallbackConfig{first}, config.Fallbacks...) {
		if (host{way.Host, way.Port}) == h {
			ways = append(ways, way)
		}
	}
	own := config.Copy()
	own.Host, own.Port, own.TLSConfig = ways[0].Host, ways[0].Port, ways[0].TLSConfig
	own.Fallbacks = ways[1:]
	return own
}

// takePreferStandby removes target_session_attrs=prefer-standby from config, and reports whether it was there: the follower decides which
// server to prefer. The other values concern a single server, and stay.
func takePreferStandby(config *pgconn.Config) bool {
	if !sameCheck(config.ValidateConnect, pgconn.ValidateConnectTargetSessionAttrsPreferStandby) {
		return false
	}
	config.ValidateConnect = nil
	return true
}

// followRoles makes target_session_attrs=read-write require a primary, and read-only a standby. Both values check whether a session is
// read-only by default, which this program's sessions always are.
func followRoles(config *pgconn.Config) {
	switch {
	case sameCheck(config.ValidateConnect, pgconn.ValidateConnectTargetSessionAttrsReadWrite):
		config.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsPrimary
	case sameCheck(config.ValidateConnect, pgconn.ValidateConnectTargetSessionAttrsReadOnly):
		config.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsStandby
	}
}

// sameCheck reports whether a is the function b, which must not be a closure. The parsed URL has the setting in no other form.
func sameCheck(a, b pgconn.ValidateConnectFunc) bool {
	return reflect.ValueOf(a).Pointer() == reflect.ValueOf(b).Pointer()
}

// isStandby reports whether the server is a standby.
func isStandby(ctx context.Context, conn *pgconn.PgConn) (bool, error) {
	err := pgconn.ValidateConnectTargetSessionAttrsStandby(ctx, conn)
	if errors.Is(err, pgconn.ErrPrimaryConnection) {
		return false, nil
	}
	return err == nil, err
}
