package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"

	"systemscale/infra/nginx"
	"systemscale/infra/postgres"
	"systemscale/infra/redis"
)

type downCommand struct {
	Purge bool `help:"Also remove .run with the database, the samples and the logs."`
}

func (downCommand) Help() string {
	return "Example:\n\n  stack down --purge"
}

// Run stops the servers that up started. It is no error if none runs.
func (c downCommand) Run(ctx context.Context, location location, console console) error {
	if _, err := os.Stat(location.State); errors.Is(err, os.ErrNotExist) {
		console.printf("nothing runs")
		return nil
	}
	stack, release, err := location.open(console)
	if err != nil {
		return err
	}
	defer release()
	if err := stack.down(ctx); err != nil {
		return err
	}
	if !c.Purge {
		return nil
	}
	for _, directory := range append(stack.Outside, location.State) {
		if err := os.RemoveAll(directory); err != nil {
			return fmt.Errorf("purge: %w", err)
		}
	}
	console.printf("removed %s", location.State)
	return nil
}

func (s *stack) down(ctx context.Context) error {
	running := s.runs()
	if err := s.stopServers(ctx); err != nil {
		return err
	}
	if !running {
		s.printf("nothing runs")
	}
	return nil
}

// stopServers stops the running servers in reverse order of their start.
func (s *stack) stopServers(ctx context.Context) error {
	if s.Gateway.Process.Alive() {
		s.printf("stopping NGINX")
	}
	if err := nginx.Stop(ctx, s.Gateway.Process); err != nil {
		return err
	}
	var draining sync.WaitGroup
	errs := make([]error, len(s.Instances))
	for i, instance := range s.Instances {
		if !instance.Process.Alive() {
			continue
		}
		s.printf("stopping API instance %d", i+1)
		draining.Go(func() { errs[i] = stopInstance(ctx, instance) })
	}
	draining.Wait()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	if s.Redis.Process.Alive() {
		s.printf("stopping Redis")
		if err := redis.Stop(ctx, s.Redis.Process); err != nil {
			return err
		}
	}
	if s.Postgres.Process.Alive() {
		s.printf("stopping Postgres")
		if err := postgres.Stop(ctx, s.Postgres.Process); err != nil {
			return err
		}
	}
	return nil
}
