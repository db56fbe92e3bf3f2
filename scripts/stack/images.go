package main

import (
	"context"
	"fmt"

	"systemscale/infra/images"
)

type imagesCommand struct {
	Engine string `help:"podman, buildah or docker (default: the first that is installed)." placeholder:"NAME" env:"ENGINE"`
	Prefix string `help:"First part of the images' names." default:"localhost/systemscale" placeholder:"NAME" env:"PREFIX"`
	Tag    string `help:"Tag of the images." default:"dev" placeholder:"TAG" env:"TAG"`
	Base   string `help:"Image with NGINX for the gateway (default: the one in infra/images/gateway.Containerfile)." placeholder:"IMAGE" env:"BASE"`
}

func (imagesCommand) Help() string {
	return "Builds etl, api and gateway from the present commit. The storefront is part of api, and is built first.\n\nExample:\n\n" +
		"  stack images --prefix registry.example.org/systemscale --tag 1.4.0"
}

// Run builds the images.
func (c imagesCommand) Run(ctx context.Context, location location, console console) error {
	engine, err := images.FindEngine(c.Engine)
	if err != nil {
		return err
	}
	s := &stack{location: location, console: console}
	if err := s.offerPages(ctx); err != nil {
		return err
	}
	build := images.Build{Root: location.Root, Engine: engine, Prefix: c.Prefix, Tag: c.Tag, Base: c.Base, Out: console.err}
	if err := build.Run(ctx); err != nil {
		return err
	}
	for _, image := range images.Names {
		fmt.Fprintln(console.out, build.Name(image))
	}
	return nil
}
