package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"systemscale/sql"
)

type apiCommand struct {
	workplace
	Rounds      int      `default:"3" help:"How often everything is measured, in turns. Default: ${default}."`
	Seconds     int      `default:"4" help:"Length of one measurement. Default: ${default}."`
	Connections []int    `default:"64,256" placeholder:"N,..." help:"HTTP connections, and pgbench clients, everything being measured with each number. Default: ${default}."`
	Only        []string `enum:"lookups,uncached,random,revalidation,list,hits,zipf,constant" placeholder:"NAME,..." help:"Measure only these: ${enum}. Default: all."`
	Instances   int      `default:"2" help:"API instances behind NGINX, with GOMAXPROCS=1 each. Default: ${default}."`
	Rate        float64  `default:"9000" help:"Requests a second of constant. Default: ${default}."`
	WarmUp      int      `default:"6" placeholder:"SECONDS" help:"How long the cache gets the traffic of zipf before it is measured. Default: ${default}."`
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

// constantSeconds is how long constant lasts: beyond the time that NGINX takes a copy for fresh, so that revalidating is part of it.
const constantSeconds = 12

// subject is something that is measured.
type subject struct {
	name    string
	lines   []string // the selections that need it
	measure func(ctx context.Context, connections, round int) (load, error)
	once    bool // with the first number of connections only
}

// serving is all that runs while requests are measured. Only what is being measured is asked.
type serving struct {
	command  *apiCommand
	api      *server   // asked directly
	behind   []*server // NGINX's
	plain    *server   // the plain handler
	edge     *edge
	postgres int    // pid
	pgbench  string // its script
	hot      []document
	shop     *catalogue
	zipped   *catalogue
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
				got, err := s.measure(ctx, one, connections, round)
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
	s.report(r)
	return r.write(stdout, c.Work)
}

// measure measures one subject once, with what it cost whom.
func (s *serving) measure(ctx context.Context, one subject, connections, round int) (load, error) {
	behind := make([]int, len(s.behind))
	for i, instance := range s.behind {
		behind[i] = instance.command.Process.Pid
	}
	groups := map[string][]int{
		"api": append(behind, s.api.command.Process.Pid), "pool": {s.plain.command.Process.Pid}, "nginx": s.edge.pids(), "postgres": {s.postgres},
	}
	before := map[string]time.Duration{}
	for name, pids := range groups {
		before[name] = processorTime(pids...)
	}
	own, began := processorTime(os.Getpid()), time.Now()
	got, err := one.measure(ctx, connections, round)
	if err != nil {
		return load{}, err
	}
	took := time.Since(began).Seconds()
	if got.Cores == nil {
		got.Cores = map[string]float64{"load": (processorTime(os.Getpid()) - own).Seconds() / took}
	}
	for name, pids := range groups {
		if cores := (processorTime(pids...) - before[name]).Seconds() / took; cores >= 0.005 {
			got.Cores[name] = cores
		}
	}
	return got, nil
}

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
	ofLast     = "api, page 200,000"
	ofFirsts   = "api, first 1,000 pages"
	ofLasts    = "api, last 1,000 pages"
	ofStatic   = "nginx, 2,000 files"
	ofHits     = "nginx, 2,000 hits"
	ofZipped   = "nginx, 2,000 hits, gzip"
	ofZipf     = "nginx, zipf"
	ofZipfGzip = "nginx, zipf, gzip"
	ofConstant = "nginx, constant rate, 2,000 documents"
)

