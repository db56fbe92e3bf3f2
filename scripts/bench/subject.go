package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"strconv"
	"time"

	"systemscale/scripts/measure"
	"systemscale/scripts/measure/load"
)

// Names of the subjects, to which the targets refer.
const (
	namePgbench  = "pgbench -M prepared, no HTTP"
	namePool     = "Fiber + pgxpool"
	nameEmpty    = "Fiber, empty handler"
	nameAPI      = "api, random styles"
	nameProxy    = "nginx, proxy only, random styles"
	nameUncached = "nginx without cache, random styles"
	nameRandom   = "nginx, cache empty before, random styles"
	nameHot200   = "api, 2,000 documents, 200"
	nameHot304   = "api, 2,000 documents, 304"
	nameFirst    = "api, page 1"
	nameLast     = "api, deep page"
	nameFirsts   = "api, first pages"
	nameLasts    = "api, deep pages"
	nameStatic   = "nginx, 2,000 files"
	nameHits     = "nginx, 2,000 hits"
	nameHitsGzip = "nginx, 2,000 hits, gzip"
	nameConstant = "nginx, constant rate, 2,000 documents"
	nameZipf     = "nginx, zipf"
	nameZipfGzip = "nginx, zipf, gzip"
)

// trial is one measurement of a subject.
type trial struct{ connections, round int }

// constantTime is the duration of the constant rate. It is longer than documents stay fresh in NGINX, so that it includes revalidation.
const constantTime = 12 * time.Second

// listWindow is the number of successive pages in a measurement of several pages, because a single page would always be in memory.
const listWindow = 1000

// subject is something to measure.
type subject struct {
	name    string
	lines   []string // the values of --only that select it
	once    bool     // only with the first number of connections
	direct  bool     // requests go to the API itself, whose allocations are counted
	prepare func(context.Context, trial) error
	measure func(context.Context, trial) (load.Load, error)
	verify  func(context.Context, load.Load) error // checks the responses after the measurement
}

// subjects returns all subjects in the order of a round: subjects that are compared are next to each other.
func (s *serving) subjects() []subject {
	api := func() string { return s.api.Address }
	pool := func() string { return s.pool.Address }
	cached := func() string { return s.gateways.cached.Address }
	uncached := func() string { return s.gateways.uncached.Address }
	static := func() string { return s.gateways.static.Address }
	proxy := func() string { return s.gateways.proxy.Address }
	empty := func() string { return s.empty.Address }
	last := s.command.lastPage()
	return []subject{
		{name: namePgbench, lines: []string{"lookups"}, measure: func(ctx context.Context, t trial) (load.Load, error) {
			return s.command.pgbench(t).Run(ctx, s.pgbench)
		}},
		{name: namePool, lines: []string{"lookups"}, measure: s.random(pool)},
		{name: nameEmpty, lines: []string{"lookups", "revalidation"}, measure: s.random(empty)},
		{name: nameAPI, lines: []string{"lookups", "uncached", "random"}, direct: true, measure: s.random(api)},
		{name: nameProxy, lines: []string{"uncached"}, measure: s.random(proxy)},
		{name: nameUncached, lines: []string{"uncached"}, measure: s.random(uncached)},
		{name: nameRandom, lines: []string{"random"}, prepare: s.emptyCache, measure: s.random(cached)},
		{name: nameHot200, lines: []string{"revalidation"}, direct: true, measure: s.repeat(api, s.hot, load.NoHeader)},
		{
			name: nameHot304, lines: []string{"revalidation"}, direct: true,
			measure: s.repeat(api, s.hot, load.IfNoneMatch), verify: s.allNotModified,
		},
		{name: nameFirst, lines: []string{"list"}, direct: true, measure: s.pages(1, 1)},
		{name: nameLast, lines: []string{"list"}, direct: true, measure: s.pages(last, last)},
		{name: nameFirsts, lines: []string{"list"}, direct: true, measure: s.pages(1, min(listWindow, last))},
		{name: nameLasts, lines: []string{"list"}, direct: true, measure: s.pages(max(1, last-listWindow+1), last)},
		{name: nameStatic, lines: []string{"hits"}, measure: s.repeat(static, s.hot, load.NoHeader)},
		{
			name: nameHits, lines: []string{"hits"}, prepare: s.fillCache(load.NoHeader),
			measure: s.repeat(cached, s.hot, load.NoHeader), verify: s.allHits(load.NoHeader),
		},
		{
			name: nameHitsGzip, lines: []string{"hits"}, prepare: s.fillCache(load.AcceptGzip),
			measure: s.repeat(cached, s.hot, load.AcceptGzip), verify: s.allHits(load.AcceptGzip),
		},
		{name: nameConstant, lines: []string{"constant"}, once: true, prepare: s.fillCache(load.NoHeader), measure: s.constant},
		{name: nameZipf, lines: []string{"zipf"}, prepare: s.warmUp(""), measure: s.visit("")},
		{
			name: nameZipfGzip, lines: []string{"zipf"}, once: true,
			prepare: s.warmUp(load.AcceptGzip(load.Document{})), measure: s.visit(load.AcceptGzip(load.Document{})),
		},
	}
}

