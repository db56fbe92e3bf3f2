package main

import (
	"errors"

	"systemscale/scripts/measure/workspace"
)

type apiCommand struct {
	workspace.Workspace
	Rounds      int      `default:"3" help:"Rounds; each measures everything once. Default: ${default}."`
	Seconds     int      `default:"4" help:"Length of one measurement. Default: ${default}."`
	Connections []int    `default:"64,256" placeholder:"N" help:"${connections} Default: ${default}."`
	Only        []string `enum:"${subjects}" placeholder:"NAME" help:"Measure only these: ${enum}. Default: all."`
	Instances   int      `default:"2" help:"API instances, each with GOMAXPROCS=1. Default: ${default}."`
	Rate        float64  `default:"9000" help:"Requests per second of constant. Default: ${default}."`
	WarmUp      int      `default:"6" placeholder:"SECONDS" help:"Length of the warm-up of the cache before zipf. Default: ${default}."`
	APIFlags    string   `name:"api-flags" placeholder:"FLAGS" help:"${api_flags}"`
}

// Validate is called by kong.
func (c *apiCommand) Validate() error {
	for _, number := range append([]int{c.Products, c.Rounds, c.Seconds, c.Instances}, c.Connections...) {
		if number < 1 {
			return errors.New("--products, --rounds, --seconds, --instances and --connections must be at least 1")
		}
	}
	if c.Rate <= 0 || c.WarmUp < 0 {
		return errors.New("--rate must be positive, and --warm-up not negative")
	}
	return nil
}
