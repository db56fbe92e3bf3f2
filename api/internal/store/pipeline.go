package store

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/prometheus/client_golang/prometheus"
)

const (
	// Between two attempts to connect, doubling.
	shortestPause = 100 * time.Millisecond
	longestPause  = 2 * time.Second

	// A connection that has lived for this long and is lost is replaced at once, and its lookups are tried again on the
	// new one: whatever killed it is likely to be over. One that dies younger waits its turn.
	provenAge = 100 * time.Millisecond
	// repairTimeout bounds that attempt, during which the lookups wait, where there is one host. Where there are several, one of the others is
	// likely to be up, and the attempt may take as long as lookups do.
	repairTimeout = 500 * time.Millisecond

	// mostCuts is how often a lookup is tried again whose connection broke. When a server dies, so do all connections to it, and each
	// pipeline finds that out by itself; a lookup may come from one to the next. What kills a server is not tried for ever.
	mostCuts = 4
	// mostConflicts is how often a lookup is tried again that a replica has cancelled to go on replaying. One that has been held up for
	// longer than max_standby_streaming_delay cancels whatever stands in its way at once.
	mostConflicts = 5

	// answerGrace is what the server gets beyond the timeout of a lookup before its connection counts as dead:
	// statement_timeout should end a slow statement, and only a silent network the connection.
	answerGrace = 500 * time.Millisecond
)

var binaryFormat = []int16{1}

// pipeline is one connection to the database and the goroutine that keeps it alive and busy.
type pipeline struct {
	home     int // number of the host that it prefers
	queue    *queue
	follower *follower
	metrics  *metrics
	limit    int  // lookups in one round trip
	pages    bool // it carries no documents, so what its server has decides nothing
	timeout  time.Duration

	seat seat // the queue's

	// The follower's.
	view   *Snapshot // what the server has; nil without a connection
	at     *watcher  // of the host that it is connected to
	behind time.Time // since when a host has had a newer version, or zero
	offer  *offer    // a connection that is to replace conn
	moving bool      // one is being made
	moved  time.Time // when one was last begun
	broken *watcher  // of the host to which the last connection broke, or nil

	conn      *connection
	sent      prometheus.Counter // of conn's host; nil in tests of a pipeline alone
	known     *Snapshot          // view as of the last look, or nil
	covered   *Endpoint          // one that known has
	arguments arguments
	waiting   []*lookup // to be sent
	again     []*lookup // to be sent next
	settled   []*lookup // answered, and soon to be handed over
	groups    []group   // in the round trip under way
	questions int64     // number of the last statement that no lookups shared
}

// group is the lookups that share one statement in a round trip.
type group struct {
	endpoint *Endpoint
	kind     kind
	members  []member // in order of id
	sent     *prepared
}

// member is one lookup of a group.
type member struct {
	id     int64
	lookup *lookup // nil once it is settled
}

// handOver is how many answers are handed over at a time: each takes the queue's mutex once, while the server works on the next.
const handOver = 8