// measure measures one subject once, including the processor time of each program and the API's allocations.
func (s *serving) measure(ctx context.Context, one subject, t trial) (load.Load, error) {
	if one.prepare != nil {
		if err := one.prepare(ctx, t); err != nil {
			return load.Load{}, err
		}
	}
	objects, bytes, counted := 0.0, 0.0, false
	if one.direct {
		objects, bytes, counted = s.api.Allocations(ctx)
	}
	roles := s.processes()
	before := measure.ReadUsage(roles)
	got, err := one.measure(ctx, t)
	if err != nil {
		return load.Load{}, err
	}
	for role, used := range measure.ReadUsage(roles).Since(before) {
		got.Charge(role, used)
	}
	if objectsAfter, bytesAfter, still := s.api.Allocations(ctx); counted && still {
		got.Allocations, got.Allocated = (objectsAfter-objects)/float64(got.Requests), (bytesAfter-bytes)/float64(got.Requests)
	}
	if one.verify != nil {
		err = one.verify(ctx, got)
	}
	return got, err
}

// processes returns the pids of the programs that use processors. wrk and pgbench are not included: measure returns their time.
func (s *serving) processes() map[string][]int {
	api := []int{s.api.PID}
	for _, instance := range s.instances {
		api = append(api, instance.PID)
	}
	return map[string][]int{
		"api": api, "pool": s.pool.Processes["plain"], "empty": {s.empty.PID}, "nginx": s.gateways.pids(), "postgres": {s.postgres},
	}
}

// wrk returns the configuration of wrk for a trial.
func (c *apiCommand) wrk(t trial) load.Wrk {
	return load.Wrk{Directory: c.Work, Connections: t.connections, Seconds: c.Seconds}
}

// pgbench returns the configuration of pgbench for a trial.
func (c *apiCommand) pgbench(t trial) load.Pgbench {
	return load.Pgbench{Database: c.APIURL(), Connections: t.connections, Seconds: c.Seconds, Seed: t.round + 1}
}

// random makes wrk request the styles of products, all with the same probability. The sequence depends only on the round.
func (s *serving) random(address func() string) func(context.Context, trial) (load.Load, error) {
	return func(ctx context.Context, t trial) (load.Load, error) {
		return s.command.wrk(t).Run(ctx, address(), "random", strconv.Itoa(t.round), strconv.Itoa(s.command.Products))
	}
}

// repeat makes wrk request the same documents repeatedly.
func (s *serving) repeat(address func() string, documents []load.Document, h load.Header) func(context.Context, trial) (load.Load, error) {
	return func(ctx context.Context, t trial) (load.Load, error) {
		path := filepath.Join(s.command.Work, "requests.txt")
		if err := load.WriteRequests(path, documents, h); err != nil {
			return load.Load{}, err
		}
		return s.command.wrk(t).Run(ctx, address(), "file", strconv.Itoa(t.round), path)
	}
}

// pages makes wrk request pages of the list from the API.
func (s *serving) pages(first, last int) func(context.Context, trial) (load.Load, error) {
	var list []load.Document
	for page := first; page <= last; page++ {
		list = append(list, load.Document{Path: fmt.Sprintf("/products?page=%d&count=%d", page, load.PageCount)})
	}
	return s.repeat(func() string { return s.api.Address }, list, load.NoHeader)
}

