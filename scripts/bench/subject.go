package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"
)

// The subjects' names, which the targets refer to.
const (
	ofPgbench  = "pgbench -M prepared, no HTTP"
	ofPool     = "Fiber + pgxpool"
	ofAPI      = "api, random styles"
	ofUncached = "nginx without cache, random styles"
	ofRandom   = "nginx, cache empty before, random styles"
	ofHot200   = "api, 2,000 documents, 200"
	ofHot304   = "api, 2,000 documents, 304"
	ofFirst    = "api, page 1"
	ofLast     = "api, deep page"
	ofFirsts   = "api, first pages"
	ofLasts    = "api, deep pages"
	ofStatic   = "nginx, 2,000 files"
	ofHits     = "nginx, 2,000 hits"
	ofZipped   = "nginx, 2,000 hits, gzip"
	ofConstant = "nginx, constant rate, 2,000 documents"
	ofZipf     = "nginx, zipf"
	ofZipfGzip = "nginx, zipf, gzip"
)

// constantTime is how long the constant rate lasts: longer than NGINX takes a copy for fresh, so that revalidation is part of it.
const constantTime = 12 * time.Second

// listWindow is how many pages next to each other are asked for where one page alone would be found again and again.
const listWindow = 1000

// subject is something that is measured.
type subject struct {
	name    string
	lines   []string // the selections of --only that need it
	once    bool     // with the first number of connections only
	direct  bool     // the API itself is asked: what it allocates is counted
	prepare func(context.Context, trial) error
	measure func(context.Context, trial) (load, error)
	verify  func(context.Context, load) error // afterwards: were the answers what they should be?
}

// trial is one measurement of a subject.
type trial struct{ connections, round int }

// subjects returns everything, in the order of a round: what is compared is measured one after the other.
func (s *serving) subjects() []subject {
	c := s.command
	last := c.lastPage()
	return []subject{
		{name: ofPgbench, lines: []string{"lookups"}, measure: func(ctx context.Context, t trial) (load, error) {
			return c.pgbench(ctx, s.pgbench, t)
		}},
		{name: ofPool, lines: []string{"lookups"}, measure: s.random(func() string { return s.plain.address })},
		{name: ofAPI, lines: []string{"lookups", "uncached", "random"}, direct: true, measure: s.random(func() string { return s.api.address })},
		{name: ofUncached, lines: []string{"uncached"}, measure: s.random(func() string { return s.gateways.uncached.address })},
		{name: ofRandom, lines: []string{"random"}, prepare: s.emptyCache, measure: s.random(func() string { return s.gateways.cached.address })},
		{name: ofHot200, lines: []string{"revalidation"}, direct: true, measure: s.repeat(func() string { return s.api.address }, s.hot, plain)},
		{name: ofHot304, lines: []string{"revalidation"}, direct: true, measure: s.repeat(func() string { return s.api.address }, s.hot, ifChanged), verify: s.allNotModified},
		{name: ofFirst, lines: []string{"list"}, direct: true, measure: s.pages(1, 1)},
		{name: ofLast, lines: []string{"list"}, direct: true, measure: s.pages(last, last)},
		{name: ofFirsts, lines: []string{"list"}, direct: true, measure: s.pages(1, min(listWindow, last))},
		{name: ofLasts, lines: []string{"list"}, direct: true, measure: s.pages(max(1, last-listWindow+1), last)},
		{name: ofStatic, lines: []string{"hits"}, measure: s.repeat(func() string { return s.gateways.static.address }, s.hot, plain)},
		{name: ofHits, lines: []string{"hits"}, prepare: s.heat(plain), measure: s.repeat(func() string { return s.gateways.cached.address }, s.hot, plain), verify: s.stillHot(plain)},
		{name: ofZipped, lines: []string{"hits"}, prepare: s.heat(zipped), measure: s.repeat(func() string { return s.gateways.cached.address }, s.hot, zipped), verify: s.stillHot(zipped)},
		{name: ofConstant, lines: []string{"constant"}, once: true, prepare: s.heat(plain), measure: s.constant},
		{name: ofZipf, lines: []string{"zipf"}, prepare: s.warmUp(""), measure: s.visit("")},
		{name: ofZipfGzip, lines: []string{"zipf"}, once: true, prepare: s.warmUp(zipped(document{})), measure: s.visit(zipped(document{}))},
	}
}

// measure measures one subject once, with what it cost whom.
func (s *serving) measure(ctx context.Context, one subject, t trial) (load, error) {
	if one.prepare != nil {
		if err := one.prepare(ctx, t); err != nil {
			return load{}, err
		}
	}
	objects, bytes, counted := 0.0, 0.0, false
	if one.direct {
		objects, bytes, counted = s.api.allocations(ctx)
	}
	groups := s.processes()
	before := make(map[string]time.Duration, len(groups))
	for name, pids := range groups {
		before[name] = processorTime(pids...)
	}
	began := time.Now()
	got, err := one.measure(ctx, t)
	if err != nil {
		return load{}, err
	}
	took := time.Since(began).Seconds()
	if got.Cores == nil {
		got.Cores = map[string]float64{}
	}
	for name, pids := range groups {
		if cores := (processorTime(pids...) - before[name]).Seconds() / took; cores >= 0.005 {
			got.Cores[name] = cores
		}
	}
	if objectsAfter, bytesAfter, still := s.api.allocations(ctx); counted && still {
		got.Allocations, got.Allocated = (objectsAfter-objects)/float64(got.Requests), (bytesAfter-bytes)/float64(got.Requests)
	}
	if one.verify != nil {
		err = one.verify(ctx, got)
	}
	return got, err
}

