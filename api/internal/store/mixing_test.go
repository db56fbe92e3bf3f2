package store

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"systemscale/api/internal/cache"
	"systemscale/api/internal/publishtest"
	"systemscale/sql"
)

func TestBodiesNeverMix(t *testing.T) {
	for _, c := range []struct {
		name    string
		timeout time.Duration
		allowed []error
		cache   string
	}{
		{name: "in peace", timeout: publishtest.Patience},
		{name: "with a document cache", timeout: publishtest.Patience, cache: "memory://8MiB"},
		// So short that the server cancels statements within batches, and lookups are abandoned while their buffers are written.
		{name: "with timeouts", timeout: 2 * time.Millisecond, allowed: []error{ErrTimeout, ErrUnavailable}},
	} {
		t.Run(c.name, func(t *testing.T) {
			options := Options{Batch: 16}
			if c.cache != "" {
				documents, err := cache.Open(cache.Options{URL: c.cache})
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(documents.Close)
				options.Cache = documents
			}
			f := newFixture(t, mixedItems, options)
			m := mixing{allowed: c.allowed}
			// The timeout to choose depends on the machine and its load.
			timeout := c.timeout
			for deadline := time.Now().Add(publishtest.Patience); ; {
				f.queue.timeout = timeout
				var wait sync.WaitGroup
				for reader := range 32 {
					wait.Go(func() { m.read(f, uint64(reader)) })
				}
				wait.Wait()
				t.Logf("%s for a lookup: %d read, %d abandoned", timeout, m.succeeded.Load(), m.abandoned.Load())
				if m.succeeded.Load() > 0 && (c.allowed == nil || m.abandoned.Load() > 0) {
					return
				}
				if time.Now().After(deadline) {
					t.Fatal("no timeout both lets lookups succeed and abandons some, so the test proves nothing")
				}
				if m.succeeded.Load() == 0 {
					timeout *= 2
				} else {
					timeout /= 2
				}
			}
		})
	}
}

// mixedItems is the number of items.
const mixedItems = 200

// mixing reads documents and list pages in a reused buffer. It may be used by several goroutines.
type mixing struct {
	allowed              []error // that a lookup may end with
	succeeded, abandoned atomic.Int64
}

func (m *mixing) read(f *fixture, reader uint64) {
	random := rand.New(rand.NewPCG(1, reader))
	var buffer []byte
	for range 300 {
		id, endpoint := 1+random.Int64N(mixedItems), f.document("")
		if random.IntN(2) == 0 {
			endpoint = f.document("detail")
		}
		unless := Match{}
		if random.IntN(4) == 0 {
			unless.ETags = []uint64{publishtest.NewRow("item", 1, id).ETag}
		}
		if random.IntN(8) == 0 {
			endpoint = f.list()
			result, err := f.List(endpoint, id-1, 1, buffer[:0])
			result.Body = trimList(result.Body)
			result.ETag = publishtest.NewRow("item", 1, id).ETag
			if err == nil {
				checkBody(f.t, "item", id, result)
			}
			buffer = result.Body
			continue
		}
		result, err := f.Get(endpoint, sql.IntID(id), unless, buffer[:0])
		buffer = result.Body
		switch {
		case err != nil:
			if !among(err, m.allowed) {
				f.t.Errorf("%s %d: %v", endpoint.Name, id, err)
			}
			if buffer == nil {
				m.abandoned.Add(1)
			}
		case result.NotModified:
			if want := publishtest.NewRow("item", 1, id).ETag; result.ETag != want || endpoint.Name != "item" {
				f.t.Errorf("%s %d with etag %016x instead of %016x", endpoint.Name, id, result.ETag, want)
			}
		default:
			checkBody(f.t, endpoint.Name, id, result)
			m.succeeded.Add(1)
		}
	}
}
