//go:build !race

package cache

import (
	"strings"
	"testing"

	"systemscale/infra/redis/redistest"
)

// TestAllocationsPerHit counts the allocations of a read. The race detector allocates too.
func TestAllocationsPerHit(t *testing.T) {
	server := redistest.New(t)
	for url, limit := range map[string]float64{server.URL(): 8, "memory://8MiB": 0} {
		c := open(t, Options{URL: url})
		key := []byte("systemscale:products:styles:1@abc:12345")
		put(t, c, string(key), example(7, strings.Repeat("x", 2000)))
		got := testing.AllocsPerRun(500, func() {
			if _, found := c.Get(key); !found {
				t.Fatal("not found")
			}
		})
		t.Logf("%s: %.1f allocations", c.kind, got)
		if got > limit {
			t.Errorf("%s: %.1f allocations per hit, want at most %.0f", c.kind, got, limit)
		}
	}
}
