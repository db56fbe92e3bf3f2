package rung

import (
	"context"
	_ "embed"
	"fmt"
	"strconv"
	"strings"

	"systemscale/scripts/measure/server"
)

//go:embed nginx.conf.template
var nginxTemplate string

// balance is an NGINX in front of plain handlers that join.
type balance struct {
	instances   int
	leastConn   bool // otherwise round robin
	cache       bool // of all responses, for ten minutes
	connections int  // worker_connections
}

// The numbers of worker_connections. With few, two workers hold fewer clients than the load generators open at their peak.
const (
	fewConnections  = 256
	manyConnections = 8192
)

// balancedJoins answers with several plain handlers behind NGINX, as a tutorial configures it.
func balancedJoins() []Rung {
	var rungs []Rung
	for _, instances := range []int{2, 4} {
		rungs = append(rungs,
			Rung{
				Name: fmt.Sprintf("joins-%d-round-robin", instances), Title: fmt.Sprintf("joins, %d instances, round robin", instances), Letter: "c",
				Start: balance{instances: instances, connections: manyConnections}.start,
			},
			Rung{
				Name: fmt.Sprintf("joins-%d-least-conn", instances), Title: fmt.Sprintf("joins, %d instances, least connections", instances), Letter: "c",
				Start: balance{instances: instances, leastConn: true, connections: manyConnections}.start,
			})
	}
	return rungs
}

// cachedJoins answers as balancedJoins, with the cache of NGINX.
func cachedJoins() []Rung {
	return []Rung{
		{
			Name: "joins-2-cache-few", Title: fmt.Sprintf("joins, 2 instances, NGINX cache, %d connections", fewConnections), Letter: "d", Cached: true,
			Start: balance{instances: 2, cache: true, connections: fewConnections}.start,
		},
		{
			Name: "joins-2-cache-many", Title: fmt.Sprintf("joins, 2 instances, NGINX cache, %d connections", manyConnections), Letter: "d", Cached: true,
			Start: balance{instances: 2, cache: true, connections: manyConnections}.start,
		},
	}
}

// name returns a name for files, which is different for each configuration.
func (b balance) name() string {
	return fmt.Sprintf("joins-%d-least-%t-cache-%t-%d", b.instances, b.leastConn, b.cache, b.connections)
}

// start starts the handlers and NGINX.
func (b balance) start(ctx context.Context, data Data) (*Running, error) {
	gateways, err := server.NewGateways(data.Directory)
	if err != nil {
		return nil, err
	}
	r := &Running{stops: []func() error{gateways.Close}} // after NGINX and the handlers have been stopped
	addresses, err := r.addPlain(ctx, data, b.name(), joinStatements, b.instances)
	if err != nil {
		return r.orStop(err)
	}
	started, err := gateways.StartOther(ctx, b.name(), nginxTemplate, b.values(addresses), Request{Endpoint: Styles, ID: 1}.Path())
	if started != nil {
		r.Address = started.Address
		r.add("nginx", started.PID, started.Stop)
	}
	return r.orStop(err)
}

// values returns the values of the template's placeholders, for handlers at some addresses.
func (b balance) values(addresses []string) map[string]string {
	values := map[string]string{
		"CONNECTIONS": strconv.Itoa(b.connections), "BALANCE": "", "CACHE_PATH": "", "CACHE": "",
		"SERVERS": "server " + strings.Join(addresses, "; server ") + ";",
	}
	if b.leastConn {
		values["BALANCE"] = "least_conn;"
	}
	if b.cache {
		values["CACHE_PATH"] = "proxy_cache_path cache levels=1:2 keys_zone=responses:64m max_size=2g inactive=1h use_temp_path=off;"
		values["CACHE"] = "proxy_cache responses; proxy_cache_valid 200 10m;"
	}
	return values
}
