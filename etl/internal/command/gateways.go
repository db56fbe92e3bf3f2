package command

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dustin/go-humanize"

	"systemscale/etl/internal/cacherefresh"
	"systemscale/etl/internal/publish"
)

// gatewayFlags are for commands that refresh the caches of gateways.
type gatewayFlags struct {
	Gateway      []cacherefresh.Gateway `env:"GATEWAYS" placeholder:"URL" help:"Refresh endpoint of a gateway, such as http://127.0.0.1:8281, whose cached copies of changed documents are refreshed. dns+http://gateways:8281 is a gateway at each address of the name. May be repeated."`
	Cache        []cacherefresh.Gateway `env:"CACHE_NODES" hidden:"" help:"Old name of --gateway."`
	RefreshLimit int64                  `default:"100000" placeholder:"N" help:"Most changed documents to refresh. If more changed, or all tables were replaced, cached copies expire on their own. Default: ${default}."`
}

func (g *gatewayFlags) check() error {
	if g.RefreshLimit < 0 {
		return fmt.Errorf("--refresh-limit must not be negative, and is %d", g.RefreshLimit)
	}
	return nil
}

// gateways returns each gateway once, by address. The old names count only without the new ones, so that a flag overrides any variable.
func (g *gatewayFlags) gateways() []cacherefresh.Gateway {
	all := slices.Clone(g.Gateway)
	if len(all) == 0 {
		all = slices.Clone(g.Cache)
	}
	slices.SortFunc(all, func(a, b cacherefresh.Gateway) int { return strings.Compare(a.String(), b.String()) })
	return slices.Compact(all)
}

// warnOfOldNames warns once if a gateway was given by the old flag or variable.
func (g *gatewayFlags) warnOfOldNames(out *output) {
	switch {
	case len(g.Cache) == 0:
	case len(g.Gateway) > 0:
		out.logger.Warn("--cache and CACHE_NODES are ignored, because --gateway or GATEWAYS is set")
	default:
		out.logger.Warn("--cache and CACHE_NODES are deprecated: use --gateway and GATEWAYS")
	}
}

// register must be called before publishing, so that the next refresh includes every change even if this process is killed.
func (g *gatewayFlags) register(ctx context.Context, session *publish.Session) error {
	var addresses []string
	for _, named := range g.gateways() {
		// A name that has no address now may have one after the publish. If not, the refresh reports it.
		gateways, _ := named.Each(ctx)
		for _, gateway := range gateways {
			addresses = append(addresses, gateway.String())
		}
	}
	if len(addresses) == 0 {
		return nil
	}
	return session.Register(ctx, addresses)
}

// refresh refreshes, in all gateways concurrently, the copies of documents that changed since the last refresh of the gateway, and reports
// the results. A gateway whose refresh fails keeps its bookmark, and is part of the error.
func (g *gatewayFlags) refresh(ctx context.Context, out *output, databaseURL, collection string) error {
	refreshes := g.refreshes(ctx)
	var copies int64
	needed := false
	for _, r := range refreshes {
		if r.err == nil {
			r.open(ctx, databaseURL, collection, g.RefreshLimit)
		}
		if r.journal != nil {
			defer r.journal.Close()
			needed = true
			if r.paths != nil {
				copies += r.journal.Changed() * cacherefresh.CopiesOfPath
			}
		}
	}
	if needed {
		refreshAll(ctx, out, refreshes, copies)
	}
	var errs []error
	for _, r := range refreshes {
		out.metrics.refresh(r.gateway, r.err == nil, r.counts)
		if r.err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", r.gateway, r.err))
			continue
		}
		fmt.Fprintf(out.stdout, "%s: %s\n", r.gateway, r.result)
	}
	return errors.Join(errs...)
}

// refreshes returns a refresh for each gateway, or for a host name without addresses, one that has failed.
func (g *gatewayFlags) refreshes(ctx context.Context) []*refresh {
	var refreshes []*refresh
	for _, named := range g.gateways() {
		gateways, err := named.Each(ctx)
		if err != nil {
			refreshes = append(refreshes, &refresh{gateway: named, err: err})
		}
		for _, gateway := range gateways {
			if !slices.ContainsFunc(refreshes, func(r *refresh) bool { return r.gateway == gateway }) {
				refreshes = append(refreshes, &refresh{gateway: gateway})
			}
		}
	}
	return refreshes
}

// warn reports a failed refresh. It does not change the exit code of a run that has published.
func (g *gatewayFlags) warn(out *output, err error) {
	if err != nil {
		out.logger.Warn("the refresh of a gateway failed: its cached copies expire on their own, and the next run or etl refresh tries again",
			"reason", err)
	}
}

// refresh is the refresh of one gateway.
type refresh struct {
	gateway cacherefresh.Gateway
	journal *publish.Journal   // nil when nothing is to be refreshed
	paths   cacherefresh.Paths // nil when only the lists are refreshed
	counts  cacherefresh.Counts
	result  string // for the report
	err     error
}

// open opens the gateway's journal, and closes it if nothing must be refreshed.
func (r *refresh) open(ctx context.Context, databaseURL, collection string, limit int64) {
	journal, err := publish.OpenJournal(ctx, databaseURL, collection, r.gateway.String(), limit)
	if err != nil {
		r.err = err
		return
	}
	r.journal = journal
	const expire = "cached copies expire on their own, and lists are refreshed"
	switch {
	case journal.Live() == 0:
		r.result = "nothing is published of " + collection
		r.close()
	case journal.Live() == journal.Since():
		r.result = fmt.Sprintf("is up to date with version %d", journal.Live())
		r.err = journal.Finish(ctx)
		r.close()
	case !journal.Logged():
		r.result = fmt.Sprintf("the changes since version %d are not in the change log: %s", journal.Since(), expire)
	case journal.TooMany():
		r.result = fmt.Sprintf("more than %s changed since version %d: %s", plural(limit, "document"), journal.Since(), expire)
	case journal.Changed() == 0:
		r.result = fmt.Sprintf("no document of a single item changed since version %d, and lists are refreshed", journal.Since())
	default:
		r.paths = journal.Paths
	}
}

func (r *refresh) close() {
	r.journal.Close()
	r.journal = nil
}

// run refreshes the gateway, and moves its bookmark. looked is called for each copy.
func (r *refresh) run(ctx context.Context, looked func()) {
	began := time.Now()
	if r.counts, r.err = cacherefresh.Refresh(ctx, r.gateway, r.journal.Live(), r.paths, looked); r.err != nil {
		return
	}
	if r.paths != nil {
		r.result = fmt.Sprintf("%s changed since version %d; copies: %s refreshed, %s already fresh, %s not in the cache. %.1f s",
			plural(r.journal.Changed(), "document"), r.journal.Since(), humanize.Comma(r.counts.Refreshed), humanize.Comma(r.counts.Fresh),
			humanize.Comma(r.counts.Absent), time.Since(began).Seconds())
	}
	r.err = r.journal.Finish(ctx)
}

// refreshAll runs the refreshes that have a journal, and shows their progress.
func refreshAll(ctx context.Context, out *output, refreshes []*refresh, copies int64) {
	progress := newCount(out.stderr, max(copies, 1), "refresh the gateways", "looked up")
	var looked atomic.Int64
	var running sync.WaitGroup
	for _, r := range refreshes {
		if r.journal != nil {
			running.Go(func() { r.run(ctx, func() { looked.Add(1) }) })
		}
	}
	done := make(chan struct{})
	go func() { running.Wait(); close(done) }()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-done:
			progress.finish(nil)
			return
		case <-tick.C:
			progress.at(looked.Load())
		}
	}
}