// lastPage returns 200,000, or the number of the last full page in a smaller catalog.
func (c *apiCommand) lastPage() int { return max(1, min(200_000, c.Products/load.PageCount)) }

// allNotModified returns an error if some responses were not 304. wrk accepts any status below 400; the number of bytes shows whether
// responses had a body.
func (s *serving) allNotModified(ctx context.Context, got load.Load) error {
	checked, err := load.RequestAll(ctx, s.api.Address, s.hot, load.IfNoneMatch, http.StatusNotModified)
	if err != nil {
		return err
	}
	size, want := float64(got.Bytes)/float64(got.Requests), float64(checked.Bytes)/float64(checked.Requests)
	if size > want*1.02 {
		return fmt.Errorf("a response had %.0f bytes on average, and a 304 has %.0f: some responses had a body", size, want)
	}
	return nil
}

func (s *serving) emptyCache(ctx context.Context, _ trial) error { return s.gateways.startCached(ctx) }

// fillCache requests the hot documents until all are in the gateway's cache and fresh.
func (s *serving) fillCache(h load.Header) func(context.Context, trial) error {
	return func(ctx context.Context, _ trial) error {
		return load.FillCache(ctx, s.gateways.cached.Address, s.hot, h)
	}
}

// allHits returns an error if the gateway's cache no longer contains all hot documents, because then not all responses were hits.
func (s *serving) allHits(h load.Header) func(context.Context, load.Load) error {
	return func(ctx context.Context, _ load.Load) error {
		got, err := load.RequestAll(ctx, s.gateways.cached.Address, s.hot, h, http.StatusOK)
		if err == nil && got.FromCache() < 1 {
			err = fmt.Errorf("X-Cache was %v afterwards: not all were hits", got.Cache)
		}
		return err
	}
}

// constant requests the hot documents from the gateway at a constant rate.
func (s *serving) constant(ctx context.Context, t trial) (load.Load, error) {
	g := load.Generator{
		Address: s.gateways.cached.Address, Connections: t.connections, Duration: constantTime, Rate: s.command.Rate, Status: http.StatusOK,
	}
	return s.generate(ctx, g, func(connection int) load.Traffic {
		random := rand.New(rand.NewPCG(uint64(t.round), uint64(connection)))
		return &load.Random{Documents: s.hot, Header: load.NoHeader, Source: random}
	})
}

// warmUp empties the gateway's cache and fills it with the requests of visitors for some seconds.
func (s *serving) warmUp(header string) func(context.Context, trial) error {
	return func(ctx context.Context, t trial) error {
		if err := s.gateways.startCached(ctx); err != nil {
			return err
		}
		if s.command.WarmUp == 0 {
			return nil
		}
		if _, err := s.visits(ctx, t, header, 0, time.Duration(s.command.WarmUp)*time.Second); err != nil {
			return fmt.Errorf("warm up: %w", err)
		}
		return nil
	}
}

// visit measures the requests of visitors other than those of warmUp.
func (s *serving) visit(header string) func(context.Context, trial) (load.Load, error) {
	return func(ctx context.Context, t trial) (load.Load, error) {
		return s.visits(ctx, t, header, 1, time.Duration(s.command.Seconds)*time.Second)
	}
}

func (s *serving) visits(ctx context.Context, t trial, header string, part uint64, duration time.Duration) (load.Load, error) {
	g := load.Generator{Address: s.gateways.cached.Address, Connections: t.connections, Duration: duration, Status: http.StatusOK}
	return s.generate(ctx, g, func(connection int) load.Traffic {
		return s.shop.Visitor(uint64(t.round)<<32|part<<16|uint64(connection), header)
	})
}

// generate runs a generator and adds the processor time of this process.
func (s *serving) generate(ctx context.Context, g load.Generator, source func(connection int) load.Traffic) (load.Load, error) {
	before := measure.OwnTime()
	got, err := g.Run(ctx, source)
	got.Charge("load", measure.OwnTime()-before)
	return got, err
}
