package rung

import (
	"context"

	"systemscale/infra/nginx"
)

// tierMemory is the size of the API's document cache in each instance's memory.
const tierMemory = "memory://256MiB"

// tiered answers with the API and its document cache, in Redis and in the memory of each instance: one instance, and two behind the
// gateway with its cache.
func tiered() []Rung {
	return []Rung{
		tier("api-memory", "API with a document cache in memory", false, 1),
		tier("api-redis", "API with a document cache in Redis", true, 1),
		tier("api-2-cache-memory", "API, 2 instances with a document cache in memory, gateway with its cache", false, 2),
		tier("api-2-cache-redis", "API, 2 instances with a document cache in Redis, gateway with its cache", true, 2),
	}
}

// tier returns a rung with a document cache. Several instances are behind the gateway.
func tier(name, title string, redis bool, instances int) Rung {
	return Rung{
		Name: name, Title: title, Letter: "i", Cached: true,
		Start: func(ctx context.Context, data Data) (*Running, error) {
			r, url := &Running{}, tierMemory
			if redis {
				address, err := r.addRedis(ctx, data, name)
				if err != nil {
					return r.orStop(err)
				}
				url = "redis://" + address
			}
			if instances == 1 {
				return r.orStop(r.addAlone(ctx, data, name, "--document-cache", url))
			}
			return r.orStop(r.addGateway(ctx, data, gateway{name: name, template: nginx.Template, instances: instances}, "--document-cache", url))
		},
	}
}
