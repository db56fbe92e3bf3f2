package store

import (
	"context"
	"math/rand/v2"
	"time"
)

// run answers lookups until the queue is closed and empty. It stops connecting when ctx ends.
func (w *worker) run(ctx context.Context) {
	defer w.follower.remove(&w.placement)
	pause := minPause
	for {
		next, err := w.follower.connect(ctx, &w.placement)
		if err == nil {
			born := time.Now()
			w.queue.connected(&w.slot)
			if err = w.keep(ctx, next); err == nil {
				return
			}
			w.queue.disconnect(&w.slot, err)
			if time.Since(born) > maxPause {
				pause = minPause
			}
		}
		// Jitter: instances that lost the database together should not reconnect together.
		wait := pause/2 + rand.N(pause/2)
		pause = min(pause*2, maxPause)
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}

// keep answers lookups over a connection and over its immediate replacements. It returns nil at the end of the queue, and otherwise the
// error of the last connection. The worker then holds no lookups.
func (w *worker) keep(ctx context.Context, next *offer) error {
	for {
		born := time.Now()
		w.use(next)
		err := w.serve()
		w.conn.close()
		w.follower.disconnected(&w.placement, err != nil)
		if err == nil {
			return nil
		}
		w.interrupted()
		if time.Since(born) > provenAge {
			patience := repairTimeout
			if len(w.follower.watchers) > 1 {
				patience = w.timeout
			}
			repair, cancel := context.WithTimeout(ctx, patience)
			var failure error
			next, failure = w.follower.connect(repair, &w.placement)
			cancel()
			if failure == nil {
				continue
			}
			err = failure
		}
		// Another worker may have a connection.
		w.queue.requeue(w.waiting...)
		w.waiting = w.waiting[:0]
		return err
	}
}

// interrupted counts a broken connection for each waiting lookup, and fails those that exceed maxCuts.
func (w *worker) interrupted() {
	rest := w.waiting[:0]
	for _, l := range w.waiting {
		if l.cuts++; l.cuts > maxCuts {
			w.settle(l, ErrUnavailable)
			continue
		}
		rest = append(rest, l)
	}
	w.waiting = rest
	w.flush()
}

// serve sends the waiting lookups and then those from the queue, until the end of the queue or until the connection breaks. The lookups in
// waiting are then unanswered.
func (w *worker) serve() error {
	for {
		for len(w.waiting) > 0 {
			err := w.exchange()
			w.flush()
			w.waiting, w.again = w.again, w.waiting[:0]
			if err != nil {
				return err
			}
		}
		var open bool
		if w.waiting, open = w.queue.fetch(&w.slot, w.waiting[:0], w.limit); !open {
			return nil
		}
		if len(w.waiting) == 0 {
			if err := w.handleNotice(); err != nil {
				return err
			}
		}
	}
}
