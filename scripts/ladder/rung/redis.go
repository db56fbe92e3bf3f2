package rung

import (
	"context"

	"systemscale/infra/program"
	"systemscale/infra/redis"
	"systemscale/scripts/measure/server"
)

// redisMemory is as much as the cache of the gateway may use, in bytes.
const redisMemory = 2 << 30

// addRedis starts a private Redis that keeps its data in memory only, and returns its address. The name of the rung is that of its log.
func (r *Running) addRedis(ctx context.Context, data Data, name string) (string, error) {
	path, err := program.FindRedis()
	if err != nil {
		return "", err
	}
	addresses, err := server.FreeAddresses(1)
	if err != nil {
		return "", err
	}
	running, err := redis.Server{Program: path, Listen: addresses[0], Memory: redisMemory, Log: data.log(name, "redis", 0), Tied: true}.Start(ctx)
	if err != nil {
		return "", err
	}
	r.add("redis", running.PID, func() error { return redis.Stop(context.Background(), running.Identity) })
	return addresses[0], nil
}
