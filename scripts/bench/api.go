package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"systemscale/scripts/measure"
	"systemscale/scripts/measure/load"
)

// Run measures the selected subjects in every round and writes the report. A subject that fails is an error, after the report.
func (c *apiCommand) Run(ctx context.Context, stdout io.Writer) (err error) {
	if err := c.Prepare(ctx); err != nil {
		return err
	}
	r, err := newReport(ctx, "api", &c.Workspace, c.Rounds)
	if err != nil {
		return err
	}
	fmt.Fprintln(os.Stderr, "load the catalog")
	if _, err := measure.Run(ctx, c.Program("etl"), "run", "--csv", c.CSV(), "--database", c.ETLURL(),
		"--accept", "rejects", "--rejects", c.Rejects()); err != nil {
		return err
	}
	if err := c.Checkpoint(ctx); err != nil {
		return err
	}
	s := &serving{command: c}
	defer func() { err = errors.Join(err, s.stop()) }()
	if err := s.start(ctx); err != nil {
		return err
	}
	subjects := slices.DeleteFunc(s.subjects(), func(one subject) bool { return !slices.ContainsFunc(one.lines, c.selected) })
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
				fmt.Fprintf(os.Stderr, " %s %.0f/s;", one.name, got.Rate())
			}
			fmt.Fprintln(os.Stderr)
		}
	}
	r.Machine.NGINX = s.gateways.NGINX.Version.String()
	c.addTargets(r, load.MeanSize(s.hot))
	r.add("api, peak memory", "MiB", float64(measure.PeakResident(s.api.PID))/(1<<20))
	for i, instance := range s.instances {
		r.add(fmt.Sprintf("api instance %d behind nginx, peak memory", i+1), "MiB", float64(measure.PeakResident(instance.PID))/(1<<20))
	}
	return r.write(stdout, c.Work)
}

// selected reports whether --only contains the line or is empty.
func (c *apiCommand) selected(line string) bool {
	return len(c.Only) == 0 || slices.Contains(c.Only, line)
}

// addProcessorTargets adds the targets of the processor time per request, as ratios to what a request costs without the work of this project.
func (c *apiCommand) addProcessorTargets(r *report) {
	for _, ratio := range []struct {
		line, name, subject, program, reference, other string
		most                                           float64
	}{
		{"lookups", "api, 200 / empty handler", nameAPI, "api", nameEmpty, "empty", 1.5},
		{"lookups", "postgres, api / pgbench", nameAPI, "postgres", namePgbench, "postgres", 1},
		{"revalidation", "api, 304 / empty handler", nameHot304, "api", nameEmpty, "empty", 1.15},
		{"hits", "nginx, hit / static file", nameHits, "nginx", nameStatic, "nginx", 1.25},
		{"uncached", "nginx, no cache / proxy only", nameUncached, "nginx", nameProxy, "nginx", 1},
	} {
		if !c.selected(ratio.line) {
			continue
		}
		for _, connections := range c.Connections {
			name := fmt.Sprintf("processor time of %s, %d connections", ratio.name, connections)
			subject, reference := r.load(ratio.subject, connections), r.load(ratio.reference, connections)
			if subject == nil || reference == nil || reference.CPU[ratio.other] == 0 {
				r.missed(name, fmt.Sprintf("≤ %g", ratio.most))
				continue
			}
			r.atMost(name, subject.CPU[ratio.program]/reference.CPU[ratio.other], ratio.most)
		}
	}
}

// addTargets adds the targets of the selected subjects. bodySize is the mean size of a body in bytes.
func (c *apiCommand) addTargets(r *report, bodySize float64) {
	ratios := []struct {
		line, name, subject, reference string
		least                          float64
	}{
		{"lookups", "api / pgbench", nameAPI, namePgbench, 1.1},
		{"lookups", "api / Fiber + pgxpool", nameAPI, namePool, 1.8},
		{"revalidation", "304 / 200", nameHot304, nameHot200, 1.5},
		{"hits", "nginx hits / static files", nameHits, nameStatic, 0.95},
		{"uncached", "nginx without cache / api", nameUncached, nameAPI, 0.65},
		{"random", "nginx, random / api", nameRandom, nameAPI, 0.5},
		{"list", fmt.Sprintf("page %d / page 1", c.lastPage()), nameLast, nameFirst, 0.95},
		{"list", "deep pages / first pages", nameLasts, nameFirsts, 0.95},
	}
	for _, ratio := range ratios {
		if !c.selected(ratio.line) {
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
	c.addProcessorTargets(r)
	if c.selected("constant") {
		name := fmt.Sprintf("constant %g requests/s, p99, ms", c.Rate)
		if constant := r.load(nameConstant, c.Connections[0]); constant != nil {
			r.atMost(name, constant.P99, 10)
		} else {
			r.missed(name, "≤ 10")
		}
	}
	if c.selected("lookups") {
		name, bytesName := "api, allocations per 200", "api, bytes allocated per 200 / size of a body"
		if api := r.load(nameAPI, c.Connections[0]); api != nil && api.Allocations > 0 {
			r.atMost(name, api.Allocations, 10)
			r.atMost(bytesName, api.Allocated/bodySize, 1)
		} else {
			r.missed(name, "≤ 10")
			r.missed(bytesName, "≤ 1")
		}
	}
}
