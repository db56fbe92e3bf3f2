package main

import (
	"context"
	"path/filepath"

	"systemscale/infra/process"
	"systemscale/infra/program"
	"systemscale/infra/redis"
)

const (
	privateRedis = "redis" // the value of --cache that starts a Redis
	noCache      = "none"

	// cacheMemory is the size of the private Redis.
	cacheMemory = 256 << 20
)

// startCache starts the private Redis if the document cache is to be in one, and otherwise stops it. It returns the URL of the document
// cache, or "" if there is none. account is that of the API, which alone can use the socket.
func (s *stack) startCache(ctx context.Context, account *process.Account) (url string, err error) {
	if s.Cache != privateRedis {
		if err := redis.Stop(ctx, s.Redis.Process); err != nil {
			return "", err
		}
		s.Redis = redisRun{}
		if s.Cache == noCache {
			s.Cache = ""
		}
		return s.Cache, s.save()
	}
	if !s.Redis.Process.Alive() {
		path, err := program.FindRedis()
		if err != nil {
			return "", err
		}
		socket := filepath.Join(s.Sockets, "api", "redis.sock")
		running, err := redis.Server{
			Program: path, Socket: socket, Memory: cacheMemory, Log: filepath.Join(s.logs(), "redis.log"), Account: account,
			Directory: filepath.Dir(socket),
		}.Start(ctx)
		if err != nil {
			return "", err
		}
		s.Redis = redisRun{running.Identity, socket}
		s.onUndo(func(ctx context.Context) error { return redis.Stop(ctx, running.Identity) })
		s.progressf("Redis runs on %s", socket)
		if err := s.save(); err != nil {
			return "", err
		}
	}
	return "unix://" + s.Redis.Socket, nil
}