// processes returns who may be busy. wrk and pgbench count as children of this process once they have ended.
func (s *serving) processes() map[string][]int {
	api := []int{s.api.command.Process.Pid}
	for _, instance := range s.behind {
		api = append(api, instance.command.Process.Pid)
	}
	return map[string][]int{"api": api, "pool": {s.plain.command.Process.Pid}, "nginx": s.gateways.pids(), "postgres": {s.postgres}}
}

// random has wrk ask for the styles of products, all with the same probability. A round's sequence is the same for everybody.
func (s *serving) random(address func() string) func(context.Context, trial) (load, error) {
	return func(ctx context.Context, t trial) (load, error) {
		return s.command.wrk(ctx, address(), t.connections, "random", strconv.Itoa(t.round), strconv.Itoa(s.command.Products))
	}
}

// repeat has wrk ask for the same documents over and over.
func (s *serving) repeat(address func() string, documents []document, h header) func(context.Context, trial) (load, error) {
	return func(ctx context.Context, t trial) (load, error) {
		path, err := s.command.writeRequests("requests.txt", documents, h)
		if err != nil {
			return load{}, err
		}
		return s.command.wrk(ctx, address(), t.connections, "file", strconv.Itoa(t.round), path)
	}
}

// pages asks the API for pages of the list.
func (s *serving) pages(first, last int) func(context.Context, trial) (load, error) {
	var list []document
	for page := first; page <= last; page++ {
		list = append(list, document{path: fmt.Sprintf("/products?page=%d&count=%d", page, pageCount)})
	}
	return s.repeat(func() string { return s.api.address }, list, plain)
}

// lastPage is the 200,000th page, or in a smaller catalog the last one that is full.
func (c *apiCommand) lastPage() int { return max(1, min(200_000, c.Products/pageCount)) }

// allNotModified is an error if some answers were not 304. wrk takes anything below 400; that none had a body is seen from how many bytes
// came.
func (s *serving) allNotModified(ctx context.Context, got load) error {
	checked, err := askAll(ctx, s.api.address, s.hot, ifChanged, http.StatusNotModified)
	if err != nil {
		return err
	}
	size, want := float64(got.Bytes)/float64(got.Requests), float64(checked.Bytes)/float64(checked.Requests)
	if size > want*1.02 {
		return fmt.Errorf("an answer had %.0f bytes, and a 304 has %.0f: some responses had a body", size, want)
	}
	return nil
}

func (s *serving) emptyCache(ctx context.Context, _ trial) error { return s.gateways.startCached(ctx) }

// heat asks for the hot documents until all are in NGINX's cache, and fresh.
func (s *serving) heat(h header) func(context.Context, trial) error {
	return func(ctx context.Context, _ trial) error { return heat(ctx, s.gateways.cached.address, s.hot, h) }
}

// stillHot is an error if NGINX's cache has lost some of the hot documents: then it was not hits that were measured.
func (s *serving) stillHot(h header) func(context.Context, load) error {
	return func(ctx context.Context, _ load) error {
		got, err := askAll(ctx, s.gateways.cached.address, s.hot, h, http.StatusOK)
		if err == nil && got.fromCache() < 1 {
			err = fmt.Errorf("X-Cache was %v afterwards: not all were hits", got.Cache)
		}
		return err
	}
}

// constant asks NGINX for the hot documents at a constant rate.
func (s *serving) constant(ctx context.Context, t trial) (load, error) {
	d := drive{address: s.gateways.cached.address, connections: t.connections, duration: constantTime, rate: s.command.Rate, status: http.StatusOK}
	return s.drive(ctx, d, func(connection int) traffic {
		return &shuffled{documents: s.hot, header: plain, random: rand.New(rand.NewPCG(uint64(t.round), uint64(connection)))}
	})
}

// warmUp empties NGINX's cache and lets visitors fill it for some seconds.
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

// visit sends other visitors of the same kind.
func (s *serving) visit(header string) func(context.Context, trial) (load, error) {
	return func(ctx context.Context, t trial) (load, error) {
		return s.visits(ctx, t, header, 1, time.Duration(s.command.Seconds)*time.Second)
	}
}

func (s *serving) visits(ctx context.Context, t trial, header string, part uint64, duration time.Duration) (load, error) {
	d := drive{address: s.gateways.cached.address, connections: t.connections, duration: duration, status: http.StatusOK}
	return s.drive(ctx, d, func(connection int) traffic {
		return s.shop.visitor(uint64(t.round)<<32|part<<16|uint64(connection), header)
	})
}

// drive runs a drive and notes what it takes itself.
func (s *serving) drive(ctx context.Context, d drive, of func(connection int) traffic) (load, error) {
	before, began := ownTime(), time.Now()
	got, err := d.run(ctx, of)
	got.Cores = map[string]float64{"load": (ownTime() - before).Seconds() / time.Since(began).Seconds()}
	return got, err
}