// subjects returns everything, in the order of a round: what is compared is measured one after the other.
func (s *serving) subjects() []subject {
	c := s.command
	random := func(at *server) func(context.Context, int, int) (load, error) {
		return func(ctx context.Context, connections, round int) (load, error) {
			return c.wrk(ctx, at.address, connections, "random", strconv.Itoa(round), strconv.Itoa(c.Products))
		}
	}
	pages := func(first, last int) func(context.Context, int, int) (load, error) {
		return func(ctx context.Context, connections, round int) (load, error) {
			var list []document
			for page := first; page <= last; page++ {
				list = append(list, document{path: fmt.Sprintf("/products?page=%d&count=%d", page, pageCount)})
			}
			return s.repeat(ctx, s.api.address, list, plain, connections, round)
		}
	}
	lastPage := c.lastPage()
	window := min(1000, lastPage)
	return []subject{
		{name: ofPgbench, lines: []string{"lookups"}, measure: func(ctx context.Context, connections, round int) (load, error) {
			return c.pgbench(ctx, s.pgbench, connections, round+1)
		}},
		{name: ofPool, lines: []string{"lookups"}, measure: random(s.plain)},
		{name: ofAPI, lines: []string{"lookups", "uncached", "random"}, measure: s.countingAllocations(random(s.api))},
		{name: ofUncached, lines: []string{"uncached"}, measure: func(ctx context.Context, connections, round int) (load, error) {
			return c.wrk(ctx, s.edge.uncached.address, connections, "random", strconv.Itoa(round), strconv.Itoa(c.Products))
		}},
		{name: ofRandom, lines: []string{"random"}, measure: func(ctx context.Context, connections, round int) (load, error) {
			if err := s.edge.startCached(ctx); err != nil {
				return load{}, err
			}
			return c.wrk(ctx, s.edge.cached.address, connections, "random", strconv.Itoa(round), strconv.Itoa(c.Products))
		}},
		{name: ofHot200, lines: []string{"revalidation"}, measure: s.countingAllocations(func(ctx context.Context, connections, round int) (load, error) {
			return s.repeat(ctx, s.api.address, s.hot, plain, connections, round)
		})},
		{name: ofHot304, lines: []string{"revalidation"}, measure: s.countingAllocations(s.revalidate)},
		{name: ofFirst, lines: []string{"list"}, measure: pages(1, 1)},
		{name: ofLast, lines: []string{"list"}, measure: pages(lastPage, lastPage)},
		{name: ofFirsts, lines: []string{"list"}, measure: pages(1, window)},
		{name: ofLasts, lines: []string{"list"}, measure: pages(lastPage-window+1, lastPage)},
		{name: ofStatic, lines: []string{"hits"}, measure: func(ctx context.Context, connections, round int) (load, error) {
			return s.repeat(ctx, s.edge.static.address, s.hot, plain, connections, round)
		}},
		{name: ofHits, lines: []string{"hits"}, measure: s.hits(plain)},
		{name: ofZipped, lines: []string{"hits"}, measure: s.hits(zipped)},
		{name: ofConstant, lines: []string{"constant"}, once: true, measure: s.constant},
		{name: ofZipf, lines: []string{"zipf"}, measure: s.zipf(s.shop)},
		{name: ofZipfGzip, lines: []string{"zipf"}, once: true, measure: s.zipf(s.zipped)},
	}
}

// lastPage is the 200,000th page, or in a smaller catalog the last one that is full.
func (c *apiCommand) lastPage() int { return max(1, min(200_000, c.Products/pageCount)) }

// repeat has wrk ask for the same documents over and over.
func (s *serving) repeat(ctx context.Context, address string, documents []document, h header, connections, round int) (load, error) {
	path, err := s.command.writeRequests("requests.txt", documents, h)
	if err != nil {
		return load{}, err
	}
	return s.command.wrk(ctx, address, connections, "file", strconv.Itoa(round), path)
}

// revalidate asks for documents that the client has. wrk takes any answer below 400; that all were 304, and none had a body, is seen from
// how many bytes came.
func (s *serving) revalidate(ctx context.Context, connections, round int) (load, error) {
	checked, err := askAll(ctx, s.api.address, s.hot, ifChanged, http.StatusNotModified)
	if err != nil {
		return load{}, err
	}
	got, err := s.repeat(ctx, s.api.address, s.hot, ifChanged, connections, round)
	if err != nil {
		return load{}, err
	}
	size, want := float64(got.Bytes)/float64(got.Requests), float64(checked.Bytes)/float64(checked.Requests)
	if size > want*1.02 {
		return load{}, fmt.Errorf("an answer has %.0f bytes, and a 304 only %.0f: some were 200", size, want)
	}
	return got, nil
}

