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

	"github.com/dustin/go-humanize/english"

	"systemscale/etl/internal/edge"
	"systemscale/etl/internal/publish"
)

// caches is the flags of whatever tells the cache nodes what changed.
type caches struct {
	Cache        []edge.Node `env:"CACHE_NODES" placeholder:"URL" help:"Refresh door of an NGINX cache node, such as http://127.0.0.1:8281, in which exactly the changed documents are refreshed. May be repeated."`
	RefreshLimit int64       `default:"100000" placeholder:"N" help:"Most changed documents that caches are told of. What is above grows old in them by itself, as does a whole new set of tables. Default: ${default}."`
}

func (c *caches) check() error {
	if c.RefreshLimit < 0 {
		return fmt.Errorf("--refresh-limit must not be negative, and is %d", c.RefreshLimit)
	}
	return nil
}

// register is called before anything is published, so that what is published is told however this process ends.
func (c *caches) register(ctx context.Context, session *publish.Session) error {
	if len(c.Cache) == 0 {
		return nil
	}
	var addresses []string
	for _, node := range c.Cache {
		addresses = append(addresses, node.String())
	}
	return ofDatabase(session.Register(ctx, addresses))
}

// telling is what one node is told.
type telling struct {
	node    edge.Node
	journal *publish.Journal // nil when the cache is told nothing
	paths   edge.Paths       // nil when only the lists are refreshed
	counts  edge.Counts
	said    string // how it ended, for the report
	err     error
}

// tell tells every node which documents changed since it was told last, all nodes at once, and reports. A node that could not be told
// keeps its bookmark, and is part of the error; nothing that was published is touched by that.
func (c *caches) tell(ctx context.Context, out *output, databaseURL, collection string) error {
	var tellings []*telling
	var copies int64
	told := false
	slices.SortFunc(c.Cache, func(a, b edge.Node) int { return strings.Compare(a.String(), b.String()) })
	for _, node := range slices.Compact(c.Cache) {
		t := &telling{node: node}
		t.open(ctx, databaseURL, collection, c.RefreshLimit)
		if t.journal != nil {
			defer t.journal.Close()
			told = true
			if t.paths != nil {
				copies += t.journal.Changed() * edge.CopiesOfPath
			}
		}
		tellings = append(tellings, t)
	}
	if told {
		refreshAll(ctx, out, tellings, copies)
	}
	var errs []error
	for _, t := range tellings {
		out.metrics.cache(t.node, t.err == nil, t.counts)
		if t.err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", t.node, t.err))
			continue
		}
		fmt.Fprintf(out.stdout, "%s: %s\n", t.node, t.said)
	}
	return errors.Join(errs...)
}

// open opens the node's journal, and closes it again when that is all that is to be done.
func (t *telling) open(ctx context.Context, databaseURL, collection string, limit int64) {
	journal, err := publish.OpenJournal(ctx, databaseURL, collection, t.node.String(), limit)
	if err != nil {
		t.err = ofDatabase(err)
		return
	}
	t.journal = journal
	switch {
	case journal.Live() == 0:
		t.said = "nothing is published of " + collection
		t.close()
	case journal.Live() == journal.Told():
		t.said = fmt.Sprintf("has been told of version %d", journal.Live())
		t.err = ofDatabase(journal.Finish(ctx))
		t.close()
	case !journal.Logged():
		t.said = fmt.Sprintf("what changed since version %d is not in the log: its copies grow old by themselves, and lists are refreshed", journal.Told())
	case journal.TooMany():
		t.said = fmt.Sprintf("more than %s changed since version %d: its copies grow old by themselves, and lists are refreshed", english.Plural(int(limit), "document", ""), journal.Told())
	case journal.Changed() == 0:
		t.said = fmt.Sprintf("no document with an address of its own changed since version %d, and lists are refreshed", journal.Told())
	default:
		t.paths = journal.Paths
	}
}

// close ends what has nothing to tell the node.
func (t *telling) close() {
	t.journal.Close()
	t.journal = nil
}

// refreshAll refreshes what the journals of all nodes have.
func refreshAll(ctx context.Context, out *output, tellings []*telling, copies int64) {
	progress := newCount(out.stderr, max(copies, 1), "refresh the caches", "looked for")
	var looked atomic.Int64
	var nodes sync.WaitGroup
	for _, t := range tellings {
		if t.journal != nil {
			nodes.Go(func() { t.refresh(ctx, func() { looked.Add(1) }) })
		}
	}
	done := make(chan struct{})
	go func() { nodes.Wait(); close(done) }()
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

func (t *telling) refresh(ctx context.Context, looked func()) {
	began := time.Now()
	if t.counts, t.err = edge.Refresh(ctx, t.node, t.journal.Live(), t.paths, looked); t.err != nil {
		return
	}
	if t.paths != nil {
		t.said = fmt.Sprintf("%s changed since version %d; copies: %d refreshed, %d fresh already, %d not in the cache. %.1f s",
			english.Plural(int(t.journal.Changed()), "document", ""), t.journal.Told(), t.counts.Refreshed, t.counts.Fresh, t.counts.Absent, time.Since(began).Seconds())
	}
	t.err = ofDatabase(t.journal.Finish(ctx))
}

// warn says of each node what it was not told, which is no reason for a run that is published to fail.
func (c *caches) warn(out *output, err error) {
	if err != nil {
		out.log().Warn("caches were not told all that changed: their copies grow old by themselves, and the next run or etl refresh goes on", "reason", err)
	}
}
