package rung

import (
	"context"
	"fmt"

	"systemscale/infra/nginx"
	"systemscale/scripts/measure/server"
)

// pipelined answers with one instance of this project's API.
func pipelined() Rung {
	return Rung{
		Name: "api", Title: "this project's API, pipelined lookups", Letter: "f",
		Start: func(ctx context.Context, data Data) (*Running, error) { return startAPI(ctx, data, "api") },
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
			return startGateway(ctx, data, name, template, instances)
		},
	}
}

// cached answers with instances of the API behind the gateway as in production.
func cached(instances int) Rung {
	name := fmt.Sprintf("api-%d-cache", instances)
	return Rung{
		Name: name, Title: fmt.Sprintf("API, %d instances behind the gateway with its cache", instances), Letter: "h", Cached: true,
		Start: func(ctx context.Context, data Data) (*Running, error) {
			return startGateway(ctx, data, name, nginx.Template, instances)
		},
	}
}

// startAPI starts one instance of the API, with variables of its environment. The name of the rung is that of its log.
func startAPI(ctx context.Context, data Data, name string, env ...string) (*Running, error) {
	r := &Running{}
	started, err := r.addAPI(ctx, data, server.API{Name: name, Env: env})
	if err == nil {
		r.Address = started.Address
	}
	return r.orStop(err)
}

// startGateway starts instances of the API and, in front of their unix sockets, the gateway with a template.
func startGateway(ctx context.Context, data Data, name, template string, instances int, env ...string) (*Running, error) {
	gateways, err := server.NewGateways(data.Directory)
	if err != nil {
		return nil, err
	}
	r := &Running{stops: []func() error{gateways.Close}} // after the gateway and the instances have been stopped
	for i := range instances {
		instance := fmt.Sprintf("%s-%d", name, i+1)
		_, err := r.addAPI(ctx, data, server.API{Name: instance, Socket: gateways.Socket(instance), Env: append(threads(instances), env...)})
		if err != nil {
			return r.orStop(err)
		}
		gateways.Upstreams = append(gateways.Upstreams, "unix:"+gateways.Socket(instance))
	}
	started, err := gateways.Start(ctx, name, template)
	if err == nil {
		r.Address = started.Address
		r.add("nginx", started.PID, started.Stop)
	}
	return r.orStop(err)
}

// addAPI builds and starts an instance of the API.
func (r *Running) addAPI(ctx context.Context, data Data, api server.API) (*server.Server, error) {
	var err error
	if api.Program, err = build(ctx, data, "systemscale/api"); err != nil {
		return nil, err
	}
	api.Database, api.Logs = data.DatabaseURL, data.Directory
	api.Flags = []string{"--drain-pause", "0s"} // nothing balances requests away from it
	started, err := api.Start(ctx)
	if started != nil {
		r.add("api", started.PID, started.Stop)
	}
	return started, err
}