// hits measures documents that are all in NGINX's cache, and fresh.
func (s *serving) hits(h header) func(context.Context, int, int) (load, error) {
	return func(ctx context.Context, connections, round int) (load, error) {
		at := s.edge.cached.address
		if err := heat(ctx, at, s.hot, h); err != nil {
			return load{}, err
		}
		got, err := s.repeat(ctx, at, s.hot, h, connections, round)
		if err != nil {
			return load{}, err
		}
		return got, stillHot(ctx, at, s.hot, h)
	}
}

// constant sends requests at a constant rate.
func (s *serving) constant(ctx context.Context, connections, round int) (load, error) {
	at := s.edge.cached.address
	if err := heat(ctx, at, s.hot, plain); err != nil {
		return load{}, err
	}
	return drive{address: at, connections: connections, duration: constantSeconds * time.Second, rate: s.command.Rate, status: http.StatusOK}.run(ctx, func(connection int) traffic {
		return &shuffled{documents: s.hot, header: plain, random: rand.New(rand.NewPCG(uint64(round), uint64(connection)))}
	})
}

// zipf sends visitors through NGINX. The cache is empty at first and gets some seconds of the same traffic before it is measured.
func (s *serving) zipf(shop *catalogue) func(context.Context, int, int) (load, error) {
	return func(ctx context.Context, connections, round int) (load, error) {
		if err := s.edge.startCached(ctx); err != nil {
			return load{}, err
		}
		d := drive{address: s.edge.cached.address, connections: connections, status: http.StatusOK}
		visits := func(part uint64) func(int) traffic {
			return func(connection int) traffic {
				return shop.visitor(uint64(round)<<32 | part<<16 | uint64(connection))
			}
		}
		if d.duration = time.Duration(s.command.WarmUp) * time.Second; d.duration > 0 {
			if _, err := d.run(ctx, visits(0)); err != nil {
				return load{}, fmt.Errorf("fill the cache: %w", err)
			}
		}
		d.duration = s.command.seconds()
		return d.run(ctx, visits(1))
	}
}

// countingAllocations adds what the API allocates for a request.
func (s *serving) countingAllocations(measure func(context.Context, int, int) (load, error)) func(context.Context, int, int) (load, error) {
	return func(ctx context.Context, connections, round int) (load, error) {
		objects, bytes, found := s.api.allocations(ctx)
		got, err := measure(ctx, connections, round)
		if err != nil || !found {
			return got, err
		}
		if objectsAfter, bytesAfter, found := s.api.allocations(ctx); found {
			got.Allocations, got.Allocated = (objectsAfter-objects)/float64(got.Requests), (bytesAfter-bytes)/float64(got.Requests)
		}
		return got, nil
	}
}

