package cache

import (
	"context"
	"sync/atomic"
	"time"
)

// deadlines makes contexts that end after limit, or up to a quarter later. A context of its own for each read would cost a timer and
// three allocations, so reads that begin within a quarter of limit share one.
type deadlines struct {
	limit   time.Duration
	current atomic.Pointer[deadline]
}

type deadline struct {
	context.Context
	cancel   context.CancelFunc // not called: the context ends soon
	openTill time.Time          // reads that begin later take another one
}

// next returns the context of a read that begins now.
func (d *deadlines) next() context.Context {
	now := time.Now()
	if shared := d.current.Load(); shared != nil && now.Before(shared.openTill) {
		return shared
	}
	fresh := &deadline{openTill: now.Add(d.limit / 4)}
	fresh.Context, fresh.cancel = context.WithDeadline(context.Background(), now.Add(d.limit+d.limit/4))
	d.current.Store(fresh)
	return fresh
}
