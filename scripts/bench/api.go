package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
)

type apiCommand struct {
	workplace
	Rounds      int      `default:"3" help:"Rounds; each measures everything once. Default: ${default}."`
	Seconds     int      `default:"4" help:"Length of one measurement. Default: ${default}."`
	Connections []int    `default:"64,256" placeholder:"N" help:"Numbers of HTTP connections and pgbench clients. Each number is measured. Default: ${default}."`
	Only        []string `enum:"lookups,uncached,random,revalidation,list,hits,zipf,constant" placeholder:"NAME" help:"Measure only these: ${enum}. Default: all."`
	Instances   int      `default:"2" help:"API instances, each with GOMAXPROCS=1. Default: ${default}."`
	Rate        float64  `default:"9000" help:"Requests per second of constant. Default: ${default}."`
	WarmUp      int      `default:"6" placeholder:"SECONDS" help:"Length of the warm-up of the cache before zipf. Default: ${default}."`
	APIFlags    string   `name:"api-flags" placeholder:"FLAGS" help:"More flags for every API process, such as --api-flags=\"--connections 1 --batch 128\"."`
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

// Run measures what is asked for, in turns, and reports. What was answered wrongly is an error, after the report of everything else.
func (c *apiCommand) Run(ctx context.Context, stdout io.Writer) (err error) {
	if err := c.prepare(ctx); err != nil {
		return err
	}
	r, err := newReport(ctx, "api", &c.workplace, c.Rounds)
	if err != nil {
		return err
	}
	fmt.Fprintln(os.Stderr, "load the catalog")
	if _, err := measure(ctx, c.program("etl"), "run", "--csv", c.csv(), "--database", c.etlURL(), "--accept", "rejects", "--rejects", c.rejects()); err != nil {
		return err
	}
	if err := c.settle(ctx); err != nil {
		return err
	}
	s := &serving{command: c}
	defer func() { err = errors.Join(err, s.stop()) }()
	if err := s.start(ctx); err != nil {
		return err
	}
	subjects := slices.DeleteFunc(s.subjects(), func(one subject) bool {
		return len(c.Only) > 0 && !slices.ContainsFunc(one.lines, func(line string) bool { return slices.Contains(c.Only, line) })
	})
	for round := range c.Rounds {
		for i, connections := range c.Connections {
			fmt.Fprintf(os.Stderr, "round %d of %d, %d connections:", round+1, c.Rounds, connections)
			for _, one := range subjects {
				if one.once && i > 0 || r.failed(one.name, connections) {
					continue
				}
				got, err := s.measure(ctx, one, trial{connections, round})
				if ctx.Err() != nil {
					return ctx.Err()
				}
				if err != nil {
					r.Failures = append(r.Failures, failure{one.name, connections, err.Error()})
					fmt.Fprintf(os.Stderr, " %s FAILED: %v;", one.name, err)
					continue
				}
				r.addLoad(one.name, connections, got)
				fmt.Fprintf(os.Stderr, " %s %.0f/s;", one.name, got.rate())
			}
			fmt.Fprintln(os.Stderr)
		}
	}
	r.Machine.NGINX = s.gateways.nginx.Version.String()
	c.addTargets(r, meanSize(s.hot))
	r.add("api, peak memory", "MiB", float64(s.api.stop())/(1<<20))
	for i, instance := range s.behind {
		r.add(fmt.Sprintf("api instance %d behind nginx, peak memory", i+1), "MiB", float64(instance.stop())/(1<<20))
	}
	return r.write(stdout, c.Work)
}

// addTargets adds the targets of what was asked for. bodySize is the mean size of a body in bytes.
func (c *apiCommand) addTargets(r *report, bodySize float64) {
	asked := func(line string) bool { return len(c.Only) == 0 || slices.Contains(c.Only, line) }
	ratios := []struct {
		line, name, subject, reference string
		least                          float64
	}{
		{"lookups", "api / pgbench", ofAPI, ofPgbench, 1.1},
		{"lookups", "api / Fiber + pgxpool", ofAPI, ofPool, 1.8},
		{"revalidation", "304 / 200", ofHot304, ofHot200, 1.5},
		{"hits", "nginx hits / static files", ofHits, ofStatic, 0.95},
		{"uncached", "nginx without cache / api", ofUncached, ofAPI, 0.65},
		{"random", "nginx, random / api", ofRandom, ofAPI, 0.5},
		{"list", fmt.Sprintf("page %d / page 1", c.lastPage()), ofLast, ofFirst, 0.95},
		{"list", "deep pages / first pages", ofLasts, ofFirsts, 0.95},
	}
	for _, ratio := range ratios {
		if !asked(ratio.line) {
			continue
		}
		for _, connections := range c.Connections {
			name := fmt.Sprintf("%s, %d connections", ratio.name, connections)
			subject, reference := r.load(ratio.subject, connections), r.load(ratio.reference, connections)
			if subject == nil || reference == nil {
				r.missed(name, fmt.Sprintf("≥ %g", ratio.least))
				continue
			}
			r.atLeast(name, subject.Rate/reference.Rate, ratio.least)
		}
	}
	if asked("constant") {
		name := fmt.Sprintf("constant %g requests/s, p99, ms", c.Rate)
		if constant := r.load(ofConstant, c.Connections[0]); constant != nil {
			r.atMost(name, constant.P99, 10)
		} else {
			r.missed(name, "≤ 10")
		}
	}
	if asked("lookups") {
		name, bytesName := "api, allocations per 200", "api, bytes allocated per 200 / size of a body"
		if api := r.load(ofAPI, c.Connections[0]); api != nil && api.Allocations > 0 {
			r.atMost(name, api.Allocations, 10)
			r.atMost(bytesName, api.Allocated/bodySize, 1)
		} else {
			r.missed(name, "≤ 10")
			r.missed(bytesName, "≤ 1")
		}
	}
}
