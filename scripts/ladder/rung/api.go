package rung

import (
	"context"
	"fmt"

	"systemscale/infra/nginx"
	"systemscale/scripts/measure/server"
)

// pipelined answers with one instance of this project's API.
func pipelined() Rung {
	const name = "api"
	return Rung{
		Name: name, Title: "this project's API, pipelined lookups", Letter: "f",
		Start: func(ctx context.Context, data Data) (*Running, error) {
			r := &Running{}
			return r.orStop(r.addAlone(ctx, data, name))
		},
	}
}

// balanced answers with instances of the API behind the gateway without its cache.
func balanced(instances int) Rung {
	name := fmt.Sprintf("api-%d", instances)
	return Rung{
		Name: name, Title: fmt.Sprintf("API, %d instances behind the gateway", instances), Letter: "g",
		Start: func(ctx context.Context, data Data) (*Running, error) {
			template, err := server.WithoutCache(nginx.Template)
			if err != nil {
				return nil, err
			}
			r := &Running{}
			return r.orStop(r.addGateway(ctx, data, gateway{name, template, instances}))
		},
	}
}

// cached answers with instances of the API behind the gateway as in production.
func cached(instances int) Rung {
	name := fmt.Sprintf("api-%d-cache", instances)
	return Rung{
		Name: name, Title: fmt.Sprintf("API, %d instances behind the gateway with its cache", instances), Letter: "h", Cached: true,
		Start: func(ctx context.Context, data Data) (*Running, error) {
			r := &Running{}
			return r.orStop(r.addGateway(ctx, data, gateway{name, nginx.Template, instances}))
		},
	}
}

// addAlone starts one instance of the API, with more flags, which clients reach directly. The name of the rung is that of its log.
func (r *Running) addAlone(ctx context.Context, data Data, name string, flags ...string) error {
	started, err := r.addAPI(ctx, data, server.API{Name: name, Flags: flags})
	if started != nil {
		r.Address = started.Address
	}
	return err
}

// gateway is the project's gateway in front of instances of the API.
type gateway struct {
	name      string // of the rung, for logs
	template  string // of the configuration of NGINX
	instances int
}

// addGateway starts instances of the API, with more flags, and the gateway in front of their unix sockets.
func (r *Running) addGateway(ctx context.Context, data Data, g gateway, flags ...string) error {
	gateways, err := server.NewGateways(data.Directory)
	if err != nil {
		return err
	}
	r.stops = append(r.stops, gateways.Close) // after the gateway and the instances have been stopped
	for i := range g.instances {
		instance := fmt.Sprintf("%s-%d", g.name, i+1)
		socket := gateways.Socket(instance)
		if _, err := r.addAPI(ctx, data, server.API{Name: instance, Socket: socket, Env: threads(g.instances), Flags: flags}); err != nil {
			return err
		}
		gateways.Upstreams = append(gateways.Upstreams, "unix:"+socket)
	}
	started, err := gateways.Start(ctx, g.name, g.template)
	if err != nil {
		return err
	}
	r.Address = started.Address
	r.add("nginx", started.PID, started.Stop)
	return nil
}

// addAPI builds and starts an instance of the API.
func (r *Running) addAPI(ctx context.Context, data Data, api server.API) (*server.Server, error) {
	var err error
	if api.Program, err = build(ctx, data, "systemscale/api"); err != nil {
		return nil, err
	}
	api.Database, api.Logs = data.DatabaseURL, data.Directory
	api.Flags = append([]string{"--drain-pause", "0s"}, api.Flags...) // no balancer has to notice that it stops
	started, err := api.Start(ctx)
	if started != nil {
		r.add("api", started.PID, started.Stop)
		r.admins = append(r.admins, started.Admin)
	}
	return started, err
}