// run serves the queue until it is closed and empty. It gives up connecting when ctx ends.
func (p *pipeline) run(ctx context.Context) {
	defer p.follower.leave(p)
	pause := shortestPause
	for {
		next, err := p.connect(ctx)
		if err == nil {
			born := time.Now()
			p.queue.connected(&p.seat)
			if err = p.keep(ctx, next); err == nil {
				return
			}
			p.queue.lose(&p.seat, err)
			if time.Since(born) > longestPause {
				pause = shortestPause
			}
		}
		// A fleet that lost its database together should not come back in step.
		wait := pause/2 + rand.N(pause/2)
		pause = min(pause*2, longestPause)
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}

// keep serves the queue over a connection and over those that replace it at once. It returns nil at the end of the queue, and
// otherwise what broke the last connection. No lookup is left with p then.
func (p *pipeline) keep(ctx context.Context, next *offer) error {
	for {
		born := time.Now()
		p.take(next)
		err := p.serve()
		p.conn.close()
		p.follower.blind(p, err != nil)
		if err == nil {
			return nil
		}
		p.interrupted()
		if time.Since(born) > provenAge {
			patience := repairTimeout
			if len(p.follower.watchers) > 1 {
				patience = p.timeout
			}
			repair, cancel := context.WithTimeout(ctx, patience)
			var failure error
			next, failure = p.connect(repair)
			cancel()
			if failure == nil {
				continue
			}
			err = failure
		}
		// Another pipeline may do better.
		p.queue.requeue(p.waiting...)
		p.waiting = p.waiting[:0]
		return err
	}
}

// interrupted marks the waiting lookups as cut off, and fails those that were so too often.
func (p *pipeline) interrupted() {
	rest := p.waiting[:0]
	for _, l := range p.waiting {
		if l.cuts++; l.cuts > mostCuts {
			p.settle(l, ErrUnavailable)
			continue
		}
		rest = append(rest, l)
	}
	p.waiting = rest
	p.flush()
}

// serve sends what is waiting and then what comes from the queue, until its end or until the connection breaks. What
// is waiting then has not been answered.
func (p *pipeline) serve() error {
	for {
		for len(p.waiting) > 0 {
			err := p.exchange()
			p.flush()
			p.waiting, p.again = p.again, p.waiting[:0]
			if err != nil {
				return err
			}
		}
		var open bool
		if p.waiting, open = p.queue.fetch(&p.seat, p.waiting[:0], p.limit); !open {
			return nil
		}
		if len(p.waiting) == 0 {
			if err := p.attend(); err != nil {
				return err
			}
		}
	}
}

// settle is the end of a lookup, whose answer is in place unless there is an error.
func (p *pipeline) settle(l *lookup, err error) {
	l.err = err
	p.settled = append(p.settled, l)
	if len(p.settled) >= handOver {
		p.flush()
	}
}

// flush hands over what is settled.
func (p *pipeline) flush() {
	if len(p.settled) > 0 {
		p.queue.finish(p.settled)
		p.settled = p.settled[:0]
	}
}

// exchange sends the waiting lookups in one round trip and settles those that are answered. The others are
// then in again: to be sent on this connection or, if there is an error, on another.
func (p *pipeline) exchange() error {
	p.again = p.again[:0]
	p.sort()
	batch := &pgconn.Batch{}
	if err := p.assemble(batch); err != nil {
		p.unanswered(p.groups)
		return err
	}
	if len(p.groups) == 0 {
		return nil
	}
	p.metrics.batchSize.Observe(float64(len(p.waiting)))
	if p.sent != nil {
		p.sent.Add(float64(len(p.waiting)))
	}

	// Anew, because assembling may have waited for the pointer row.
	if err := p.conn.expect(p.timeout + answerGrace); err != nil {
		p.unanswered(p.groups)
		return err
	}
	results := p.conn.ExecBatch(context.Background(), batch)
	answered := 0
	var stopped error
	for answered < len(p.groups) && results.NextResult() {
		if stopped = p.read(&p.groups[answered], results.ResultReader()); stopped != nil {
			break
		}
		answered++
	}
	err := results.Close()
	switch {
	case stopped == errForeign:
		p.queue.logger.Error("database connection dropped", "error", errForeign, "table", p.groups[answered].endpoint.table)
		p.unanswered(p.groups[answered:])
		return errForeign
	case answered == len(p.groups) && !p.conn.IsClosed():
		return nil
	case p.conn.IsClosed():
		p.unanswered(p.groups[answered:])
		return err
	case err == nil:
		p.unanswered(p.groups[answered:])
		return errors.New("the server answered fewer statements than were sent")
	}
	// The first that was not answered failed, and took the others, of the same implicit transaction, with it.
	p.unanswered(p.groups[answered+1:])
	p.failed(&p.groups[answered], err)
	return nil
}

// sort puts the waiting lookups into groups.
func (p *pipeline) sort() {
	p.groups = p.groups[:0]
	for _, l := range p.waiting {
		if l.endpoint != p.covered && !p.redirect(l) {
			continue
		}
		g := p.group(l)
		g.members = append(g.members, member{l.id, l})
	}
	for i := range p.groups {
		slices.SortFunc(p.groups[i].members, func(a, b member) int { return cmp.Compare(a.id, b.id) })
	}
}

// group returns the group that l belongs to.
func (p *pipeline) group(l *lookup) *group {
	if l.kind.shared() && !l.alone {
		for i := range p.groups {
			if g := &p.groups[i]; g.endpoint == l.endpoint && g.kind == l.kind && !g.members[0].lookup.alone {
				return g
			}
		}
	}
	if len(p.groups) < cap(p.groups) { // with the room that its members took before
		p.groups = p.groups[:len(p.groups)+1]
	} else {
		p.groups = append(p.groups, group{})
	}
	g := &p.groups[len(p.groups)-1]
	*g = group{endpoint: l.endpoint, kind: l.kind, members: g.members[:0]}
	return g
}

// assemble puts the statement of each group into batch. Groups whose statement is refused are settled and leave p.groups. If it
// returns an error, the connection is broken.
func (p *pipeline) assemble(batch *pgconn.Batch) error {
	if err := p.conn.expect(p.timeout + answerGrace); err != nil {
		return err
	}
	if err := p.conn.sweep(p.follower.snapshot.Load()); err != nil {
		return err
	}
	for i := 0; i < len(p.groups); {
		g := &p.groups[i]
		statement, err := p.conn.statement(g.endpoint, g.kind)
		if err != nil {
			if p.conn.IsClosed() {
				return err
			}
			p.failed(g, err)
			last := len(p.groups) - 1
			p.groups[i], p.groups[last] = p.groups[last], p.groups[i]
			p.groups = p.groups[:last]
			continue
		}
		p.arguments.reset()
		if g.kind.shared() {
			p.arguments.ids(g.members)
		} else {
			p.questions++
			g.members[0].lookup.question = p.questions
			g.members[0].lookup.bind(&p.arguments)
		}
		g.sent = statement
		statement.add(batch, p.arguments.values)
		i++
	}
	return nil
}

// unanswered puts what is not settled of some groups into again.
func (p *pipeline) unanswered(groups []group) {
	for i := range groups {
		for _, m := range groups[i].members {
			if m.lookup != nil {
				p.again = append(p.again, m.lookup)
			}
		}
	}
}

// read settles the members of a group by the rows that answer it. It returns what stopped the rows from arriving.
func (p *pipeline) read(g *group, rows *pgconn.ResultReader) error {
	if err := g.sent.check(rows); err != nil {
		return err
	}
	if !g.kind.shared() {
		l := g.members[0].lookup
		if err := l.read(g.sent, rows); err != nil {
			return err
		}
		g.members[0].lookup = nil
		p.settle(l, l.err)
		return nil
	}
	next := 0 // as rows of an index come in its order
	for rows.NextRow() {
		values := rows.Values()
		if !g.sent.owns(values) || len(values[1]) != 8 || len(values[2]) != 8 {
			return errForeign
		}
		id := int64(binary.BigEndian.Uint64(values[1]))
		if next >= len(g.members) || g.members[next].id != id {
			next, _ = slices.BinarySearchFunc(g.members, id, func(m member, id int64) int { return cmp.Compare(m.id, id) })
		}
		if next >= len(g.members) || g.members[next].id != id || g.members[next].lookup == nil {
			return errForeign
		}
		for ; next < len(g.members) && g.members[next].id == id; next++ {
			l := g.members[next].lookup
			g.members[next].lookup = nil
			switch {
			case g.kind == kindGet:
				l.take(values)
				p.settle(l, l.err)
			case l.held(values):
				p.settle(l, nil)
			default:
				l.kind = kindGet
				p.again = append(p.again, l)
			}
		}
	}
	if _, err := rows.Close(); err != nil {
		return err
	}
	for i := range g.members {
		if l := g.members[i].lookup; l != nil {
			g.members[i].lookup = nil
			l.missing()
			p.settle(l, l.err)
		}
	}
	return nil
}

// failed deals with a group whose statement was refused: its lookups are settled, or to be sent again.
func (p *pipeline) failed(g *group, err error) {
	for i := range g.members {
		if l := g.members[i].lookup; l != nil {
			p.refused(l, err, len(g.members) > 1)
		}
	}
}

// refused deals with a lookup whose statement the server refused, and which others shared or not.
func (p *pipeline) refused(l *lookup, err error, shared bool) {
	var refusal *pgconn.PgError
	if !errors.As(err, &refusal) {
		p.settle(l, err)
		return
	}
	switch code := refusal.Code; {
	case code == "42P01" || code == "0A000": // undefined_table; "cached plan must not change result type"
		p.follow(l, err)
	case code == unknownStatement && p.conn.lost(l.endpoint.statement(l.kind)):
		p.again = append(p.again, l)
	case code == insufficientPrivilege:
		p.follower.recheck() // so that the store is not ready
		p.settle(l, ErrUnreadable)
	case code == "57014": // query_canceled, by statement_timeout
		p.settle(l, ErrTimeout)
	case code[:2] == "40" && l.conflicts < mostConflicts: // transaction_rollback: a deadlock, or a replica's recovery conflict
		l.conflicts++
		p.again = append(p.again, l)
	case code[:2] == "40" || code[:2] == "53" || code[:2] == "57": // insufficient_resources, operator_intervention
		p.settle(l, ErrUnavailable)
	case shared: // it may be the fault of one of them
		l.alone = true
		p.again = append(p.again, l)
	default:
		p.settle(l, fmt.Errorf("look up in catalog.%s: %w", l.endpoint.table, err))
	}
}

// follow sends l again, to the document that has taken the place of the one whose table is gone or has changed.
func (p *pipeline) follow(l *lookup, err error) {
	live := p.follower.snapshot.Load().current(l.endpoint)
	if live == l.endpoint && p.look() == nil { // this server may have a newer version
		live = p.follower.snapshot.Load().current(l.endpoint)
	}
	switch {
	case live == nil:
		p.settle(l, ErrNotFound)
	case live != l.endpoint:
		l.endpoint = live
		p.again = append(p.again, l)
	case !l.retried && p.conn.forget(l.endpoint.statement(l.kind)) == nil:
		// The table is still the live one, so only the statement was out of date.
		l.retried = true
		p.again = append(p.again, l)
	default:
		p.settle(l, fmt.Errorf("look up in catalog.%s, named by the version row: %w", l.endpoint.table, err))
	}
}