// start starts everything.
func (s *serving) start(ctx context.Context) (err error) {
	c := s.command
	table, err := s.askPostgres(ctx)
	if err != nil {
		return err
	}
	lookup := query("lookup", "table", table)
	s.pgbench = filepath.Join(c.Work, "lookup.sql")
	script := fmt.Sprintf("\\set id random(1, %d)\n%s;\n", c.Products, strings.ReplaceAll(strings.TrimSpace(lookup), "$1", ":id"))
	if err := os.WriteFile(s.pgbench, []byte(script), 0o644); err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	if s.edge, err = newEdge(c.Work); err != nil {
		return err
	}
	if s.api, err = c.startAPI(ctx, "api", "", nil); err != nil {
		return err
	}
	for i := range c.Instances {
		name := fmt.Sprintf("api-%d", i+1)
		instance, err := c.startAPI(ctx, name, s.edge.socket(name), []string{"GOMAXPROCS=1"})
		if err != nil {
			return err
		}
		s.behind = append(s.behind, instance)
		s.edge.upstreams = append(s.edge.upstreams, "unix:"+s.edge.socket(name))
	}
	addresses, err := freeAddresses(1)
	if err != nil {
		return err
	}
	if s.plain, err = start(ctx, filepath.Join(c.Work, "pool.log"), addresses[0], nil, self, "pool-server", "--database", c.apiURL(), "--table", table, "--listen", addresses[0]); err != nil {
		return err
	}
	if s.hot, err = hotDocuments(ctx, s.api.address, c.Products); err != nil {
		return err
	}
	if err := errors.Join(s.edge.startCached(ctx), s.edge.startUncached(ctx)); err != nil {
		return err
	}
	headers, _, err := get(ctx, s.edge.cached.address, s.hot[0].path, "", http.StatusOK)
	if err != nil {
		return err
	}
	if err := s.edge.startStatic(ctx, s.hot, headers); err != nil {
		return err
	}
	s.shop, s.zipped = newCatalogue(c.Products, ""), newCatalogue(c.Products, zipped(document{}))
	return s.compare(ctx)
}

// compare is an error unless everybody answers the same.
func (s *serving) compare(ctx context.Context) error {
	for _, at := range []struct {
		address string
		header  header
	}{{s.plain.address, plain}, {s.edge.uncached.address, plain}, {s.edge.cached.address, plain}, {s.edge.cached.address, zipped}, {s.edge.static.address, plain}} {
		if err := compare(ctx, at.address, s.hot, at.header); err != nil {
			return err
		}
	}
	return nil
}

// startAPI starts an API process, on a unix socket as well if one is given.
func (c *apiCommand) startAPI(ctx context.Context, name, socket string, env []string) (*server, error) {
	addresses, err := freeAddresses(2)
	if err != nil {
		return nil, err
	}
	arguments := []string{"--database", c.apiURL(), "--listen", addresses[0], "--admin", addresses[1]}
	if socket != "" {
		arguments = append(arguments, "--listen", "unix:"+socket)
	}
	s, err := start(ctx, filepath.Join(c.Work, name+".log"), addresses[0], env, c.program("api"), append(arguments, strings.Fields(c.APIFlags)...)...)
	if err == nil {
		s.admin = addresses[1]
	}
	return s, err
}

// askPostgres returns the table of the styles documents that are live, and notes the server's pid.
func (s *serving) askPostgres(ctx context.Context) (table string, err error) {
	conn, err := pgx.Connect(ctx, s.command.etlURL())
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close(ctx) }()
	var generation int64
	if err := conn.QueryRow(ctx, query("generation"), "products").Scan(&generation); err != nil {
		return "", err
	}
	s.postgres = parentOf(int(conn.PgConn().PID()))
	return sql.DocumentTable("products", "styles", generation), nil
}

// stop stops everything that was started.
func (s *serving) stop() error {
	for _, one := range append([]*server{s.api, s.plain}, s.behind...) {
		if one != nil {
			one.stop()
		}
	}
	if s.edge == nil {
		return nil
	}
	return s.edge.close()
}

// report adds the targets.
func (s *serving) report(r *report) {
	c := s.command
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
		{"list", "last 1,000 pages / first 1,000", ofLasts, ofFirsts, 0.95},
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
			size := 0
			for _, d := range s.hot {
				size += len(d.body)
			}
			r.atMost(name, api.Allocations, 10)
			r.atMost(bytesName, api.Allocated/(float64(size)/float64(len(s.hot))), 1)
		} else {
			r.missed(name, "≤ 10")
			r.missed(bytesName, "≤ 1")
		}
	}
	r.add("api, peak memory", "MiB", float64(s.api.stop())/(1<<20))
	for i, instance := range s.behind {
		r.add(fmt.Sprintf("api instance %d behind nginx, peak memory", i+1), "MiB", float64(instance.stop())/(1<<20))
	}
}
