package store

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

const (
	// Between two attempts to connect, doubling.
	shortestPause = 100 * time.Millisecond
	longestPause  = 2 * time.Second

	// A connection that has lived for this long and is lost is replaced at once, and its lookups are tried again on the
	// new one: whatever killed it is likely to be over. One that dies younger waits its turn.
	provenAge = 100 * time.Millisecond
	// repairTimeout bounds that attempt, during which the lookups wait.
	repairTimeout = 500 * time.Millisecond

	// answerGrace is what the server gets beyond the timeout of a lookup before its connection counts as dead:
	// statement_timeout should end a slow statement, and only a silent network the connection.
	answerGrace = 500 * time.Millisecond
)

var binaryFormat = []int16{1}

// pipeline is one connection to the database and the goroutine that keeps it alive and busy.
type pipeline struct {
	config   *pgconn.Config
	queue    *queue
	follower *follower
	limit    int // lookups in one round trip
	timeout  time.Duration

	conn      *connection
	arguments arguments
	waiting   []*lookup // to be sent
	sent      []*lookup // in the round trip under way
	again     []*lookup // to be sent next
}

// run serves the queue until it is closed and empty. It gives up connecting when ctx ends.
func (p *pipeline) run(ctx context.Context) {
	pause := shortestPause
	for {
		conn, err := connect(ctx, p.config)
		if err == nil {
			born := time.Now()
			p.queue.connected()
			if err = p.keep(ctx, conn); err == nil {
				return
			}
			p.queue.lose(err)
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

// keep serves the queue over conn and over whatever replaces it at once. It returns nil at the end of the queue, and
// otherwise what broke the last connection. No lookup is left with p then.
func (p *pipeline) keep(ctx context.Context, conn *connection) error {
	for {
		born := time.Now()
		p.conn = conn
		err := p.serve()
		conn.close()
		if err == nil {
			return nil
		}
		p.interrupted()
		if time.Since(born) > provenAge {
			repair, cancel := context.WithTimeout(ctx, repairTimeout)
			next, failure := connect(repair, p.config)
			cancel()
			if failure == nil {
				conn = next
				continue
			}
			err = failure
		}
		// Another pipeline may do better.
		for _, l := range p.waiting {
			if err := p.queue.push(l); err != nil {
				l.complete(err)
			}
		}
		p.waiting = p.waiting[:0]
		return err
	}
}

// interrupted marks the waiting lookups as cut off, and fails those that were so before.
func (p *pipeline) interrupted() {
	once := p.waiting[:0]
	for _, l := range p.waiting {
		if l.retried {
			l.complete(ErrUnavailable)
			continue
		}
		l.retried = true
		once = append(once, l)
	}
	p.waiting = once
}

// serve sends what is waiting and then what comes from the queue, until its end or until the connection breaks. What
// is waiting then has not been answered.
func (p *pipeline) serve() error {
	for {
		for len(p.waiting) > 0 {
			err := p.exchange()
			p.waiting, p.again = p.again, p.waiting[:0]
			if err != nil {
				return err
			}
		}
		first, open := <-p.queue.lookups
		if !open {
			return nil
		}
		p.fetch(first)
	}
}

// fetch makes first and whatever else is queued wait for the next round trip. It does not wait for more to come.
func (p *pipeline) fetch(first *lookup) {
	p.waiting = append(p.waiting[:0], first)
	for len(p.waiting) < p.limit {
		select {
		case l, open := <-p.queue.lookups:
			if !open {
				return
			}
			p.waiting = append(p.waiting, l)
		default:
			return
		}
	}
}

// exchange sends the waiting lookups in one round trip and completes those that are answered. The others are
// then in again: to be sent on this connection or, if there is an error, on another.
func (p *pipeline) exchange() error {
	p.sent, p.again = p.sent[:0], p.again[:0]
	batch := &pgconn.Batch{}
	if unsent, err := p.assemble(batch); err != nil {
		p.again = append(append(p.again, p.sent...), unsent...)
		return err
	}
	if len(p.sent) == 0 {
		return nil
	}

	// Anew, because assembling may have waited for the pointer row.
	if err := p.conn.expect(p.timeout + answerGrace); err != nil {
		p.again = append(p.again, p.sent...)
		return err
	}
	results := p.conn.ExecBatch(context.Background(), batch)
	answered := 0
	for answered < len(p.sent) && results.NextResult() {
		l := p.sent[answered]
		if l.read(results.ResultReader()) != nil {
			break
		}
		l.complete(l.err)
		answered++
	}
	err := results.Close()
	unanswered := p.sent[answered:]
	switch {
	case p.conn.IsClosed():
		p.again = append(p.again, unanswered...)
		return err
	case len(unanswered) == 0:
		return nil
	case err == nil:
		p.again = append(p.again, unanswered...)
		return errors.New("the server answered fewer lookups than it was asked")
	}
	// The first that was not answered failed, and took the others, of the same implicit transaction, with it.
	p.again = append(p.again, unanswered[1:]...)
	p.failed(unanswered[0], err)
	return nil
}

// assemble puts the waiting lookups into batch. If the connection breaks over it, it returns those not yet looked at.
func (p *pipeline) assemble(batch *pgconn.Batch) (unsent []*lookup, err error) {
	if err := p.conn.expect(p.timeout + answerGrace); err != nil {
		return p.waiting, err
	}
	if err := p.conn.sweep(p.follower.snapshot.Load()); err != nil {
		return p.waiting, err
	}
	for i, l := range p.waiting {
		if l.abandoned() {
			continue
		}
		statement, err := p.conn.statement(l.document, l.kind)
		if err != nil {
			if p.conn.IsClosed() {
				return p.waiting[i:], err
			}
			p.failed(l, err)
			continue
		}
		p.arguments.reset()
		l.bind(&p.arguments)
		batch.ExecStatement(statement, p.arguments.values, binaryFormat, binaryFormat)
		p.sent = append(p.sent, l)
	}
	return nil, nil
}

// failed deals with a lookup whose statement the server refused: it is complete, or to be sent again.
func (p *pipeline) failed(l *lookup, err error) {
	var refusal *pgconn.PgError
	if !errors.As(err, &refusal) {
		l.complete(err)
		return
	}
	switch code := refusal.Code; {
	case code == "42P01" || code == "0A000": // undefined_table; "cached plan must not change result type"
		p.follow(l, err)
	case code == "57014": // query_canceled, by statement_timeout
		l.complete(ErrTimeout)
	case code[:2] == "40" && !l.retried: // transaction_rollback: a deadlock, or a replica's recovery conflict
		l.retried = true
		p.again = append(p.again, l)
	case code[:2] == "53" || code[:2] == "57": // insufficient_resources, operator_intervention
		l.complete(ErrUnavailable)
	default:
		l.complete(fmt.Errorf("look up in catalog.%s: %w", l.document.table, err))
	}
}

// follow sends l again, to the document that has taken the place of the one whose table is gone or has changed.
func (p *pipeline) follow(l *lookup, err error) {
	switch live := p.follower.successor(l.document); {
	case live == nil:
		l.complete(ErrNotFound)
	case live != l.document:
		l.document = live
		p.again = append(p.again, l)
	case !l.retried && p.conn.forget(statementKey{l.document, l.kind}) == nil:
		// The table is still the live one, so only the statement was out of date.
		l.retried = true
		p.again = append(p.again, l)
	default:
		l.complete(fmt.Errorf("look up in catalog.%s, which the pointer row names: %w", l.document.table, err))
	}
}
